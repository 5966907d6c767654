#pragma once
// The numbers that the methods' formulas leave open. bench/model_constants chooses and judges them;
// docs/results says how.

#include "ergo/model/decide.hpp"

namespace ergo {

struct Constants {
  Caution caution = judged_by_runs;

  /// The prior of the law's parameters. Counts are in workloads: what the population weighs beside
  /// the training curves.
  struct Law {
    double sharpness = 1.0;  ///< sd of log_sharpness in the population
    double governor = 0.19;  ///< sd of log_governor: what a meter reads under a binding limit
    double noise = 0.02;     ///< sd of one measurement's logarithm
    double own_mean = 0.5;   ///< for the mean, beside curves of the target's GPU
    double own_spread = 2.0;
    double foreign_mean = 20.0;  ///< beside curves of other GPUs
    double foreign_spread = 60.0;
    double same_workload = 3.0;  ///< how much more a curve of the same workload counts
  } law;

  /// Lengths are in natural logarithms of limit or power; amplitudes are of logarithms.
  struct Kernel {
    double limit_length = 0.25;
    double headroom_length = 0.35;
    double shared = 0.05;    ///< sd of the error that all curves share
    double workload = 0.03;  ///< sd of the error that configurations of one workload share
    double curve = 0.04;     ///< sd of a curve's own error
    double curve_length = 0.5;
    double noise = 0.02;
  } kernel;

  struct Transfer {
    double power = 0.06;   ///< sd of the log power by which curves of like kind differ
    double time = 0.05;    ///< as power, for the log of time ratios
    double length = 0.6;   ///< over how much of the log of the limit a residual keeps its value
    double noise = 0.015;  ///< sd of one measurement's log
    double same_workload =
        4.0;  ///< how much more another configuration of the same workload counts
  } transfer;

  /// Slowdown against the share of power, carried over from other cards. Of its logarithm.
  struct Shapes {
    double level = 0.35;   ///< sd between curves, common to all depths
    double smooth = 0.25;  ///< and what changes with the depth,
    double length = 0.3;   ///< over this much of ln of power
    double least = 0.02;   ///< slowdowns are told apart above this
    double noise = 0.02;   ///< sd of one measurement's log time
  } shapes;

  struct Mixture {
    double even = 0.15;          ///< how strongly weights are drawn towards equal ones
    double near_least = 0.1;     ///< by how much of ln of cost a point counts less for the weights
    double like_power = 0.25;    ///< by how much curves of like kind differ in ln of power,
    double like_slowdown = 0.3;  ///< and in ln of the slowdown that probes show
    double background = 0.15;    ///< what an unlike curve still counts
    double alike_slowdown = judged_by_runs.noise;  ///< up to what slowdowns are told apart (of ln)
  } mixture;
};

}  // namespace ergo
