#include "model/physics.hpp"

#include "ergo/model/method.hpp"
#include "unit/model/generated.hpp"

#include <gtest/gtest.h>

namespace ergo::physics {
namespace {

std::vector<Observation> observed(const generated::Card& card, const generated::Work& work,
                                  const std::vector<double>& limits) {
  std::vector<Observation> out;
  for (double limit : limits) {
    const auto c = generated::cost(card, work, limit);
    out.push_back({limit / card.limits.back(),
                   {std::log(c.time_s), std::log(c.power_w / card.limits.back())}});
  }
  return out;
}

TEST(Physics, MoreWattsNeverMakeWorkSlowerNorTheCardDrawLess) {
  std::mt19937_64 engine(3);
  const Belief prior = population();
  for (int trial = 0; trial < 200; ++trial) {
    Vector p = prior.mean;
    for (int i = 1; i < count; ++i) {
      const double u = static_cast<double>(engine() >> 11) * 0x1p-53;
      p[i] += (4 * u - 2) * std::sqrt(prior.covariance(i, i));
    }
    Point before = evaluate(p, 0.05);
    for (double limit = 0.07; limit <= 1.2; limit += 0.02) {
      const Point now = evaluate(p, limit);
      ASSERT_TRUE(std::isfinite(now.log_time) && std::isfinite(now.log_power));
      EXPECT_LE(now.log_time, before.log_time + 1e-9) << "trial " << trial << " limit " << limit;
      before = now;
    }
  }
}

TEST(Physics, TheFitIsAtTheLeastCost) {
  const generated::Card card;
  const auto observations = observed(card, generated::Work{}, card.limits);
  const Noise noise{0.01, 0.01};
  const Belief prior = population();
  const Eigen::LLT<Matrix> whiten(prior.covariance);
  const auto cost = [&](const Vector& p) {
    double sum = whiten.matrixL().solve(p - prior.mean).squaredNorm();
    for (const Observation& o : observations) {
      const Point at = evaluate(p, o.limit);
      for (double x : {(at.log_time - o.point.log_time) / noise.time,
                       (at.log_power - o.point.log_power) / noise.power})
        sum += x * x / std::sqrt(1 + x * x / 16);
    }
    return sum;
  };
  const Fit fitted = fit(prior, observations, noise);
  const double least = cost(fitted.parameters);
  for (int i = 0; i < count; ++i) {
    for (double step : {-0.1, 0.1}) {
      Vector moved = fitted.parameters;
      moved[i] += step * std::sqrt(fitted.covariance(i, i));
      EXPECT_GT(cost(moved), least - 1e-3) << "parameter " << i;
    }
  }
}

TEST(Physics, AFullSweepOfAnotherLawIsFittedWithinThreePercent) {
  const generated::Card card;
  for (const auto& work : generated::workloads()) {
    const Fit fitted = fit(population(), observed(card, work, card.limits), {0.01, 0.01});
    for (double limit : card.limits) {
      const auto truth = generated::cost(card, work, limit);
      const Point p = evaluate(fitted.parameters, limit / card.limits.back());
      EXPECT_NEAR(std::exp(p.log_time) / truth.time_s, 1.0, 0.03) << work.name << " at " << limit;
      EXPECT_NEAR(std::exp(p.log_power) * card.limits.back() / truth.power_w, 1.0, 0.03)
          << work.name << " at " << limit;
    }
  }
}

TEST(Physics, BelowTheLowestClockTheCardOvershootsTheLimitAndTimeStaysAtTheCliff) {
  generated::Card card;
  card.lowest_clock = 0.35;
  card.limits = {40, 60, 80, 100, 120, 140, 160, 180, 200, 225, 250};
  const generated::Work work{"w", 100, 190, 0.2};
  const auto observations = observed(card, work, card.limits);
  const Fit fitted = fit(population(), observations, {0.01, 0.01});
  const Point at40 = evaluate(fitted.parameters, 40 / 250.0);
  const Point at60 = evaluate(fitted.parameters, 60 / 250.0);
  EXPECT_GT(std::exp(at40.log_power) * 250, 60) << "power above the limit of 40 W";
  EXPECT_NEAR(at40.log_time, at60.log_time, 0.05) << "both are at the lowest clock";
  EXPECT_NEAR(at40.log_time, observations.front().point.log_time, 0.1);
}

TEST(Physics, WithoutObservationsTheFitIsThePrior) {
  const Belief prior = population();
  const Fit fitted = fit(prior, {}, {});
  EXPECT_NEAR((fitted.parameters - prior.mean).norm(), 0.0, 1e-9);
  EXPECT_NEAR(fitted.covariance(log_static, log_static), prior.covariance(log_static, log_static),
              1e-6);
}

TEST(Physics, OneDisturbedRunDoesNotBendTheCurve) {
  const generated::Card card;
  const generated::Work work;
  auto observations = observed(card, work, card.limits);
  observations[3].point.log_time += 0.5;
  const Fit fitted = fit(population(), observations, {0.01, 0.01});
  const Point at = evaluate(fitted.parameters, observations[3].limit);
  EXPECT_NEAR(at.log_time, observations[3].point.log_time - 0.5, 0.06);
}

TEST(Physical, ItsVarianceIsThatOfCurvesDrawnFromTheParameters) {
  const generated::Card card;
  SweepTable table;
  generated::append(table, card, generated::Work{});
  const Curve curve = group_curves(generated::only(table, "work", {250})).front();
  const double top = curve.highest();
  std::vector<Observation> observations;
  for (const CurvePoint& p : curve.points)
    observations.push_back({p.limit_w / top, {p.log_time, p.log_power - std::log(top)}});
  const Fit fitted = fit(population(), observations, {0.02, 0.02});
  const Matrix root = fitted.covariance.llt().matrixL();
  std::mt19937_64 engine(17);
  const auto method = make_method("physical");
  ASSERT_TRUE(method.ok());
  for (double limit : {45.0, 60.0, 80.0, 100.0, 150.0, 200.0, 225.0}) {
    const double at_best = evaluate(fitted.parameters, limit / top).log_time;
    double square = 0;
    constexpr int draws = 4000;
    for (int i = 0; i < draws; ++i) {
      Vector z;
      for (int k = 0; k < count; ++k) {
        z[k] = -6;
        for (int u = 0; u < 12; ++u)
          z[k] += static_cast<double>(engine() >> 11) * 0x1p-53;
      }
      const double d = evaluate(fitted.parameters + root * z, limit / top).log_time - at_best;
      square += d * d / draws;
    }
    const auto predicted = (*method)->predict({curve, {70, top}, {limit}});
    const double ratio = std::sqrt(predicted.front().var_time / square);
    EXPECT_GT(ratio, 1 / 1.5) << limit;
    EXPECT_LT(ratio, 1.5) << limit;
  }
}

}  // namespace
}  // namespace ergo::physics
