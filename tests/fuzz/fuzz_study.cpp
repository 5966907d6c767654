// Any text in place of a recipe: an error that names the file and a line, or a recipe whose sweep
// can be planned.

#include "ergo/experiment/study.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto recipe = ergo::parse_study(text, "f.toml");
  if (!recipe) {
    if (!recipe.error().message.starts_with("f.toml:")) std::abort();
    return 0;
  }
  for (const bool quick : {false, true}) {
    const auto spec = ergo::sweep_of(*recipe, quick, std::nullopt);
    if (!spec || spec->axes.empty() || spec->axes.front().values.empty()) std::abort();
  }
  return 0;
}
