#include "limit_axis.hpp"

#include "ergo/control/power_limit.hpp"
#include "ergo/core/parse.hpp"
#include "ergo/experiment/sweep.hpp"
#include "limit_guard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ergo::cli {
namespace {

Error named(const Error& error) {
  return {error.code, "--power-limits: " + error.message, error.remedy};
}

Result<std::vector<control::GpuLimits>> chosen_gpus(const Environment& environment,
                                                    const GpuSelection& gpus) {
  auto overview = control::list(environment, gpus);
  if (!overview) return overview.error();
  if (overview->no_gpus) {
    return no_gpu(*overview->no_gpus);
  }
  if (overview->gpus.empty()) {
    return Error{Errc::not_found, "there is no GPU whose power limit could be set",
                 "ergo limits show"};
  }
  return std::move(overview->gpus);
}

/// `count` 0: all.
Result<std::vector<double>> common_limits(const std::vector<control::GpuLimits>& gpus, int count) {
  double low = 0;
  double high = 1e9;
  for (const control::GpuLimits& gpu : gpus) {
    if (!gpu.min || !gpu.max) {
      return Error{Errc::not_supported,
                   fmt::format("gpu{} does not tell which limits it allows", gpu.index),
                   "name them: --power-limits 150,200,250"};
    }
    low = std::max(low, gpu.min->value());
    high = std::min(high, gpu.standard.value_or(*gpu.max).value());
  }
  if (low > high) {
    return Error{Errc::invalid_argument, "the GPUs have no power limit in common",
                 "measure them one after the other: --gpus 0, then --gpus 1"};
  }
  return count == 0 ? all_limits(low, high) : some_limits(low, high, count);
}

}  // namespace

std::vector<double> all_limits(double lowest_w, double default_w) {
  constexpr double most_steps = 12;
  double step = 1;
  for (const double round : {1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0}) {
    step = round;
    if ((default_w - lowest_w) / round <= most_steps) break;
  }
  std::vector<double> limits;
  for (double limit = lowest_w; limit < default_w - step / 2; limit += step)
    limits.push_back(limit);
  limits.push_back(default_w);
  return limits;
}

std::vector<double> some_limits(double lowest_w, double default_w, int count) {
  std::vector<double> limits;
  for (int i = 0; i + 1 < count; ++i) {
    const double limit = lowest_w + (default_w - lowest_w) * i / (count - 1);
    limits.push_back(i == 0 ? limit : std::round(limit));
  }
  limits.push_back(default_w);
  return limits;
}

namespace {

constexpr const char* forms = "all, all:5, 150,200,250 or 150..300:25 (watts)";

/// "all", "all:5", or numbers.
Result<std::vector<double>> limits_of_text(const std::string& text,
                                           const std::vector<control::GpuLimits>& gpus) {
  if (text == "all") return common_limits(gpus, 0);
  constexpr std::string_view some = "all:";
  if (!text.starts_with(some)) {
    auto numbers = parse_numbers(text);
    if (numbers || !numbers.error().remedy.empty()) return numbers;
    return Error{numbers.error().code, numbers.error().message, forms};
  }
  const auto count = parse_int(std::string_view(text).substr(some.size()));
  if (!count || *count < 2 || *count > 100) {
    return Error{Errc::invalid_argument, "'" + text + "' names no number of limits from 2 to 100",
                 forms};
  }
  return common_limits(gpus, static_cast<int>(*count));
}

}  // namespace

Result<Axis> limit_axis(const std::string& text, const Environment& environment,
                        const GpuSelection& gpus) {
  const auto cards = chosen_gpus(environment, gpus);
  if (!cards) return named(cards.error());
  auto limits = limits_of_text(text, *cards);
  if (!limits) return named(limits.error());
  std::sort(limits->begin(), limits->end());
  limits->erase(std::unique(limits->begin(), limits->end()), limits->end());
  std::vector<std::string> uuids;
  for (const control::GpuLimits& gpu : *cards)
    uuids.push_back(gpu.uuid);
  Axis axis;
  axis.name = power_limit_axis;
  for (const double limit : *limits) {
    // A limit that cannot be set is better refused now than hours into a sweep.
    const auto plan = control::plan_power_limit(environment, uuids, Watts(limit));
    if (!plan) return named(plan.error());
    axis.values.push_back(shortest(limit));
  }
  return axis;
}

void add_power_limits_flag(CLI::App& verb, std::string& text) {
  verb.add_option("--power-limits", text,
                  "Run each cell under these GPU power limits too: all, all:5, 150,200,250 or "
                  "150..300:25 (W); the limits found are back at the end")
      ->check(CLI::Validator(
          [](const std::string& given) {
            return given.empty() ? fmt::format("names no limit; {}", forms) : std::string();
          },
          ""));
}

}  // namespace ergo::cli
