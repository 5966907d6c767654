#include "experiment/recipe_text.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <utility>

namespace ergo {
namespace {

constexpr int deepest_nesting = 8;

struct Letter {
  std::uint32_t code = 0;
  std::size_t bytes = 0;  ///< 0: this is no UTF-8
};

/// The first letter of `text`, which is not ASCII. RFC 3629, section 4.
Letter first_letter(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const unsigned head = byte(0);
  const std::size_t bytes = head >= 0xf0 ? 4 : head >= 0xe0 ? 3 : 2;
  if (head < 0xc2 || head > 0xf4) return {};
  std::uint32_t code = head & (0xffU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return {};
    code = code << 6 | (byte(i) & 0x3fU);
  }
  constexpr std::uint32_t smallest[] = {0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < smallest[bytes - 2] || code > 0x10ffff || surrogate) return {};
  return {code, bytes};
}

/// Walks over the text as TOML sees it.
class RecipeText {
 public:
  RecipeText(std::string_view text, const std::filesystem::path& file) : text_(text), file_(file) {}

  Result<std::string> run() {
    if (text_.size() > longest_recipe)
      return fail(1, "this is too long for a recipe", "keep it under 1 MiB");
    while (at_ < text_.size()) {
      const auto byte = static_cast<unsigned char>(text_[at_]);
      Result<void> taken;
      if (byte >= 0x80) {
        taken = take_letter();
      } else if ((byte < 0x20 && byte != '\n' && byte != '\t' && byte != '\r') || byte == 0x7f) {
        taken = fail(line_, fmt::format("a control character (0x{:02x})", byte));
      } else {
        taken = take_ascii(text_[at_]);
      }
      if (!taken) return taken.error();
    }
    if (quote_ != 0) return fail(line_, "a string without its end");
    if (depth_ != 0) return fail(opened_, "a bracket without its end");
    return std::move(plain_);
  }

 private:
  [[nodiscard]] Error fail(std::size_t line, std::string message, std::string remedy = {}) const {
    return recipe_error(file_, line, std::move(message), std::move(remedy));
  }

  Result<void> take_letter() {
    const Letter letter = first_letter(text_.substr(at_));
    if (letter.bytes == 0) return fail(line_, "a character that is not ASCII and not UTF-8");
    if (!comment_ && quote_ != '"')
      return fail(line_, "a character that is not ASCII, outside of a string",
                  "write it in double quotes or in a comment");
    if (escaped_) return fail(line_, "an unknown escape in a string");
    plain_ += comment_ ? "?" : fmt::format("\\U{:08X}", letter.code);
    at_ += letter.bytes;
    return {};
  }

  Result<void> take_ascii(char c) {
    if (c == '\n') {
      if (quote_ != 0) return fail(line_, "a string without its end");
      comment_ = false;
      ++line_;
    } else if (quote_ != 0) {
      const bool escaped = std::exchange(escaped_, false);
      escaped_ = !escaped && c == '\\' && quote_ == '"';
      if (!escaped && c == quote_) quote_ = 0;
    } else if (!comment_) {
      if (auto taken = take_structure(c); !taken) return taken;
    }
    plain_ += c;
    ++at_;
    return {};
  }

  Result<void> take_structure(char c) {
    if (c == '#') comment_ = true;
    if (c == '"' || c == '\'') {
      if (text_.substr(at_, 3) == std::string(3, c))
        return fail(line_, "strings of several lines are not read here");
      quote_ = c;
    }
    if (c == '[' || c == '{') {
      if (depth_++ == 0) opened_ = line_;
    }
    if (c == ']' || c == '}') --depth_;
    if (depth_ > deepest_nesting) return fail(line_, "brackets nested too deeply");
    if (depth_ < 0) return fail(line_, "a bracket that closes nothing");
    return {};
  }

  std::string_view text_;
  const std::filesystem::path& file_;
  std::string plain_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  int depth_ = 0;
  std::size_t opened_ = 1;  ///< line of the outermost open bracket
  char quote_ = 0;
  bool escaped_ = false;  ///< in a string, after a backslash
  bool comment_ = false;
};

}  // namespace

Error recipe_error(const std::filesystem::path& file, std::size_t line, std::string message,
                   std::string remedy) {
  return {Errc::invalid_argument, fmt::format("{}:{}: {}", file.string(), line, message),
          std::move(remedy)};
}

Result<std::string> plain_recipe(std::string_view text, const std::filesystem::path& file) {
  return RecipeText(text, file).run();
}

}  // namespace ergo
