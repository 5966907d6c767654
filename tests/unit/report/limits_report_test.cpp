#include "ergo/report/limits_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ergo::report {
namespace {

using testing::HasSubstr;
using testing::Not;

LimitsResults results() {
  LimitCurve c;
  c.gpu = "Tesla <V100>";
  c.workload = "dense|net";
  c.points = {{150, 1.5, 180}, {225, 1.1, 200}, {300, 1.0, 250}};
  c.bands = {{150, {1.5, 1.4, 1.6}, {181, 170, 195}},
             {225, {1.1, 1.0, 1.2}, {203, 190, 215}},
             {300, {1.0, 0.97, 1.03}, {250, 245, 255}}};
  c.best_energy = 0;
  c.best_edp = 1;
  c.on_front = true;
  LimitsResults all;
  all.curves = {c};
  Scores scores;
  scores.energy_mape = 0.034;
  all.errors = {{"ergo", c.gpu, scores}};
  return all;
}

const LimitsTitles titles{"Limits & more", "node, cpu", "2026-11-21", "simulated"};

TEST(LimitsReport, TellsSavingsErrorsAndTheFront) {
  const std::string text = limits_markdown(results(), titles);
  EXPECT_THAT(text,
              HasSubstr("| Tesla \\<V100\\> | dense\\|net | 300.0 W | 150.0 W | 28.0 % | 50.0 % | "
                        "225.0 W | 12.0 % | 10.0 % |"));
  EXPECT_THAT(text, HasSubstr("| ergo | Tesla \\<V100\\> |  | 3.4 % |  |  |  |"));
  EXPECT_THAT(text, HasSubstr("on the front"));
  EXPECT_THAT(text, HasSubstr("numbers are simulated"));
}

TEST(LimitsReport, ThePageIsWholeAndSafe) {
  const std::string page = limits_html(results(), titles);
  EXPECT_THAT(page, HasSubstr("<h1>Limits &amp; more</h1>"));
  EXPECT_THAT(page, HasSubstr("Tesla &lt;V100&gt;"));
  EXPECT_THAT(page, Not(HasSubstr("<V100>")));
  EXPECT_THAT(page, Not(HasSubstr("nan")));
  EXPECT_THAT(page, Not(HasSubstr("src=")));
  EXPECT_THAT(page, HasSubstr("</html>"));
}

TEST(LimitsReport, DrawsOneCurveAndItsBandForAWorkload) {
  const std::string svg = limit_curves_svg(results(), "Tesla <V100>");
  EXPECT_THAT(svg, HasSubstr("opacity=\".15\""));
  EXPECT_THAT(svg, HasSubstr("power limit (W)"));
  EXPECT_EQ(limit_curves_svg(results(), "another"), "");
  EXPECT_EQ(pareto_svg({}), "");
}

}  // namespace
}  // namespace ergo::report
