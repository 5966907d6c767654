#pragma once
// Timelines written by hand.

#include "ergo/energy/measure.hpp"

#include <functional>
#include <string>

namespace ergo::testing {

inline Instant at(double seconds) {
  return Instant{} + Seconds(seconds);
}
inline Window window(double from_s, double to_s) {
  return {at(from_s), at(to_s)};
}

/// An energy counter or power signal of `channel`, perfect unless its traits are changed.
inline SignalInfo meter(SignalKind kind, const std::string& channel, Domain domain,
                        const std::string& source = "test") {
  SignalInfo info;
  info.name = source + "@" + channel;
  info.kind = kind;
  info.unit = kind == SignalKind::energy ? "J" : "W";
  info.channel = info.device = channel;
  info.domain = domain;
  info.source = source;
  info.in_total = domain != Domain::node;
  return info;
}

/// Appends f(t) for t = from, from + step, ... up to and including `to`.
inline void record(Timeline& timeline, SignalId id, double from_s, double to_s, double step_s,
                   const std::function<double(double)>& f) {
  const auto steps = static_cast<int>((to_s - from_s) / step_s + 1e-6);
  for (int i = 0; i <= steps; ++i) {
    const double t = from_s + i * step_s;
    timeline.append(id, {at(t), f(t), 0.0F});
  }
}

inline const ChannelEnergy* find(const WindowEnergy& energy, const std::string& channel) {
  for (const ChannelEnergy& c : energy.channels) {
    if (c.channel == channel) return &c;
  }
  return nullptr;
}

inline double part(const ChannelEnergy& energy, const std::string& name) {
  for (const BudgetPart& p : energy.budget) {
    if (p.name == name) return p.half_width.value();
  }
  return 0.0;
}

}  // namespace ergo::testing
