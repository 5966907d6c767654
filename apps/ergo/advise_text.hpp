#pragma once
// What `ergo advise` prints.

#include "ergo/model/advise.hpp"

#include <string>
#include <vector>

namespace ergo::cli {

/// The advice for each row, then each work that was measured on several GPUs with these side by
/// side.
std::string advice_text(const std::vector<Advice>& all, const std::string& objective,
                        bool simulated);

/// Schema ergo.advise/1, one line at the end.
std::string advice_json(const std::vector<Advice>& all, const std::string& objective,
                        const AdviseOptions& options, bool simulated);

}  // namespace ergo::cli
