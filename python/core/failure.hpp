#pragma once
// Errors of the library on their way to Python, where each becomes an ergometer.ErgometerError.

#include "ergo/core/result.hpp"

#include <utility>

namespace ergo::python {

/// Thrown without regard to the GIL; the module turns it into the Python exception.
struct Failure {
  Error error;
};

template <class T>
T value_or_throw(Result<T> result) {
  if (!result) throw Failure{result.error()};
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

}  // namespace ergo::python
