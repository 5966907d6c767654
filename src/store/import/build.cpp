#include "store/import/build.hpp"

#include "ergo/core/parse.hpp"
#include "ergo/stats/summary.hpp"

#include <algorithm>

namespace ergo::importing {

SignalInfo channel_signal(SignalKind kind, const std::string& channel, Domain domain,
                          const std::string& source, bool in_total) {
  SignalInfo info;
  info.name = source + "@" + channel;
  info.kind = kind;
  info.unit = kind == SignalKind::energy ? "J" : "W";
  info.channel = channel;
  info.domain = domain;
  info.device = channel;
  info.source = source;
  info.in_total = in_total;
  return info;
}

SignalInfo gauge_signal(const std::string& name, const std::string& unit) {
  SignalInfo info;
  info.name = name;
  info.kind = SignalKind::gauge;
  info.unit = unit;
  return info;
}

std::size_t add_series(Timeline& timeline, const SignalInfo& info, const Series& series) {
  const SignalId id = timeline.add(info);
  std::size_t left_out = 0;
  std::int64_t latest = series.empty() ? 0 : series.front().first;
  for (const auto& [ns, value] : series) {
    if (ns < latest) {
      ++left_out;
      continue;
    }
    latest = ns;
    timeline.append(id, Sample{Instant{ns}, value, 0.0F});
  }
  return left_out;
}

RunRecord run_from(const Timeline& timeline, Window window) {
  RunRecord run;
  run.begin = window.begin;
  run.duration = window.duration();
  WindowEnergy measured = measure(timeline, window);
  run.energy = std::move(measured.channels);
  run.total = measured.total;
  run.warnings = std::move(measured.warnings);
  run.metrics = summarize_gauges(timeline, window);
  run.samples = timeline.total_samples();
  run.gaps = timeline.gaps().size();
  return run;
}

void add_alternative(std::vector<ChannelEnergy>& energies, const std::string& channel,
                     const std::string& source, double joules) {
  for (auto& energy : energies) {
    if (energy.channel != channel) continue;
    Alternative other;
    other.source = source;
    // Another tool's formula states no interval.
    other.joules = other.low = other.high = Joules(joules);
    energy.alternatives.push_back(std::move(other));
  }
}

const ChannelEnergy* find_channel(const std::vector<ChannelEnergy>& energies,
                                  const std::string& channel) {
  const auto found =
      std::find_if(energies.begin(), energies.end(),
                   [&](const ChannelEnergy& energy) { return energy.channel == channel; });
  return found == energies.end() ? nullptr : &*found;
}

double trapezoids(std::span<const std::pair<std::int64_t, double>> series,
                  std::vector<double>* pieces) {
  double sum = 0.0;
  for (std::size_t i = 1; i < series.size(); ++i) {
    const double seconds = (Instant{series[i].first} - Instant{series[i - 1].first}).value();
    const double piece = seconds * (series[i].second + series[i - 1].second) / 2.0;
    sum += piece;
    if (pieces != nullptr) pieces->push_back(piece);
  }
  return sum;
}

ChannelEnergy channel_result(const std::string& channel, const std::string& source, double joules,
                             double seconds, double gain) {
  ChannelEnergy energy;
  energy.channel = channel;
  energy.domain = Domain::gpu;
  energy.device = channel;
  energy.source = source;
  energy.in_total = true;
  energy.joules = Joules(joules);
  energy.low = Joules(joules * (1.0 - gain));
  energy.high = Joules(joules * (1.0 + gain));
  if (seconds > 0.0) energy.mean = Joules(joules) / Seconds(seconds);
  BudgetPart part;
  part.name = "gain";
  part.half_width = Joules(joules * gain);
  part.kind = "nvml board sensor";
  energy.budget.push_back(std::move(part));
  return energy;
}

double median_spacing(const Series& series) {
  std::vector<double> spacings;
  for (std::size_t i = 1; i < series.size(); ++i) {
    spacings.push_back((Instant{series[i].first} - Instant{series[i - 1].first}).value());
  }
  return spacings.empty() ? 0.0 : std::max(0.0, stats::median(spacings));
}

void set_power_limit(RunRecord& run, double watts) {
  run.power_limit = Watts(watts);
  run.parameters["power_limit_w"] = shortest(watts);
}

void set_latencies(RunRecord& run, std::vector<double> latencies) {
  if (latencies.empty()) return;
  run.latency = LatencySummary{latencies.size(), Seconds(stats::median(latencies)),
                               Seconds(stats::quantile(latencies, 0.95)),
                               Seconds(stats::quantile(latencies, 0.99))};
  run.latencies_s = std::move(latencies);
}

}  // namespace ergo::importing
