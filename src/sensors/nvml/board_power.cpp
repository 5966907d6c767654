// Which signals of energy and power a board has, which of them comes first, and how often each is
// read.
#include "sensors/nvml/board.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ergo::nvml {
namespace {

struct ThrottleField {
  unsigned id;
  std::string_view name;
};
constexpr std::array throttle_fields{
    ThrottleField{abi::field::perf_policy_power, "throttled_power_ns"},
    ThrottleField{abi::field::perf_policy_thermal, "throttled_thermal_ns"},
    ThrottleField{abi::field::throttled_hw_thermal, "throttled_hw_thermal_ns"},
    ThrottleField{abi::field::throttled_power_brake, "throttled_power_brake_ns"},
};

/// A call that takes longer than this is worth avoiding: at 10 Hz it would cost half a per cent of
/// a core.
constexpr Seconds dear_call{0.5e-3};

std::string_view source_of(EnergyField field) {
  switch (field) {
    case EnergyField::total_energy:
      return "nvml.total_energy";
    case EnergyField::power_instant:
      return "nvml.power_instant";
    case EnergyField::power_average:
      return "nvml.power_average";
    case EnergyField::power_samples:
      return "nvml.power_samples";
    case EnergyField::power_usage:
      break;
  }
  return "nvml.power_usage";
}

bool answers(const abi::FieldValue& value) {
  const auto number = number_of(value);
  return value.status == abi::success && number && *number >= 0;
}

/// Some drivers answer 0 for a power that the board does not tell.
bool answers_power(const abi::FieldValue& value) {
  return answers(value) && *number_of(value) > 0;
}

}  // namespace

std::size_t BoardSensor::add_energy_signal(EnergyField field, SignalKind kind) {
  SignalInfo info;
  info.source = source_of(field);
  info.name = fmt::format("{}@{}", info.source, id_);
  info.kind = kind;
  info.unit = kind == SignalKind::energy ? "J" : "W";
  info.channel = id_;
  info.device = id_;
  info.domain = Domain::gpu;
  info.in_total = true;
  info.traits = traits_of(kind_, field);
  meters_energy_ = true;
  return add_signal(std::move(info));
}

/// The counter first. Then the reading that sees all of the time; of two that do, the one with the
/// shorter window.
void BoardSensor::rank_power_signals() {
  std::vector<SignalInfo*> powers;
  for (SignalInfo& info : signals_) {
    if (info.kind == SignalKind::power) powers.push_back(&info);
  }
  std::stable_sort(powers.begin(), powers.end(), [](const SignalInfo* a, const SignalInfo* b) {
    if (a->traits.sampled_fraction != b->traits.sampled_fraction) {
      return a->traits.sampled_fraction > b->traits.sampled_fraction;
    }
    return a->traits.averaging_window < b->traits.averaging_window;
  });
  int rank = 1;
  for (SignalInfo* info : powers)
    info->rank = rank++;
}

/// One call for all; where a driver refuses the whole call because of a field that it does not
/// know, one call for each.
std::vector<abi::FieldValue> BoardSensor::probe_fields(const std::vector<unsigned>& ids) const {
  auto* ask = library_->functions().field_values;
  std::vector<abi::FieldValue> values(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    values[i].field = ids[i];
    values[i].status = abi::not_supported;
  }
  if (ask == nullptr) return values;
  const auto code = ask(device_, static_cast<int>(values.size()), values.data());
  if (code == abi::success || means_lost(code)) return values;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    values[i] = {};
    values[i].field = ids[i];
    if (const auto one = ask(device_, 1, &values[i]); one != abi::success) values[i].status = one;
  }
  return values;
}

void BoardSensor::add_fields() {
  std::vector<unsigned> ids{abi::field::total_energy, abi::field::power_instant,
                            abi::field::power_average};
  for (const ThrottleField& field : throttle_fields)
    ids.push_back(field.id);
  const auto values = probe_fields(ids);

  const auto add = [&](unsigned id, std::size_t signal, SignalKind kind) {
    Field field;
    field.id = id;
    field.signal = signal;
    field.kind = kind;
    fields_.push_back(field);
  };
  note_refusal(values[0].status, "energy counter");
  if (answers(values[0])) {
    const std::size_t signal = add_energy_signal(EnergyField::total_energy, SignalKind::energy);
    const Seconds cost = cost_of_counter();
    // How much a counter misses that looks part of the time is judged from its increments: of
    // those, none may be left out.
    if (cost < dear_call || signals_[signal].traits.sampled_fraction < 1.0) {
      add(ids[0], signal, SignalKind::energy);
    } else {
      pace_counter(signal, cost);
    }
  }
  if (answers_power(values[1])) {
    add(ids[1], add_energy_signal(EnergyField::power_instant, SignalKind::power),
        SignalKind::power);
  }
  if (answers_power(values[2])) {
    add(ids[2], add_energy_signal(EnergyField::power_average, SignalKind::power),
        SignalKind::power);
  }
  fast_fields_ = fields_.size();
  for (std::size_t i = 0; i < throttle_fields.size(); ++i) {
    if (!answers(values[3 + i])) continue;
    add(ids[3 + i], add_gauge(throttle_fields[i].name, "ns", SignalKind::counter),
        SignalKind::counter);
  }
}

