#include "ergo/energy/measure.hpp"

#include "budget.hpp"
#include "ergo/energy/attribution.hpp"
#include "share.hpp"
#include "source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace ergo {
namespace {

using energy_detail::SourceEnergy;

/// Two sources of one device are allowed this much beside their budgets: no vendor says how they
/// are made.
constexpr double tolerated_disagreement = 0.01;
/// A source takes the place of one before it by rank if its interval is narrower by this factor.
constexpr double clearly_narrower = 0.5;

struct Channel {
  std::string name;
  std::vector<SignalId> sources;  // by rank
};

std::vector<Channel> channels_of(const Timeline& timeline) {
  std::vector<Channel> channels;
  for (SignalId id = 0; id < timeline.signal_count(); ++id) {
    const SignalInfo& info = timeline.info(id);
    if (info.kind != SignalKind::energy && info.kind != SignalKind::power) continue;
    const auto known = std::find_if(channels.begin(), channels.end(),
                                    [&](const Channel& c) { return c.name == info.channel; });
    Channel& channel = known != channels.end() ? *known : channels.emplace_back();
    channel.name = info.channel;
    channel.sources.push_back(id);
  }
  for (Channel& channel : channels) {
    std::stable_sort(channel.sources.begin(), channel.sources.end(), [&](SignalId a, SignalId b) {
      return timeline.info(a).rank < timeline.info(b).rank;
    });
  }
  return channels;
}

/// The power signal of a channel that follows the load most closely.
std::optional<SignalId> closest_power(const Timeline& timeline, const Channel& channel) {
  std::optional<SignalId> best;
  for (const SignalId id : channel.sources) {
    const SignalInfo& info = timeline.info(id);
    if (info.kind != SignalKind::power || timeline.sample_count(id) == 0) continue;
    if (!best || info.traits.averaging_window < timeline.info(*best).traits.averaging_window) {
      best = id;
    }
  }
  return best;
}

Result<SourceEnergy> energy_by(const Timeline& timeline, const Channel& channel, SignalId id,
                               Window window) {
  if (timeline.info(id).kind == SignalKind::power) {
    return energy_detail::by_power(timeline, id, window);
  }
  return energy_detail::by_counter(timeline, id, window, closest_power(timeline, channel));
}

/// [low, high] of a source: its budget, within what its counter proves.
std::pair<double, double> interval_of(const SourceEnergy& source,
                                      std::span<const BudgetPart> parts) {
  const energy_detail::Sides sides = energy_detail::combine(parts);
  return {std::max(0.0, source.joules - sides.low), source.joules + sides.high};
}

/// Narrows the edges of a window to what a counter proves by never falling.
void apply_proof(SourceEnergy& source) {
  if (!source.at_least || !source.at_most) return;
  const double most = std::max(source.joules - *source.at_least, *source.at_most - source.joules);
  for (BudgetPart& part : source.parts) {
    if (part.name == "window edges") {
      part.half_width = std::min(part.half_width, Joules(std::max(0.0, most)));
    }
  }
}

/// Readings that leave nothing out and have their own time each: none is an older one read late.
bool is_full_record(const PowerTraits& traits) {
  return traits.sampled_fraction >= 1.0 && !traits.low_pass &&
         traits.averaging_window > Seconds(0.0) && traits.update_period == Seconds(0.0);
}

/// Puts the source first that gives the joules: the one before the others by rank, unless a full
/// record of power is clearly surer of this window, as it is of short ones, for which the ticks of
/// a counter lie far apart; or unless the first looks part of the time and the record is not
/// clearly less sure.
void choose_first(std::vector<SourceEnergy>& sources) {
  const auto half_width = [](const SourceEnergy& source) {
    const energy_detail::Sides sides = energy_detail::combine(source.parts);
    return std::max(sides.low, sides.high);
  };
  const auto record = std::find_if(sources.begin(), sources.end(), [](const SourceEnergy& source) {
    return is_full_record(source.info->traits);
  });
  if (record == sources.end()) return;
  // What looks part of the time cannot know what it missed: its interval does not hold for a load
  // that repeats in step with it.
  const bool first_sees_all = sources.front().info->traits.sampled_fraction >= 1.0;
  const double narrower = first_sees_all ? clearly_narrower : 1.0 / clearly_narrower;
  if (half_width(*record) >= narrower * half_width(sources.front())) return;
  std::rotate(sources.begin(), record, record + 1);
}

/// Says so when two sources of one channel differ by more than their errors, those that they share
/// left out.
void check_agreement(const SourceEnergy& first, const SourceEnergy& second,
                     std::vector<std::string>& warnings) {
  energy_detail::Sides a = energy_detail::combine(first.parts);
  energy_detail::Sides b = energy_detail::combine(second.parts);
  double gain = 0.0;
  const PowerTraits& one = first.info->traits;
  const PowerTraits& two = second.info->traits;
  if (one.gain_kind.empty() || one.gain_kind != two.gain_kind) {
    const auto widest = [](const PowerTraits& t) {
      return std::max({t.gain_u95, -t.gain_low, t.gain_high});
    };
    gain = std::hypot(widest(one) * first.joules, widest(two) * second.joules);
  }
  const double difference = second.joules - first.joules;
  const double explained = std::hypot(std::max(a.low, a.high), std::max(b.low, b.high), gain) +
                           tolerated_disagreement * first.joules;
  if (std::abs(difference) <= explained) return;
  warnings.push_back(
      fmt::format("{}: {} and {} disagree by {:.1f} %, more than their errors explain ({:.1f} %)",
                  first.info->channel, first.info->source, second.info->source,
                  100.0 * difference / first.joules, 100.0 * explained / first.joules));
}

void add_idle(ChannelEnergy& energy, const MeasureOptions& options, Seconds duration) {
  const auto baseline =
      std::find_if(options.idle.begin(), options.idle.end(),
                   [&](const IdleBaseline& b) { return b.channel == energy.channel; });
  if (baseline == options.idle.end()) return;
  energy.idle = baseline->power * duration;
  energy.net = energy.joules - *energy.idle;
  energy.budget.push_back({"idle drift", baseline->half_width * duration, {}, {}, true});

  // The gain acts on the difference, not on the whole.
  const double scale = energy.joules.value() > 0.0 ? std::abs(*energy.net / energy.joules) : 1.0;
  std::vector<BudgetPart> parts = energy.budget;
  for (BudgetPart& part : parts) {
    part.net_only = false;
    if (part.name != "gain") continue;
    part.half_width = part.half_width * scale;
    if (part.low_side) part.low_side = *part.low_side * scale;
  }
  const energy_detail::Sides sides = energy_detail::combine(parts);
  energy.net_low = *energy.net - Joules(sides.low);
  energy.net_high = *energy.net + Joules(sides.high);
}

class Measurement {
 public:
  Measurement(const Timeline& timeline, Window window, const MeasureOptions& options)
      : timeline_(timeline), options_(options) {
    result_.window = window;
  }

