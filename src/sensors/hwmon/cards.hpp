#pragma once
// The graphics cards of AMD and Intel that a kernel driver shows power readings of.

#include "ergo/sensors/registry.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace ergo::hwmon {

struct Card {
  std::filesystem::path device;
  std::filesystem::path hwmon;
  std::string vendor;  ///< PCI id, "0x1002"
  std::string chip;    ///< "amdgpu", "i915", "xe"
};

/// In the kernel's order; counts NVIDIA's on the way: their numbers come first.
std::vector<Card> find_cards(const std::filesystem::path& sysfs_root, int& nvidia_cards);

/// As gpu`index`.
GpuIdentity identify(const Card& card, int index, Provenance provenance);

/// `--gpus` names this card. CUDA_VISIBLE_DEVICES speaks of NVIDIA GPUs only.
bool selected(const GpuSelection& selection, int index, const std::string& uuid);

}  // namespace ergo::hwmon
