#pragma once
// ExperimentRecord -> JSON, schema ergo.run/1 (docs/user/json.md). Keys may be added, never removed
// or changed.

#include "ergo/store/records.hpp"

#include <string>

namespace ergo::report {

/// The whole record as indented JSON with a newline at its end. What was not measured is absent.
std::string run_json(const ExperimentRecord& record);

}  // namespace ergo::report
