#pragma once
// Curves from a law written down independently of src/model: a card that lowers its clock, on a
// fine grid, until the power fits the limit.

#include "ergo/model/table.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace ergo::generated {

struct Card {
  std::string name = "card";
  double idle_w = 50;
  double lowest_clock = 0.2;
  double voltage_floor = 0.7;  ///< of the voltage at full clock
  std::vector<double> limits{100, 125, 150, 175, 200, 225, 250};
};

struct Work {
  std::string name = "work";
  double seconds = 100;    ///< at full clock
  double dynamic_w = 180;  ///< at full clock
  double memory = 0.3;     ///< share of the time, at full clock, that no core clock changes
};

struct Cost {
  double time_s;
  double power_w;
};

inline Cost cost(const Card& card, const Work& work, double limit_w) {
  for (double f = 1.0;; f -= 0.001) {
    const double voltage = std::max(card.voltage_floor, f);
    const double power = card.idle_w + work.dynamic_w * f * voltage * voltage;
    if (power <= limit_w || f <= card.lowest_clock)
      return {work.seconds * (work.memory + (1 - work.memory) / f), power};
  }
}

/// The rows of one sweep; `noise` is the relative standard deviation of time.
inline void append(SweepTable& table, const Card& card, const Work& work, double noise = 0.0,
                   std::uint64_t seed = 1) {
  std::mt19937_64 engine(seed);
  for (double limit : card.limits) {
    const Cost c = cost(card, work, limit);
    double sum = -6;  // twelve uniforms: near enough a normal, and the same with every library
    for (int i = 0; i < 12; ++i)
      sum += static_cast<double>(engine() >> 11) * 0x1p-53;
    const double time = c.time_s * std::exp(noise * sum);
    SweepRow row;
    row.gpu = card.name;
    row.workload = work.name;
    row.config = "one";
    row.power_limit_w = limit;
    row.time_s = time;
    row.energy_j = time * c.power_w;
    table.push_back(row);
  }
}

/// Workloads from idle-bound to power-hungry, from compute-bound to memory-bound.
inline std::vector<Work> workloads(int count = 8) {
  std::vector<Work> all;
  for (int i = 0; i < count; ++i) {
    const double share = count > 1 ? i / static_cast<double>(count - 1) : 0.5;
    all.push_back({"work" + std::to_string(i), 50.0 + 20 * i, 60 + 160 * share,
                   0.65 - 0.5 * share * (i % 2 == 0 ? 1.0 : 0.7)});
  }
  return all;
}

inline SweepTable sweeps(const Card& card, int count = 8, double noise = 0.0) {
  SweepTable table;
  std::uint64_t seed = 7;
  for (const Work& work : workloads(count))
    append(table, card, work, noise, ++seed);
  return table;
}

inline SweepTable only(const SweepTable& table, const std::string& workload,
                       const std::vector<double>& limits = {}) {
  SweepTable rows;
  for (const SweepRow& row : table) {
    const bool wanted = limits.empty() ||
                        std::find(limits.begin(), limits.end(), row.power_limit_w) != limits.end();
    if (row.workload == workload && wanted) rows.push_back(row);
  }
  return rows;
}

inline SweepTable without(const SweepTable& table, const std::string& workload) {
  SweepTable rows;
  for (const SweepRow& row : table) {
    if (row.workload != workload) rows.push_back(row);
  }
  return rows;
}

}  // namespace ergo::generated
