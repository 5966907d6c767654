#include "ergo/experiment/marks.hpp"

#include "ergo/core/parse.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

namespace ergo {
/// Named, since the members of a class with external linkage need it.
namespace marks_detail {

struct Entry {
  Instant time;
  Instant received;
  std::int64_t count;  ///< -1: none
  std::uint32_t name;
  int pid;
  MarkKind kind;
};

/// How often something odd happened, and the first case of it.
struct Oddity {
  std::size_t times = 0;
  std::string first;

  void note(const std::function<std::string()>& describe) {
    if (times++ == 0) first = describe();
  }
};

}  // namespace marks_detail

namespace {

using marks_detail::Entry;
using marks_detail::Oddity;

constexpr std::size_t longest_name = 255;
/// An event of this name, followed by a number, is a sender's report of marks that it could not
/// send.
constexpr std::string_view lost_prefix = "ergo.lost=";
constexpr std::string_view count_key = "count=";
constexpr std::string_view total_key = "total=";
/// Two clocks' readings of one moment may differ by this much (thread scheduled away between stamp
/// and send aside).
constexpr std::int64_t tolerance_ns = 1'000'000;

Error malformed(const char* why) {
  return Error{Errc::corrupt, why, {}};
}

bool is_continuation(unsigned char c) {
  return (c & 0xC0U) == 0x80U;
}

/// Well-formed UTF-8 (Unicode standard, table 3-7) without control characters.
bool is_clean_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t k) {
      return i + k < text.size() ? static_cast<unsigned char>(text[i + k])
                                 : static_cast<unsigned char>(0);
    };
    const unsigned char first = byte(0);
    if (first < 0x20 || first == 0x7F) return false;
    if (first < 0x80) {
      i += 1;
    } else if (first >= 0xC2 && first <= 0xDF && is_continuation(byte(1))) {
      i += 2;
    } else if (first >= 0xE0 && first <= 0xEF && is_continuation(byte(1)) &&
               is_continuation(byte(2))) {
      if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F)) return false;
      i += 3;
    } else if (first >= 0xF0 && first <= 0xF4 && is_continuation(byte(1)) &&
               is_continuation(byte(2)) && is_continuation(byte(3))) {
      if ((first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F)) return false;
      i += 4;
    } else {
      return false;
    }
  }
  return true;
}

