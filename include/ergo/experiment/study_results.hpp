#pragma once
// The runs of a study or sweep -> one row per cell: medians over repeats with their 95 % intervals,
// and how the quantities go together. What reports show; nothing here is formatted.

#include "ergo/core/estimate.hpp"
#include "ergo/experiment/plan.hpp"
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
  std::vector<std::string> warnings;  ///< of the runs, each once, most frequent first
};

/// The axis is the one of `titles`, else the parameter with most values.
StudyResults study_results(const ExperimentRecord& record, ResultTitles titles = {});

}  // namespace ergo
