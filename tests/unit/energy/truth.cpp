#include "truth.hpp"

#include <algorithm>
#include <cmath>

namespace ergo::testing {
namespace {

constexpr double record_step_s = 0.020;

}  // namespace

void TrueLoad::add(double duration_s, double watts) {
  watts_.push_back(watts);
  joules_.push_back(joules_.back() + duration_s * watts);
  times_.push_back(times_.back() + duration_s);
}

std::size_t TrueLoad::piece(double t_s) const {
  const auto after = std::upper_bound(times_.begin(), times_.end(), t_s);
  const auto index = after == times_.begin() ? 0 : after - times_.begin() - 1;
  return std::min(static_cast<std::size_t>(index), watts_.size() - 1);
}

double TrueLoad::power(double t_s) const {
  return watts_[piece(t_s)];
}

double TrueLoad::cumulative(double t_s) const {
  const std::size_t i = piece(t_s);
  return joules_[i] + (t_s - times_[i]) * watts_[i];
}

double TrueLoad::energy(double from_s, double to_s) const {
  return cumulative(to_s) - cumulative(from_s);
}

TrueLoad random_load(LoadShape shape, double length_s, double idle_w, double full_w,
                     std::mt19937_64& random) {
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  const double high = idle_w + (0.3 + 0.7 * unit(random)) * (full_w - idle_w);
  const double low = idle_w + 0.2 * unit(random) * (high - idle_w);
  TrueLoad load;
  if (shape == LoadShape::steady) {
    std::normal_distribution<double> noise(1.0, 0.02);
    while (load.end() < length_s)
      load.add(0.05, high * noise(random));
    return load;
  }
  // Periods from 50 ms (a training step) to 3 s (an evaluation), spread evenly on the logarithm.
  const double period = 0.05 * std::pow(60.0, unit(random));
  const double duty = 0.2 + 0.6 * unit(random);
  load.add(period * unit(random), low);
  if (shape == LoadShape::square) {
    while (load.end() < length_s) {
      load.add(period * duty, high);
      load.add(period * (1.0 - duty), low);
    }
    return load;
  }
  std::exponential_distribution<double> wait(1.0);
  while (load.end() < length_s) {
    const double on_s = period * duty * wait(random);
    load.add(on_s, high * (0.8 + 0.2 * unit(random)));
    load.add(period * (1.0 - duty) * wait(random), low);
  }
  return load;
}

std::vector<Board> boards() {
  return {
      {"V100", 42, 300, 0.020, 0.010, 0.0, true},
      {"T4", 10, 70, 0.100, 0.100, 0.0, true},
      {"K80", 27, 149, 0.100, 0.100, 0.84, false},
      {"A100 before driver 580", 62, 400, 0.100, 0.025, 0.0, true},
      {"A100", 62, 400, 0.100, 0.025, 0.0, true, false, true},
      {"H200", 76, 700, 0.100, 0.025, 0.0, true, true, true},
  };
}

BoardSensor::BoardSensor(const TrueLoad& load, const Board& board, double phase, double gain)
    : load_(load),
      board_(board),
      gain_(gain),
      next_tick_(phase * board.period_s),
      next_record_(phase * record_step_s),
      jitter_(static_cast<std::uint64_t>(phase * 1e9)) {
  name_ = board.name;
  filtered_ = watts_ = load.power(0.0);
  SignalInfo info;
  info.channel = info.device = "gpu0";
  info.domain = Domain::gpu;
  info.provenance = Provenance::simulated;
  info.in_total = true;
  info.traits.update_period = Seconds(board.period_s);
  info.traits.gain_u95 = 0.05;
  info.traits.gain_kind = "nvml board sensor";
  declare(info);
}

void BoardSensor::declare(const SignalInfo& like) {
  const bool low_pass = board_.low_pass_s > 0.0;
  const double looked_at = low_pass ? 1.0 : std::min(1.0, board_.window_s / board_.period_s);
  const auto add = [&](const char* source, SignalKind kind) -> SignalInfo& {
    SignalInfo info = like;
    info.source = source;
    info.name = info.source + "@gpu0";
    info.kind = kind;
    info.unit = kind == SignalKind::energy ? "J" : "W";
    info.rank = static_cast<int>(signals_.size());
    info.traits.sampled_fraction = looked_at;
    signals_.push_back(std::move(info));
    return signals_.back();
  };
  if (board_.counter) {
    SignalInfo& counter = add("nvml.total_energy", SignalKind::energy);
    counter.traits.quantum = Joules(1e-3);
    if (board_.counter_sees_all) counter.traits.sampled_fraction = 1.0;
  }
  if (board_.record) {
    SignalInfo& record = add("nvml.power_samples", SignalKind::power);
    record.traits.update_period = Seconds(0.0);
    record.traits.averaging_window = Seconds(0.025);  // as published, not quite what it is
    record.traits.sampled_fraction = 1.0;
  }
  SignalInfo& power = add("nvml.power_instant", SignalKind::power);
  power.traits.averaging_window = Seconds(low_pass ? 2.0 * board_.low_pass_s : board_.window_s);
  power.traits.low_pass = low_pass;
}

void BoardSensor::drain_record(double t_s, std::size_t signal, Batch& out) {
  constexpr double look_s = 0.0225;
  constexpr double late_or_early_s = 0.006;
  std::uniform_real_distribution<double> shift(-late_or_early_s, late_or_early_s);
  while (next_record_ + late_or_early_s <= t_s) {
    const double at_s = std::max(1e-6, next_record_ + shift(jitter_));
    const double from_s = std::max(0.0, at_s - look_s);
    const double watts = gain_ * load_.energy(from_s, at_s) / (at_s - from_s);
    const Instant at = Instant{} + Seconds(at_s);
    out.add(signal, std::round(watts * 1e3) * 1e-3, at, at);
    next_record_ += record_step_s;
  }
}

double BoardSensor::read_out(double tick_s) {
  if (board_.low_pass_s <= 0.0) {
    const double from = std::max(0.0, tick_s - board_.window_s);
    return tick_s > from ? load_.energy(from, tick_s) / (tick_s - from) : load_.power(0.0);
  }
  double t = last_tick_;
  auto edge = std::upper_bound(load_.edges().begin(), load_.edges().end(), t);
  while (t < tick_s) {
    const double to = edge == load_.edges().end() ? tick_s : std::min(tick_s, *edge++);
    const double watts = load_.power(t);
    filtered_ = watts + (filtered_ - watts) * std::exp(-(to - t) / board_.low_pass_s);
    t = to;
  }
  last_tick_ = tick_s;
  return filtered_;
}

void BoardSensor::go_to(double t_s) {
  for (; next_tick_ <= t_s; next_tick_ += board_.period_s) {
    watts_ = read_out(next_tick_);
    const double from = std::max(0.0, next_tick_ - board_.period_s);
    counted_ += board_.counter_sees_all ? load_.energy(from, next_tick_) : watts_ * board_.period_s;
  }
}

Result<void> BoardSensor::do_read(const Clock& clock, Batch& out) {
  const Instant now = clock.now();
  go_to((now - Instant{}).value());
  std::size_t signal = 0;
  if (board_.counter) out.add(signal++, std::floor(gain_ * counted_ * 1e3) * 1e-3, now, now);
  if (board_.record) drain_record((now - Instant{}).value(), signal++, out);
  out.add(signal, std::round(gain_ * watts_ * 1e3) * 1e-3, now, now);
  return {};
}

}  // namespace ergo::testing
