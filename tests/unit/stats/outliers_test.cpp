#include "ergo/stats/outliers.hpp"

#include <gtest/gtest.h>

namespace ergo::stats {
namespace {

using Values = std::vector<double>;

// 0.6745 * (v - median) / median(|v - median|) and numpy.quantile(v, [.25, .75]), NumPy 2.4.6.
const Values one_far{1.1, 1.2, 1.15, 1.18, 1.22, 5.0};

TEST(Outliers, TheModifiedZIsThatOfItsFormula) {
  const Values expected{-1.7344285714285672,  0.19271428571428573, -0.7708571428571429,
                        -0.19271428571428573, 0.5781428571428571,  73.42414285714278};
  const Values z = modified_z(one_far);
  for (std::size_t i = 0; i < z.size(); ++i)
    EXPECT_NEAR(z[i], expected[i], 1e-9) << i;
}

TEST(Outliers, OneFarValueIsFlaggedAndNoOther) {
  EXPECT_EQ(outliers(one_far), (std::vector<std::size_t>{5}));
}

TEST(Outliers, AmongEqualValuesTheOtherOneStandsOut) {
  EXPECT_EQ(outliers(Values{2, 2, 2, 2, 2, 2, 2, 9}), (std::vector<std::size_t>{7}));
  EXPECT_TRUE(outliers(Values{2, 2, 2}).empty());
  EXPECT_TRUE(outliers({}).empty());
}

TEST(Outliers, TukeysFencesStandOneAndAHalfRangesFromTheQuartiles) {
  const Fences fences = tukey_fences(one_far);
  EXPECT_NEAR(fences.low, 1.1575 - 1.5 * 0.0575, 1e-12);
  EXPECT_NEAR(fences.high, 1.215 + 1.5 * 0.0575, 1e-12);
}

}  // namespace
}  // namespace ergo::stats
