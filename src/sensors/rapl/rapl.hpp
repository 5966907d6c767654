#pragma once
// RAPL: the energy counters inside Intel and AMD processors.
//
// Channels: cpuN (package, in the total), dramN (in the total), coreN and uncoreN (parts of the
// package, not in the total), psys (the whole platform, domain node, not in the total). N is the
// package's number; with several dies in a package each die is a channel of its own and N counts
// dies. One sensor per package, so that a tick costs one system call per package (perf) or one per
// counter (powercap), and one lost package leaves the others.
//
// Sources: "rapl.perf" (perf events of the PMU `power`; off when /sys is replaced) first,
// "rapl.powercap" for what perf does not give. Both read the same registers, so a second source of
// one channel would tell nothing: there is one each.
//
// Traits (domain.hpp): the registers are renewed about every millisecond. No vendor states a gain,
// and it cannot be seen from inside. The half-widths assumed, all of one kind, "rapl", so that they
// add linearly:
//
//   | Intel since Haswell, package |  5 % | measured at the regulators (Hackenberg 2015), close  |
//   |                              |      | to external meters (Khan 2018)                       |
//   | Intel before Haswell         | 20 % | a model of activity (Hackenberg 2015)                |
//   | AMD                          | 15 % | a model, misses data-dependent power (Schoene 2021)  |
//   | DRAM                         | 20 % | Desrochers, Paradis and Weaver 2016                  |
//   | core, uncore, psys           | 10 % | no comparison known: twice the package               |
//
// Where SGX is on, Intel filters the readings (INTEL-SA-00389): single readings are noisy, the
// long-run mean is kept. The update period is then taken as 10 ms instead of 1 ms, which widens
// short windows, and a warning says so.

#include "ergo/sensors/registry.hpp"

namespace ergo::rapl {

void discover(const DiscoveryContext& context, Discovery& so_far);

}  // namespace ergo::rapl
