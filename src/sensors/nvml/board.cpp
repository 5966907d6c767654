// How a board is read, tick by tick. What is read is decided in board_power.cpp and
// board_signals.cpp.
#include "sensors/nvml/board.hpp"

#include <fmt/format.h>

#include <cmath>

namespace ergo::nvml {
namespace {

// A little less than the round figures, so that a sampler of 10 Hz that is early by a hair still
// reads at each tick.
constexpr Seconds slow_interval{0.095};
constexpr Seconds gpm_interval{0.195};
constexpr Seconds process_interval{1.0};
constexpr Seconds rare_interval{0.995};

bool due(std::optional<Instant>& last, Instant now, Seconds interval) {
  if (last && now - *last < interval) return false;
  last = now;
  return true;
}

}  // namespace

std::optional<double> number_of(int value_type, const abi::Value& value) {
  switch (value_type) {
    case abi::value_double:
      return std::isfinite(value.d) ? std::optional(value.d) : std::nullopt;
    case abi::value_unsigned_int:
      return value.ui;
    case abi::value_unsigned_long:
      return static_cast<double>(value.ul);
    case abi::value_unsigned_long_long:
      return static_cast<double>(value.ull);
    case abi::value_signed_long_long:
      return static_cast<double>(value.sll);
    case abi::value_signed_int:
      return value.si;
    case abi::value_unsigned_short:
      return value.us;
    default:
      return std::nullopt;
  }
}

std::optional<double> number_of(const abi::FieldValue& value) {
  return number_of(value.value_type, value.value);
}

double BoardCounter::update(double millijoules, bool is_32_bit, bool& restarted) {
  constexpr double range = 4294967296.0;
  // A wrap leaves from near the top and arrives near the bottom; a restart arrives at the bottom
  // from anywhere.
  if (is_32_bit && last_raw_ > 0.75 * range && millijoules < 0.25 * range) wrapped_ += range;
  last_raw_ = millijoules;
  return counter_.update(wrapped_ + millijoules, &restarted) * 1e-3;
}

Result<void> BoardSensor::do_read(const Clock& clock, Batch& out) {
  if (lost_) return lost_error();
  const Instant now = clock.now();
  const bool slow = due(last_slow_, now, slow_interval);
  Result<void> first_failure;
  const auto keep = [&](const Result<void>& result) {
    if (!result && (first_failure || result.error().code == Errc::lost)) first_failure = result;
    return !lost_;
  };
  const Edge edge = take_edge();
  if (edge != Edge::none) {
    last_dear_.reset();
    last_samples_.reset();
  }
  if (edge == Edge::run) last_rare_.reset();
  const bool dear = due(last_dear_, now, rare_interval);
  const bool rare = due(last_rare_, now, rare_interval);
  if (!keep(read_fields(clock, rare, out))) return first_failure;
  if (!keep(read_polls(fast_polls_, clock, out))) return first_failure;
  const Seconds samples_interval = samples_are_dear_ ? rare_interval : slow_interval;
  if (samples_ && due(last_samples_, now, samples_interval) && !keep(read_samples(clock, out)))
    return first_failure;
  if (dear && !keep(read_polls(dear_polls_, clock, out))) return first_failure;
  if (slow && !keep(read_polls(slow_polls_, clock, out))) return first_failure;
  if (gpm_ && due(last_gpm_, now, gpm_interval) && !keep(read_gpm(clock, out)))
    return first_failure;
  if (processes_ && due(last_processes_, now, process_interval)) keep(read_processes(clock, out));
  return first_failure;
}

Error BoardSensor::lost_error() const {
  Error error = library_->error(abi::gpu_is_lost, id_ + " fell off the bus");
  error.code = Errc::lost;
  return error;
}

void BoardSensor::put(Field& field, double raw, bool is_32_bit, Instant before, Instant after,
                      Batch& out) {
  bool restarted = false;
  double value = raw;
  if (field.kind == SignalKind::energy) value = field.energy.update(raw, is_32_bit, restarted);
  if (field.kind == SignalKind::power) value = raw * 1e-3;
  if (field.kind == SignalKind::counter) value = field.counter.update(raw);
  if (restarted) {
    notices_.push_back(
        fmt::format("{}: the energy counter began anew (driver reload or GPU reset); what it "
                    "counted between its last "
                    "reading and that moment is not included",
                    id_));
  }
  out.add(field.signal, value, before, after);
}

Result<void> BoardSensor::read_fields(const Clock& clock, bool all, Batch& out) {
  const std::size_t count = all ? fields_.size() : fast_fields_;
  if (count == 0) return {};
  for (std::size_t i = 0; i < count; ++i) {
    values_[i] = {};
    values_[i].field = fields_[i].id;
  }
  const Instant before = clock.now();
  const abi::Return code =
      library_->functions().field_values(device_, static_cast<int>(count), values_.data());
  const Instant after = clock.now();
  std::size_t good = 0;
  abi::Return failure = code;
  for (std::size_t i = 0; i < count && code == abi::success; ++i) {
    if (values_[i].status != abi::success) {
      failure = values_[i].status;
      if (means_lost(failure)) break;
      continue;
    }
    const auto raw = number_of(values_[i]);
    if (!raw || *raw < 0) continue;
    put(fields_[i], *raw, values_[i].value_type == abi::value_unsigned_int, before, after, out);
    ++good;
  }
  if (means_lost(failure)) {
    lost_ = true;
    return lost_error();
  }
  if (good == 0) {
    Error error = library_->error(failure, id_ + " did not answer");
    error.code = Errc::unavailable;
    return error;
  }
  return {};
}

Result<void> BoardSensor::read_polls(std::vector<Poll>& polls, const Clock& clock, Batch& out) {
  Result<void> result;
  for (Poll& poll : polls) {
    double values[2] = {};
    const Instant before = clock.now();
    const abi::Return code = poll.ask(values);
    const Instant after = clock.now();
    if (means_lost(code)) {
      lost_ = true;
      return lost_error();
    }
    if (code != abi::success) {
      // Metrics may come and go; energy and power that do not come are a failed tick.
      if (poll.field && result) {
        Error error = library_->error(code, id_ + " did not answer");
        error.code = Errc::unavailable;
        result = error;
      }
      continue;
    }
    if (poll.field) {
      put(*poll.field, values[0], false, before, after, out);
      continue;
    }
    for (std::size_t i = 0; i < poll.signals.size(); ++i) {
      out.add(poll.signals[i], values[i], before, after);
    }
  }
  return result;
}

void BoardSensor::pace_counter(std::size_t signal, Seconds cost) {
  std::string& basis = signals_[signal].traits.basis;
  basis += fmt::format("; read once a second and at the edges of windows: a call takes {:.1f} ms",
                       cost.value() * 1e3);
  Poll poll;
  poll.field.emplace();
  poll.field->kind = SignalKind::energy;
  poll.field->signal = signal;
  poll.ask = [this](double* values) {
    abi::FieldValue value{};
    value.field = abi::field::total_energy;
    const abi::Return code = library_->functions().field_values(device_, 1, &value);
    if (code != abi::success) return code;
    values[0] = number_of(value).value_or(-1.0);
    if (value.status == abi::success && values[0] < 0.0) return abi::no_data;
    return value.status;
  };
  dear_polls_.push_back(std::move(poll));
}

Result<void> BoardSensor::read_samples(const Clock& clock, Batch& out) {
  abi::Return status = abi::success;
  for (const PowerSamples::Reading& reading : samples_->read(*library_, clock, status))
    out.add(samples_signal_, reading.watts, reading.at, reading.at);
  if (means_lost(status)) {
    lost_ = true;
    return lost_error();
  }
  if (samples_->misdated()) {
    notices_.push_back(id_ +
                       ": the driver's power samples (nvml.power_samples) bear the time of another "
                       "clock and are left out");
    samples_.reset();
  }
  return {};
}

Result<void> BoardSensor::read_processes(const Clock& clock, Batch& out) {
  const Instant before = clock.now();
  const ProcessReader::Reading reading = processes_->read();
  const Instant after = clock.now();
  if (means_lost(reading.status)) {
    lost_ = true;
    return lost_error();
  }
  if (reading.share) out.add(share_signal_, *reading.share, before, after);
  if (reading.memory_bytes) out.add(memory_signal_, *reading.memory_bytes, before, after);
  return {};
}

Result<void> BoardSensor::read_gpm(const Clock& clock, Batch& out) {
  const Instant before = clock.now();
  const auto values = gpm_->read();
  const Instant after = clock.now();
  if (means_lost(gpm_->status())) {
    lost_ = true;
    return lost_error();
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i]) out.add(first_gpm_signal_ + i, *values[i], before, after);
  }
  return {};
}

}  // namespace ergo::nvml
