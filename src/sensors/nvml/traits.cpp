#include "sensors/nvml/traits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ergo::nvml {
namespace {

/// What a reading stands for: the mean over `window`, renewed every `period`.
struct Shape {
  double window;
  double period;
  [[nodiscard]] double sampled() const { return std::min(1.0, window / period); }
};

constexpr Shape second{1.0, 0.1};     // mean of the last second
constexpr Shape full{0.1, 0.1};       // sees everything
constexpr Shape quarter{0.025, 0.1};  // looks at 25 ms of every 100 ms
constexpr Shape half{0.010, 0.020};   // looks at 10 ms of every 20 ms
// Kepler and Maxwell answer like a capacitor with a time constant near 0.84 s (Burtscher 2014). A
// boxcar of twice that length has the same mean delay.
constexpr Shape capacitor{1.68, 0.1};

// Driver branches at which the meaning of nvmlDeviceGetPowerUsage changed.
constexpr int instant_branch = 530;
// Hopper's energy counter was seen to add up all of the time on an H100 and an H200 with this
// branch (docs/results/hopper.md), while the instant reading beside it looks at a quarter. Nothing
// is known of older branches: there the counter is taken for as blind as the reading.
constexpr int hopper_full_counter_branch = 580;
// Likewise its record of power: each value the mean of the 20 to 25 ms before its stamp, one every
// 20 ms.
constexpr int fine_record_branch = 580;

struct Row {
  unsigned architecture;
  bool ga100;
  std::string_view name;
  Shape usage_before_530;
  Shape usage_530;
  Shape usage_after_530;
  Shape instant;
  double counter_period;
};

namespace arch = abi::architecture;
constexpr std::array rows{
    Row{arch::hopper, false, "Hopper", quarter, quarter, second, quarter, 0.1},
    Row{arch::ada, false, "Ada", second, full, second, full, 0.1},
    Row{arch::ampere, false, "Ampere", second, full, second, full, 0.1},
    Row{arch::ampere, true, "GA100", quarter, quarter, quarter, quarter, 0.1},
    Row{arch::turing, false, "Turing", full, full, full, full, 0.1},
    Row{arch::volta, false, "Volta", half, half, half, half, 0.02},
    Row{arch::pascal, false, "Pascal", half, half, half, half, 0.02},
    Row{arch::maxwell, false, "Maxwell", capacitor, capacitor, capacitor, capacitor, 0.1},
    Row{arch::kepler, false, "Kepler", capacitor, capacitor, capacitor, capacitor, 0.1},
};
// Newer than the table, or unknown: as the newest row that is known, and the basis says so.
constexpr const Row& newest = rows[0];

const Row* row_of(const BoardKind& board) {
  const auto* const row = std::find_if(rows.begin(), rows.end(), [&](const Row& r) {
    return r.architecture == board.architecture && r.ga100 == board.ga100;
  });
  return row == rows.end() ? nullptr : row;
}

Shape usage_shape(const Row& row, int branch) {
  if (branch == instant_branch) return row.usage_530;
  // An unknown branch is taken for a recent one.
  return branch != 0 && branch < instant_branch ? row.usage_before_530 : row.usage_after_530;
}

double counter_fraction(const Row& row, int branch) {
  const bool full_counter =
      row.architecture == arch::hopper && branch >= hopper_full_counter_branch;
  return full_counter ? 1.0 : row.instant.sampled();
}

}  // namespace

bool is_ga100(int capability_major, int capability_minor, unsigned pci_device_id,
              std::string_view name) {
  if (capability_major != 0) return capability_major == 8 && capability_minor == 0;
  constexpr unsigned nvidia = 0x10de;
  constexpr unsigned first_ga100 = 0x2080;
  constexpr unsigned last_ga100 = 0x20ff;
  if ((pci_device_id & 0xffffU) == nvidia) {
    const unsigned chip = pci_device_id >> 16U;
    return chip >= first_ga100 && chip <= last_ga100;
  }
  constexpr std::array<std::string_view, 4> names{"A100", "A30", "A800", "CMP 170HX"};
  return std::any_of(names.begin(), names.end(), [&](std::string_view model) {
    const std::size_t at = name.find(model);
    if (at == std::string_view::npos) return false;
    // "A30" but not "A3000", "A100" but not "RTXA1000".
    const std::size_t end = at + model.size();
    const bool starts = at == 0 || name[at - 1] == ' ';
    return starts && (end == name.size() || name[end] < '0' || name[end] > '9');
  });
}

