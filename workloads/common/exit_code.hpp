#pragma once
// Exit codes of ergo-workload, and the errors behind them.

#include "ergo/core/result.hpp"

namespace ergo::workload {

constexpr int exit_failed = 1;     ///< an error while working
constexpr int exit_refused = 2;    ///< the request is wrong, or this build or device cannot do it
constexpr int exit_too_large = 3;  ///< too large for the memory at hand: a study skips the cell

constexpr int exit_code_of(const Error& error) {
  switch (error.code) {
    case Errc::invalid_argument:
    case Errc::not_supported:
      return exit_refused;
    case Errc::unavailable:
      return exit_too_large;
    default:
      return exit_failed;
  }
}

/// The error of a workload that does not fit into memory.
inline Error out_of_memory(std::string detail) {
  return Error{Errc::unavailable, "out of memory: " + std::move(detail),
               "use a smaller --batch or --size"};
}

}  // namespace ergo::workload
