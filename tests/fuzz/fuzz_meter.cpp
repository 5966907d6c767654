// Any text in place of a meter's description and of its lines. The first line of the input is the
// description.

#include "ergo/core/parse.hpp"
#include "sensors/meter/line_parser.hpp"

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto lines = ergo::split(text, '\n');
  if (lines.front().find('@') != std::string_view::npos) return 0;  // would open files
  const auto spec = ergo::meter::parse_spec(lines.front());
  if (!spec) return 0;
  ergo::meter::LineParser parser(*spec);
  for (const std::string_view line : lines) {
    const auto reading = parser.parse(line);
    if (reading && std::isnan(reading->value)) std::abort();
  }
  return 0;
}
