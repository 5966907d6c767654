#include "ergo/sensors/signal.hpp"

namespace ergo {

std::string_view name_of(Domain domain) {
  switch (domain) {
    case Domain::gpu:
      return "gpu";
    case Domain::cpu:
      return "cpu";
    case Domain::dram:
      return "dram";
    case Domain::node:
      return "node";
  }
  return "node";
}

std::string_view name_of(Provenance provenance) {
  switch (provenance) {
    case Provenance::measured:
      return "measured";
    case Provenance::derived:
      return "derived";
    case Provenance::estimated:
      return "estimated";
    case Provenance::simulated:
      return "simulated";
  }
  return "measured";
}

}  // namespace ergo
