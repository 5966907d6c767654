#include "sensors/hwmon/hwmon.hpp"

#include "sensors/hwmon/chip.hpp"

namespace ergo::hwmon {

void discover(const DiscoveryContext& context, Discovery& so_far) {
  discover_gpus(context, so_far);
  discover_chips(context, so_far);
  discover_battery(context, so_far);
}

}  // namespace ergo::hwmon
