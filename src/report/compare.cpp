#include "ergo/report/compare.hpp"

#include "ergo/report/format.hpp"
#include "ergo/report/study_report.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace ergo::report {
namespace {

/// One digit of the uncertainty, two where the first is 1 or 2: "4.1" beside 0.6, "12.0" beside
/// 1.5.
int percent_digits(double half_width) {
  if (!(half_width > 0)) return 2;
  const double order = std::floor(std::log10(half_width));
  const bool small_first_digit = half_width / std::pow(10, order) < 3;
  return std::clamp(static_cast<int>(-order) + (small_first_digit ? 1 : 0), 0, 4);
}

struct Percent {
  double value = 0.0;
  double low = 0.0;
  double high = 0.0;
  double half = 0.0;
  int digits = 1;
};

Percent percent_of(const Estimate& change) {
  Percent p{100 * change.value, 100 * change.low, 100 * change.high, 0, 1};
  p.half = (p.high - p.low) / 2;
  p.digits = percent_digits(p.half);
  return p;
}

/// "4.1 ± 0.6 % less"
std::string told_text(const ComparedQuantity& quantity) {
  const Percent p = percent_of(quantity.change);
  return fmt::format("{:.{}f} ± {:.{}f} % {}", std::abs(p.value), p.digits, p.half, p.digits,
                     p.value < 0 ? "less" : "more");
}

/// "between -1.0 and +2.0 %"
std::string range_text(const ComparedQuantity& quantity) {
  const Percent p = percent_of(quantity.change);
  constexpr double rounding = 1e-6;
  if (std::max(std::abs(p.low), std::abs(p.high)) < rounding) return "no difference at all";
  return fmt::format("between {:+.{}f} and {:+.{}f} %", p.low, p.digits, p.high, p.digits);
}

/// What more runs would bring.
std::string more_text(const ComparedQuantity& quantity, const Comparison& comparison) {
  const std::size_t have = std::min(comparison.runs_a, comparison.runs_b);
  const std::string resolution = fmt::format("{:g} %", 100 * comparison.resolution);
  if (quantity.pairs_needed <= have)
    return fmt::format("the spread over {} is within {}", comparison.paired ? "pairs" : "runs",
                       resolution);
  const std::size_t more = quantity.pairs_needed - have;
  return comparison.paired ? fmt::format("{} more pair{} would resolve {}", more,
                                         more == 1 ? "" : "s", resolution)
                           : fmt::format("{} more run{} of each would resolve {}", more,
                                         more == 1 ? "" : "s", resolution);
}

/// "±5.1 %": spread over runs and error budget.
std::string uncertainty_text(const Estimate& e, double budget) {
  const double own = budget * e.value;
  // Only the ratio counts: any unit serves.
  const Joules low(e.value - std::hypot(e.value - e.low, own));
  const Joules high(e.value + std::hypot(e.high - e.value, own));
  return high > low ? format_uncertainty(Joules(e.value), std::max(low, Joules(0)), high)
                    : std::string();
}

std::string figure_text(const ComparedQuantity& quantity, const Estimate& estimate, double budget) {
  const auto text = [&](double v) {
    if (quantity.unit == "J") return format_energy(Joules(v));
    if (quantity.unit == "W") return format_power(Watts(v));
    if (quantity.unit == "s") return format_duration(Seconds(v));
    return fmt::format("{:.4g} {}", v, quantity.unit);
  };
  const std::string uncertainty = uncertainty_text(estimate, budget);
  return text(estimate.value) + (uncertainty.empty() ? "" : " " + uncertainty);
}

/// Columns count code points: "±" and "…" are two and three bytes.
std::size_t length_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string padded(const std::string& text, std::size_t width) {
  const std::size_t length = length_of(text);
  return text + std::string(width > length ? width - length : 1, ' ');
}

std::string verb_of(const ComparedQuantity& quantity) {
  if (quantity.id == "time") return "takes";
  if (quantity.id == "power") return "draws";
  return quantity.id == "edp" || quantity.id == "latency" ? "has" : "uses";
}

std::string what_is_compared(const Comparison& c) {
  std::string text = c.item ? fmt::format("per item of '{}'", *c.item) : "whole runs";
  return text + (c.paired ? fmt::format(", {} pairs that took turns", c.runs_a)
                          : fmt::format(", {} runs of A and {} of B", c.runs_a, c.runs_b));
}

std::string gain_text(const Comparison& c) {
  if (c.quantities.front().provenance == Provenance::estimated)
    return c.gain_cancels ? "one machine's model estimated both: where it errs by one factor, that "
                            "cancels in the ratio"
                          : "different machines' models estimated A and B: the intervals of both "
                            "are in the result";
  if (c.gain_cancels)
    return "the same devices metered both: an error of their gain is one factor in A and B and "
           "cancels in the ratio";
  return "different devices metered A and B: the error budgets of both, gain included, are in the "
         "intervals";
}

std::string_view provenance_note(Provenance provenance) {
  switch (provenance) {
    case Provenance::estimated:
      return "energy is estimated from load by a model, not measured; so is its difference";
    case Provenance::simulated:
      return "energy is that of a simulated node";
    case Provenance::derived:
      return "energy is derived from measured energy";
    case Provenance::measured:
      break;
  }
  return {};
}

nlohmann::ordered_json estimate_json(const Estimate& e) {
  return {{"value", e.value}, {"low", e.low}, {"high", e.high}};
}

}  // namespace

