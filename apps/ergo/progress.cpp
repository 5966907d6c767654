#include "progress.hpp"

#include "ergo/report/format.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <set>

namespace ergo::cli {

Progress::Progress(std::string label, bool show)
    : label_(std::move(label)), terminal_(show && ::isatty(STDERR_FILENO) == 1) {}

void Progress::show(const std::string& text) {
  if (!terminal_) return;
  std::cerr << "\r\x1b[2K" << text << std::flush;
  shown_ = true;
}

void Progress::clear() {
  if (shown_) std::cerr << "\r\x1b[2K" << std::flush;
  shown_ = false;
}

void Progress::on_phase(std::string_view phase, std::optional<Seconds> length) {
  // The program may print from now on; a line of ours would stand in its way.
  if (phase == "run") {
    clear();
    return;
  }
  show(fmt::format("{}: {}{}", label_, phase,
                   length ? ", " + report::format_duration(*length) : ""));
}

/// Only when stdout goes elsewhere: else the program writes to the same terminal.
bool Progress::alone() const {
  return terminal_ && ::isatty(STDOUT_FILENO) != 1;
}

bool Progress::note(const std::string& text) {
  if (alone()) note_ = "  " + text;
  return alone();
}

void Progress::on_progress(const Timeline& timeline, Instant begin) {
  if (!alone()) return;
  std::string line;
  std::set<std::string> channels;
  std::optional<Instant> latest;
  for (SignalId id = 0; id < timeline.signal_count(); ++id) {
    const SignalInfo& info = timeline.info(id);
    const auto last = timeline.last(id);
    if (!last) continue;
    latest = latest ? std::max(*latest, last->time) : last->time;
    if (info.kind == SignalKind::power && channels.insert(info.channel).second) {
      line += fmt::format("  {} {}", info.channel, report::format_power(Watts(last->value)));
    }
  }
  if (latest)
    show(fmt::format("{}  {}{}{}", label_, report::format_duration(*latest - begin), line, note_));
}

}  // namespace ergo::cli
