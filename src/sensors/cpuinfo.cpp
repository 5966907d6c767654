#include "sensors/cpuinfo.hpp"

#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"

#include <algorithm>
#include <set>

namespace ergo {
namespace {

bool has_word(std::string_view list, std::string_view word) {
  const auto words = split(list, ' ');
  return std::find(words.begin(), words.end(), word) != words.end();
}

int small_number(std::string_view text) {
  const auto value = parse_int(text);
  return value && *value >= 0 && *value < 1'000'000 ? static_cast<int>(*value) : 0;
}

CpuVendor vendor_of(std::string_view id) {
  if (id == "GenuineIntel") return CpuVendor::intel;
  if (id == "AuthenticAMD" || id == "HygonGenuine") return CpuVendor::amd;
  return CpuVendor::other;
}

}  // namespace

CpuInfo parse_cpuinfo(std::string_view text) {
  CpuInfo info;
  std::set<std::string_view> packages;
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view key = trim(line.substr(0, colon));
    const std::string_view value = trim(line.substr(colon + 1));
    if (key == "processor") ++info.threads;
    if (key == "physical id") packages.insert(value);
    if (info.threads > 1) continue;  // the other fields are those of the first CPU
    if (key == "vendor_id") info.vendor = vendor_of(value);
    if (key == "model name") info.model = value;
    if (key == "cpu family") info.family = small_number(value);
    if (key == "model") info.model_number = small_number(value);
    if (key == "flags") {
      info.hypervisor = has_word(value, "hypervisor");
      info.sgx = has_word(value, "sgx");
    }
  }
  info.packages = static_cast<int>(packages.size());
  return info;
}

CpuInfo read_cpuinfo(const std::filesystem::path& procfs) {
  const auto text = read_text(procfs / "cpuinfo", std::size_t{16} << 20);
  return text ? parse_cpuinfo(*text) : CpuInfo{};
}

}  // namespace ergo
