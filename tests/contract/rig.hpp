#pragma once
// What the contract suite needs of a backend: a fake device to find, a way to let time pass, and a
// way to take the device away. A new backend adds one class here or in rigs.cpp, and its line in
// all_rigs().

#include "ergo/core/clock.hpp"
#include "ergo/sensors/registry.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace ergo::testing {

class Rig {
 public:
  virtual ~Rig() = default;
  /// Looks for the device. Called once.
  virtual Discovery discover() = 0;
  virtual Clock& clock() = 0;
  /// Time passes, and the device consumes and renews its values.
  virtual void pass(Seconds time) = 0;
  /// The device is gone from now on.
  virtual void vanish() = 0;
  /// Folder that stands for the device and that nobody may write to; empty when there is none.
  [[nodiscard]] virtual std::filesystem::path folder() const { return {}; }
};

struct RigMaker {
  std::string name;  ///< letters and digits
  std::function<std::unique_ptr<Rig>()> make;
};
/// How test reports call it.
inline void PrintTo(const RigMaker& rig, std::ostream* out) {
  *out << rig.name;
}

/// One for each kind of device that Ergometer knows.
std::vector<RigMaker> all_rigs();

}  // namespace ergo::testing
