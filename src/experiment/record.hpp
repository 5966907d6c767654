#pragma once
// Timeline + windows -> the numbers of a RunRecord.

#include "ergo/core/clock.hpp"
#include "ergo/experiment/marks.hpp"
#include "ergo/sampling/timeline.hpp"
#include "ergo/store/records.hpp"

#include <string>
#include <vector>

namespace ergo {

/// Energy, total, windows, items, metrics, throttling and counts of `record`, from readings between
/// `run`. Warnings of all windows are added once each.
void fill_record(RunRecord& record, const Timeline& timeline, Window run,
                 const std::vector<MarkedWindow>& windows, const MeasureOptions& options);

}  // namespace ergo
