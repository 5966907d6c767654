#pragma once
// A job on the simulated node's physics, in simulated time: it feeds a Tuner and knows the truth.

#include "ergo/experiment/tune.hpp"
#include "physics.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace ergo::test {

/// One item: `work` seconds of demand (at full clock), those of another demand (an optimiser's
/// step), then `gap` seconds in which the host works.
struct Work {
  sim::Demand demand{0.9, 0.4, 0.1};
  double work = 0.2;
  double gap = 0.0;
  sim::Demand second{};
  double second_work = 0.0;
  double items = 3000;  ///< of this kind, then the next
};

struct Job {
  std::string preset = "v100";
  std::vector<Work> works{Work{}};
  double noise = 0.0;           ///< of the demand, redrawn every 50 ms
  double sensor_noise = 0.002;  ///< of the joules of a slice
  double drift_per_k = 0.0;     ///< idle power with temperature
  /// Another program's demand when this share of the job is done: the same work in every run.
  std::function<sim::Demand(double)> neighbour = [](double /*share*/) {
    return sim::Demand{0, 0, 0};
  };
  bool tells_length = false;  ///< how much there is to do
  bool thermometer = true;    ///< temperature is read, in whole degrees
  bool marks = true;
  bool utilization = true;  ///< without marks: of memory is read
  bool reasons = true;      ///< whether a limit holds the clock down is told
  /// What utilisation of memory is shown for a share of the bandwidth.
  std::function<double(double)> reading_of_traffic = [](double share) { return share; };
  std::uint64_t seed = 1;
};

/// The level of a noisy demand: `normal` is a normal deviate.
inline double noisy_level(double noise, double normal) {
  return std::clamp(1 + noise * normal, 0.2, 1.0 / 0.9);
}

/// Joules and seconds of one item under a limit, without drift and neighbour.
struct Truth {
  double seconds = 0;
  double joules = 0;
};

/// Of `seconds` of one demand. With noise: expected values, as the level is redrawn many times in a
/// job.
inline Truth truth_of(const sim::Preset& preset, const sim::Demand& wanted, double seconds,
                      double limit_w, double noise) {
  double rate = 0;
  double power = 0;
  double weight = 0;
  const int steps = noise > 0 ? 60 : 0;  // from -3 to 3 standard deviations
  for (int i = 0; i <= steps; ++i) {
    const double normal = steps > 0 ? 6.0 * i / steps - 3 : 0;
    const double w = std::exp(-normal * normal / 2);
    sim::Demand demand = wanted;
    demand.compute = std::min(1.0, demand.compute * noisy_level(noise, normal));
    const auto on = sim::operate(preset, demand, true, limit_w, preset.idle_w);
    rate += w * sim::speed(preset, demand.memory_bound, on.effective_clock_mhz);
    power += w * on.power_w;
    weight += w;
  }
  const double busy = seconds / (rate / weight);
  return {busy, busy * power / weight};
}

inline Truth truth_of(const sim::Preset& preset, const Work& work, double limit_w,
                      double noise = 0) {
  const auto off = sim::operate(preset, {}, true, limit_w, preset.idle_w);
  const Truth first = truth_of(preset, work.demand, work.work, limit_w, noise);
  Truth second;
  if (work.second_work > 0)
    second = truth_of(preset, work.second, work.second_work, limit_w, noise);
  return {first.seconds + second.seconds + work.gap,
          first.joules + second.joules + work.gap * off.power_w};
}

inline double cost_of(const TuneGoal& goal, const Truth& t, double highest_w) {
  switch (goal.kind) {
    case TuneGoal::Kind::energy:
      return t.joules;
    case TuneGoal::Kind::edp:
      return t.joules * t.seconds;
    case TuneGoal::Kind::ed2p:
      return t.joules * t.seconds * t.seconds;
    case TuneGoal::Kind::cost:
      return goal.eta * t.joules + (1 - goal.eta) * highest_w * t.seconds;
  }
  return 0;
}

/// Every fifth watt or so, as `ergo tune` chooses.
inline std::vector<double> limits_for(const sim::Preset& preset) {
  std::vector<double> limits;
  const double low = preset.min_limit_w;
  const double step = std::max(1.0, std::round((preset.default_limit_w - low) / 30));
  for (double limit = low; limit < preset.default_limit_w - step / 2; limit += step)
    limits.push_back(limit);
  limits.push_back(preset.default_limit_w);
  return limits;
}

