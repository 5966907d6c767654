#include "sensors/nvml/nvml.hpp"

#include "sensors/nvml/board.hpp"
#include "sensors/nvml/library.hpp"
#include "sensors/nvml/processes.hpp"
#include "sensors/nvml/selection.hpp"

#include <fmt/format.h>

#include <array>
#include <filesystem>

namespace ergo::nvml {
namespace {

constexpr const char* what_is_missing = "NVIDIA GPU energy";

/// No library: say whether that is because there is no GPU, no driver, or a container without it.
Missing explain_no_library(const Environment& environment, const Error& error) {
  Missing missing{"nvml", what_is_missing, error.message, error.remedy};
  if (environment.nvml_library) return missing;
  std::error_code ignored;
  if (std::filesystem::exists(environment.procfs / "driver/nvidia/version", ignored)) {
    missing.why +=
        "; the kernel has the NVIDIA driver, so this looks like a container without the library";
    missing.fix = "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility …";
  } else if (!nvidia_devices_on_bus(environment).empty()) {
    missing.why += "; there is an NVIDIA device, but no driver";
    missing.fix = "sudo apt install nvidia-driver";
  } else {
    missing.why += "; no NVIDIA device was found";
  }
  return missing;
}

std::string name_of(const Library& library, abi::Device device) {
  std::array<char, abi::name_buffer_size> buffer{};
  auto* ask = library.functions().name;
  if (ask == nullptr || ask(device, buffer.data(), abi::name_buffer_size) != abi::success)
    return {};
  buffer.back() = '\0';
  return buffer.data();
}

/// The scope, unless process ids mean something else here than to the driver.
std::shared_ptr<const ProcessScope> usable_scope(const Library& library,
                                                 const DiscoveryContext& context,
                                                 Discovery& so_far) {
  if (!context.scope || library.simulated() || pids_are_the_drivers(context.environment)) {
    return context.scope;
  }
  so_far.warnings.emplace_back(
      "this is a PID namespace of its own, and the GPU driver tells process ids of the host: all "
      "of a GPU's "
      "energy is charged to the program (docker run --pid=host tells them apart)");
  return nullptr;
}

void add_board(const std::shared_ptr<const Library>& library, const Board& board,
               const std::shared_ptr<const ProcessScope>& scope,
               const std::filesystem::path& procfs, Discovery& so_far) {
  const std::string model = name_of(*library, board.device);
  GpuIdentity identity;
  identity.index = static_cast<int>(board.index);
  identity.uuid = board.uuid;
  identity.name = model;
  identity.power_limit_w = library->enforced_power_limit(board.device).value_or(Watts(0)).value();
  identity.simulated = library->simulated();
  so_far.gpus.push_back(identity);

  const std::size_t already_missing = so_far.missing.size();
  auto sensor = std::make_unique<BoardSensor>(library, board,
                                              BoardSensor::Options{model, scope, procfs}, so_far);
  if (!sensor->meters_energy() && so_far.missing.size() == already_missing) {
    so_far.missing.push_back(Missing{"nvml", fmt::format("gpu{} energy", board.index),
                                     "this GPU reports neither energy nor power", ""});
  }
  if (!sensor->signals().empty()) so_far.sensors.push_back(std::move(sensor));
}

}  // namespace

void discover(const DiscoveryContext& context, Discovery& so_far) {
  // Nothing is wanted: the driver is not even loaded, since that can wake GPUs.
  if (context.gpus.mode == GpuSelection::Mode::none) return;
  if (context.gpus.mode == GpuSelection::Mode::visible && cuda_shows_nothing(context.environment)) {
    so_far.missing.push_back(Missing{"nvml", what_is_missing,
                                     fmt::format("CUDA_VISIBLE_DEVICES={} shows no GPU",
                                                 *context.environment.cuda_visible_devices),
                                     "--gpus all"});
    return;
  }
  const auto library = Library::open(context.environment.nvml_library);
  if (!library) {
    const Error& error = library.error();
    so_far.missing.push_back(error.code == Errc::not_found
                                 ? explain_no_library(context.environment, error)
                                 : Missing{"nvml", what_is_missing, error.message, error.remedy});
    return;
  }
  const auto boards = select_boards(**library, context, so_far);
  if (boards.empty()) return;
  const auto scope = usable_scope(**library, context, so_far);
  for (const Board& board : boards)
    add_board(*library, board, scope, context.environment.procfs, so_far);
}

}  // namespace ergo::nvml
