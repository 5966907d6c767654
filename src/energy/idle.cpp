#include "ergo/energy/measure.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace ergo {
namespace {

struct Baselines {
  double joules = 0.0;
  double seconds = 0.0;
  double error_squares = 0.0;  ///< of the joules
  double lowest = 0.0;
  double highest = 0.0;
  int count = 0;
};

}  // namespace

std::vector<IdleBaseline> idle_from(const Timeline& timeline, const std::vector<Window>& windows) {
  std::map<std::string, Baselines> found;
  MeasureOptions options;
  // The gain of a device is the same while it idles and while it works: it belongs to the net
  // energy, not here.
  options.without_gain = true;
  for (const Window& window : windows) {
    for (const ChannelEnergy& channel : measure(timeline, window, options).channels) {
      Baselines& b = found[channel.channel];
      const double half = 0.5 * (channel.high - channel.low).value();
      const double watts = channel.mean.value();
      b.lowest = b.count == 0 ? watts : std::min(b.lowest, watts);
      b.highest = b.count == 0 ? watts : std::max(b.highest, watts);
      b.joules += channel.joules.value();
      b.seconds += window.duration().value();
      b.error_squares += half * half;
      ++b.count;
    }
  }
  std::vector<IdleBaseline> baselines;
  for (const auto& [channel, b] : found) {
    if (b.seconds <= 0.0) continue;
    const double drift = 0.5 * (b.highest - b.lowest);
    const double sampling = std::sqrt(b.error_squares) / b.seconds;
    baselines.push_back({channel, Watts(b.joules / b.seconds), Watts(std::hypot(drift, sampling))});
  }
  return baselines;
}

}  // namespace ergo
