#include "ergo/energy/measure.hpp"

#include <algorithm>

namespace ergo {
namespace {

/// Mean weighted by time, straight lines between readings, and maximum over a window.
class LevelMean {
 public:
  explicit LevelMean(Window window) : window_(window) {}

  void add(const Sample& s) {
    if (have_) piece(last_, s);
    have_ = true;
    last_ = s;
    if (s.time < window_.begin || s.time > window_.end) return;
    max_ = inside_ ? std::max(max_, s.value) : s.value;
    inside_ = true;
    only_ = s.value;
  }

  [[nodiscard]] bool any() const { return inside_ || covered_ > 0.0; }
  [[nodiscard]] double mean() const { return covered_ > 0.0 ? area_ / covered_ : only_; }
  [[nodiscard]] double max() const { return inside_ ? max_ : mean(); }

 private:
  void piece(const Sample& a, const Sample& b) {
    const double length = (b.time - a.time).value();
    if (length <= 0.0) return;
    const double from = std::max(0.0, (window_.begin - a.time).value());
    const double to = std::min(length, (window_.end - a.time).value());
    if (to <= from) return;
    const double slope = (b.value - a.value) / length;
    area_ += (a.value + slope * 0.5 * (from + to)) * (to - from);
    covered_ += to - from;
  }

  Window window_;
  bool have_ = false;
  bool inside_ = false;
  Sample last_;
  double area_ = 0.0;
  double covered_ = 0.0;
  double max_ = 0.0;
  double only_ = 0.0;
};

}  // namespace

std::vector<GaugeSummary> summarize_gauges(const Timeline& timeline, Window window) {
  std::vector<GaugeSummary> summaries;
  if (window.end < window.begin) return summaries;
  for (SignalId id = 0; id < timeline.signal_count(); ++id) {
    const SignalInfo& info = timeline.info(id);
    if (info.kind != SignalKind::gauge) continue;
    LevelMean level(window);
    timeline.visit(id, window.begin, window.end, [&](const Sample& s) { level.add(s); });
    if (level.any()) summaries.push_back({info.name, info.unit, level.mean(), level.max()});
  }
  return summaries;
}

}  // namespace ergo
