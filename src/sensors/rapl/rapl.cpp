#include "sensors/rapl/rapl.hpp"

#include "sensors/rapl/perf.hpp"
#include "sensors/rapl/powercap.hpp"
#include "sensors/sysfs.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

namespace ergo::rapl {
namespace {

Facts facts_of(const Environment& environment) {
  Facts facts;
  facts.provenance = sysfs::provenance(environment);
  // A simulated node's counters say nothing about this machine's CPU, nor the reverse.
  if (facts.provenance != Provenance::simulated) facts.cpu = read_cpuinfo(environment.procfs);
  facts.core_is_one_core = facts.cpu.vendor == CpuVendor::amd && !environment.sysfs_replaced;
  return facts;
}

std::string fixes(const DiscoveryContext& context, bool perf_exists) {
  std::string chmod = fmt::format("sudo chmod a+r {}/class/powercap/intel-rapl*/energy_uj",
                                  context.environment.sysfs.string());
  if (!perf_exists) return chmod;
  // One line that can be copied: what follows # is a comment to the shell.
  return "sudo sysctl kernel.perf_event_paranoid=0  # or: sudo setcap cap_perfmon=ep \"$(command "
         "-v ergo)\"  # or: " +
         chmod;
}

std::vector<std::string> names_of(const std::vector<Denied>& denied) {
  std::vector<std::string> names;
  names.reserve(denied.size());
  for (const Denied& d : denied)
    names.push_back(d.channel);
  return names;
}

/// Channels that perf refused and that powercap does not give either.
void report_denied(const DiscoveryContext& context, const Found& perf, const Found& powercap,
                   Discovery& out) {
  std::vector<Denied> denied;
  for (const Denied& d : powercap.denied)
    denied.push_back(d);
  for (const Denied& d : perf.denied) {
    const auto names = names_of(denied);
    const bool listed = std::find(names.begin(), names.end(), d.channel) != names.end();
    if (!listed && !powercap.channels.contains(d.channel)) denied.push_back(d);
  }
  if (denied.empty()) return;
  std::string why = denied.front().error.message;
  if (!perf.denied.empty() && !powercap.denied.empty())
    why = perf.denied.front().error.message + "; " + why;
  const bool permission = denied.front().error.code == Errc::permission;
  if (permission) why += " (the kernel keeps RAPL for root since CVE-2020-8694)";
  out.missing.push_back({"rapl", fmt::format("energy of {}", fmt::join(names_of(denied), ", ")),
                         why, permission ? fixes(context, perf.present) : ""});
}

void report_absent(const DiscoveryContext& context, const Facts& facts, Discovery& out) {
  if (facts.cpu.hypervisor && !context.environment.sysfs_replaced) {
    out.missing.push_back(
        {"rapl", "CPU package energy",
         "this is a virtual machine, and its hypervisor hides the CPU's energy counters", ""});
    return;
  }
  const std::string root = context.environment.sysfs.string();
  const bool x86 = facts.cpu.vendor != CpuVendor::other;
  out.missing.push_back(
      {"rapl", "CPU package energy",
       fmt::format("no RAPL here: neither {0}/class/powercap/intel-rapl:* nor "
                   "{0}/bus/event_source/devices/power exists",
                   root),
       x86 && !context.environment.sysfs_replaced ? "sudo modprobe -a intel_rapl_msr rapl" : ""});
}

void report_dead(const Found& found, Discovery& out) {
  if (found.dead.empty()) return;
  out.missing.push_back({"rapl", fmt::format("energy of {}", fmt::join(found.dead, ", ")),
                         "the counter exists but stays at 0: this part is not metered here", ""});
}

void keep(Found& found, Discovery& out) {
  std::move(found.sensors.begin(), found.sensors.end(), std::back_inserter(out.sensors));
  report_dead(found, out);
}

}  // namespace

void discover(const DiscoveryContext& context, Discovery& so_far) {
  const Environment& environment = context.environment;
  const Facts facts = facts_of(environment);
  Found perf;
  if (!environment.sysfs_replaced) {
    if (const auto plan = plan_perf(environment.sysfs, facts.cpu)) perf = open_perf(*plan, facts);
  }
  Found powercap = open_powercap(environment.sysfs, facts, perf.channels);
  if (!perf.present && !powercap.present) {
    report_absent(context, facts, so_far);
    return;
  }
  report_denied(context, perf, powercap, so_far);
  const bool any = !perf.channels.empty() || !powercap.channels.empty();
  if (any && facts.cpu.sgx) {
    so_far.warnings.push_back(
        "RAPL readings are filtered because SGX is on (INTEL-SA-00389): windows under about a "
        "second carry a wider interval");
  }
  keep(perf, so_far);
  keep(powercap, so_far);
}

}  // namespace ergo::rapl
