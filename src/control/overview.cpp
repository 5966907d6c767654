#include "control/card.hpp"
#include "control/nvml_limits.hpp"
#include "control/saved.hpp"
#include "ergo/control/power_limit.hpp"
#include "sensors/hwmon/cards.hpp"
#include "sensors/nvml/selection.hpp"

#include <algorithm>

namespace ergo::control {
namespace {

void add_nvidia(const std::shared_ptr<const nvml::Library>& library, const Environment& environment,
                const GpuSelection& gpus, Overview& overview) {
  DiscoveryContext context;
  context.environment = environment;
  context.gpus = gpus;
  Discovery found;
  for (const nvml::Board& board : nvml::select_boards(*library, context, found)) {
    overview.gpus.push_back(nvml_card(library, board.device, board.index, board.uuid).limits());
  }
  for (const Missing& missing : found.missing)
    overview.warnings.push_back(missing.what + ": " + missing.why);
  overview.warnings.insert(overview.warnings.end(), found.warnings.begin(), found.warnings.end());
}

}  // namespace

Result<Overview> list(const Environment& environment, const GpuSelection& gpus) {
  Overview overview;
  auto saved = StateFolder(environment).all(overview.warnings);
  if (!saved) return saved.error();
  overview.saved = std::move(saved).value();
  if (auto more = saved_by_root(environment, overview.warnings); more)
    overview.saved.insert(overview.saved.end(), more->begin(), more->end());
  CardFinder finder(environment);
  GpuSelection nvidia = gpus;
  for (const Card& card : finder.amd_cards()) {
    if (!hwmon::selected(gpus, static_cast<int>(card.index()), card.uuid())) continue;
    overview.gpus.push_back(card.limits());
    std::erase_if(nvidia.listed, [&](const std::string& wanted) {
      return wanted == std::to_string(card.index()) || card.uuid().starts_with(wanted);
    });
  }
  const bool only_amd =
      gpus.mode == GpuSelection::Mode::listed && nvidia.listed.empty() && !overview.gpus.empty();
  if (only_amd) return overview;
  const auto library = nvml::Library::open(environment.nvml_library);
  if (!library) {
    if (overview.gpus.empty()) overview.no_gpus = library.error();
    return overview;
  }
  add_nvidia(*library, environment, nvidia, overview);
  std::sort(overview.gpus.begin(), overview.gpus.end(),
            [](const GpuLimits& a, const GpuLimits& b) { return a.index < b.index; });
  return overview;
}

}  // namespace ergo::control
