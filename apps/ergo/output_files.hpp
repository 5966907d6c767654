#pragma once
// What cannot be written is noticed before a program runs, not after.

#include "ergo/core/result.hpp"

#include <string>

namespace ergo::cli {

Result<void> check_output_file(const std::string& file);
Result<void> check_output_folder(const std::string& folder);

}  // namespace ergo::cli
