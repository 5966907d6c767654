#include "experiment/tune_marks.hpp"

#include <algorithm>

namespace ergo::tune {
namespace {

/// Three ends make two cycles: a row, not an accident.
constexpr std::size_t enough = 3;
/// So many are remembered of a row that nobody reads.
constexpr std::size_t most = 4096;

}  // namespace

void ItemCounter::take(const MarkMessage& mark, int pid) {
  const Key key{pid, mark.name};
  if (mark.kind == MarkKind::begin) {
    begun_[key] = mark.count;
    return;
  }
  std::optional<std::int64_t> count = mark.count;
  if (const auto begun = begun_.find(key); !count && begun != begun_.end()) count = begun->second;
  auto& row = rows_[key];
  if (!row.empty() && mark.time < row.back().time) return;
  row.push_back({mark.time, static_cast<double>(std::max<std::int64_t>(1, count.value_or(1)))});
  if (row.size() > most) row.pop_front();
  if (!chosen_) choose();
}

/// The shortest cycle: windows nest, and the innermost ones tell most.
void ItemCounter::choose() {
  Seconds shortest{1e18};
  for (const auto& [key, row] : rows_) {
    if (row.size() < enough) continue;
    const Seconds cycle =
        (row.back().time - row.front().time) / static_cast<double>(row.size() - 1);
    if (cycle >= shortest) continue;
    shortest = cycle;
    chosen_ = key;
  }
}

bool ItemCounter::ready() const {
  return chosen_.has_value();
}

std::optional<Instant> ItemCounter::last_end(Instant until) const {
  if (!chosen_) return std::nullopt;
  std::optional<Instant> last;
  for (const End& end : rows_.at(*chosen_)) {
    if (end.time > until) break;
    last = end.time;
  }
  return last;
}

double ItemCounter::between(Instant from, Instant to) {
  if (!chosen_) return 0;
  auto& row = rows_.at(*chosen_);
  while (!row.empty() && row.front().time <= from)
    row.pop_front();
  double sum = 0;
  for (const End& end : row) {
    if (end.time > to) break;
    sum += end.count;
  }
  return sum;
}

std::string ItemCounter::name() const {
  return chosen_ ? chosen_->second : std::string();
}

std::optional<Seconds> time_left(const AnnouncedSeries& series, Instant now) {
  if (series.over) return Seconds(0.0);
  const auto& begins = series.begins;
  if (begins.size() < 2) return std::nullopt;
  // The limit changes the pace: only the last ones count.
  constexpr std::size_t recent = 3;
  const std::size_t cycles = std::min(recent, begins.size() - 1);
  const Seconds cycle =
      (begins.back() - begins[begins.size() - 1 - cycles]) / static_cast<double>(cycles);
  const double to_begin = static_cast<double>(series.total) - static_cast<double>(begins.size());
  const Seconds of_this = std::max(Seconds(0.0), cycle - (now - begins.back()));
  return cycle * std::max(0.0, to_begin) + of_this;
}

}  // namespace ergo::tune
