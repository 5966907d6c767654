#include "ergo/core/files.hpp"
#include "ergo/store/import.hpp"
#include "store/import/results.hpp"
#include "store/import/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <system_error>

namespace ergo {
namespace importing {
namespace {

constexpr std::size_t text_limit = std::size_t{1} << 30;
constexpr const char* known_formats =
    "known are: folders of AIPowerMeter (power_metrics.json) and gpyjoules (gpu-power.csv), Zeus's "
    "summary_power_<gpu>.csv, windows and power-limit profiles, Kernel Tuner's cache, logs of "
    "nvidia-smi --format=csv";

/// Windows PowerShell writes what it redirects as UTF-16.
bool is_utf16(std::string_view text) {
  return text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF");
}

Result<ImportedExperiment> import_json(std::string_view text, const std::string& file) {
  const auto holds = [&](std::string_view key) { return text.find(key) != std::string_view::npos; };
  if (holds("\"measurements\"") && !holds("\"cache\"")) return parse_zeus_profile(text, file);
  return parse_kernel_tuner(text, file);
}

/// "summary_power_v100.csv" -> "V100".
std::string gpu_in_name(const std::filesystem::path& file) {
  constexpr std::string_view prefix = "summary_power_";
  std::string name = file.stem().string();
  if (name.starts_with(prefix)) name = name.substr(prefix.size());
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  });
  return name;
}

Result<ImportedExperiment> import_folder(const std::filesystem::path& folder) {
  for (const auto& [file, import] : {std::pair{"power_metrics.json", &import_aipowermeter},
                                     std::pair{"gpu-power.csv", &import_gpyjoules}}) {
    auto found = folders_with(folder, file, 6);
    if (!found) return found.error();
    if (!found->empty()) return import(folder);
  }
  return Error{Errc::not_supported, folder.string() + " holds no recording that ergo can read",
               known_formats};
}

}  // namespace
}  // namespace importing

Result<ImportedExperiment> import_zeus(const std::filesystem::path& file) {
  auto text = read_text(file, importing::text_limit);
  if (!text) return text.error();
  return importing::parse_zeus(*text, file.string(), importing::gpu_in_name(file));
}

Result<ImportedExperiment> import_zeus_profile(const std::filesystem::path& file) {
  auto text = read_text(file, importing::text_limit);
  if (!text) return text.error();
  return file.extension() == ".json" ? importing::parse_zeus_profile(*text, file.string())
                                     : importing::parse_zeus_windows(*text, file.string());
}

Result<ImportedExperiment> import_kernel_tuner(const std::filesystem::path& file) {
  auto text = read_text(file, importing::text_limit);
  if (!text) return text.error();
  return importing::parse_kernel_tuner(*text, file.string());
}

Result<ImportedExperiment> import_nvidia_smi(const std::filesystem::path& file) {
  auto text = read_text(file, importing::text_limit);
  if (!text) return text.error();
  return importing::parse_nvidia_smi(*text, file.string());
}

Result<ImportedExperiment> import_recording(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return importing::import_folder(path);
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  if (path.filename() == "power_metrics.json") return import_aipowermeter(folder);
  if (path.filename() == "gpu-power.csv") return import_gpyjoules(folder);
  auto text = read_text(path, importing::text_limit);
  if (!text) return text.error();
  if (importing::is_utf16(*text)) {
    return Error{
        Errc::not_supported, path.string() + " is UTF-16 text, as PowerShell writes it",
        fmt::format("iconv -f UTF-16 -t UTF-8 {0} > {0}.utf8, and import that", path.string())};
  }
  if (path.extension() == ".json") return importing::import_json(*text, path.string());
  const std::string header = text->substr(0, text->find('\n'));
  const auto names = [&](std::string_view name) { return header.find(name) != std::string::npos; };
  if (names("time_per_epoch") && names("average_power")) {
    return importing::parse_zeus(*text, path.string(), importing::gpu_in_name(path));
  }
  if (names("window_name") && names("elapsed_time"))
    return importing::parse_zeus_windows(*text, path.string());
  if (names("timestamp") && names("power.draw"))
    return importing::parse_nvidia_smi(*text, path.string());
  return Error{Errc::not_supported, path.string() + " is no recording that ergo can read",
               importing::known_formats};
}

}  // namespace ergo
