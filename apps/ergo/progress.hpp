#pragma once
// What happens while a command runs, as one line on the terminal.

#include "ergo/experiment/runner.hpp"

#include <string>

namespace ergo::cli {

/// Shows "run 2/5  12.3 s  gpu0 65.8 W" on stderr when that is a terminal.
class Progress final : public RunEvents {
 public:
  Progress(std::string label, bool show);
  void on_phase(std::string_view phase, std::optional<Seconds> length) override;
  void on_progress(const Timeline& timeline, Instant begin) override;
  /// What the line says from now on beside the time. False when no line can be shown during the
  /// run: stderr is no terminal, or the program shares it.
  bool note(const std::string& text);
  /// Removes the line.
  void clear();

 private:
  void show(const std::string& text);

  [[nodiscard]] bool alone() const;

  std::string label_;
  std::string note_;
  bool terminal_;
  bool shown_ = false;
};

}  // namespace ergo::cli
