// Sweep tables from the physics of the simulated node, which no model was fitted to: nine workloads
// of two or three configurations on each board, with the noise of runs. For `ergo evaluate`.
//
//   simulated_sweeps SEED FOLDER [varied]
//
// Writes one BOARD-SEED.csv per board; with `varied`, boards have other coefficients.
// Runs take no time: an operating point is a function of board, demand and limit.

#include "physics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <random>
#include <string>
#include <vector>

namespace {

using ergo::sim::Demand;
using ergo::sim::Preset;

constexpr double time_noise = 0.015;
constexpr double power_noise = 0.01;

struct Phase {
  double share = 1.0;  ///< of the busy time at full clock
  Demand demand;       ///< compute, memory, memory-bound share
};

struct Work {
  std::string name;
  std::vector<Phase> phases;
  double gap = 0.0;  ///< share of the time at full clock in which the card waits
};

const std::vector<Work>& works() {
  static const std::vector<Work> all = {
      {"dense", {{1, {.95, .3, .05}}}},
      {"conv", {{.8, {.85, .5, .2}}, {.2, {.4, .9, .7}}}},
      {"attention", {{.5, {.9, .4, .1}}, {.5, {.5, .95, .6}}}},
      {"bandwidth", {{1, {.35, .95, .85}}}},
      {"light", {{1, {.3, .15, .1}}}},
      {"gappy", {{1, {.9, .5, .2}}}, .4},
      {"recommender", {{.3, {.25, .6, .8}}}, .7},
      {"decode", {{.15, {.95, .5, .05}}, {.85, {.3, 1.0, .95}}}, .05},
      {"bursts", {{.4, {.95, .6, .1}}, {.6, {.25, .2, .3}}}, .1}};
  return all;
}

class Random {
 public:
  explicit Random(unsigned long seed) : engine_(seed) {}
  double factor(double sd) { return std::exp(sd * normal_(engine_)); }
  double uniform() { return uniform_(engine_); }

 private:
  std::mt19937_64 engine_;
  std::normal_distribution<double> normal_;
  std::uniform_real_distribution<double> uniform_{0, 1};
};

Preset varied(Preset board, Random& random) {
  board.idle_w *= random.factor(.3);
  board.clocked_w *= random.factor(.4);
  board.compute_w *= random.factor(.2);
  board.memory_w *= random.factor(.4);
  board.voltage_floor = std::min(.95, board.voltage_floor * random.factor(.12));
  board.voltage_knee = std::min(.9, board.voltage_knee * random.factor(.25));
  board.floor_mhz = std::min(.7 * board.max_mhz, board.floor_mhz * random.factor(.3));
  return board;
}

std::vector<double> limits_of(const Preset& board) {
  const int steps = board.key == "v100" ? 6 : board.key == "t4" || board.key == "k80" ? 10 : 12;
  std::vector<double> limits;
  for (int i = 0; i <= steps; ++i) {
    const double watts = board.min_limit_w + (board.max_limit_w - board.min_limit_w) * i / steps;
    limits.push_back(std::round(watts * 10) / 10);
  }
  return limits;
}

struct Cost {
  double seconds = 0.0;
  double joules = 0.0;
};

Cost cost(const Preset& board, const Work& work, double intensity, double limit_w) {
  Cost sum{work.gap, work.gap * (board.idle_w + board.clocked_w)};
  for (const Phase& phase : work.phases) {
    Demand demand = phase.demand;
    demand.compute *= intensity;
    demand.memory *= 0.5 + 0.5 * intensity;
    const auto point = ergo::sim::operate(board, demand, true, limit_w, board.idle_w);
    const double seconds = phase.share * (1 - work.gap) /
                           ergo::sim::speed(board, demand.memory_bound, point.effective_clock_mhz);
    sum.seconds += seconds;
    sum.joules += seconds * point.power_w;
  }
  return sum;
}

std::string table(const Preset& board, const std::string& name, Random& random, int& count) {
  constexpr double intensities[] = {1.0, 0.7, 0.5};
  std::string text = "gpu,workload,config,power_limit_w,time_s,energy_j\n";
  for (const Work& work : works()) {
    for (int config = 0; config < 2 + count % 2; ++config) {
      const double scale = std::pow(100.0, random.uniform());
      for (double limit : limits_of(board)) {
        const Cost c = cost(board, work, intensities[config], limit);
        const double watts = c.joules / c.seconds * random.factor(power_noise);
        const double seconds = scale * c.seconds * random.factor(time_noise);
        text += fmt::format("{},{},c{},{:g},{:.7g},{:.7g}\n", name, work.name, config, limit,
                            seconds, seconds * watts);
      }
    }
    ++count;
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "simulated_sweeps SEED FOLDER [varied]\n";
    return 2;
  }
  const std::string seed = argv[1];
  const std::string folder = argv[2];
  Random random(std::stoul(seed));
  int count = 0;
  for (const Preset& preset : ergo::sim::presets()) {
    const bool other = argc > 3;
    const Preset board = other ? varied(preset, random) : preset;
    const std::string name = (other ? "r" : "") + std::string(preset.key);
    std::ofstream file(fmt::format("{}/{}-{}.csv", folder, name, seed));
    file << table(board, name, random, count);
    if (!file.flush()) {
      std::cerr << "cannot write into " << folder << "\n";
      return 1;
    }
  }
  return 0;
}
