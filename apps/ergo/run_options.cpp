#include "run_options.hpp"

#include "calling_user.hpp"
#include "ergo/core/parse.hpp"
#include "python_hooks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace ergo::cli {
namespace {

constexpr double shortest_period_s = 1e-3;
constexpr double longest_period_s = 60;

Error named(const char* flag, const Error& error) {
  return {error.code, fmt::format("{}: {}", flag, error.message), error.remedy};
}

}  // namespace

void add_measure_flags(CLI::App& verb, MeasureFlags& flags) {
  verb.add_option("--period", flags.period,
                  "Time between readings: 10ms, 1s, or seconds (default 100ms)");
  verb.add_option("--idle", flags.idle,
                  "Measure the idle machine this long before and after (net energy needs it)");
  verb.add_option("--gpus", flags.gpus,
                  "all, none, indices (0,1) or UUIDs; default: what CUDA_VISIBLE_DEVICES shows");
  verb.add_option("--meter", flags.meters,
                  "An external wattmeter to read beside the sensors (docs/user/meters.md)");
  verb.add_flag("--no-hooks", flags.no_hooks, "Do not mark epochs and steps of Python programs");
}

Result<RunnerOptions> runner_options(const MeasureFlags& flags) {
  RunnerOptions options;
  const auto period = parse_duration(flags.period);
  if (!period) return named("--period", period.error());
  if (period->value() < shortest_period_s || period->value() > longest_period_s) {
    return Error{
        Errc::invalid_argument, fmt::format("--period: {} is outside 1ms … 60s", flags.period), {}};
  }
  options.period = *period;
  const auto idle = parse_duration(flags.idle);
  if (!idle) return named("--idle", idle.error());
  options.idle = *idle;
  if (!flags.gpus.empty()) {
    auto selection = GpuSelection::parse(flags.gpus);
    if (!selection) return named("--gpus", selection.error());
    options.gpus = std::move(*selection);
  }
  options.meters = flags.meters;
  if (auto user = run_as_calling_user(options); !user) return user.error();
  if (const auto hooks = python_hooks_folder(); hooks && !flags.no_hooks) {
    const auto own = std::find_if(options.environment.begin(), options.environment.end(),
                                  [](const auto& entry) { return entry.first == "PYTHONPATH"; });
    const char* path =
        own != options.environment.end() ? own->second.c_str() : std::getenv("PYTHONPATH");
    options.environment.emplace_back("PYTHONPATH", with_hooks(*hooks, path));
  }
  return options;
}

}  // namespace ergo::cli
