#pragma once
// One GPU whose limit is read and written, whoever made it.

#include "ergo/control/power_limit.hpp"

#include <memory>
#include <string>
#include <vector>

namespace ergo::control {

/// What a vendor's interface can do. Its implementations are the only places that call a setter.
class LimitDevice {
 public:
  virtual ~LimitDevice() = default;
  [[nodiscard]] virtual GpuLimits limits() const = 0;
  /// The limit that is set. Errors: lost, permission, not_supported.
  [[nodiscard]] virtual Result<Watts> limit() const = 0;
  /// The lowest of all limiters.
  [[nodiscard]] virtual Result<Watts> enforced() const = 0;
  /// Errors: permission and not_supported (nothing was changed), lost, invalid_argument.
  [[nodiscard]] virtual Result<void> set(Watts limit) const = 0;
  /// Limits are whole multiples of it.
  [[nodiscard]] virtual Watts step() const = 0;
};

/// A device with the checks that hold for all.
class Card {
 public:
  Card(std::shared_ptr<const LimitDevice> device, unsigned index, std::string uuid)
      : device_(std::move(device)), index_(index), uuid_(std::move(uuid)) {}

  [[nodiscard]] const std::string& uuid() const { return uuid_; }
  [[nodiscard]] unsigned index() const { return index_; }
  [[nodiscard]] GpuLimits limits() const { return device_->limits(); }
  [[nodiscard]] Result<Watts> limit() const { return device_->limit(); }
  [[nodiscard]] Result<Watts> enforced() const { return device_->enforced(); }
  /// This limit may be asked for. Errors: invalid_argument, not_supported.
  [[nodiscard]] Result<void> check(Watts limit) const;
  [[nodiscard]] Result<void> set(Watts limit) const { return device_->set(limit); }

 private:
  std::shared_ptr<const LimitDevice> device_;
  unsigned index_;
  std::string uuid_;
};

/// Finds cards by UUID: NVIDIA's by NVML, AMD's by their hwmon folder. Opens NVML when it is first
/// needed.
class CardFinder {
 public:
  explicit CardFinder(Environment environment);
  ~CardFinder();
  CardFinder(const CardFinder&) = delete;
  CardFinder& operator=(const CardFinder&) = delete;

  /// Errors: not_found, lost, permission, not_supported (a MIG instance).
  Result<Card> find(const std::string& uuid);
  /// AMD's cards. Their numbers go on after NVIDIA's.
  [[nodiscard]] std::vector<Card> amd_cards() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// "GPU 0 (GPU-…)".
std::string label_of(unsigned index, const std::string& uuid);

/// The error of a write that was refused for want of rights.
Error no_right(const std::string& what);

/// A limit as drivers take it: to the nearest milliwatt.
Watts to_milliwatt(Watts limit);

/// Puts the limit found back and verifies it. Nothing is written to a card that has it already.
Result<void> put_back(const Card& card, Watts found);

/// What to type when a limit could not be put back.
std::string restore_command();

}  // namespace ergo::control