unsigned architecture_of(int major, int minor) {
  switch (major) {
    case 3:
      return arch::kepler;
    case 5:
      return arch::maxwell;
    case 6:
      return arch::pascal;
    case 7:
      return minor >= 5 ? arch::turing : arch::volta;
    case 8:
      return minor == 9 ? arch::ada : arch::ampere;
    case 9:
      return arch::hopper;
    case 10:
    case 12:
      return arch::blackwell;
    default:
      return arch::unknown;
  }
}

BoardKind kind_of_board(const Library& library, abi::Device device, std::string_view name) {
  const Functions& f = library.functions();
  BoardKind board;
  board.driver_branch = library.driver_branch();
  int major = 0;
  int minor = 0;
  if (f.compute_capability == nullptr ||
      f.compute_capability(device, &major, &minor) != abi::success) {
    major = minor = 0;
  }
  if (f.architecture == nullptr || f.architecture(device, &board.architecture) != abi::success ||
      board.architecture == arch::unknown) {
    board.architecture = architecture_of(major, minor);
  }
  abi::PciInfo pci{};
  if (f.pci_info == nullptr || f.pci_info(device, &pci) != abi::success) pci = {};
  board.ga100 = (board.architecture == arch::ampere || board.architecture == arch::unknown) &&
                is_ga100(major, minor, pci.device_id, name);
  if (board.ga100) board.architecture = arch::ampere;
  return board;
}

bool keeps_fine_record(const BoardKind& board) {
  return board.driver_branch >= fine_record_branch &&
         (board.architecture == arch::hopper || board.ga100);
}

PowerTraits traits_of(const BoardKind& board, EnergyField field) {
  const Row* known = row_of(board);
  const Row& row = known != nullptr ? *known : newest;
  PowerTraits traits;
  bool tabled = known != nullptr;
  switch (field) {
    case EnergyField::total_energy:
      traits.update_period = Seconds(row.counter_period);
      traits.sampled_fraction =
          tabled ? counter_fraction(row, board.driver_branch) : row.instant.sampled();
      traits.quantum = Joules(1e-3);
      break;
    case EnergyField::power_average:
      // The table has it only where nvmlDeviceGetPowerUsage is a mean over a second, too.
      tabled = tabled && row.usage_after_530.window == second.window;
      traits.update_period = Seconds(second.period);
      traits.averaging_window = Seconds(second.window);
      traits.sampled_fraction = second.sampled();
      break;
    case EnergyField::power_instant:
    case EnergyField::power_usage: {
      const Shape shape =
          field == EnergyField::power_instant ? row.instant : usage_shape(row, board.driver_branch);
      traits.update_period = Seconds(shape.period);
      traits.averaging_window = Seconds(shape.window);
      traits.sampled_fraction = shape.sampled();
      traits.low_pass = shape.window == capacitor.window;
      break;
    }
    case EnergyField::power_samples: {
      // A sample has the time at which it was taken: it is never an old value read late, so there
      // is no update period.
      const bool fine = keeps_fine_record(board);
      const Shape shape = fine ? row.instant : usage_shape(row, board.driver_branch);
      traits.averaging_window = Seconds(shape.window);
      traits.sampled_fraction = fine ? 1.0 : shape.sampled();
      traits.low_pass = shape.window == capacitor.window;
      break;
    }
  }
  traits.gain_u95 = 0.05;
  traits.gain_kind = "nvml board sensor";
  const std::string driver =
      board.driver_branch != 0 ? fmt::format("driver {}", board.driver_branch) : "driver unknown";
  traits.basis = tabled ? fmt::format("table: {}, {}", row.name, driver)
                        : fmt::format("assumed as {}, {}", row.name, driver);
  return traits;
}

}  // namespace ergo::nvml
