#include "control/nvml_limits.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace ergo::control {
namespace {

namespace abi = nvml::abi;

Watts from_milliwatts(unsigned mw) {
  return Watts(mw * 1e-3);
}

std::optional<Watts> read(auto* function, abi::Device device) {
  unsigned mw = 0;
  if (function == nullptr || function(device, &mw) != abi::success) return std::nullopt;
  return from_milliwatts(mw);
}

class NvmlDevice final : public LimitDevice {
 public:
  NvmlDevice(std::shared_ptr<const nvml::Library> library, abi::Device device, unsigned index,
             std::string uuid)
      : library_(std::move(library)), device_(device), index_(index), uuid_(std::move(uuid)) {}

  [[nodiscard]] GpuLimits limits() const override;
  [[nodiscard]] Result<Watts> limit() const override;
  [[nodiscard]] Result<Watts> enforced() const override {
    return library_->enforced_power_limit(device_);
  }
  [[nodiscard]] Result<void> set(Watts limit) const override;
  [[nodiscard]] Watts step() const override { return Watts(1e-3); }

 private:
  [[nodiscard]] std::string refusal() const;

  std::shared_ptr<const nvml::Library> library_;
  abi::Device device_;
  unsigned index_;
  std::string uuid_;
};

std::string NvmlDevice::refusal() const {
  const nvml::Functions& f = library_->functions();
  unsigned mig = 0;
  unsigned pending = 0;
  if (f.mig_mode != nullptr && f.mig_mode(device_, &mig, &pending) == abi::success &&
      mig == abi::enabled) {
    return "it is split into MIG instances, and a limit would slow the programs on all of them";
  }
  if (f.set_power_limit == nullptr) return "this driver has no function that sets power limits";
  if (!read(f.power_limit, device_)) return "this GPU does not tell its power limit";
  return {};
}

GpuLimits NvmlDevice::limits() const {
  const nvml::Functions& f = library_->functions();
  GpuLimits out;
  out.index = index_;
  out.uuid = uuid_;
  out.simulated = library_->simulated();
  std::array<char, 96> name{};
  if (f.name != nullptr && f.name(device_, name.data(), name.size() - 1) == abi::success) {
    out.name = name.data();
  }
  out.set = read(f.power_limit, device_);
  out.enforced = read(f.enforced_power_limit, device_);
  out.standard = read(f.default_power_limit, device_);
  unsigned low = 0;
  unsigned high = 0;
  if (f.power_limit_range != nullptr && f.power_limit_range(device_, &low, &high) == abi::success) {
    out.min = from_milliwatts(low);
    out.max = from_milliwatts(high);
  }
  unsigned persistence = 0;
  if (f.persistence_mode != nullptr && f.persistence_mode(device_, &persistence) == abi::success)
    out.persistent = persistence == abi::enabled;
  out.refusal = refusal();
  return out;
}

Result<Watts> NvmlDevice::limit() const {
  const nvml::Functions& f = library_->functions();
  unsigned mw = 0;
  const abi::Return code =
      f.power_limit == nullptr ? abi::function_not_found : f.power_limit(device_, &mw);
  if (code != abi::success)
    return library_->error(code, label_of(index_, uuid_) + ": reading the power limit");
  return from_milliwatts(mw);
}

Result<void> NvmlDevice::set(Watts limit) const {
  const nvml::Functions& f = library_->functions();
  const auto mw = static_cast<unsigned>(std::lround(limit.value() * 1e3));
  const abi::Return code =
      f.set_power_limit == nullptr ? abi::function_not_found : f.set_power_limit(device_, mw);
  if (code == abi::success) return {};
  const std::string what =
      fmt::format("{}: setting {:g} W", label_of(index_, uuid_), limit.value());
  return code == abi::no_permission ? no_right(what) : library_->error(code, what);
}

}  // namespace

Card nvml_card(std::shared_ptr<const nvml::Library> library, abi::Device device, unsigned index,
               std::string uuid) {
  auto limits = std::make_shared<NvmlDevice>(std::move(library), device, index, uuid);
  return Card(std::move(limits), index, std::move(uuid));
}

Result<Card> find_nvml_card(std::shared_ptr<const nvml::Library> library, const std::string& uuid) {
  const auto device = library->find(uuid);
  if (!device) return device.error();
  unsigned index = 0;
  const auto count = library->device_count();
  for (unsigned i = 0; count && i < *count; ++i) {
    const auto other = library->device_at(i);
    if (other && *other == *device) index = i;
  }
  return nvml_card(std::move(library), *device, index, uuid);
}

}  // namespace ergo::control
