#include "budget.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace ergo {
namespace energy_detail {

Sides combine(std::span<const BudgetPart> parts) {
  Sides squares;
  for (const BudgetPart& part : parts) {
    if (part.net_only) continue;
    const double high = part.half_width.value();
    const double low = part.low_side.value_or(part.half_width).value();
    squares.high += high * high;
    squares.low += low * low;
  }
  return {std::sqrt(squares.low), std::sqrt(squares.high)};
}

std::optional<BudgetPart> gain_part(const PowerTraits& traits, Joules joules) {
  BudgetPart part{"gain", joules * traits.gain_u95, traits.gain_kind};
  if (traits.gain_low != 0.0 || traits.gain_high != 0.0) {
    part.half_width = joules * traits.gain_high;
    part.low_side = joules * -traits.gain_low;
  }
  const Joules none(0.0);
  if (part.half_width <= none && part.low_side.value_or(none) <= none) return std::nullopt;
  return part;
}

}  // namespace energy_detail

namespace {

/// The parts of all channels, those of one kind added up and the rest as they are.
std::vector<BudgetPart> merge_kinds(const std::vector<const ChannelEnergy*>& channels) {
  std::vector<BudgetPart> merged;
  std::map<std::string, std::size_t> of_kind;
  for (const ChannelEnergy* channel : channels) {
    for (const BudgetPart& part : channel->budget) {
      const auto known = of_kind.find(part.kind);
      if (part.kind.empty() || known == of_kind.end()) {
        if (!part.kind.empty()) of_kind.emplace(part.kind, merged.size());
        merged.push_back(part);
        continue;
      }
      BudgetPart& sum = merged[known->second];
      if (sum.low_side || part.low_side) {
        sum.low_side =
            sum.low_side.value_or(sum.half_width) + part.low_side.value_or(part.half_width);
      }
      sum.half_width += part.half_width;
    }
  }
  return merged;
}

}  // namespace

EnergyTotal total_of(const std::vector<ChannelEnergy>& channels) {
  EnergyTotal total;
  std::vector<const ChannelEnergy*> measured;
  for (const ChannelEnergy& channel : channels) {
    if (!channel.in_total) continue;
    if (channel.provenance == Provenance::estimated) {
      total.estimated = total.estimated.value_or(Joules(0.0)) + channel.joules;
      total.estimated_low += channel.low;
      total.estimated_high += channel.high;
      continue;
    }
    total.measured = total.measured.value_or(Joules(0.0)) + channel.joules;
    measured.push_back(&channel);
  }
  if (!total.measured) return total;
  const std::vector<BudgetPart> parts = merge_kinds(measured);
  const energy_detail::Sides sides = energy_detail::combine(parts);
  total.low = std::max(Joules(0.0), *total.measured - Joules(sides.low));
  total.high = *total.measured + Joules(sides.high);
  return total;
}

}  // namespace ergo
