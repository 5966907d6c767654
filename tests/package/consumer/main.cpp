#include "ergo/core/parse.hpp"
#include "ergo/stats/summary.hpp"

#include <cstdio>

int main() {
  const auto period = ergo::parse_duration("100ms");
  const double values[] = {3, 1, 2};
  std::printf("%g s, median %g\n", period->value(), ergo::stats::median(values));
  return period.ok() && ergo::stats::median(values) == 2 ? 0 : 1;
}
