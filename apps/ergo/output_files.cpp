#include "output_files.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace ergo::cli {

Result<void> check_output_file(const std::string& file) {
  std::error_code ignored;
  const auto status = std::filesystem::status(file, ignored);
  if (std::filesystem::is_directory(status))
    return Error{Errc::invalid_argument, file + " is a folder", "name a file in it"};
  const std::filesystem::path target = std::filesystem::exists(status)
                                           ? std::filesystem::path(file)
                                           : std::filesystem::absolute(file).parent_path();
  if (::access(target.c_str(), W_OK) == 0) return {};
  Error error = system_error(fmt::format("{} cannot be written: {}", file, target.string()), errno);
  if (error.code == Errc::not_found) error.remedy = "mkdir -p " + target.string();
  return error;
}

Result<void> check_output_folder(const std::string& folder) {
  std::error_code ignored;
  std::filesystem::path there = std::filesystem::absolute(folder);
  while (!std::filesystem::exists(there, ignored) && there.has_relative_path())
    there = there.parent_path();
  if (!std::filesystem::is_directory(there, ignored)) {
    return Error{Errc::invalid_argument, there.string() + " is a file, not a folder",
                 "name a folder"};
  }
  if (::access(there.c_str(), W_OK) == 0) return {};
  return system_error(fmt::format("{} cannot be written: {}", folder, there.string()), errno);
}

}  // namespace ergo::cli
