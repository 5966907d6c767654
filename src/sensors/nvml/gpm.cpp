#include "sensors/nvml/gpm.hpp"

#include <cmath>
#include <utility>

namespace ergo::nvml {

GpmReader::GpmReader(std::shared_ptr<const Library> library, abi::Device device)
    : library_(std::move(library)), device_(device) {}

GpmReader::~GpmReader() {
  for (const abi::GpmSample sample : {older_, newer_}) {
    if (sample != nullptr) library_->functions().gpm_free(sample);
  }
}

std::unique_ptr<GpmReader> GpmReader::open(std::shared_ptr<const Library> library,
                                           abi::Device device) {
  const Functions& f = library->functions();
  if (f.gpm_support == nullptr || f.gpm_alloc == nullptr || f.gpm_free == nullptr ||
      f.gpm_sample == nullptr || f.gpm_metrics == nullptr) {
    return nullptr;
  }
  abi::GpmSupport support{abi::gpm::struct_version, 0};
  if (f.gpm_support(device, &support) != abi::success || support.supported == 0) return nullptr;
  std::unique_ptr<GpmReader> reader(new GpmReader(std::move(library), device));
  if (f.gpm_alloc(&reader->older_) != abi::success ||
      f.gpm_alloc(&reader->newer_) != abi::success) {
    return nullptr;
  }
  return reader;
}

std::array<std::optional<double>, gpm_metrics.size()> GpmReader::read() {
  std::array<std::optional<double>, gpm_metrics.size()> values{};
  const Functions& f = library_->functions();
  status_ = f.gpm_sample(device_, newer_);
  if (status_ != abi::success) {
    have_older_ = false;
    return values;
  }
  if (std::exchange(have_older_, true)) {
    request_ = {};
    request_.version = abi::gpm::struct_version;
    request_.count = static_cast<unsigned>(gpm_metrics.size());
    request_.sample1 = older_;
    request_.sample2 = newer_;
    for (std::size_t i = 0; i < gpm_metrics.size(); ++i)
      request_.metrics[i].id = gpm_metrics[i].id;
    status_ = f.gpm_metrics(&request_);
    for (std::size_t i = 0; status_ == abi::success && i < gpm_metrics.size(); ++i) {
      const abi::GpmMetric& metric = request_.metrics[i];
      if (metric.status == abi::success && std::isfinite(metric.value)) values[i] = metric.value;
    }
  }
  std::swap(older_, newer_);
  return values;
}

}  // namespace ergo::nvml
