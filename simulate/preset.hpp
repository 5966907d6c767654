#pragma once
// What is known about each simulated GPU model. Numbers with a source are facts of the card
// (docs/developer/simulated-node.md); the power coefficients are chosen so that the card behaves
// plausibly, and claim no more than that.

#include <cstdint>
#include <span>
#include <string_view>

namespace ergo::sim {

/// How a power sensor makes its value.
enum class Smoothing : std::int32_t {
  boxcar,       ///< mean over the last `window` of each `period`
  exponential,  ///< first-order low pass ("log-like", Kepler), read out once a `period`
};

struct Preset {
  std::string_view key;   ///< "v100", as the command line spells it
  std::string_view name;  ///< what NVML calls it
  std::uint32_t architecture;
  std::uint32_t pci_device;  ///< device and vendor, as nvmlPciInfo_t has them
  std::uint32_t compute_major;
  std::uint32_t compute_minor;
  std::uint64_t memory_bytes;
  std::uint32_t cores;
  std::uint32_t memory_bus_bits;

  // Power at the board, W. P = idle + phi(f) * (clocked + compute * activity) + memory * traffic *
  // speed.
  double idle_w;
  double clocked_w;
  double compute_w;
  double memory_w;
  double min_limit_w;
  double default_limit_w;
  double max_limit_w;

  // Core clock, MHz. Power capping moves in steps and stops at `floor_mhz`: below it the cliff
  // begins.
  double idle_mhz;
  double floor_mhz;
  double max_mhz;
  double step_mhz;
  double memory_mhz;
  // Voltage: flat up to knee * max_mhz, then linear up to 1 at max_mhz.
  double voltage_floor;
  double voltage_knee;

  // Sensor.
  Smoothing smoothing;
  double period_s;
  double window_s;
  double time_constant_s;  ///< exponential only
  bool has_energy_counter;
  bool counter_exact;  ///< the counter adds up all of the time, whatever the sensor's readings look
                       ///< at
  double counter_call_s;  ///< what a call costs that asks for the counter, all of it computing
  /// Driver branch from which the driver's record of power is finer than the readings; 0 = it holds
  /// the readings.
  int record_since_branch;
  /// Driver branch from which nvmlDeviceGetPowerUsage is a mean over one second; 0 = never.
  int averaged_since_branch;
  bool has_average_field;  ///< NVML_FI_DEV_POWER_AVERAGE answers (with a driver that knows it)
  bool has_gpm;

  // Heat.
  double kelvin_per_watt;
  double heat_time_constant_s;

  int newest_branch;  ///< last driver branch that runs this card; 0 = still supported
};

/// All models: v100, t4, k80, a100, h200.
std::span<const Preset> presets();

/// The model called `key`, or null.
const Preset* find_preset(std::string_view key);

}  // namespace ergo::sim
