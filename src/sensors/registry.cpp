#include "ergo/sensors/registry.hpp"

#include "ergo/core/parse.hpp"
#include "sensors/estimate/estimate.hpp"
#include "sensors/hwmon/hwmon.hpp"
#include "sensors/nvml/nvml.hpp"
#include "sensors/rapl/rapl.hpp"

#include <array>

namespace ergo {

std::span<const Backend> backends() {
  static constexpr std::array list{
      Backend{"nvml", nvml::discover}, Backend{"rapl", rapl::discover},
      Backend{"hwmon", hwmon::discover},
      Backend{"estimate", estimate::discover},  // last: fills only what nobody meters
  };
  return list;
}

Discovery discover(const DiscoveryContext& context) {
  Discovery found;
  for (const Backend& backend : backends())
    backend.discover(context, found);
  return found;
}

Result<GpuSelection> GpuSelection::parse(std::string_view text) {
  GpuSelection selection;
  if (trim(text) == "all") {
    selection.mode = Mode::all;
  } else if (trim(text) == "none") {
    selection.mode = Mode::none;
  } else {
    selection.mode = Mode::listed;
    for (const std::string_view part : split(text, ',')) {
      if (trim(part).empty()) {
        return Error{Errc::invalid_argument, "'" + std::string(text) + "' is not a list of GPUs",
                     "write all, none, indices such as 0,1, or UUIDs such as GPU-8f6d…"};
      }
      selection.listed.emplace_back(trim(part));
    }
  }
  return selection;
}

}  // namespace ergo
