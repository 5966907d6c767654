#include "control/card.hpp"
#include "control/saved.hpp"
#include "ergo/control/power_limit.hpp"
#include "sensors/nvml/selection.hpp"

namespace ergo::control {

Result<Overview> list(const Environment& environment, const GpuSelection& gpus) {
  Overview overview;
  auto saved = StateFolder(environment).all(overview.warnings);
  if (!saved) return saved.error();
  overview.saved = std::move(saved).value();
  const auto library = nvml::Library::open(environment.nvml_library);
  if (!library) {
    overview.no_gpus = library.error();
    return overview;
  }
  DiscoveryContext context;
  context.environment = environment;
  context.gpus = gpus;
  Discovery found;
  for (const nvml::Board& board : nvml::select_boards(**library, context, found)) {
    overview.gpus.push_back(Card(*library, board.device, board.index, board.uuid).limits());
  }
  for (const Missing& missing : found.missing) {
    overview.warnings.push_back(missing.what + ": " + missing.why);
  }
  overview.warnings.insert(overview.warnings.end(), found.warnings.begin(), found.warnings.end());
  return overview;
}

}  // namespace ergo::control
