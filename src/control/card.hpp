#pragma once
// One GPU whose limit is read and written. The only place that calls a vendor's setter.

#include "ergo/control/power_limit.hpp"
#include "sensors/nvml/library.hpp"

#include <memory>
#include <string>

namespace ergo::control {

/// Limits are whole milliwatts, as the driver takes them, so that what is read back can be
/// compared.
class Card {
 public:
  /// Errors: not_found, lost, permission.
  static Result<Card> find(std::shared_ptr<const nvml::Library> library, const std::string& uuid);
  Card(std::shared_ptr<const nvml::Library> library, nvml::abi::Device device, unsigned index,
       std::string uuid)
      : library_(std::move(library)), device_(device), index_(index), uuid_(std::move(uuid)) {}

  [[nodiscard]] const std::string& uuid() const { return uuid_; }
  [[nodiscard]] unsigned index() const { return index_; }
  [[nodiscard]] GpuLimits limits() const;
  [[nodiscard]] Result<Watts> limit() const;
  [[nodiscard]] Result<Watts> enforced() const { return library_->enforced_power_limit(device_); }
  /// This limit may be asked for. Errors: invalid_argument, not_supported.
  [[nodiscard]] Result<void> check(Watts limit) const;
  /// Errors: permission and not_supported (nothing was changed), lost, invalid_argument.
  [[nodiscard]] Result<void> set(Watts limit) const;

 private:
  [[nodiscard]] std::string refusal() const;
  [[nodiscard]] std::string label() const;

  std::shared_ptr<const nvml::Library> library_;
  nvml::abi::Device device_;
  unsigned index_;
  std::string uuid_;
};

/// A limit as the driver takes it: to the nearest milliwatt.
Watts to_milliwatt(Watts limit);

/// Puts the limit found back and verifies it. Nothing is written to a card that has it already.
Result<void> put_back(const Card& card, Watts found);

/// What to type when a limit could not be put back.
std::string restore_command();

}  // namespace ergo::control
