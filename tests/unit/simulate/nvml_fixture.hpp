#pragma once
// The NVML library as its clients meet it: loaded by dlopen, through the binary interface alone.

#include "sensors/nvml/abi.hpp"
#include "simulated_node.hpp"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <stdlib.h>

#include <memory>

namespace ergo::sim {

namespace abi = ergo::nvml::abi;

class Nvml : public ::testing::Test {
 protected:
  template <class Function, class... Arguments>
  auto call(const char* name, Arguments... arguments) {
    auto* function = reinterpret_cast<Function*>(dlsym(library_, name));
    if (function == nullptr) ADD_FAILURE() << name << " is not exported";
    return function(arguments...);
  }

  Nvml() : library_(dlopen(ERGO_SIM_NVML, RTLD_NOW | RTLD_LOCAL)) {
    EXPECT_NE(library_, nullptr) << dlerror();
  }
  ~Nvml() override {
    if (started_) call<abi::Shutdown>("nvmlShutdown");
    dlclose(library_);
  }

  test::TestNode& start(const NodeOptions& options) {
    node_ = std::make_unique<test::TestNode>(options);
    setenv(kStateVariable, node_->state().c_str(), 1);
    EXPECT_EQ(call<abi::Init_v2>("nvmlInit_v2"), abi::success);
    started_ = true;
    return *node_;
  }

  abi::Device device(unsigned index = 0) {
    abi::Device handle = nullptr;
    EXPECT_EQ(call<abi::DeviceGetHandleByIndex_v2>("nvmlDeviceGetHandleByIndex_v2", index, &handle),
              abi::success);
    return handle;
  }

  unsigned power_mw(abi::Device handle) {
    unsigned mw = 0;
    EXPECT_EQ(call<abi::DeviceGetPowerUsage>("nvmlDeviceGetPowerUsage", handle, &mw), abi::success);
    return mw;
  }

  unsigned long long energy_mj(abi::Device handle) {
    unsigned long long mj = 0;
    EXPECT_EQ(call<abi::DeviceGetTotalEnergyConsumption>("nvmlDeviceGetTotalEnergyConsumption",
                                                         handle, &mj),
              abi::success);
    return mj;
  }

  abi::FieldValue field(abi::Device handle, unsigned id, unsigned scope = 0) {
    abi::FieldValue value{};
    value.field = id;
    value.scope = scope;
    EXPECT_EQ(call<abi::DeviceGetFieldValues>("nvmlDeviceGetFieldValues", handle, 1, &value),
              abi::success);
    return value;
  }

  abi::Return set_limit(abi::Device handle, unsigned mw) {
    return call<abi::DeviceSetPowerManagementLimit>("nvmlDeviceSetPowerManagementLimit", handle,
                                                    mw);
  }

  unsigned limit(abi::Device handle) {
    unsigned mw = 0;
    EXPECT_EQ(
        call<abi::DeviceGetPowerManagementLimit>("nvmlDeviceGetPowerManagementLimit", handle, &mw),
        abi::success);
    return mw;
  }

  void* library_;
  bool started_ = false;
  std::unique_ptr<test::TestNode> node_;
};

}  // namespace ergo::sim
