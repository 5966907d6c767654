#include "source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ergo::energy_detail {

Result<Coverage> coverage_of(const Timeline& timeline, SignalId id, Window window, Seconds slack) {
  const auto first = timeline.first(id);
  const auto last = timeline.last(id);
  const std::string& name = timeline.info(id).name;
  if (!first) return Error{Errc::unavailable, name + " gave no reading", {}};
  if (timeline.sample_count(id) < 2) {
    return Error{Errc::unavailable, name + " gave only one reading", {}};
  }
  Coverage coverage;
  coverage.covered.begin = std::max(window.begin, first->time - slack);
  coverage.covered.end = std::min(window.end, last->time + slack);
  const double covered = std::max(0.0, coverage.covered.duration().value());
  coverage.missing_s = window.duration().value() - covered;
  if (coverage.missing_s > covered) {
    return Error{Errc::unavailable,
                 fmt::format("{} was read in only {:.3g} s of the {:.3g} s", name, covered,
                             window.duration().value()),
                 {}};
  }
  return coverage;
}

void extend_to_uncovered(SourceEnergy& energy, Window window, const Coverage& coverage) {
  if (coverage.missing_s <= 0.0) return;
  const double mean = energy.joules / coverage.covered.duration().value();
  const double most = std::max(energy.max_watts, 2.0 * mean);
  energy.joules += mean * coverage.missing_s;
  energy.parts.push_back({"gaps", Joules(coverage.missing_s * (most - mean))});
  energy.at_most.reset();
  energy.warnings.push_back(
      fmt::format("{} was not read in {:.3g} s of the {:.3g} s; its mean power stands for the rest",
                  energy.info->name, coverage.missing_s, window.duration().value()));
}

double uniform_sum_u95(double a, double b) {
  const double wide = std::max(a, b);
  const double narrow = std::min(a, b);
  // The density is a trapezoid: flat up to wide - narrow, then falling to 0 at wide + narrow.
  const double in_slope = wide + narrow - std::sqrt(0.2 * wide * narrow);
  return in_slope >= wide - narrow ? in_slope : 0.95 * wide;
}

}  // namespace ergo::energy_detail
