// What `ergo tune` would take for the period of a job that it sees only by its power, beside the
// job's own marks: for stretches of each marked job of a recorded run.
//   ./build/bin/beat_beside_marks STORE [SECONDS]
// for example a run of bench/beats.py.

#include "ergo/core/parse.hpp"
#include "ergo/energy/measure.hpp"
#include "experiment/tune_beat.hpp"
#include "recorded_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

namespace ergo {
namespace {

constexpr double step_s = 0.1;  // as tune's

/// As tune's: joules of the GPUs in even steps.
std::vector<double> watts_in(const Timeline& timeline, Instant from, double length_s) {
  std::vector<double> watts;
  for (double at = 0; at + step_s <= length_s + 1e-9; at += step_s) {
    double joules = 0;
    const Instant begin = from + Seconds(at);
    for (const ChannelEnergy& c : measure(timeline, {begin, begin + Seconds(step_s)}).channels)
      joules += c.domain == Domain::gpu ? c.joules.value() : 0.0;
    watts.push_back(joules / step_s);
  }
  return watts;
}

/// Mean duration of the whole iterations inside.
std::optional<double> marked_period(const std::vector<WindowRecord>& windows, double from_s,
                                    double to_s) {
  double sum = 0;
  int n = 0;
  for (const WindowRecord& w : windows) {
    const double end = (w.start + w.duration).value();
    if (w.name != "step" || w.start.value() < from_s || end > to_s) continue;
    sum += w.duration.value();
    ++n;
  }
  return n > 0 ? std::optional(sum / n) : std::nullopt;
}

struct Beats {
  int stretches = 0;
  int found = 0;
  double marked = 0.0;
  std::vector<double> ratios;
  std::vector<double> claimed;  ///< standard errors of ln

  void print(const std::string& job) {
    if (stretches == 0) return;
    const auto median = [](std::vector<double> v) {
      std::sort(v.begin(), v.end());
      return v[v.size() / 2];
    };
    fmt::print("| {} | {:.3f} s | {} of {} |", job, marked / stretches, found, stretches);
    if (found == 0) {
      fmt::print(" – | – | – |\n");
      return;
    }
    const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
    fmt::print(" {:.4f} | {:.4f} to {:.4f} | {:.2f} % |\n", median(ratios), *least, *most,
               100 * median(claimed));
  }
};

int compare(const char* path, double length_s) {
  const auto run = RecordedRun::load(path);
  if (!run) return fail(run.error().text());

  fmt::print(
      "| job | an iteration, by marks | a beat in | beat / iteration, median | from, to | claimed "
      "se "
      "|\n"
      "|---|---|---|---|---|---|\n");
  for (const WindowRecord& job : run->record.windows) {
    if (job.name == "step") continue;
    Beats beats;
    for (double at = 0; at + length_s <= job.duration.value(); at += length_s / 2) {
      const double from = job.start.value() + at;
      const auto marked = marked_period(run->record.windows, from, from + length_s);
      if (!marked) continue;
      ++beats.stretches;
      beats.marked += *marked;
      const auto watts = watts_in(*run->timeline, run->record.begin + Seconds(from), length_s);
      const auto beat = tune::beat_of(watts, step_s);
      if (!beat) continue;
      ++beats.found;
      beats.ratios.push_back(beat->period_s / *marked);
      beats.claimed.push_back(beat->se);
    }
    beats.print(job.name);
  }
  return 0;
}

}  // namespace
}  // namespace ergo

int main(int argc, char** argv) {
  const auto length = ergo::parse_double(argc > 2 ? argv[2] : "10");
  if (argc < 2 || argc > 3 || !length || !(*length > 0.0)) {
    std::fprintf(stderr, "usage: %s STORE [SECONDS]\n", argv[0]);
    return 2;
  }
  return ergo::compare(argv[1], *length);
}
