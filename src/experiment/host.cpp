#include "ergo/experiment/host.hpp"

#include "sensors/cpuinfo.hpp"

#include <sys/utsname.h>

#include <utility>

namespace ergo {

HostRecord describe_host(const Environment& environment, std::vector<GpuIdentity> gpus) {
  utsname names{};
  uname(&names);
  const std::string model = read_cpuinfo(environment.procfs).model;
  return {names.nodename, model.empty() ? names.machine : model,
          std::string(names.sysname) + " " + names.release, std::move(gpus)};
}

}  // namespace ergo
