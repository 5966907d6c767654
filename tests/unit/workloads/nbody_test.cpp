#include "nbody/nbody.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace ergo::workload {
namespace {

TEST(NBody, EnergyIsConservedInDoublePrecision) {
  CpuNBody<double> system(plummer_sphere<double>(256, 3), 2);
  const double before = total_energy(system.bodies());
  for (int i = 0; i < 100; ++i)
    system.step(1e-3);
  EXPECT_NEAR(total_energy(system.bodies()) / before, 1.0, 1e-4);
}

TEST(NBody, EnergyIsConservedInSinglePrecision) {
  CpuNBody<float> system(plummer_sphere<float>(256, 3), 2);
  const double before = total_energy(system.bodies());
  for (int i = 0; i < 100; ++i)
    system.step(1e-3);
  EXPECT_NEAR(total_energy(system.bodies()) / before, 1.0, 1e-3);
}

TEST(NBody, TheErrorOfTheEnergyFallsWithTheSquareOfTheStep) {
  const auto error_with = [](int steps) {
    CpuNBody<double> system(plummer_sphere<double>(64, 5), 1);
    const double before = total_energy(system.bodies());
    for (int i = 0; i < steps; ++i)
      system.step(0.05 / steps);
    return std::abs(total_energy(system.bodies()) / before - 1.0);
  };
  const double coarse = error_with(50), fine = error_with(100);
  EXPECT_GT(coarse, 2.5 * fine);  // 4 for a method of second order
}

TEST(NBody, MomentumIsConserved) {
  CpuNBody<double> system(plummer_sphere<double>(100, 1), 2);
  for (int i = 0; i < 20; ++i)
    system.step(1e-2);
  const auto& vx = system.bodies().vx;
  EXPECT_NEAR(std::accumulate(vx.begin(), vx.end(), 0.0), 0.0, 1e-9);
}

TEST(NBody, ForcesAreThoseOfTheDirectSum) {
  // A count that fills no vector register and no block of rows evenly.
  const Bodies<double> start = plummer_sphere<double>(67, 9);
  CpuNBody<double> system(start, 3);
  constexpr double step = 1e-6;
  system.step(step);
  for (std::size_t i : {std::size_t{0}, std::size_t{33}, std::size_t{66}}) {
    double pull = 0.0;
    for (std::size_t j = 0; j < start.size(); ++j) {
      const double dx = start.x[j] - start.x[i], dy = start.y[j] - start.y[i],
                   dz = start.z[j] - start.z[i];
      pull +=
          start.mass[j] * dx * std::pow(dx * dx + dy * dy + dz * dz + softening * softening, -1.5);
    }
    EXPECT_NEAR((system.bodies().vx[i] - start.vx[i]) / step, pull, 1e-3 * std::abs(pull) + 1e-4);
  }
}

TEST(NBody, TwoBodiesOnACircleComeBackAfterOnePeriod) {
  Bodies<double> pair{{0.5, -0.5}, {0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, 0}, {0.5, 0.5}};
  const double pull = 0.5 / std::pow(1.0 + softening * softening, 1.5);
  const double speed = std::sqrt(pull * 0.5);
  pair.vy = {speed, -speed};
  CpuNBody<double> system(pair, 1);
  const double period = 2 * M_PI * 0.5 / speed;
  constexpr int steps = 2000;
  for (int i = 0; i < steps; ++i)
    system.step(period / steps);
  EXPECT_NEAR(system.bodies().x[0], 0.5, 1e-4);
  EXPECT_NEAR(system.bodies().y[0], 0.0, 1e-4);
}

TEST(NBody, APlummerSphereIsInEquilibrium) {
  const Bodies<double> bodies = plummer_sphere<double>(1000, 2);
  double kinetic = 0.0;
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    kinetic +=
        0.5 * bodies.mass[i] *
        (bodies.vx[i] * bodies.vx[i] + bodies.vy[i] * bodies.vy[i] + bodies.vz[i] * bodies.vz[i]);
  }
  const double potential = total_energy(bodies) - kinetic;
  EXPECT_NEAR(-2 * kinetic / potential, 1.0, 0.15);  // the virial theorem, for one sample
}

TEST(NBody, TheReportCountsEachPairOfEachMeasuredStep) {
  NBodyOptions options;
  options.bodies = 100;
  options.steps = 4;
  const auto report = run_nbody(options);
  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_DOUBLE_EQ(report->interactions, 4 * 100.0 * 100.0);
  EXPECT_EQ(report->latencies.size(), 4u);
}

TEST(NBody, WhatCannotBeDoneIsRefused) {
  NBodyOptions options;
  options.bodies = 1;
  EXPECT_EQ(run_nbody(options).error().code, Errc::invalid_argument);
  options.bodies = 10;
  options.device = "tpu";
  EXPECT_EQ(run_nbody(options).error().code, Errc::invalid_argument);
  options.device = "cuda";
  options.double_precision = true;
  EXPECT_EQ(run_nbody(options).error().code, Errc::not_supported);
}

}  // namespace
}  // namespace ergo::workload
