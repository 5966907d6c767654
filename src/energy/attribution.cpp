#include "ergo/energy/attribution.hpp"

#include <algorithm>

namespace ergo {

Attribution attribute(Joules whole, std::optional<Joules> idle, double share) {
  share = std::clamp(share, 0.0, 1.0);
  const Joules resting = std::clamp(idle.value_or(Joules(0.0)), Joules(0.0), whole);
  const Joules active = whole - resting;
  Attribution parts;
  if (share > alone_share) {
    parts.process = active * share + resting;
  } else {
    parts.process = active * share;
    parts.idle = resting;
  }
  parts.others = whole - parts.process - parts.idle;
  return parts;
}

}  // namespace ergo