/// Digits only, no more than a 64-bit number can have: no sign, no blanks.
std::optional<std::int64_t> natural(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  constexpr std::size_t most_digits = 19;
  const bool digit =
      !text.empty() && text.size() <= most_digits && text.front() >= '0' && text.front() <= '9';
  if (!digit || failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<MarkKind> kind_of(std::string_view word) {
  if (word == "begin") return MarkKind::begin;
  if (word == "end") return MarkKind::end;
  if (word == "event") return MarkKind::event;
  return std::nullopt;
}

std::string plural(std::size_t n, std::string_view noun) {
  return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s");
}

std::string printable(std::string_view bytes) {
  constexpr std::size_t most = 60;
  std::string out(bytes.substr(0, most));
  for (char& c : out) {
    if (c < 0x20 || c > 0x7E) c = '?';
  }
  return bytes.size() > most ? out + "…" : out;
}

}  // namespace

Result<MarkMessage> parse_mark(std::string_view datagram) {
  const auto words = split(datagram, ' ');
  if (words.size() < 4 || words.size() > 6) return malformed("it has not four to six words");
  if (words[0] != "ergo1") return malformed("it does not start with ergo1");
  const auto kind = kind_of(words[1]);
  if (!kind) return malformed("it is neither begin, end nor event");
  const std::string_view name = words[2];
  if (name.empty() || name.size() > longest_name) return malformed("its name is empty or too long");
  if (!is_clean_utf8(name)) return malformed("its name is not plain text");
  const auto time = natural(words[3]);
  if (!time) return malformed("its time is not a number of nanoseconds");
  MarkMessage mark{*kind, std::string(name), Instant{*time}, std::nullopt, std::nullopt};
  std::size_t next = 4;
  if (next < words.size() && *kind != MarkKind::event && words[next].starts_with(count_key)) {
    mark.count = natural(words[next++].substr(count_key.size()));
    if (!mark.count) return malformed("its count is not a whole number");
  }
  if (next < words.size() && *kind == MarkKind::begin && words[next].starts_with(total_key)) {
    mark.total = natural(words[next++].substr(total_key.size()));
    if (!mark.total) return malformed("its total is not a whole number");
  }
  if (next < words.size()) return malformed("its last word is unknown");
  return mark;
}

struct WindowBuilder::State {
  std::uint32_t id_of(const std::string& name) {
    const auto [at, added] = ids.try_emplace(name, static_cast<std::uint32_t>(names.size()));
    if (added) names.push_back(name);
    return at->second;
  }

  std::vector<marks_detail::Entry> entries;
  std::vector<std::string> names;
  std::map<std::string, std::uint32_t> ids;
  marks_detail::Oddity malformed;
  std::int64_t lost = 0;
};

WindowBuilder::WindowBuilder() : state_(std::make_unique<State>()) {}
WindowBuilder::WindowBuilder(WindowBuilder&&) noexcept = default;
WindowBuilder& WindowBuilder::operator=(WindowBuilder&&) noexcept = default;
WindowBuilder::~WindowBuilder() = default;

std::optional<MarkMessage> WindowBuilder::add(std::string_view datagram, int pid,
                                              Instant received) {
  auto mark = parse_mark(datagram);
  if (!mark) {
    state_->malformed.note(
        [&] { return fmt::format("'{}': {}", printable(datagram), mark.error().message); });
    return std::nullopt;
  }
  if (mark->kind == MarkKind::event && mark->name.starts_with(lost_prefix)) {
    if (const auto n = natural(std::string_view(mark->name).substr(lost_prefix.size()))) {
      constexpr std::int64_t most = 1'000'000'000'000;
      state_->lost = std::min(most, state_->lost + std::min(*n, most));
      return std::nullopt;
    }
  }
  state_->entries.push_back(
      {mark->time, received, mark->count.value_or(-1), state_->id_of(mark->name), pid, mark->kind});
  return std::move(mark).value();
}

namespace {

/// Pairs the entries of a run, in order of time.
class Pairing {
 public:
  Pairing(const std::vector<std::string>& names, Instant begin, Instant end)
      : names_(names), begin_(begin), end_(end) {}

  void run(std::vector<Entry> entries) {
    for (Entry& entry : entries)
      settle_time(entry);
    std::stable_sort(entries.begin(), entries.end(),
                     [](const Entry& a, const Entry& b) { return a.time < b.time; });
    for (const Entry& entry : entries)
      take(entry);
    close_open();
    number();
  }

  void report(std::vector<std::string>& warnings) const {
    const auto line = [&](const Oddity& oddity, std::string_view what) {
      if (oddity.times == 0) return;
      warnings.push_back(
          fmt::format("{} {}; the first: {}", plural(oddity.times, "mark"), what, oddity.first));
    };
    line(outside_, "with a time outside the run; the time of arrival was taken instead");
    line(unmatched_, "ended a window that was not open and yielded nothing");
    line(unclosed_, "began a window that nothing ended; it was ended with the run");
    line(late_, "came after the end of the command and yielded nothing");
  }

  std::vector<MarkedWindow> windows;
  std::vector<MarkedEvent> events;

 private:
  std::string describe(const Entry& entry) const {
    const char* kind = entry.kind == MarkKind::begin ? "begin"
                       : entry.kind == MarkKind::end ? "end"
                                                     : "event";
    return fmt::format("{} {} of process {} at {:.3f} s", kind, names_[entry.name], entry.pid,
                       (entry.time - begin_).value());
  }

  void settle_time(Entry& entry) {
    if (entry.time.ns < begin_.ns - tolerance_ns ||
        entry.time.ns > entry.received.ns + tolerance_ns) {
      outside_.note([&] { return describe(entry); });
      entry.time = entry.received;
    }
    entry.time = std::max(entry.time, begin_);
  }

  void take(const Entry& entry) {
    if (entry.time > end_ && entry.kind != MarkKind::end) {
      late_.note([&] { return describe(entry); });
      return;
    }
    auto& open = open_[{entry.pid, entry.name}];
    switch (entry.kind) {
      case MarkKind::event:
        events.push_back({names_[entry.name], entry.pid, entry.time});
        break;
      case MarkKind::begin:
        open.push_back(entry);
        break;
      case MarkKind::end:
        if (open.empty()) {
          unmatched_.note([&] { return describe(entry); });
          break;
        }
        close(open.back(), std::min(entry.time, end_),
              entry.count >= 0 ? entry.count : open.back().count);
        open.pop_back();
        break;
    }
  }

  void close(const Entry& begun, Instant end, std::int64_t count) {
    windows.push_back({names_[begun.name], 0, begun.pid, begun.time, end,
                       count >= 0 ? std::optional(count) : std::nullopt});
  }

  void close_open() {
    for (const auto& [key, open] : open_) {
      for (const Entry& begun : open) {
        unclosed_.note([&] { return describe(begun); });
        close(begun, end_, begun.count);
      }
    }
  }

  /// In order of start; of two that start together the longer, outer one comes first.
  void number() {
    std::stable_sort(windows.begin(), windows.end(),
                     [](const MarkedWindow& a, const MarkedWindow& b) {
                       return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
                     });
    std::map<std::string_view, int> next;
    for (MarkedWindow& window : windows)
      window.index = next[window.name]++;
  }

  const std::vector<std::string>& names_;
  Instant begin_;
  Instant end_;
  std::map<std::pair<int, std::uint32_t>, std::vector<Entry>> open_;
  Oddity outside_, unmatched_, unclosed_, late_;
};

}  // namespace

MarkedRun WindowBuilder::windows(Instant begin, Instant end) const {
  Pairing pairing(state_->names, begin, end);
  pairing.run(state_->entries);
  MarkedRun out{std::move(pairing.windows), std::move(pairing.events), {}};
  if (const Oddity& odd = state_->malformed; odd.times > 0) {
    out.warnings.push_back(fmt::format("{} could not be understood; the first: {}",
                                       plural(odd.times, "mark"), odd.first));
  }
  pairing.report(out.warnings);
  if (state_->lost > 0) {
    out.warnings.push_back(
        fmt::format("{} lost: the program sent them faster than they could be taken in",
                    state_->lost == 1 ? "1 mark was" : fmt::format("{} marks were", state_->lost)));
  }
  return out;
}

}  // namespace ergo
