#pragma once
// Errors as values. Below apps/ a function that can fail in an expected way returns Result<T>;
// exceptions are for programming errors and for running out of memory.

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace ergo {

/// What the caller can do about it, not where it came from.
enum class Errc {
  invalid_argument,  ///< the request itself is wrong: tell the user
  not_found,         ///< the named thing does not exist
  permission,        ///< it exists, but this user may not: `remedy` says how to get the right
  not_supported,     ///< this device or system cannot do it at all
  unavailable,       ///< not now: trying again may work
  lost,              ///< the device is gone for good: stop asking
  corrupt,           ///< outside data is damaged
  io,                ///< the operating system refused a read or a write
  busy,              ///< someone else holds it
  canceled,          ///< we were asked to stop
};

/// A fact and, where there is one, the remedy ("sudo chmod a+r …").
struct Error {
  Errc code = Errc::io;
  std::string message;
  std::string remedy;

  /// "message (remedy)" on one line.
  [[nodiscard]] std::string text() const;
};

/// Builds the message of a failed system call: "cannot open FILE: Permission denied".
Error system_error(const std::string& what, int error_number);

/// A value or an Error. `value()` on an error is a programming error (asserts).
template <class T = void>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] T& value() & {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] const T& value() const& {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] T&& value() && {
    assert(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  [[nodiscard]] T value_or(T other) const& { return ok() ? value() : std::move(other); }
  [[nodiscard]] const Error& error() const {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  [[nodiscard]] bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] const Error& error() const {
    assert(error_);
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

}  // namespace ergo
