#include "python_hooks.hpp"

#include <filesystem>
#include <string_view>

namespace ergo::cli {

std::optional<std::string> python_hooks_folder() {
  std::error_code failure;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) return std::nullopt;
  auto folder = self.parent_path().parent_path() / "share/ergo/python/ergometer_hooks";
  // A colon would part it in two.
  if (!std::filesystem::exists(folder / "sitecustomize.py", failure) ||
      folder.string().find(':') != std::string::npos)
    return std::nullopt;
  return folder.string();
}

std::string with_hooks(const std::string& folder, const char* python_path) {
  const std::string_view rest =
      python_path == nullptr ? std::string_view() : std::string_view(python_path);
  if (rest.empty() || rest == folder) return folder;
  if (rest.starts_with(folder + ":")) return std::string(rest);
  return folder + ":" + std::string(rest);
}

}  // namespace ergo::cli
