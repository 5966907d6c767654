// How well several sources of one device agree: for random stretches of each marked window of a
// recorded run, what they say and whether their intervals, gain left out, explain the difference.
//   ./build/bin/sources_beside STORE DEVICE REFERENCE SOURCE [SECONDS...]
// for example: sources_beside run.db gpu0 nvml.total_energy nvml.power_samples 1 5 10

#include "ergo/core/parse.hpp"
#include "ergo/energy/measure.hpp"
#include "recorded_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace ergo {
namespace {

constexpr int stretches = 300;

struct Said {
  double joules = 0.0;
  double half_width = 0.0;
};

std::optional<Said> said_by(const ChannelEnergy& channel, const std::string& source) {
  const auto of = [](const auto& energy) {
    return Said{energy.joules.value(), 0.5 * (energy.high - energy.low).value()};
  };
  if (channel.source == source) return of(channel);
  for (const Alternative& other : channel.alternatives) {
    if (other.source == source) return of(other);
  }
  return std::nullopt;
}

struct Agreement {
  int compared = 0;
  int explained = 0;
  double sum = 0.0;  ///< of relative differences, and of their squares
  double squares = 0.0;
  std::vector<double> widths;            ///< relative half-widths of the source
  std::vector<double> reference_widths;  ///< and of the reference

  void add(const Said& reference, const Said& source) {
    const double difference = source.joules / reference.joules - 1.0;
    ++compared;
    explained += static_cast<int>(std::abs(source.joules - reference.joules) <=
                                  std::hypot(source.half_width, reference.half_width));
    sum += difference;
    squares += difference * difference;
    widths.push_back(source.half_width / source.joules);
    reference_widths.push_back(reference.half_width / reference.joules);
  }
  void print(const std::string& window, double seconds) {
    if (compared == 0) return;
    const double mean = sum / compared;
    const auto median = [](std::vector<double>& values) {
      std::sort(values.begin(), values.end());
      return values[values.size() / 2];
    };
    fmt::print("| {} | {:g} s | {:.0f} % | {:+.2f} % | {:.2f} % | ±{:.2f} % | ±{:.2f} % |\n",
               window, seconds, 100.0 * explained / compared, 100.0 * mean,
               100.0 * std::sqrt(std::max(0.0, squares / compared - mean * mean)),
               100.0 * median(widths), 100.0 * median(reference_widths));
  }
};

int compare(char** arguments, const std::vector<double>& lengths) {
  const auto run = RecordedRun::load(arguments[1]);
  if (!run) return fail(run.error().text());

  fmt::print(
      "| window | length | explained | mean difference | spread | width of {} | of {} |\n"
      "|---|---|---|---|---|---|---|\n",
      arguments[4], arguments[3]);
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  MeasureOptions options;
  options.without_gain = true;
  for (const WindowRecord& window : run->record.windows) {
    for (const double length : lengths) {
      Agreement agreement;
      const double room = window.duration.value() - length;
      for (int i = 0; i < stretches && room > 0.0; ++i) {
        const Instant begin = run->record.begin + window.start + Seconds(room * unit(random));
        const WindowEnergy energy =
            measure(*run->timeline, {begin, begin + Seconds(length)}, options);
        for (const ChannelEnergy& channel : energy.channels) {
          const auto reference = said_by(channel, arguments[3]);
          const auto source = said_by(channel, arguments[4]);
          if (channel.channel == arguments[2] && reference && source)
            agreement.add(*reference, *source);
        }
      }
      agreement.print(window.name, length);
    }
  }
  return 0;
}

}  // namespace
}  // namespace ergo

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: %s STORE DEVICE REFERENCE SOURCE [SECONDS...]\n", argv[0]);
    return 2;
  }
  std::vector<double> lengths;
  for (int i = 5; i < argc; ++i) {
    const auto length = ergo::parse_double(argv[i]);
    if (!length || !(*length > 0.0)) {
      return ergo::fail(fmt::format("'{}' is no length in seconds", argv[i]));
    }
    lengths.push_back(*length);
  }
  if (lengths.empty()) lengths = {1.0, 5.0, 10.0};
  return ergo::compare(argv, lengths);
}