std::string compare_verdict(const ComparedQuantity& quantity, const Comparison& comparison) {
  const Percent p = percent_of(quantity.change);
  if (quantity.told)
    return fmt::format("B {} {} {} ({:.{}f} … {:.{}f} %)", verb_of(quantity), told_text(quantity),
                       quantity.label, std::min(std::abs(p.low), std::abs(p.high)), p.digits,
                       std::max(std::abs(p.low), std::abs(p.high)), p.digits);
  return fmt::format("cannot tell whether B {} more or less {}: {}; {}", verb_of(quantity),
                     quantity.label, range_text(quantity), more_text(quantity, comparison));
}

std::string compare_text(const Comparison& c) {
  std::string text = fmt::format("A  {}\nB  {}\n{}\n\n", c.label_a, c.label_b, what_is_compared(c));
  std::size_t width = 14;
  for (const ComparedQuantity& q : c.quantities)
    width = std::max({width, length_of(figure_text(q, q.a, q.budget_a)) + 2,
                      length_of(figure_text(q, q.b, q.budget_b)) + 2});
  text += "  " + padded("", 20) + padded("A", width) + padded("B", width) +
          padded("B against A", 28) + "p\n";
  for (const ComparedQuantity& q : c.quantities) {
    text += "  " + padded(q.label, 20) + padded(figure_text(q, q.a, q.budget_a), width) +
            padded(figure_text(q, q.b, q.budget_b), width) +
            padded(q.told ? told_text(q) : range_text(q), 28) + fmt::format("{:.2g}\n", q.test.p);
  }
  text += "\n";
  if (!c.quantities.empty() && c.quantities.front().provenance) {
    const std::string_view label = provenance_note(*c.quantities.front().provenance);
    if (!label.empty()) text += fmt::format("note: {}\n", label);
    text += "note: " + gain_text(c) + "\n";
  }
  for (const std::string& note : c.notes)
    text += "note: " + note + "\n";
  if (!c.quantities.empty()) text += compare_verdict(c.quantities.front(), c) + "\n";
  return text;
}

std::string compare_json(const Comparison& c) {
  nlohmann::ordered_json json{{"schema", "ergo.compare/1"},
                              {"a", {{"label", c.label_a}, {"runs", c.runs_a}}},
                              {"b", {{"label", c.label_b}, {"runs", c.runs_b}}},
                              {"paired", c.paired}};
  if (c.item) json["item"] = *c.item;
  json["gain_cancels"] = c.gain_cancels;
  json["resolution"] = c.resolution;
  json["quantities"] = nlohmann::ordered_json::array();
  for (const ComparedQuantity& q : c.quantities) {
    nlohmann::ordered_json one{{"id", q.id}, {"label", q.label}, {"unit", q.unit}};
    if (q.provenance) one["provenance"] = name_of(*q.provenance);
    one["a"] = estimate_json(q.a);
    one["b"] = estimate_json(q.b);
    if (q.budget_a > 0) one["a"]["budget"] = q.budget_a;
    if (q.budget_b > 0) one["b"]["budget"] = q.budget_b;
    one["change"] = estimate_json(q.change);
    one["p"] = q.test.p;
    one["smallest_p"] = q.test.smallest;
    one["exact_p"] = q.test.exact;
    one["told"] = q.told;
    one["pairs_needed"] = q.pairs_needed;
    one["verdict"] = compare_verdict(q, c);
    json["quantities"].push_back(std::move(one));
  }
  json["notes"] = c.notes;
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace ergo::report
