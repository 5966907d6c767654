#include "control/card.hpp"

#include <fmt/format.h>
#include <unistd.h>

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

Error no_right(const std::string& what) {
  if (::geteuid() == 0) {
    return {Errc::permission, what + ": the driver does not let this process change power limits",
            "in a container: set the limit on the host, or start it with --cap-add SYS_ADMIN"};
  }
  return {Errc::permission, what + ": only root may change power limits",
          "sudo ergo …; the command that is measured still runs as you"};
}

}  // namespace

Watts to_milliwatt(Watts limit) {
  return from_milliwatts(static_cast<unsigned>(std::lround(limit.value() * 1e3)));
}

std::string restore_command() {
  return ::geteuid() == 0 ? "sudo ergo limits restore" : "ergo limits restore";
}

Result<Card> Card::find(std::shared_ptr<const nvml::Library> library, const std::string& uuid) {
  if (uuid.starts_with("MIG-")) {
    return Error{Errc::not_supported,
                 fmt::format("{} is a MIG instance: only a whole GPU has a power limit", uuid),
                 "name the GPU: ergo limits show"};
  }
  const auto device = library->find(uuid);
  if (!device) return device.error();
  unsigned index = 0;
  const auto count = library->device_count();
  for (unsigned i = 0; count && i < *count; ++i) {
    const auto other = library->device_at(i);
    if (other && *other == *device) index = i;
  }
  return Card(std::move(library), *device, index, uuid);
}

std::string Card::label() const {
  return fmt::format("GPU {} ({})", index_, uuid_);
}

std::string Card::refusal() const {
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

GpuLimits Card::limits() const {
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
  out.refusal = refusal();
  return out;
}

Result<Watts> Card::limit() const {
  const nvml::Functions& f = library_->functions();
  unsigned mw = 0;
  const abi::Return code =
      f.power_limit == nullptr ? abi::function_not_found : f.power_limit(device_, &mw);
  if (code != abi::success) return library_->error(code, label() + ": reading the power limit");
  return from_milliwatts(mw);
}

Result<void> Card::check(Watts limit) const {
  const GpuLimits limits = this->limits();
  if (!limits.set) {
    // A GPU that is gone says so in the driver's words.
    if (auto now = this->limit(); !now) return now.error();
  }
  if (!limits.refusal.empty()) {
    return Error{
        Errc::not_supported, fmt::format("{} cannot be limited: {}", label(), limits.refusal), {}};
  }
  if (!std::isfinite(limit.value()) || limit <= Watts(0.0) || limit > Watts(1e5) ||
      (limits.min && limit < *limits.min) || (limits.max && limit > *limits.max)) {
    const std::string range =
        limits.min && limits.max
            ? fmt::format("it allows {:g} to {:g} W", limits.min->value(), limits.max->value())
            : std::string();
    return Error{Errc::invalid_argument,
                 fmt::format("{} cannot be limited to {:g} W", label(), limit.value()), range};
  }
  return {};
}

Result<void> Card::set(Watts limit) const {
  const nvml::Functions& f = library_->functions();
  const auto mw = static_cast<unsigned>(std::lround(limit.value() * 1e3));
  const abi::Return code =
      f.set_power_limit == nullptr ? abi::function_not_found : f.set_power_limit(device_, mw);
  if (code == abi::success) return {};
  const std::string what = fmt::format("{}: setting {:g} W", label(), limit.value());
  return code == abi::no_permission ? no_right(what) : library_->error(code, what);
}

Result<void> put_back(const Card& card, Watts found) {
  const auto failed = [&](const Error& error) {
    return Error{error.code,
                 fmt::format("the power limit of GPU {} ({}) is not back at {:g} W: {}",
                             card.index(), card.uuid(), found.value(), error.message),
                 "once the GPU answers: " + restore_command()};
  };
  const auto before = card.limit();
  if (!before) return failed(before.error());
  if (*before == found) return {};
  if (const auto set = card.set(found); !set) return failed(set.error());
  const auto after = card.limit();
  if (!after) return failed(after.error());
  if (*after != found) {
    return failed({Errc::unavailable, fmt::format("the driver holds {:g} W", after->value()), {}});
  }
  return {};
}

}  // namespace ergo::control
