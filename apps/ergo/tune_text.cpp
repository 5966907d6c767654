#include "tune_text.hpp"

#include "ergo/control/power_limit.hpp"
#include "ergo/report/format.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
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
  if (result.run.invalid) return std::nullopt;  // the windows were not under the limits wanted
  const auto relative = [](const Estimate& e, double whole) {
    return Estimate{e.value / whole, e.low / whole, e.high / whole};
  };
  const double outside_j =
      result.run.total.measured ? std::max(0.0, result.run.total.measured->value() - r.joules) : 0;
  const double outside_s = std::max(0.0, result.run.duration.value() - r.seconds);
  return Shares{relative(*r.saved_j, r.joules + outside_j + r.saved_j->value),
                relative(*r.lost_s, r.seconds + outside_s - r.lost_s->value)};
}

/// "14.0 ± 1.2 % WORD", or "14.0 % WORD (12.5 to 17.1)" where the interval is lopsided.
std::string with_interval(const Estimate& e, std::string_view word, double sign = 1) {
  const double value = sign * e.value * 100;
  const double low = std::min(sign * e.low, sign * e.high) * 100;
  const double high = std::max(sign * e.low, sign * e.high) * 100;
  constexpr double as_shown = 0.15;
  if (std::abs(high - value - (value - low)) <= as_shown)
    return fmt::format("{:.1f} ± {:.1f} % {}", value, (high - low) / 2, word);
  return fmt::format("{:.1f} % {} ({:.1f} to {:.1f})", value, word, low, high);
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
  if (result.run.invalid) return "cannot tell what a limit saves: " + *result.run.invalid;
  const auto shares = shares_of(result);
  if (!shares) {
    const std::string& why = result.report.cannot_tell;
    return "cannot tell what a limit saves: " + (result.measure == WorkMeasure::none
                                                     ? "no work was seen on the GPUs"
                                                 : why.empty() ? "nothing was compared"
                                                               : why);
  }
  const std::string speed = shares->slower.value >= 0 || crosses_zero(shares->slower)
                                ? with_interval(shares->slower, "slower")
                                : with_interval(shares->slower, "faster", -1);
  const std::string energy = shares->saved.value >= 0 || crosses_zero(shares->saved)
                                 ? with_interval(shares->saved, "energy")
                                 : with_interval(shares->saved, "more energy", -1);
  const char* than = "than the default would have been";
  if (crosses_zero(shares->saved))
    return fmt::format("cannot tell whether energy was saved: {}, {} {}", energy, speed, than);
  return fmt::format("{} {}, {} {}", shares->saved.value > 0 ? "saved" : "used", energy, speed,
                     than);
}

std::string work_text(const TuneResult& result) {
  switch (result.measure) {
    case WorkMeasure::items:
      return fmt::format("work: items of '{}'", result.counted);
    case WorkMeasure::activity:
      return "work: what the GPU did (clock x busy time, memory traffic), for want of marks";
    case WorkMeasure::none:
      return "work: none seen";
  }
  return {};
}

/// What time and energy of the windows are for.
std::string unit_text(const TuneResult& result) {
  return result.measure == WorkMeasure::items ? "(time, energy: per item)"
                                              : "(time, energy: of what the default does in 1 s)";
}

bool simulated(const TuneResult& result) {
  return std::any_of(result.run.energy.begin(), result.run.energy.end(),
                     [](const ChannelEnergy& c) { return c.provenance == Provenance::simulated; });
}

std::vector<std::string> notes(const TuneResult& result) {
  const TuneReport& r = result.report;
  std::vector<std::string> all;
  if (simulated(result)) all.emplace_back("simulated GPUs: none of this was measured on a card");
  constexpr double wanted = 0.05;
  if (r.profiling_cost && *r.profiling_cost > wanted && r.seconds > 0) {
    const double minutes = std::ceil(r.seconds * *r.profiling_cost / wanted / 60);
    all.push_back(fmt::format("a short job: profiling costs less than 5 % from about {} minutes on",
                              minutes));
  }
  if (result.foreign_share && *result.foreign_share > 0.1) {
    all.push_back(fmt::format(
        "other programs used up to {:.0f} % of the GPU; their energy is in these numbers",
        *result.foreign_share * 100));
  }
  if (result.run.invalid)
    all.emplace_back("the limits did not hold: the windows are not what they say");
  return all;
}

/// One thing to do now, or nothing.
std::string next_step(const TuneResult& result) {
  const TuneReport& r = result.report;
  if (result.failure) return {};
  if (result.run.invalid) return "find what sets or holds the limit besides ergo, and run it again";
  if (!r.saved_j) {
    return result.measure == WorkMeasure::none ? "see with ergo sensors whether the GPU's use can "
                                                 "be read, or mark the steps of the "
                                                 "work"
                                               : "a longer job, or a shorter --window";
  }
  if (result.measure == WorkMeasure::activity)
    return "marks around the steps of the work (ergo/mark.h, ergometer.mark) narrow the interval";
  if (r.settled_w && *r.settled_w != result.options.limits_w.back()) {
    return fmt::format("the limit found is back; for more such jobs: {} limits set {:g}",
                       control::ergo_as_typed(), *r.settled_w);
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
  if (!r.windows.empty()) {
    text += fmt::format("  {:<8} {:>8} {:>10} {:>10} {:>9} {:>9}   {}\n", "windows", "limit",
                        "time", "energy", "GPU power", "lasted", unit_text(result));
  }
  for (const TuneWindow& w : r.windows) {
    text += fmt::format(
        "  {:<8} {:>8} {:>10} {:>10} {:>9} {:>9}\n", w.purpose, fmt::format("{:g} W", w.limit_w),
        report::format_duration(Seconds(std::exp(w.log_time))),
        report::format_energy(Joules(std::exp(w.log_energy()))),
        report::format_power(Watts(std::exp(w.log_power))), report::format_duration(w.duration()));
  }
  if (r.profiling_cost) {
    text += fmt::format("  profiling took {} and cost {:.1f} % of the energy\n",
                        report::format_duration(r.profiling), *r.profiling_cost * 100);
  }
  if (r.phase_changes > 0)
    text += fmt::format("  the work changed {} time{}\n", r.phase_changes,
                        r.phase_changes == 1 ? "" : "s");
  for (const std::string& note : notes(result))
    text += "  note: " + note + "\n";
  if (const std::string next = next_step(result); !next.empty()) text += "  next: " + next + "\n";
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
            {"provenance", simulated(result) ? "simulated" : "measured"},
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
