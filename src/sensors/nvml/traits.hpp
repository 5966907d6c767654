#pragma once
// How NVIDIA's board sensors make their values, by driver branch, architecture and field.

#include "ergo/sensors/signal.hpp"
#include "sensors/nvml/abi.hpp"
#include "sensors/nvml/library.hpp"

#include <string>
#include <string_view>

namespace ergo::nvml {

/// The ways to ask for energy or power.
enum class EnergyField { total_energy, power_instant, power_average, power_usage, power_samples };

/// What decides how a board's sensor behaves.
struct BoardKind {
  unsigned architecture = abi::architecture::unknown;
  /// The chip is a GA100 (A100, A30, A800): an Ampere that measures unlike the others.
  bool ga100 = false;
  int driver_branch = 0;  ///< 535; 0 = unknown
};

/// GA100 by compute capability (8.0), else by PCI device id, else by name. Unknown parts are 0, 0
/// and "".
bool is_ga100(int capability_major, int capability_minor, unsigned pci_device_id,
              std::string_view name);

/// Architecture of a compute capability, for drivers that cannot name it.
unsigned architecture_of(int capability_major, int capability_minor);

/// Asks the driver.
BoardKind kind_of_board(const Library& library, abi::Device device, std::string_view name);

/// The driver's record of power samples sees all of the time, one value every 20 ms: Hopper from
/// driver branch 580 on, where it was measured (docs/results/hopper.md), and GA100, whose reading
/// looks at as much at a time; that its record does, too, is an assumption.
bool keeps_fine_record(const BoardKind& board);

/// Averaging window, update period, sampled share and gain of one field.
/// Source: Yang, Adamek, Armour, "Accurate and Convenient Energy Measurements for GPUs" (arXiv
/// 2312.02741, SC24), their table over 70 GPUs and three driver generations; the update period of
/// the counter from the ML.ENERGY blog. The counter is taken to see what the instantaneous reading
/// sees, which nobody has shown to be otherwise. `basis` of the result names the row, or says that
/// it is assumed.
PowerTraits traits_of(const BoardKind& board, EnergyField field);

}  // namespace ergo::nvml