struct Ran {
  TuneReport report;
  double seconds = 0;
  double joules = 0;
  double default_seconds = 0;  ///< the same job under the default limit all the time
  double default_joules = 0;
  std::vector<std::pair<double, double>> limits;  ///< (since, watts)
};

/// Lives through the job. `obey`: false = the limit stays at the default.
class JobRun {
 public:
  JobRun(const Job& job, Tuner* tuner)
      : job_(job), preset_(*sim::find_preset(job.preset)), tuner_(tuner), random_(job.seed) {}

  void run() {
    limit_ = preset_.default_limit_w;
    if (tuner_ != nullptr) tuner_->limit_set(now(), limit_);
    double all = 0;
    for (const Work& work : job_.works)
      all += work.items;
    for (const Work& work : job_.works) {
      for (double i = 0; i < work.items; ++i) {
        pass(work.demand, work.work, 0);
        pass(work.second, work.second_work, 0);
        pass({}, 0, work.gap);
        done_ += 1 / all;
        work_ += job_.marks ? 1 : 0;
        if (job_.marks && t_ - slice_begin_ >= 0.5) emit();
      }
    }
  }
  [[nodiscard]] double seconds() const { return t_; }
  [[nodiscard]] double joules() const { return joules_; }
  std::vector<std::pair<double, double>> limits;

 private:
  [[nodiscard]] Instant now() const { return Instant{} + Seconds(t_); }

  /// `work` seconds of work, or `wait` seconds without.
  void pass(const sim::Demand& demand, double work, double wait) {
    while (work > 1e-12 || wait > 1e-12) {
      if (t_ >= next_noise_) {
        level_ = noisy_level(job_.noise, normal_(random_));
        next_noise_ = t_ + 0.05;
      }
      const sim::Demand other = job_.neighbour(done_);
      sim::Demand total{std::min(1.0, demand.compute * level_) + other.compute,
                        demand.memory + other.memory,
                        std::max(demand.memory_bound, other.memory_bound)};
      const double over = std::max({1.0, total.compute, total.memory});
      total.compute /= over;
      total.memory /= over;
      const double idle = preset_.idle_w * (1 + job_.drift_per_k * std::max(0.0, heat_ - 35));
      const auto point = sim::operate(preset_, total, true, limit_, idle);
      const bool busy = demand.active() && work > 1e-12;
      const double rate =
          busy ? sim::speed(preset_, demand.memory_bound, point.effective_clock_mhz) / over : 1.0;
      double dt = std::min({0.05, next_noise_ - t_, (busy ? work / rate : wait)});
      if (!job_.marks)
        dt = std::min({dt, slice_begin_ + 1.0 - t_, next_reading_ - t_, next_watts_ - t_});
      dt = std::max(dt, 1e-9);
      const double settles = 30 + preset_.kelvin_per_watt * point.power_w;
      heat_ = settles + (heat_ - settles) * std::exp(-dt / preset_.heat_time_constant_s);
      t_ += dt;
      joules_ += dt * point.power_w;
      if (!job_.marks) sense(point.power_w, dt);
      if (point.power_capped) capped_ += dt;
      slice_joules_ += dt * point.power_w;
      if (busy) {
        work -= dt * rate;
      } else {
        wait -= dt;
      }
      if (total.active()) {
        busy_ += dt;
        // The card does not tell whose cycles they are.
        if (!job_.marks) work_ += dt * point.clock_mhz / preset_.max_mhz;
        moved_ += dt * sim::traffic(preset_, total, point.effective_clock_mhz);
      }
      if (!job_.marks && t_ >= next_reading_ - 1e-9) read();
      if (!job_.marks && t_ - slice_begin_ >= 1.0 - 1e-9) emit();
    }
  }

  /// Mean power by the energy counter, or what a sensor without one shows: a low pass.
  void sense(double watts, double dt) {
    low_pass_ = preset_.time_constant_s > 0
                    ? watts + (low_pass_ - watts) * std::exp(-dt / preset_.time_constant_s)
                    : watts;
    sensed_ += low_pass_ * dt / reads_every;
    if (t_ < next_watts_ - 1e-9) return;
    watts_.push_back(sensed_ * (1 + job_.sensor_noise * normal_(random_)));
    sensed_ = 0;
    next_watts_ += reads_every;
  }

