#pragma once
// Sweeps over power limits as a page and as text: savings at the best limit, leave-one-out errors,
// GPUs side by side, curves with bands. Computes nothing.

#include "ergo/experiment/limits_results.hpp"

#include <string>
#include <string_view>

namespace ergo::report {

struct LimitsTitles {
  std::string title;
  std::string machine;  ///< name and processor
  std::string started;
  std::string provenance;  ///< "measured", "simulated"
};

std::string limits_markdown(const LimitsResults& results, const LimitsTitles& titles);

/// One HTML file with its drawings inside; light and dark; no script, no network.
std::string limits_html(const LimitsResults& results, const LimitsTitles& titles);

/// The drawings alone, as SVG elements: energy against the limit of one GPU (relative to its
/// default, with the predicted bands), and energy against time of all GPUs at their best limits.
std::string limit_curves_svg(const LimitsResults& results, std::string_view gpu);
std::string pareto_svg(const LimitsResults& results);

}  // namespace ergo::report
