#include "ergo/experiment/live.hpp"

#include <algorithm>

namespace ergo {

SeriesTracker::SeriesTracker(std::function<bool(int pid)> alive) : alive_(std::move(alive)) {}

void SeriesTracker::take(const MarkMessage& mark, int pid) {
  if (mark.kind == MarkKind::begin) begin(mark, pid);
  if (mark.kind == MarkKind::end) end(mark, pid);
}

void SeriesTracker::begin(const MarkMessage& mark, int pid) {
  if (mark.total.value_or(0) > 0) {
    const bool running = series_ && !series_->over && (series_->pid == pid || alive_(series_->pid));
    const bool same = running && series_->pid == pid && series_->name == mark.name;
    // Another number, or more than were announced: the program has begun anew.
    const bool full = same && (series_->total != *mark.total ||
                               static_cast<std::int64_t>(series_->begins.size()) >= series_->total);
    if (!running || full) {
      start(mark, pid);
    } else if (same) {
      series_->begins.push_back(mark.time);
    }
  }
  open_.push_back({pid, mark.name, mark.time});
}

void SeriesTracker::start(const MarkMessage& mark, int pid) {
  around_.reset();
  for (const Open& window : open_) {
    // The innermost one; steps and other leaves that happen to be open are no frame of a training,
    // but nothing tells them apart, and they end soon.
    if (window.pid == pid && window.name != mark.name) around_ = window;
  }
  AnnouncedSeries series;
  series.name = mark.name;
  series.pid = pid;
  series.total = *mark.total;
  series.training_begin = around_ ? around_->begin : mark.time;
  series.begins.push_back(mark.time);
  series.number = series_ ? series_->number + 1 : 1;
  series_ = std::move(series);
  ended_ = 0;
}

void SeriesTracker::end(const MarkMessage& mark, int pid) {
  const auto last = std::find_if(open_.rbegin(), open_.rend(), [&](const Open& window) {
    return window.pid == pid && window.name == mark.name;
  });
  if (last == open_.rend()) return;
  const Open ended = *last;
  open_.erase(std::next(last).base());
  if (!series_ || series_->over || series_->pid != pid) return;
  if (around_ && around_->name == ended.name && around_->begin == ended.begin) series_->over = true;
  if (series_->name == ended.name && ++ended_ >= series_->total && !around_) series_->over = true;
}

}  // namespace ergo
