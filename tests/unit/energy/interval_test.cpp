// The promise of the error budget: over random windows, loads and boards, the 95 % interval holds
// the truth.

#include "ergo/energy/measure.hpp"
#include "ergo/sampling/sampler.hpp"
#include "truth.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>

namespace ergo {
namespace {

using testing::Board;
using testing::BoardSensor;
using testing::LoadShape;
using testing::TrueLoad;

/// One random window on one board.
struct Outcome {
  double duration_s = 0.0;
  double relative_error = 0.0;
  double relative_half_width = 0.0;
  bool held = false;
  bool absent = false;
  std::map<std::string, double> parts;
};

struct Setting {
  Board board;
  LoadShape shape = LoadShape::steady;
  bool gain_drawn = false;
  double period_s = 0.1;
};

Outcome try_window(const Setting& setting, std::mt19937_64& random) {
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  const double duration = 0.2 + 19.8 * unit(random);
  const double lead = 2.0 + unit(random);
  const double length = lead + duration + 3.0;
  const TrueLoad load = testing::random_load(setting.shape, length, setting.board.idle_w,
                                             setting.board.full_w, random);
  std::normal_distribution<double> gain_error(0.0, 0.05 / 1.96);
  const double gain = setting.gain_drawn ? 1.0 + gain_error(random) : 1.0;
  BoardSensor sensor(load, setting.board, unit(random), gain);

  Timeline timeline;
  ManualClock clock;
  Sampler sampler({&sensor}, timeline, clock, {Seconds(setting.period_s)});
  // The sampler's thread wakes a little late, as on a real machine.
  const double phase = unit(random) * setting.period_s;
  for (double t = phase; t < length; t += setting.period_s) {
    clock.set(Instant{} + Seconds(t + 0.0003 * unit(random)));
    sampler.tick();
  }

  MeasureOptions options;
  options.without_gain = !setting.gain_drawn;
  const Window window{Instant{} + Seconds(lead), Instant{} + Seconds(lead + duration)};
  const WindowEnergy result = measure(timeline, window, options);
  Outcome outcome;
  outcome.duration_s = duration;
  if (result.channels.empty()) {
    outcome.absent = true;
    return outcome;
  }
  const ChannelEnergy& energy = result.channels.front();
  const double truth = load.energy(lead, lead + duration);
  outcome.relative_error = energy.joules.value() / truth - 1.0;
  outcome.relative_half_width = 0.5 * (energy.high - energy.low).value() / truth;
  for (const auto& p : energy.budget)
    outcome.parts[p.name] += p.half_width.value() / truth;
  outcome.held = energy.low.value() <= truth && truth <= energy.high.value();
  return outcome;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0.0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

constexpr const char* shape_names[] = {"steady", "square", "bursty"};

TEST(Explore, Table) {
  for (const double period : {0.1, 0.01}) {
    for (const Board& board : testing::boards()) {
      for (const LoadShape shape : {LoadShape::steady, LoadShape::square, LoadShape::bursty}) {
        std::mt19937_64 random(7);
        int held = 0;
        std::vector<double> errors;
        std::vector<double> widths;
        std::vector<double> at_ten;
        double z2 = 0;
        std::map<std::string, std::vector<double>> parts;
        const int n = 200;
        for (int i = 0; i < n; ++i) {
          const Outcome o = try_window({board, shape, false, period}, random);
          held += o.held;
          z2 += std::pow(o.relative_error / o.relative_half_width, 2) / n;
          for (auto& [k, v] : o.parts)
            if (o.duration_s >= 2) parts[k].push_back(v);
          if (o.duration_s >= 2.0) errors.push_back(std::abs(o.relative_error));
          if (o.duration_s >= 2.0) widths.push_back(o.relative_half_width);
          at_ten.push_back(o.relative_half_width * o.duration_s / 10.0);
        }
        std::printf(
            "%5.2f %5s %6s held %5.1f %%  median error %.3f %%  width %.3f %% at 10 s ~%.3f %% z "
            "%.2f",
            period, board.name.c_str(), shape_names[static_cast<int>(shape)], 100.0 * held / n,
            100 * median(errors), 100 * median(widths), 100 * median(at_ten), std::sqrt(z2));
        for (auto& [k, v] : parts)
          std::printf("  %s %.2f", k.c_str(), 100 * median(v));
        std::printf("\n");
      }
    }
  }
}

}  // namespace
}  // namespace ergo
