// Which signals a board has: each is asked for once, and those that answer are declared.
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

BoardSensor::BoardSensor(std::shared_ptr<const Library> library, const Board& board,
                         const Options& options, Discovery& so_far)
    : library_(std::move(library)),
      device_(board.device),
      id_(fmt::format("gpu{}", board.index)),
      kind_(kind_of_board(*library_, device_, options.model)) {
  name_ =
      fmt::format("GPU {}{}", board.index, options.model.empty() ? "" : " (" + options.model + ")");
  mig_ = in_mig_mode();
  add_fields();
  add_energy_polls();
  rank_power_signals();
  add_state_polls();
  add_clock_polls();
  add_power_limit_poll();
  if (mig_) {
    so_far.warnings.push_back(
        id_ + " is in MIG mode: its energy is that of the whole board, all instances together");
  } else {
    add_gpm();
    if (options.scope) add_processes(so_far, options);
  }
  values_.resize(fields_.size());
  for (Missing& refusal : refusals_)
    so_far.missing.push_back(std::move(refusal));
  refusals_.clear();
}

std::size_t BoardSensor::add_signal(SignalInfo info) {
  if (library_->simulated()) info.provenance = Provenance::simulated;
  signals_.push_back(std::move(info));
  return signals_.size() - 1;
}

std::size_t BoardSensor::add_gauge(std::string_view name, std::string_view unit, SignalKind kind) {
  SignalInfo info;
  info.name = fmt::format("{}.{}", id_, name);
  info.kind = kind;
  info.unit = unit;
  info.domain = Domain::gpu;
  return add_signal(std::move(info));
}

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

