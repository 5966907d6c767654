#pragma once
// Items finished by a program, from its marks. Pure.

#include "ergo/experiment/live.hpp"
#include "ergo/experiment/marks.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace ergo::tune {

/// Counts ends of windows and events, and chooses the row of them that beats fastest.
class ItemCounter {
 public:
  void take(const MarkMessage& mark, int pid);

  /// A row of marks has been seen often enough to be counted on.
  [[nodiscard]] bool ready() const;
  /// The last end at or before `until` of the row that is counted.
  [[nodiscard]] std::optional<Instant> last_end(Instant until) const;
  /// Items that ended in (from, to]. What is older than `from` is forgotten.
  double between(Instant from, Instant to);
  [[nodiscard]] std::string name() const;

 private:
  struct End {
    Instant time;
    double count;
  };
  using Key = std::pair<int, std::string>;
  void choose();

  std::map<Key, std::deque<End>> rows_;
  std::map<Key, std::optional<std::int64_t>> begun_;  ///< the count that a begin announced
  std::optional<Key> chosen_;
};

/// How long a program goes on that has announced how many windows there will be, at the pace of the
/// last ones; nothing before the second one has begun.
std::optional<Seconds> time_left(const AnnouncedSeries& series, Instant now);

}  // namespace ergo::tune
