#include "ergo/ergo.h"
#include "ergo/experiment/monitor.hpp"

#include <algorithm>
#include <cstring>
#include <exception>

struct ergo_monitor {
  std::unique_ptr<ergo::Monitor> monitor;
};

namespace {

void copy_text(char* to, std::size_t size, std::string_view text) {
  if (to == nullptr || size == 0) return;
  const std::size_t n = std::min(text.size(), size - 1);
  std::memcpy(to, text.data(), n);
  to[n] = '\0';
}

int status_of(const ergo::Error& error) {
  return error.code == ergo::Errc::not_supported ? ERGO_AFTER_FORK : ERGO_NO_SUCH_WINDOW;
}

ergo_channel channel_of(const ergo::ChannelEnergy& e) {
  ergo_channel c{};
  copy_text(c.channel, sizeof c.channel, e.channel);
  copy_text(c.source, sizeof c.source, e.source);
  c.provenance = static_cast<int>(e.provenance);
  c.in_total = e.in_total ? 1 : 0;
  c.joules = e.joules.value();
  c.low_j = e.low.value();
  c.high_j = e.high.value();
  c.mean_w = e.mean.value();
  return c;
}

static_assert(static_cast<int>(ergo::Provenance::measured) == ERGO_MEASURED);
static_assert(static_cast<int>(ergo::Provenance::simulated) == ERGO_SIMULATED);

ergo_result result_of(const ergo::WindowRecord& window) {
  ergo_result r{};
  r.duration_s = window.duration.value();
  r.channel_count = window.energy.size();
  if (window.total.measured) {
    r.has_measured = 1;
    r.measured_j = window.total.measured->value();
    r.low_j = window.total.low.value();
    r.high_j = window.total.high.value();
  }
  if (window.total.estimated) {
    r.has_estimated = 1;
    r.estimated_j = window.total.estimated->value();
  }
  return r;
}

ergo::Result<std::unique_ptr<ergo::Monitor>> start(double period_s, const char* gpus) {
  ergo::MonitorOptions options;
  options.period = ergo::Seconds(period_s);
  if (gpus != nullptr && *gpus != '\0') {
    auto selection = ergo::GpuSelection::parse(gpus);
    if (!selection) return selection.error();
    options.gpus = std::move(*selection);
  }
  return ergo::Monitor::start(options);
}

}  // namespace

extern "C" {

ergo_monitor* ergo_monitor_start(double period_s, const char* gpus, char* error,
                                 size_t error_size) {
  try {
    auto monitor = start(period_s, gpus);
    if (monitor) return new ergo_monitor{std::move(*monitor)};
    copy_text(error, error_size, monitor.error().text());
  } catch (const std::exception& e) {
    copy_text(error, error_size, e.what());
  }
  return nullptr;
}

void ergo_monitor_stop(ergo_monitor* monitor) {
  delete monitor;
}

ergo_window ergo_begin(ergo_monitor* monitor, const char* name) {
  if (monitor == nullptr || name == nullptr) return 0;
  try {
    return monitor->monitor->begin(name);
  } catch (const std::exception&) {
    return 0;
  }
}

int ergo_end(ergo_monitor* monitor, ergo_window window, ergo_result* result) {
  return ergo_end_channels(monitor, window, result, nullptr, 0);
}

int ergo_end_channels(ergo_monitor* monitor, ergo_window window, ergo_result* result,
                      ergo_channel* channels, size_t capacity) {
  if (monitor == nullptr || result == nullptr) return ERGO_INVALID;
  try {
    const auto ended = monitor->monitor->end(window);
    if (!ended) return status_of(ended.error());
    *result = result_of(*ended);
    for (std::size_t i = 0; channels != nullptr && i < std::min(capacity, ended->energy.size());
         ++i) {
      channels[i] = channel_of(ended->energy[i]);
    }
    return ERGO_OK;
  } catch (const std::exception&) {
    return ERGO_INVALID;
  }
}

int ergo_cancel(ergo_monitor* monitor, ergo_window window) {
  if (monitor == nullptr) return ERGO_INVALID;
  try {
    const auto cancelled = monitor->monitor->cancel(window);
    return cancelled ? ERGO_OK : status_of(cancelled.error());
  } catch (const std::exception&) {
    return ERGO_INVALID;
  }
}

size_t ergo_signal_count(ergo_monitor* monitor) {
  return monitor == nullptr ? 0 : monitor->monitor->timeline().signal_count();
}

int ergo_signal_at(ergo_monitor* monitor, size_t index, ergo_signal* signal) {
  if (signal == nullptr || index >= ergo_signal_count(monitor)) return ERGO_INVALID;
  const ergo::SignalInfo& info =
      monitor->monitor->timeline().info(static_cast<ergo::SignalId>(index));
  copy_text(signal->name, sizeof signal->name, info.name);
  copy_text(signal->unit, sizeof signal->unit, info.unit);
  return ERGO_OK;
}

int ergo_samples(ergo_monitor* monitor, size_t index, int64_t from_ns, int64_t to_ns,
                 ergo_sample* samples, size_t capacity, size_t* count) {
  if (count == nullptr || index >= ergo_signal_count(monitor)) return ERGO_INVALID;
  std::size_t n = 0;
  try {
    monitor->monitor->timeline().visit(static_cast<ergo::SignalId>(index), ergo::Instant{from_ns},
                                       ergo::Instant{to_ns}, [&](const ergo::Sample& sample) {
                                         // The timeline also shows the neighbours of the stretch.
                                         if (sample.time.ns < from_ns || sample.time.ns > to_ns)
                                           return;
                                         if (samples != nullptr && n < capacity)
                                           samples[n] = {sample.time.ns, sample.value};
                                         ++n;
                                       });
  } catch (const std::exception&) {
    return ERGO_INVALID;
  }
  *count = n;
  return ERGO_OK;
}

const char* ergo_version(void) {
  return ERGO_VERSION;
}

}  // extern "C"
