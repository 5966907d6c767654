// Which signals a board has: each is asked for once, and those that answer are declared. Here all
// but energy and power, which are in board_power.cpp.
#include "sensors/nvml/board.hpp"

#include <fmt/format.h>

namespace ergo::nvml {

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

void BoardSensor::note_refusal(abi::Return code, std::string_view what) {
  if (code != abi::no_permission && code != abi::operating_system) return;
  const Error error = library_->error(code, id_);
  refusals_.push_back(
      Missing{"nvml", fmt::format("{} {}", id_, what), error.message, error.remedy});
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
