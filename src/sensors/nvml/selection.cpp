#include "sensors/nvml/selection.hpp"

#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <set>
#include <string_view>

namespace ergo::nvml {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

/// The GPUs of the machine, each looked up when it is first needed.
class Boards {
 public:
  Boards(const Library& library, unsigned count) : library_(library), count_(count) {}

  [[nodiscard]] unsigned count() const { return count_; }

  const Result<Board>& at(unsigned index) {
    const auto known = boards_.find(index);
    if (known != boards_.end()) return known->second;
    return boards_.emplace(index, look_up(index)).first->second;
  }

  /// The indices whose UUID starts with `prefix`, in any case of letters.
  std::vector<unsigned> with_prefix(std::string_view prefix) {
    std::vector<unsigned> found;
    for (unsigned i = 0; i < count_; ++i) {
      if (at(i) && lower(at(i)->uuid).starts_with(lower(prefix))) found.push_back(i);
    }
    return found;
  }

  /// The GPU that a MIG instance is a part of.
  std::optional<unsigned> parent_of(std::string_view mig) {
    // Until driver 450: "MIG-GPU-<UUID>/<instance>/<compute instance>"; later "MIG-<UUID of its
    // own>".
    constexpr std::string_view old_form = "MIG-GPU-";
    if (mig.starts_with(old_form)) {
      const auto found = with_prefix(mig.substr(4, mig.find('/') - 4));
      return found.size() == 1 ? std::optional(found[0]) : std::nullopt;
    }
    const auto instance = library_.find(std::string(mig));
    abi::Device parent = nullptr;
    auto* ask = library_.functions().parent_of_mig;
    if (!instance || ask == nullptr || ask(*instance, &parent) != abi::success) return std::nullopt;
    const auto uuid = library_.uuid_of(parent);
    if (!uuid) return std::nullopt;
    const auto found = with_prefix(*uuid);
    return found.empty() ? std::nullopt : std::optional(found[0]);
  }

  /// "GPU 0 (GPU-8f6d…), GPU 1 (…)".
  std::string list() {
    if (count_ == 0) return "no GPU";
    std::string text;
    for (unsigned i = 0; i < count_; ++i) {
      text += fmt::format("{}GPU {}", i == 0 ? "" : ", ", i);
      if (at(i) && !at(i)->uuid.empty()) text += fmt::format(" ({})", at(i)->uuid);
    }
    return text;
  }

 private:
  [[nodiscard]] Result<Board> look_up(unsigned index) const {
    const auto device = library_.device_at(index);
    if (!device) return device.error();
    // A driver that tells no UUID can still be selected by index.
    return Board{index, *device, library_.uuid_of(*device).value_or("")};
  }

