#pragma once
// Counts multiply-adds by watching the operators that a network really runs, from the shapes that
// they get: no table of expected numbers, and it works for TorchScript modules of any kind.

#include <ATen/record_function.h>

#include <cstdint>

namespace ergo::workload {

/// Counts while it lives, on this thread. Convolutions (outputs x weights per output) and matrix
/// products (outputs x inner dimension), attention included; elementwise work, pooling and
/// normalisation are not counted, as is usual. One counter at a time for each thread.
class MacCounter {
 public:
  MacCounter();
  ~MacCounter();
  MacCounter(const MacCounter&) = delete;
  MacCounter& operator=(const MacCounter&) = delete;

  [[nodiscard]] std::int64_t total() const;

 private:
  at::CallbackHandle handle_;
};

}  // namespace ergo::workload
