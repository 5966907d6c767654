#pragma once
// Results of a study as one HTML file: no network, light and dark, printable
// (docs/developer/decisions/html-report.md).

#include "ergo/experiment/study_results.hpp"
#include "ergo/sampling/timeline.hpp"
#include "ergo/store/records.hpp"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace ergo::report {

/// Power of one channel over a run: seconds since its start, watts.
struct PowerTrace {
  std::string channel;
  std::string source;
  Provenance provenance = Provenance::measured;
  std::vector<std::pair<double, double>> points;
};

struct RunTrace {
  std::string label;  ///< "size=112 repeat 0"
  double duration_s = 0.0;
  std::vector<PowerTrace> channels;
  std::vector<WindowRecord> windows;  ///< at most `most_windows`; energies are left out
  std::size_t windows_left_out = 0;
};

constexpr std::size_t most_windows = 200;

/// Keeps the smallest and the largest value of each of `buckets` equal stretches of [from, to], and
/// the first and the last value: no peak is lost. Memory: the buckets, whatever is added.
class PeakKeeper {
 public:
  PeakKeeper(double from, double to, std::size_t buckets);
  /// In order of time; values outside [from, to] are dropped.
  void add(double time, double value);
  [[nodiscard]] std::vector<std::pair<double, double>> points() const;

 private:
  struct Bucket {
    std::pair<double, double> low;
    std::pair<double, double> high;
    bool used = false;
  };
  double from_;
  double to_;
  std::vector<Bucket> buckets_;
  std::pair<double, double> first_;
  std::pair<double, double> last_;
  bool any_ = false;
};

/// Power over a run from its samples: the power signal of each channel, else the slope of its
/// energy counter between the readings at which it moved. About 2 x `buckets` points a channel.
RunTrace trace_of(const RunRecord& run, const Timeline& timeline, std::size_t buckets);

/// Buckets a channel for `runs` runs of `channels` channels, so that the file stays below 5 MB.
std::size_t buckets_for(std::size_t runs, std::size_t channels);
/// Runs beyond this many are shown without their traces.
constexpr std::size_t most_traces = 400;

/// The page. `traces_left_out`: runs whose traces are not among `traces`.
std::string study_html(const StudyResults& results, const std::vector<RunTrace>& traces,
                       std::size_t traces_left_out = 0);

/// Text for HTML, safe in elements and in quoted attributes.
std::string escape_html(std::string_view text);

}  // namespace ergo::report
