#pragma once
// Results of a workload as a few lines of text.

#include "nbody/nbody.hpp"
#include "networks/run.hpp"
#include "synthetic/synthetic.hpp"

#include <string>

namespace ergo::workload {

std::string list_text();
std::string facts_text(const std::string& network, int size, const NetworkFacts& facts);
std::string summary(const InferenceOptions& options, const InferenceReport& report);
std::string summary(const TrainingOptions& options, const TrainingReport& report);
std::string summary(const NBodyOptions& options, const NBodyReport& report);
std::string summary(const SyntheticReport& report, const std::string& device);

}  // namespace ergo::workload