  const Library& library_;
  unsigned count_;
  std::map<unsigned, Result<Board>> boards_;
};

bool is_uuid(std::string_view entry) {
  return lower(entry).starts_with("gpu-");
}
bool is_mig(std::string_view entry) {
  return entry.starts_with("MIG-");
}

/// One entry of CUDA_VISIBLE_DEVICES, or nothing when CUDA would end the list there.
std::optional<unsigned> resolve_visible(std::string_view entry, Boards& boards) {
  if (is_mig(entry)) return boards.parent_of(entry);
  if (is_uuid(entry)) {
    const auto found = boards.with_prefix(entry);
    return found.size() == 1 ? std::optional(found[0]) : std::nullopt;
  }
  const auto index = parse_uint(entry);
  if (!index || *index >= boards.count()) return std::nullopt;
  return static_cast<unsigned>(*index);
}

/// Whether the NVIDIA GPUs on the PCI bus are of one kind. Unknown when the bus shows fewer than
/// `count`.
std::optional<bool> gpus_are_alike(const Environment& environment, unsigned count) {
  const auto ids = nvidia_devices_on_bus(environment);
  if (ids.size() < count) return std::nullopt;
  return std::set<std::string>(ids.begin(), ids.end()).size() <= 1;
}

/// CUDA numbers GPUs from the fastest on unless told otherwise; NVML by PCI address. With GPUs of
/// one kind both agree.
void warn_about_order(const Library& library, const DiscoveryContext& context, Discovery& so_far,
                      unsigned count) {
  if (library.simulated() || context.environment.cuda_device_order == "PCI_BUS_ID") return;
  const auto alike = gpus_are_alike(context.environment, count);
  if (alike.value_or(false)) return;
  so_far.warnings.push_back(fmt::format(
      "CUDA_VISIBLE_DEVICES={} names GPUs by number, and {}: CUDA may number them "
      "differently from the driver; set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name GPUs by UUID",
      context.environment.cuda_visible_devices.value_or(""),
      alike ? "the GPUs here are of different kinds"
            : "it is not known whether they are of one kind"));
}

std::set<unsigned> visible(const Library& library, const DiscoveryContext& context, Boards& boards,
                           Discovery& so_far) {
  std::set<unsigned> chosen;
  const auto& variable = context.environment.cuda_visible_devices;
  if (!variable) {
    for (unsigned i = 0; i < boards.count(); ++i)
      chosen.insert(i);
    return chosen;
  }
  bool by_number = false;
  for (const std::string_view part : split(*variable, ',')) {
    const std::string_view entry = trim(part);
    const auto index = resolve_visible(entry, boards);
    if (!index) {
      if (!chosen.empty() || !cuda_shows_nothing(context.environment)) {
        so_far.warnings.push_back(fmt::format(
            "CUDA_VISIBLE_DEVICES={}: '{}' is no GPU here, and CUDA ignores what follows; there "
            "is {}",
            *variable, entry, boards.list()));
      }
      break;
    }
    by_number = by_number || (!is_uuid(entry) && !is_mig(entry));
    chosen.insert(*index);
  }
  // Order decides nothing when all GPUs are chosen anyway.
  if (by_number && chosen.size() < boards.count()) {
    warn_about_order(library, context, so_far, boards.count());
  }
  return chosen;
}

std::set<unsigned> listed(const GpuSelection& selection, Boards& boards, Discovery& so_far) {
  std::set<unsigned> chosen;
  for (const std::string& entry : selection.listed) {
    std::vector<unsigned> found;
    if (const auto index = parse_uint(entry)) {
      if (*index < boards.count()) found.push_back(static_cast<unsigned>(*index));
    } else if (is_mig(entry)) {
      if (const auto parent = boards.parent_of(entry)) found.push_back(*parent);
    } else {
      found = boards.with_prefix(is_uuid(entry) ? entry : "GPU-" + entry);
    }
    if (found.size() == 1) {
      chosen.insert(found[0]);
      continue;
    }
    so_far.missing.push_back(
        Missing{"nvml", "GPU " + entry,
                fmt::format("{}; there is {}",
                            found.empty() ? "no such GPU" : "more than one UUID starts like this",
                            boards.list()),
                boards.count() > 0 ? "--gpus all" : ""});
  }
  return chosen;
}

}  // namespace

std::vector<std::string> nvidia_devices_on_bus(const Environment& environment) {
  constexpr std::string_view nvidia = "0x10de";
  constexpr std::string_view display_class = "0x03";
  std::vector<std::string> ids;
  std::error_code failed;
  std::filesystem::directory_iterator entry(environment.sysfs / "bus/pci/devices", failed);
  for (; !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
    const std::filesystem::path& device = entry->path();
    if (trim(read_text(device / "vendor").value_or("")) != nvidia) continue;
    if (!read_text(device / "class").value_or("").starts_with(display_class)) continue;
    ids.emplace_back(trim(read_text(device / "device").value_or("")));
  }
  return ids;
}

bool cuda_shows_nothing(const Environment& environment) {
  if (!environment.cuda_visible_devices) return false;
  const std::string_view first = trim(split(*environment.cuda_visible_devices, ',').front());
  return !parse_uint(first) && !is_uuid(first) && !is_mig(first);
}

std::vector<Board> select_boards(const Library& library, const DiscoveryContext& context,
                                 Discovery& so_far) {
  const auto count = library.device_count();
  if (!count) {
    so_far.missing.push_back(
        Missing{"nvml", "NVIDIA GPUs", count.error().message, count.error().remedy});
    return {};
  }
  Boards boards(library, *count);
  std::set<unsigned> chosen;
  switch (context.gpus.mode) {
    case GpuSelection::Mode::none:
      break;
    case GpuSelection::Mode::all:
      for (unsigned i = 0; i < *count; ++i)
        chosen.insert(i);
      break;
    case GpuSelection::Mode::visible:
      chosen = visible(library, context, boards, so_far);
      break;
    case GpuSelection::Mode::listed:
      chosen = listed(context.gpus, boards, so_far);
      break;
  }
  std::vector<Board> selected;
  for (const unsigned index : chosen) {
    const auto& board = boards.at(index);
    if (board) {
      selected.push_back(*board);
    } else {
      so_far.missing.push_back(Missing{"nvml", fmt::format("GPU {}", index), board.error().message,
                                       board.error().remedy});
    }
  }
  return selected;
}

}  // namespace ergo::nvml
