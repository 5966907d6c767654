#include "control/amdgpu_limits.hpp"

#include "sensors/hwmon/cards.hpp"
#include "sensors/sysfs.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>

namespace ergo::control {
namespace {

constexpr std::string_view amd_vendor = "0x1002";

class AmdDevice final : public LimitDevice {
 public:
  AmdDevice(std::filesystem::path hwmon, GpuIdentity identity)
      : hwmon_(std::move(hwmon)), identity_(std::move(identity)) {}

  [[nodiscard]] GpuLimits limits() const override;
  [[nodiscard]] Result<Watts> limit() const override;
  [[nodiscard]] Result<Watts> enforced() const override { return limit(); }
  [[nodiscard]] Result<void> set(Watts limit) const override;
  /// The driver cuts off fractions of a watt.
  [[nodiscard]] Watts step() const override { return Watts(1.0); }

 private:
  [[nodiscard]] std::optional<Watts> read(const char* file) const;
  [[nodiscard]] std::string label() const {
    return label_of(static_cast<unsigned>(identity_.index), identity_.uuid);
  }

  std::filesystem::path hwmon_;
  GpuIdentity identity_;
};

std::optional<Watts> AmdDevice::read(const char* file) const {
  const auto microwatts = sysfs::number(hwmon_ / file);
  if (!microwatts || !(*microwatts >= 0) || *microwatts > 1e11) return std::nullopt;
  return to_milliwatt(Watts(*microwatts * 1e-6));
}

GpuLimits AmdDevice::limits() const {
  GpuLimits out;
  out.index = static_cast<unsigned>(identity_.index);
  out.uuid = identity_.uuid;
  out.name = identity_.name;
  out.simulated = identity_.simulated;
  out.set = out.enforced = read("power1_cap");
  out.standard = read("power1_cap_default");
  out.max = read("power1_cap_max");
  // Many cards tell 0 for "nothing below is refused".
  if (out.max) out.min = std::max(Watts(1.0), read("power1_cap_min").value_or(Watts(0.0)));
  if (!out.set)
    out.refusal = "its driver has no power cap (" + (hwmon_ / "power1_cap").string() + ")";
  return out;
}

Result<Watts> AmdDevice::limit() const {
  if (const auto now = read("power1_cap")) return *now;
  const auto file = hwmon_ / "power1_cap";
  if (!sysfs::text(hwmon_ / "name"))
    return Error{Errc::lost, label() + " is gone: " + hwmon_.string() + " cannot be read", {}};
  if (auto open = sysfs::Attribute::open(file); !open && open.error().code == Errc::permission)
    return open.error();
  return Error{
      Errc::not_supported, fmt::format("{} cannot be limited: {}", label(), limits().refusal), {}};
}

Result<void> AmdDevice::set(Watts limit) const {
  const auto file = hwmon_ / "power1_cap";
  const std::string what = fmt::format("{}: setting {:g} W", label(), limit.value());
  const Fd fd(::open(file.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  if (!fd) {
    if (errno == EACCES || errno == EPERM || errno == EROFS) return no_right(what);
    Error error = system_error(what, errno);
    if (errno == ENOENT || errno == ENODEV) error.code = Errc::lost;
    return error;
  }
  const std::string text = fmt::format("{}\n", std::llround(limit.value() * 1e6));
  ssize_t n = 0;
  while ((n = ::write(fd.get(), text.data(), text.size())) < 0 && errno == EINTR) {
  }
  if (n == static_cast<ssize_t>(text.size())) return {};
  if (n < 0 && (errno == EACCES || errno == EPERM)) return no_right(what);
  Error error = system_error(what, n < 0 ? errno : EIO);
  if (errno == EINVAL) error.code = Errc::invalid_argument;
  if (errno == ENODEV) error.code = Errc::lost;
  return error;
}

}  // namespace

std::vector<Card> find_amd_cards(const Environment& environment, unsigned nvidia_gpus) {
  const Provenance provenance = sysfs::provenance(environment);
  int nvidia_cards = 0;
  const auto found = hwmon::find_cards(environment.sysfs, nvidia_cards);
  int index = std::max(nvidia_cards, static_cast<int>(nvidia_gpus));
  std::vector<Card> cards;
  for (const hwmon::Card& card : found) {
    const GpuIdentity identity = hwmon::identify(card, index++, provenance);
    if (card.vendor != amd_vendor) continue;
    cards.emplace_back(std::make_shared<AmdDevice>(card.hwmon, identity),
                       static_cast<unsigned>(identity.index), identity.uuid);
  }
  return cards;
}

}  // namespace ergo::control
