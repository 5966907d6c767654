#include "networks/run.hpp"

namespace ergo::workload {
namespace {

Error built_without() {
  return Error{Errc::not_supported, "this ergo-workload was built without LibTorch",
               "install libtorch-dev and configure with -DERGO_WORKLOADS=ON"};
}

}  // namespace

Result<NetworkFacts> network_facts(const std::string&, int) {
  return built_without();
}
Result<InferenceReport> run_inference(const InferenceOptions&) {
  return built_without();
}
Result<TrainingReport> run_training(const TrainingOptions&) {
  return built_without();
}

}  // namespace ergo::workload