  /// NVML's utilisation of the last 200 ms, in whole per cents.
  void read() {
    activity_.busy_s += std::round(busy_ / reading_period * 100) / 100 * reading_period;
    const double moved = job_.reading_of_traffic(moved_ / reading_period);
    const double shown = job_.utilization ? std::round(moved * 100) / 100 : 0;
    activity_.traffic_s += shown * reading_period;
    activity_.traffic_squares_s += shown * shown * reading_period;
    busy_ = moved_ = 0;
    next_reading_ += reading_period;
  }

  void emit() {
    TuneObservation o;
    o.begin = Instant{} + Seconds(slice_begin_);
    o.end = now();
    o.joules = slice_joules_ * (1 + job_.sensor_noise * normal_(random_));
    o.work = work_;
    if (job_.thermometer) o.celsius = std::round(heat_);
    if (job_.reasons) o.capped = capped_ / (t_ - slice_begin_);
    capped_ = 0;
    constexpr double little = 0.02;
    if (job_.tells_length && done_ > little) o.left = Seconds(t_ * (1 - done_) / done_);
    if (!job_.marks) {
      o.activity = std::exchange(activity_, {});
      o.watts = std::exchange(watts_, {});
      o.watts_step = Seconds(reads_every);
    }
    slice_begin_ = t_;
    slice_joules_ = 0;
    work_ = 0;
    if (tuner_ == nullptr) return;
    tuner_->observe(o);
    if (tuner_->wanted_limit() == limit_) return;
    limit_ = tuner_->wanted_limit();
    limits.emplace_back(t_, limit_);
    tuner_->limit_set(now(), limit_);
  }

  const Job& job_;
  const sim::Preset& preset_;
  Tuner* tuner_;
  std::mt19937_64 random_;
  std::normal_distribution<double> normal_;
  double limit_ = 0;
  double t_ = 0;
  double done_ = 0;  ///< share of the items
  double joules_ = 0;
  double slice_begin_ = 0;
  double slice_joules_ = 0;
  double work_ = 0;
  static constexpr double reading_period = 0.2;
  TuneActivity activity_;
  static constexpr double reads_every = 0.1;
  std::vector<double> watts_;
  double sensed_ = 0;
  double low_pass_ = 0;
  double next_watts_ = reads_every;
  double busy_ = 0;   ///< seconds since the last reading
  double moved_ = 0;  ///< traffic x seconds, likewise
  double next_reading_ = reading_period;
  double level_ = 1;
  double capped_ = 0;  ///< seconds of the slice
  double next_noise_ = 0;
  double heat_ = 35;
};

inline TuneOptions options_for(const Job& job) {
  TuneOptions options;
  const sim::Preset& preset = *sim::find_preset(job.preset);
  options.limits_w = limits_for(preset);
  options.gpu = std::string(preset.name);
  return options;
}

inline Ran run_job(const Job& job, const TuneOptions& options) {
  Tuner tuner(options);
  JobRun tuned(job, &tuner);
  tuned.run();
  JobRun plain(job, nullptr);
  plain.run();
  return {tuner.report(),  tuned.seconds(), tuned.joules(),
          plain.seconds(), plain.joules(),  tuned.limits};
}

/// How much dearer the limit is than the best one, relative.
inline double regret_of(const Job& job, const Work& work, const TuneOptions& options,
                        double limit_w) {
  const sim::Preset& preset = *sim::find_preset(job.preset);
  const double top = options.limits_w.back();
  const Truth base = truth_of(preset, work, top, job.noise);
  double best = 1e300;
  for (const double limit : options.limits_w) {
    const Truth t = truth_of(preset, work, limit, job.noise);
    if (options.max_slowdown && t.seconds > base.seconds * (1 + *options.max_slowdown)) continue;
    best = std::min(best, cost_of(options.goal, t, top));
  }
  return cost_of(options.goal, truth_of(preset, work, limit_w, job.noise), top) / best - 1;
}

}  // namespace ergo::test