/// Asked again when it seems dear, so that a busy machine does not make a cheap call look so.
Seconds BoardSensor::cost_of_counter() const {
  SystemClock clock;
  Seconds least{1e9};
  for (int i = 0; i < 2 && least >= dear_call; ++i) {
    const Instant before = clock.now();
    std::ignore = probe_fields({abi::field::total_energy});
    least = std::min(least, clock.now() - before);
  }
  return least;
}

/// For drivers whose batched call is missing or lacks a field.
void BoardSensor::add_energy_polls() {
  const auto add = [&](EnergyField energy_field, SignalKind kind, auto ask) {
    Poll poll;
    poll.field.emplace();
    poll.field->kind = kind;
    poll.field->signal = add_energy_signal(energy_field, kind);
    poll.ask = std::move(ask);
    fast_polls_.push_back(std::move(poll));
  };
  const auto has = [&](SignalKind kind) {
    return std::any_of(signals_.begin(), signals_.end(),
                       [&](const SignalInfo& info) { return info.kind == kind; });
  };
  const Functions& f = library_->functions();
  if (unsigned long long millijoules = 0; !has(SignalKind::energy) && f.total_energy != nullptr &&
                                          f.total_energy(device_, &millijoules) == abi::success) {
    add(EnergyField::total_energy, SignalKind::energy, [this](double* values) {
      unsigned long long now = 0;
      const auto code = library_->functions().total_energy(device_, &now);
      values[0] = static_cast<double>(now);
      return code;
    });
  }
  const bool polled = has(SignalKind::power);
  add_power_samples();
  if (polled || f.power_usage == nullptr) return;
  unsigned milliwatts = 0;
  const abi::Return code = f.power_usage(device_, &milliwatts);
  note_refusal(code, "power");
  if (code != abi::success) return;
  add(EnergyField::power_usage, SignalKind::power, [this](double* values) {
    unsigned now = 0;
    const auto answer = library_->functions().power_usage(device_, &now);
    values[0] = now;
    return answer;
  });
}

/// Between two readings of the latest value a board without a counter may have renewed it five
/// times (Pascal: each 20 ms); the driver keeps them all. Beside a counter the record is of use
/// where it sees more than the readings do. Of other boards it is not known what their samples are
/// means over.
bool BoardSensor::wants_power_samples() const {
  namespace arch = abi::architecture;
  if (keeps_fine_record(kind_)) return true;
  const bool counts = std::any_of(signals_.begin(), signals_.end(), [](const SignalInfo& info) {
    return info.kind == SignalKind::energy;
  });
  return !counts && kind_.architecture >= arch::kepler && kind_.architecture <= arch::pascal;
}

void BoardSensor::add_power_samples() {
  if (!wants_power_samples()) return;
  abi::Return refusal = abi::success;
  samples_ = PowerSamples::open(*library_, device_, refusal);
  note_refusal(refusal, "power samples");
  if (!samples_) return;
  const Seconds look = traits_of(kind_, EnergyField::power_samples).averaging_window;
  if (keeps_fine_record(kind_) && !samples_->leaves_nothing_out(look)) {
    samples_.reset();
    return;
  }
  samples_are_dear_ = samples_->cost() >= dear_call;
  samples_signal_ = add_energy_signal(EnergyField::power_samples, SignalKind::power);
  std::string& basis = signals_[samples_signal_].traits.basis;
  basis += "; the driver's own samples, each with its time";
  if (samples_are_dear_) {
    basis +=
        fmt::format(", fetched once a second and at the edges of windows: a call takes {:.1f} ms",
                    samples_->cost().value() * 1e3);
  }
  if (kind_.ga100 && keeps_fine_record(kind_)) {
    basis += "; that they leave nothing out was seen on Hopper alone";
  }
}

}  // namespace ergo::nvml
