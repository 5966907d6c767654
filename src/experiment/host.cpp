#include "ergo/experiment/host.hpp"

#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"

#include <sys/utsname.h>

#include <algorithm>

namespace ergo {
namespace {

/// "model name" of the first processor; on machines without it (ARM) the architecture.
std::string cpu_model(const Environment& environment, const std::string& architecture) {
  const auto text = read_text(environment.procfs / "cpuinfo");
  if (!text) return architecture;
  for (const std::string_view line : split(*text, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && trim(line.substr(0, colon)) == "model name") {
      return std::string(trim(line.substr(colon + 1)));
    }
  }
  return architecture;
}

}  // namespace

HostRecord describe_host(const Environment& environment, std::vector<GpuIdentity> gpus) {
  utsname names{};
  uname(&names);
  return {names.nodename, cpu_model(environment, names.machine),
          std::string(names.sysname) + " " + names.release, std::move(gpus)};
}

}  // namespace ergo
