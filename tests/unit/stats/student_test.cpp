#include "ergo/stats/student.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace ergo::stats {
namespace {

// scipy.stats.t.ppf(p, df) and .cdf(t, df), SciPy 1.17.1.
TEST(Student, QuantilesAreThoseOfSciPy) {
  EXPECT_NEAR(student_t_quantile(0.975, 1), 12.706204736174694, 1e-10);
  EXPECT_NEAR(student_t_quantile(0.975, 3), 3.1824463052837078, 1e-12);
  EXPECT_NEAR(student_t_quantile(0.975, 7.3), 2.345066736547703, 1e-12);
  EXPECT_NEAR(student_t_quantile(0.9, 2.5), 1.7302509288071766, 1e-12);
  EXPECT_NEAR(student_t_quantile(1e-6, 4), -41.577854150450975, 1e-9);
  EXPECT_NEAR(student_t_quantile(0.975, 1000), 1.9623390808264083, 1e-12);
}

TEST(Student, TheDistributionFunctionIsThatOfSciPy) {
  EXPECT_NEAR(student_t_cdf(1, 1), 0.75, 1e-14);
  EXPECT_NEAR(student_t_cdf(-2.5, 3.7), 0.03591101145591339, 1e-13);
  EXPECT_NEAR(student_t_cdf(-40, 12) / 1.925614790386016e-14, 1, 1e-10);
  EXPECT_DOUBLE_EQ(student_t_cdf(0, 5), 0.5);
}

TEST(Student, OutsideItsDomainItIsNoNumber) {
  EXPECT_TRUE(std::isnan(student_t_quantile(0, 3)));
  EXPECT_TRUE(std::isnan(student_t_quantile(1, 3)));
  EXPECT_TRUE(std::isnan(student_t_quantile(0.5, 0)));
  EXPECT_TRUE(std::isnan(student_t_cdf(1, -1)));
}

}  // namespace
}  // namespace ergo::stats
