#pragma once
// Formats that hold results or logs in one file.

#include "ergo/core/result.hpp"
#include "ergo/store/import.hpp"

#include <string>
#include <string_view>

namespace ergo::importing {

/// `gpu` is the name of the board, which the file does not hold.
Result<ImportedExperiment> parse_zeus(std::string_view text, const std::string& file,
                                      const std::string& gpu);
/// The log of a ZeusMonitor: one run per window.
Result<ImportedExperiment> parse_zeus_windows(std::string_view text, const std::string& file);
/// The profile of a GlobalPowerLimitOptimizer: one run per limit.
Result<ImportedExperiment> parse_zeus_profile(std::string_view text, const std::string& file);
Result<ImportedExperiment> parse_kernel_tuner(std::string_view text, const std::string& file);
Result<ImportedExperiment> parse_nvidia_smi(std::string_view text, const std::string& file);

}  // namespace ergo::importing
