#pragma once
// Power limits through NVML.

#include "control/card.hpp"
#include "sensors/nvml/library.hpp"

namespace ergo::control {

/// The card of this handle.
Card nvml_card(std::shared_ptr<const nvml::Library> library, nvml::abi::Device device,
               unsigned index, std::string uuid);

/// Errors: not_found, lost, permission, not_supported (a MIG instance).
Result<Card> find_nvml_card(std::shared_ptr<const nvml::Library> library, const std::string& uuid);

}  // namespace ergo::control
