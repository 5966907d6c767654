// Any datagrams, at any times, from any processes: parsing and pairing them never fails, and what
// comes out is sound. Input: records of a length byte, a pid byte and so many bytes of datagram.

#include "ergo/experiment/marks.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const ergo::MarkedRun& run, ergo::Instant begin, ergo::Instant end) {
  ergo::Instant last = begin;
  for (const ergo::MarkedWindow& window : run.windows) {
    require(window.begin >= last && window.begin <= window.end && window.end <= end);
    require(!window.name.empty() && window.name.find(' ') == std::string::npos);
    require(!window.count || *window.count >= 0);
    last = window.begin;
  }
  for (const ergo::MarkedEvent& event : run.events)
    require(event.time >= begin && event.time <= end);
  require(run.warnings.size() <= 6);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr ergo::Instant begin{1'000'000'000};
  constexpr ergo::Instant end{2'000'000'000};
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  ergo::WindowBuilder builder;
  std::int64_t received = begin.ns;
  while (rest.size() >= 2) {
    const auto length = static_cast<unsigned char>(rest[0]);
    const int pid = rest[1] & 3;
    const std::string_view datagram = rest.substr(2, length);
    const auto mark = builder.add(datagram, pid, ergo::Instant{received += 1'000'000});
    require(!mark || ergo::parse_mark(datagram).ok());
    rest.remove_prefix(2 + datagram.size());
  }
  check(builder.windows(begin, end), begin, end);
  return 0;
}
