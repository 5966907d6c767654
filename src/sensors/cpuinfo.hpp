#pragma once
// What /proc/cpuinfo says about the CPU.

#include <filesystem>
#include <string>
#include <string_view>

namespace ergo {

enum class CpuVendor { intel, amd, other };

struct CpuInfo {
  CpuVendor vendor = CpuVendor::other;
  std::string model;     ///< "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz"; empty when not given (ARM)
  int family = 0;        ///< x86 family; 0 when not given
  int model_number = 0;  ///< x86 model
  int threads = 0;       ///< logical CPUs listed
  int packages = 0;      ///< distinct physical ids; 0 when not given
  bool hypervisor = false;  ///< running in a virtual machine
  bool sgx = false;         ///< SGX is on: Intel filters RAPL readings then
};

/// Pure; any text is accepted.
CpuInfo parse_cpuinfo(std::string_view text);
/// Of `procfs`/cpuinfo; all fields empty when it cannot be read.
CpuInfo read_cpuinfo(const std::filesystem::path& procfs);

}  // namespace ergo
