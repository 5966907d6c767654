#pragma once
// What a recipe's text must be before the TOML reader sees it.

#include "ergo/core/result.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace ergo {

constexpr std::size_t longest_recipe = std::size_t{1} << 20;

/// "FILE:LINE: message".
Error recipe_error(const std::filesystem::path& file, std::size_t line, std::string message,
                   std::string remedy = {});

/// The same recipe in ASCII, line by line: letters of other alphabets become escapes in strings and
/// '?' in comments. toml++ 3 has undefined behaviour for some of them, and after a mistake it takes
/// strings for names. Errors: letters that are not UTF-8, or that stand outside of strings in
/// double quotes and comments; control characters; strings of several lines; brackets that do not
/// match or are nested deeply; more than `longest_recipe` bytes.
Result<std::string> plain_recipe(std::string_view text, const std::filesystem::path& file);

}  // namespace ergo
