#include "tune_text.hpp"

#include "ergo/report/format.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <iostream>

namespace ergo::cli {
namespace {

using Json = nlohmann::ordered_json;

/// An amount in joules or seconds as a share of what the whole run would have taken.
struct Shares {
  Estimate saved;
  Estimate slower;
};

/// Only the tuned part of a run is compared; the rest was under the default.
std::optional<Shares> shares_of(const TuneResult& result) {
  const TuneReport& r = result.report;
  if (!r.saved_j || !r.lost_s || r.joules <= 0 || r.seconds <= 0) return std::nullopt;
  const auto relative = [](const Estimate& e, double whole) {
    return Estimate{e.value / whole, e.low / whole, e.high / whole};
  };
  const double outside_j =
      result.run.total.measured ? std::max(0.0, result.run.total.measured->value() - r.joules) : 0;
  const double outside_s = std::max(0.0, result.run.duration.value() - r.seconds);
  return Shares{relative(*r.saved_j, r.joules + outside_j + r.saved_j->value),
                relative(*r.lost_s, r.seconds + outside_s - r.lost_s->value)};
}

std::string plus_minus(const Estimate& e, double sign = 1) {
  return fmt::format("{:.1f} ± {:.1f} %", sign * e.value * 100, (e.high - e.low) / 2 * 100);
}

bool crosses_zero(const Estimate& e) {
  return e.low <= 0 && e.high >= 0;
}

std::string limits_text(const TuneResult& result) {
  const TuneReport& r = result.report;
  const double top = result.options.limits_w.back();
  if (!r.settled_w) return fmt::format("stayed at {:g} W", top);
  if (*r.settled_w == top) return fmt::format("kept {:g} W, the default", top);
  return fmt::format("settled on {:g} W (default {:g} W)", *r.settled_w, top);
}

std::string headline(const TuneResult& result) {
  if (result.failure) return "tuning stopped: " + result.failure->text();
  const auto shares = shares_of(result);
  if (!shares) {
    const std::string& why = result.report.cannot_tell;
    return "cannot tell what a limit saves: " + (result.measure == WorkMeasure::none
                                                     ? "no work was seen on the GPUs"
                                                 : why.empty() ? "nothing was compared"
                                                               : why);
  }
  const bool bound = result.measure == WorkMeasure::activity;
  const std::string speed =
      shares->slower.value >= 0 || crosses_zero(shares->slower)
          ? fmt::format("{}{} slower", bound ? "at most " : "", plus_minus(shares->slower))
          : fmt::format("{} faster", plus_minus(shares->slower, -1));
  if (crosses_zero(shares->saved)) {
    return fmt::format(
        "cannot tell whether energy was saved ({}), {} than the default would have "
        "been",
        plus_minus(shares->saved), speed);
  }
  const std::string energy =
      shares->saved.value > 0
          ? fmt::format("saved {}{} energy", bound ? "at least " : "", plus_minus(shares->saved))
          : fmt::format("used {} more energy", plus_minus(shares->saved, -1));
  return fmt::format("{}, {} than the default would have been", energy, speed);
}

std::string work_text(const TuneResult& result) {
  switch (result.measure) {
    case WorkMeasure::items:
      return fmt::format("work: items of '{}'", result.counted);
    case WorkMeasure::activity:
      return "work: busy time x clock of the GPU, for want of marks; where work waits for memory, "
             "limits look slower than they are";
    case WorkMeasure::none:
      return "work: none seen";
  }
  return {};
}

Json estimate_json(const Estimate& e) {
  return {{"value", e.value}, {"low", e.low}, {"high", e.high}};
}

}  // namespace

void TuneLine::on_progress(const Timeline& timeline, Instant begin) {
  progress_.on_progress(timeline, begin);
  if (!speaks_) return;
  std::string now = tuner_.status();
  if (now == told_) return;
  told_ = std::move(now);
  progress_.clear();
  std::cerr << "tune: " << told_ << "\n";
}

std::string tune_text(const TuneResult& result) {
  const TuneReport& r = result.report;
  std::string text = "\n" + headline(result) + "\n\n";
  text += fmt::format("  {}; {}\n", limits_text(result), work_text(result));
  for (const TuneWindow& w : r.windows) {
    text += fmt::format("  {:<8} {:>7} {:>10} {:>10} per item, {} in {}\n", w.purpose,
                        report::format_power(Watts(w.limit_w)),
                        report::format_duration(Seconds(std::exp(w.log_time))),
                        report::format_energy(Joules(std::exp(w.log_energy()))),
                        report::format_power(Watts(std::exp(w.log_power))),
                        report::format_duration(w.duration()));
  }
  if (r.profiling_cost) {
    text += fmt::format("  profiling took {} and cost {:.1f} % of the energy\n",
                        report::format_duration(r.profiling), *r.profiling_cost * 100);
  }
  if (r.phase_changes > 0)
    text += fmt::format("  the work changed {} time{}\n", r.phase_changes,
                        r.phase_changes == 1 ? "" : "s");
  if (result.foreign_share && *result.foreign_share > 0.1) {
    text += fmt::format(
        "  note: other programs used up to {:.0f} % of the GPU; their energy is in "
        "these numbers\n",
        *result.foreign_share * 100);
  }
  if (result.run.invalid)
    text += "  note: " + *result.run.invalid + "; do not trust these numbers\n";
  return text;
}

std::string tune_json(const TuneResult& result) {
  const TuneReport& r = result.report;
  Json json{{"schema", "ergo.tune/1"},
            {"objective", result.objective},
            {"rule", result.options.rule == TuneRule::exhaustive ? "exhaustive" : "hybrid"},
            {"default_limit_w", result.options.limits_w.back()},
            {"work", result.measure == WorkMeasure::items      ? "items"
                     : result.measure == WorkMeasure::activity ? "activity"
                                                               : "none"},
            {"summary", headline(result)}};
  if (result.options.max_slowdown) json["max_slowdown"] = *result.options.max_slowdown;
  if (!result.counted.empty()) json["counted"] = result.counted;
  if (r.settled_w) json["settled_w"] = *r.settled_w;
  if (const auto shares = shares_of(result)) {
    json["saved"] = estimate_json(shares->saved);
    json["slower"] = estimate_json(shares->slower);
    json["saved_j"] = estimate_json(*r.saved_j);
    json["lost_s"] = estimate_json(*r.lost_s);
  }
  if (!r.cannot_tell.empty()) json["cannot_tell"] = r.cannot_tell;
  if (result.failure) json["failure"] = result.failure->text();
  json["exit_code"] = result.run.exit_code;
  json["duration_s"] = result.run.duration.value();
  json["observed"] = {{"joules", r.joules}, {"seconds", r.seconds}};
  json["profiling_s"] = r.profiling.value();
  if (r.profiling_cost) json["profiling_cost"] = *r.profiling_cost;
  json["phases"] = r.phases;
  json["phase_changes"] = r.phase_changes;
  if (result.foreign_share) json["foreign_share"] = *result.foreign_share;
  if (result.run.invalid) json["invalid"] = *result.run.invalid;
  json["windows"] = Json::array();
  for (const TuneWindow& w : r.windows) {
    json["windows"].push_back({{"purpose", w.purpose},
                               {"power_limit_w", w.limit_w},
                               {"start_s", (w.begin - result.run.begin).value()},
                               {"duration_s", w.duration().value()},
                               {"work", w.work},
                               {"time_per_work_s", std::exp(w.log_time)},
                               {"gpu_w", std::exp(w.log_power)},
                               {"energy_per_work_j", std::exp(w.log_energy())}});
  }
  json["warnings"] = result.run.warnings;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ergo::cli
