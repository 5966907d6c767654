#pragma once
// What `ergo run` tells about a training while it runs, and why it ended it.

#include "ergo/experiment/live.hpp"
#include "progress.hpp"

#include <optional>
#include <string>

namespace ergo::cli {

/// "3 of 10 epochs: 2.71 kJ [2.60 … 2.83 kJ] and 41.2 s in all, 28.1 s left"
std::string live_text(const LiveStatus& status);
/// Why the program was asked to end, in one sentence.
std::string stop_text(const BudgetStop& stop);

/// Writes few lines to stderr: at the first prediction, at twice the windows of the last line, and
/// when the last line has proved wrong. On a terminal that the program does not share, all of them
/// in the line of `progress`.
class LiveLine {
 public:
  LiveLine(Progress& progress, bool show) : progress_(progress), show_(show) {}
  void tell(const LiveStatus& status);
  /// Something that --quiet does not silence.
  void say(const std::string& text);

 private:
  Progress& progress_;
  bool show_;
  std::optional<LiveStatus> told_;
};

}  // namespace ergo::cli
