#pragma once
// How alike two configurations of one workload are, by the numbers in their labels.

#include "ergo/model/method.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace ergo {

/// Where a configuration lies among those of its workload: per name of a number ("bs" in
/// "bs64-adam") its logarithm over the standard deviation that such numbers have in one workload.
using ConfigPlace = std::vector<std::pair<std::string, double>>;

class ConfigSpace {
 public:
  ConfigSpace() = default;
  /// Learns the spread that each number has inside the workloads of a GPU.
  explicit ConfigSpace(const Training& curves);

  /// Numbers that are not positive or do not differ inside any workload are left out.
  [[nodiscard]] ConfigPlace place(const std::string& config) const;

 private:
  std::map<std::string, double> spread_;
};

/// exp(-d^2 / 2), d the distance over the numbers that both have; 1 when they have none in common,
/// for then nothing tells them apart.
double closeness(const ConfigPlace& a, const ConfigPlace& b);

}  // namespace ergo
