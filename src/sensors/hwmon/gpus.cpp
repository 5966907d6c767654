#include "sensors/hwmon/amdgpu.hpp"
#include "sensors/hwmon/cards.hpp"
#include "sensors/hwmon/chip.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ergo::hwmon {
namespace {

constexpr std::string_view nvidia = "0x10de";
constexpr std::string_view amd = "0x1002";
constexpr std::string_view intel = "0x8086";

std::string pci_address(const std::filesystem::path& device) {
  std::error_code ignored;
  const auto target = std::filesystem::canonical(device, ignored);
  return ignored ? std::string() : target.filename().string();
}

}  // namespace

std::vector<Card> find_cards(const std::filesystem::path& sysfs_root, int& nvidia_cards) {
  std::vector<Card> cards;
  const auto root = sysfs_root / "class" / "drm";
  for (const std::string& entry : sysfs::entries(root)) {
    if (!sysfs::number_after(entry, "card")) continue;
    Card card{root / entry / "device", {}, {}, {}};
    card.vendor = sysfs::text(card.device / "vendor").value_or("");
    if (card.vendor == nvidia) ++nvidia_cards;
    for (const std::string& hwmon : sysfs::entries(card.device / "hwmon")) {
      card.hwmon = card.device / "hwmon" / hwmon;
      card.chip = sysfs::text(card.hwmon / "name").value_or("");
    }
    const bool known = (card.vendor == amd && card.chip == "amdgpu") ||
                       (card.vendor == intel && (card.chip == "i915" || card.chip == "xe"));
    if (known) cards.push_back(std::move(card));
  }
  return cards;
}

GpuIdentity identify(const Card& card, int index, Provenance provenance) {
  GpuIdentity gpu;
  gpu.index = index;
  const auto id = sysfs::text(card.device / "unique_id");
  gpu.uuid = id && !id->empty() ? "GPU-" + *id : "PCI-" + pci_address(card.device);
  const auto product = sysfs::text(card.device / "product_name");
  const std::string device_id = sysfs::text(card.device / "device").value_or("unknown");
  gpu.name = product && !product->empty()
                 ? *product
                 : fmt::format("{} GPU {}", card.vendor == amd ? "AMD" : "Intel", device_id);
  const char* limit = card.vendor == amd ? "power1_cap" : "power1_max";
  gpu.power_limit_w = sysfs::number(card.hwmon / limit).value_or(0.0) * micro;
  gpu.simulated = provenance == Provenance::simulated;
  return gpu;
}

bool selected(const GpuSelection& selection, int index, const std::string& uuid) {
  if (selection.mode == GpuSelection::Mode::none) return false;
  if (selection.mode != GpuSelection::Mode::listed) return true;
  return std::any_of(
      selection.listed.begin(), selection.listed.end(), [&](const std::string& wanted) {
        return wanted == std::to_string(index) || (wanted.size() > 4 && uuid.starts_with(wanted));
      });
}

namespace {

std::unique_ptr<Sensor> open_intel(const Card& card, int index, Provenance provenance,
                                   std::vector<Missing>& missing) {
  auto sensor = std::make_unique<ChipSensor>(fmt::format("GPU {} ({})", index, card.chip));
  // xe: energy1 is the card, energy2 the package on it. Some cards offer only the second.
  bool metered = false;
  for (const char* file : {"energy1_input", "energy2_input"}) {
    SignalInfo info = meter_info(SignalKind::energy, fmt::format("gpu{}", index), Domain::gpu,
                                 card.chip + ".energy", provenance);
    info.in_total = true;
    info.traits.update_period = Seconds(0.001);
    info.traits.quantum = Joules(micro);
    info.traits.gain_u95 = 0.05;
    info.traits.gain_kind = "intel gpu sensor";
    info.traits.basis =
        "assumed: renewed every 1 ms; gain ±5 %; i915 must be read once per wrap of its 32-bit "
        "register";
    auto reading = open_reading(std::move(info), {card.hwmon / file}, micro, missing);
    if (!reading) continue;
    sensor->add(std::move(*reading));
    metered = true;
    break;
  }
  if (!metered) {
    missing.push_back(
        {"hwmon", fmt::format("gpu{} energy", index),
         fmt::format("{} has no energy file (Linux 6.2 or later offers it for discrete cards)",
                     card.hwmon.string()),
         ""});
    return nullptr;
  }
  std::vector<Missing> ignored;
  auto limit = gauge_info(fmt::format("gpu{}.power_limit", index), "W", provenance);
  if (auto reading = open_reading(std::move(limit), {card.hwmon / "power1_max"}, micro, ignored))
    sensor->add(std::move(*reading));
  if (auto status = sysfs::Attribute::open(card.device / "power" / "runtime_status"))
    sensor->sleeps_by(std::move(*status));
  return sensor;
}

}  // namespace

void discover_gpus(const DiscoveryContext& context, Discovery& so_far) {
  const Provenance provenance = sysfs::provenance(context.environment);
  int nvidia_cards = 0;
  const std::vector<Card> cards = find_cards(context.environment.sysfs, nvidia_cards);
  // Numbers stay the same whichever NVIDIA GPUs are selected, as long as the kernel lists them all.
  int index = nvidia_cards;
  for (const GpuIdentity& gpu : so_far.gpus)
    index = std::max(index, gpu.index + 1);
  for (const Card& card : cards) {
    const int number = index++;
    const GpuIdentity gpu = identify(card, number, provenance);
    if (!selected(context.gpus, number, gpu.uuid)) continue;
    auto sensor = card.vendor == amd
                      ? open_amdgpu(card.device, card.hwmon, number, provenance, so_far.missing)
                      : open_intel(card, number, provenance, so_far.missing);
    if (!sensor) continue;
    so_far.gpus.push_back(gpu);
    so_far.sensors.push_back(std::move(sensor));
  }
}

}  // namespace ergo::hwmon