  WindowEnergy take() {
    if (result_.window.end <= result_.window.begin) {
      warn("the window is empty: it has no energy");
      return std::move(result_);
    }
    share_ = energy_detail::cpu_share(timeline_, result_.window, options_);
    for (const Channel& channel : channels_of(timeline_))
      add(channel);
    result_.total = total_of(result_.channels);
    return std::move(result_);
  }

 private:
  void warn(std::string text) {
    if (said_.insert(text).second) result_.warnings.push_back(std::move(text));
  }

  void add(const Channel& channel) {
    std::vector<SourceEnergy> sources;
    std::string why;
    for (const SignalId id : channel.sources) {
      auto energy = energy_by(timeline_, channel, id, result_.window);
      if (energy) {
        apply_proof(energy.value());
        sources.push_back(std::move(energy).value());
      } else {
        if (!why.empty()) why += "; ";
        why += energy.error().message;
      }
    }
    if (sources.empty()) {
      warn(fmt::format("{} is left out: {}", channel.name, why));
      return;
    }
    // The counter that should have given the joules did not.
    if (!why.empty() && sources.front().id != channel.sources.front()) warn(why);
    choose_first(sources);
    finish(sources);
  }

  void finish(const std::vector<SourceEnergy>& sources) {
    const SourceEnergy& first = sources.front();
    const Seconds duration = result_.window.duration();
    ChannelEnergy energy = describe(first);
    energy.mean = energy.joules / duration;
    for (const SourceEnergy& source : sources) {
      if (source.max_watts > 0.0 && (!energy.max || Watts(source.max_watts) > *energy.max)) {
        energy.max = Watts(source.max_watts);
      }
    }
    for (const std::string& text : first.warnings)
      warn(text);
    for (std::size_t i = 1; i < sources.size(); ++i)
      add_alternative(energy, first, sources[i]);
    add_idle(energy, options_, duration);
    add_process(energy);
    result_.channels.push_back(std::move(energy));
  }

  ChannelEnergy describe(const SourceEnergy& source) const {
    const SignalInfo& info = *source.info;
    ChannelEnergy energy;
    energy.channel = info.channel;
    energy.domain = info.domain;
    energy.device = info.device;
    energy.source = info.source;
    energy.provenance = info.provenance;
    energy.in_total = info.in_total;
    energy.joules = Joules(source.joules);
    energy.budget = budget_of(source);
    const auto [low, high] = interval_of(source, energy.budget);
    energy.low = Joules(low);
    energy.high = Joules(high);
    return energy;
  }

  std::vector<BudgetPart> budget_of(const SourceEnergy& source) const {
    std::vector<BudgetPart> parts;
    if (!options_.without_gain) {
      if (auto gain = energy_detail::gain_part(source.info->traits, Joules(source.joules))) {
        parts.push_back(std::move(*gain));
      }
    }
    parts.insert(parts.end(), source.parts.begin(), source.parts.end());
    return parts;
  }

  void add_alternative(ChannelEnergy& energy, const SourceEnergy& first,
                       const SourceEnergy& other) {
    const std::vector<BudgetPart> parts = budget_of(other);
    const auto [low, high] = interval_of(other, parts);
    energy.alternatives.push_back(
        {other.info->source, Joules(other.joules), Joules(low), Joules(high)});
    std::vector<std::string> disagreement;
    check_agreement(first, other, disagreement);
    for (std::string& text : disagreement)
      warn(std::move(text));
  }

  void add_process(ChannelEnergy& energy) {
    std::optional<double> share;
    if (energy.domain == Domain::gpu) {
      share = energy_detail::gpu_share(timeline_, result_.window, options_, energy.device);
    } else if (energy.domain == Domain::cpu || energy.domain == Domain::dram) {
      share = share_;
    }
    if (!share) return;
    if (!energy.idle && *share <= alone_share) {
      warn(
          "no idle baseline: the energy of idling is shared out with the rest (--idle measures "
          "it)");
    }
    energy.process = attribute(energy.joules, energy.idle, *share).process;
  }

  const Timeline& timeline_;
  const MeasureOptions& options_;
  std::optional<double> share_;
  std::set<std::string> said_;
  WindowEnergy result_;
};

}  // namespace

WindowEnergy measure(const Timeline& timeline, Window window, const MeasureOptions& options) {
  return Measurement(timeline, window, options).take();
}

}  // namespace ergo