void BoardSensor::note_refusal(abi::Return code, std::string_view what) {
  if (code != abi::no_permission && code != abi::operating_system) return;
  const Error error = library_->error(code, id_);
  refusals_.push_back(
      Missing{"nvml", fmt::format("{} {}", id_, what), error.message, error.remedy});
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
  if (!has(SignalKind::energy)) add_power_samples();
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

/// Between two readings of the latest value a board may have renewed it five times (Pascal: each
/// 20 ms). The driver keeps them all. Of newer boards, which mostly have a counter, it is not known
/// what their samples are means over.
void BoardSensor::add_power_samples() {
  namespace arch = abi::architecture;
  if (kind_.architecture < arch::kepler || kind_.architecture > arch::pascal) return;
  abi::Return refusal = abi::success;
  samples_ = PowerSamples::open(*library_, device_, refusal);
  note_refusal(refusal, "power samples");
  if (!samples_) return;
  samples_signal_ = add_energy_signal(EnergyField::power_samples, SignalKind::power);
  signals_[samples_signal_].traits.basis += "; the driver's own samples, each with its time";
}

bool BoardSensor::add_poll(
    std::vector<Poll>& polls,
    std::initializer_list<std::pair<std::string_view, std::string_view>> names,
    std::function<abi::Return(double*)> ask, SignalKind kind) {
  double values[2] = {};
  const abi::Return code = ask(values);
  note_refusal(code, names.begin()->first);
  if (code != abi::success) return false;
  Poll poll;
  for (const auto& [name, unit] : names)
    poll.signals.push_back(add_gauge(name, unit, kind));
  poll.ask = std::move(ask);
  polls.push_back(std::move(poll));
  return true;
}

void BoardSensor::add_state_polls() {
  const Functions& f = library_->functions();
  if (f.utilization != nullptr && !mig_) {
    add_poll(slow_polls_, {{"sm_utilization", "%"}, {"memory_utilization", "%"}},
             [this](double* values) {
               abi::Utilization now{};
               const auto code = library_->functions().utilization(device_, &now);
               values[0] = now.gpu;
               values[1] = now.memory;
               return code;
             });
  }
  // Version 2 leaves what the driver reserves out of `used`.
  bool memory = false;
  if (f.memory_info_v2 != nullptr) {
    memory = add_poll(slow_polls_, {{"memory_used", "B"}}, [this](double* values) {
      abi::MemoryV2 now{};
      now.version = abi::struct_version<abi::MemoryV2>(2);
      const auto code = library_->functions().memory_info_v2(device_, &now);
      values[0] = static_cast<double>(now.used);
      return code;
    });
  }
  if (!memory && f.memory_info != nullptr) {
    add_poll(slow_polls_, {{"memory_used", "B"}}, [this](double* values) {
      abi::Memory now{};
      const auto code = library_->functions().memory_info(device_, &now);
      values[0] = static_cast<double>(now.used);
      return code;
    });
  }
  bool temperature = false;
  if (f.temperature != nullptr) {
    temperature = add_poll(slow_polls_, {{"temperature", "°C"}}, [this](double* values) {
      unsigned now = 0;
      const auto code = library_->functions().temperature(device_, abi::temperature_gpu, &now);
      values[0] = now;
      return code;
    });
  }
  if (!temperature && f.temperature_v != nullptr) {
    add_poll(slow_polls_, {{"temperature", "°C"}}, [this](double* values) {
      abi::TemperatureV1 now{abi::struct_version<abi::TemperatureV1>(1), abi::temperature_gpu, 0};
      const auto code = library_->functions().temperature_v(device_, &now);
      values[0] = now.temperature;
      return code;
    });
  }
}

void BoardSensor::add_clock_polls() {
  const Functions& f = library_->functions();
  if (f.clock_info != nullptr) {
    const auto add = [&](std::string_view name, int clock) {
      add_poll(slow_polls_, {{name, "MHz"}}, [this, clock](double* values) {
        unsigned now = 0;
        const auto code = library_->functions().clock_info(device_, clock, &now);
        values[0] = now;
        return code;
      });
    };
    add("sm_clock", abi::clock_sm);
    add("memory_clock", abi::clock_mem);
  }
  if (f.event_reasons != nullptr) {
    add_poll(
        slow_polls_, {{"throttle_reasons", ""}},
        [this](double* values) {
          unsigned long long now = 0;
          const auto code = library_->functions().event_reasons(device_, &now);
          values[0] = static_cast<double>(now & ((1ULL << 53U) - 1));
          return code;
        },
        SignalKind::flags);
  }
}

void BoardSensor::add_power_limit_poll() {
  const Functions& f = library_->functions();
  auto* ask = f.enforced_power_limit != nullptr ? f.enforced_power_limit : f.power_limit;
  if (ask == nullptr) return;
  add_poll(slow_polls_, {{"power_limit", "W"}}, [this, ask](double* values) {
    unsigned milliwatts = 0;
    const auto code = ask(device_, &milliwatts);
    values[0] = milliwatts * 1e-3;
    return code;
  });
}

void BoardSensor::add_processes(Discovery& so_far, const Options& options) {
  auto reader = std::make_unique<ProcessReader>(library_, device_, options.scope, options.procfs);
  if (!reader->works()) {
    note_refusal(reader->status(), "use by process");
    so_far.warnings.push_back(
        id_ + ": the driver does not tell which process uses it, so all of its energy is charged");
    return;
  }
  processes_ = std::move(reader);
  share_signal_ = add_gauge("process_share", "1");
  if (!library_->simulated()) signals_[share_signal_].provenance = Provenance::derived;
  memory_signal_ = add_gauge("process_memory", "B");
}

void BoardSensor::add_gpm() {
  gpm_ = GpmReader::open(library_, device_);
  if (!gpm_) return;
  first_gpm_signal_ = signals_.size();
  for (const GpmMetricName& metric : gpm_metrics)
    add_gauge(metric.name, "%");
}

bool BoardSensor::in_mig_mode() const {
  unsigned current = abi::disabled;
  unsigned pending = abi::disabled;
  auto* ask = library_->functions().mig_mode;
  return ask != nullptr && ask(device_, &current, &pending) == abi::success &&
         current == abi::enabled;
}

}  // namespace ergo::nvml
