#pragma once
// The runs of a study or sweep -> one row per cell: medians over repeats with their 95 % intervals,
// and how the quantities go together. What reports show; nothing here is formatted.

#include "ergo/core/estimate.hpp"
#include "ergo/experiment/plan.hpp"
#include "ergo/stats/fit.hpp"
#include "ergo/store/records.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ergo {

/// Median over the good runs of a cell. An energy's interval joins the spread over repeats and the
/// error budget of one run in quadrature, as summarize() does.
struct ResultFigure {
  Estimate estimate;
  int runs = 0;
  std::optional<Provenance> provenance;  ///< of energies: the least certain of their channels
};

/// A column of the results. Energies and times are per item where the runs counted items.
struct ResultQuantity {
  std::string id;     ///< AIPowerMeter's name where it has one: "nvidia_draw_absolute"
  std::string label;  ///< for people: "GPU energy"
  std::string unit;   ///< "J", "B", "s", "1"
};

struct ResultCell {
  GridCell parameters;
  std::string axis;                ///< value of the axis; empty without one
  std::optional<double> position;  ///< the same as a number
  std::string series;              ///< the other parameters: "batch=8"; empty when there are none
  int good = 0;
  int failed = 0;
  std::optional<std::string> reason;            ///< why runs failed or the cell was skipped
  std::map<std::string, ResultFigure> figures;  ///< by ResultQuantity::id; absent = not measured
};

struct RankCorrelation {
  std::vector<std::string> ids;  ///< quantities, and the axis last
  /// Spearman's rho over the cells' medians with its 95 % interval (stats/correlation.hpp); nothing
  /// for fewer than three cells or a quantity that does not vary.
  std::vector<std::vector<std::optional<Estimate>>> rho;
  std::size_t cells = 0;
};

/// How a quantity goes along the axis, over the medians of the cells of one series.
struct AxisFit {
  std::string quantity;  ///< ResultQuantity::id
  std::string series;    ///< ResultCell::series
  double from = 0.0;     ///< the axis, from the first cell to the last
  double to = 0.0;
  stats::LineFit line;
  /// Two lines that meet: the end of a plateau. For six cells and more; nothing beyond
  /// most_cells_for_break.
  std::optional<stats::BrokenLineFit> broken;
  /// The criterion for two lines: noise about one line would seem broken as much in fewer than 5 %
  /// of the cases (BrokenLineFit::p_straight).
  [[nodiscard]] bool is_broken() const;
  /// The cells bound the break on both sides.
  [[nodiscard]] bool bounds_break() const;
  double first_break = 0.0;  ///< the range in which a break was looked for
  double last_break = 0.0;
};
inline constexpr std::size_t most_cells_for_break = 400;

/// How the iterations of a cell's runs went, by stats::steady_state.
struct CellCourse {
  std::size_t cell = 0;  ///< index in StudyResults::cells
  /// "latency" (single latencies), the name of a window (time per item of each occurrence), or
  /// "repeats" (energy of one run after the other, else its time).
  std::string of;
  std::string unit;            ///< of the medians: "s" or "J"
  std::size_t iterations = 0;  ///< of a run; the median over runs
  std::size_t runs = 0;        ///< with iterations enough
  std::size_t settled = 0;     ///< of these: with a steady state
  std::size_t drifting = 0;    ///< of these: which still drift in it
  /// First iterations that are warm-up; the median over settled runs. Absent when none settled.
  std::optional<std::size_t> warm_up;
  double median = 0.0;                  ///< over all iterations, the median over runs
  std::optional<double> steady_median;  ///< after the warm-up, the median over settled runs
  double outliers = 0.0;                ///< share of iterations after the warm-up that stand apart
};

/// A run that stands apart from the others of its cell (stats::outliers). It is counted.
struct OddRun {
  std::size_t cell = 0;
  int repeat = 0;
  std::string quantity;  ///< ResultQuantity::id
  double value = 0.0;
  double z = 0.0;  ///< modified z
};
/// Cells with fewer good runs have no odd ones.
inline constexpr std::size_t fewest_runs_for_odd = 5;

/// What a recipe knows and a record does not. Empty fields are filled from the record.
struct ResultTitles {
  std::string title;
  std::string source;
  std::string axis;
  std::string axis_label;
  std::string item;
};

struct StudyResults {
  ResultTitles titles;
  std::vector<std::string> command;
  std::string started;
  HostRecord host;
  std::vector<ResultQuantity> quantities;  ///< all of AIPowerMeter's, then ours that some cell has
  std::vector<ResultCell> cells;           ///< by series, then along the axis
  RankCorrelation correlation;
  std::vector<AxisFit>
      fits;  ///< energies and times that vary over a numeric axis of three cells and more
  std::vector<CellCourse> courses;
  std::vector<OddRun> odd_runs;
  std::vector<std::string> warnings;  ///< of the runs, each once, most frequent first
};

/// The axis is the one of `titles`, else the parameter with most values.
StudyResults study_results(const ExperimentRecord& record, ResultTitles titles = {});

}  // namespace ergo
