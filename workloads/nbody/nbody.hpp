#pragma once
// Gravity between all pairs of bodies, as the CUDA sample "nbody" computes it: softened, in units
// with G = 1, 20 floating-point operations for each interaction by the customary count (Nyland et
// al., GPU Gems 3, ch. 31).

#include "common/options.hpp"
#include "ergo/core/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ergo::workload {

constexpr double softening = 0.01;  ///< length added in quadrature to every distance
constexpr double flops_per_interaction = 20;

/// Positions, velocities and masses, one array for each component (contiguous for vector units).
template <class Real>
struct Bodies {
  std::vector<Real> x, y, z, vx, vy, vz, mass;

  [[nodiscard]] std::size_t size() const { return x.size(); }
};

/// A Plummer sphere of total mass 1 and scale length 1, in equilibrium (Aarseth, Hénon and Wielen
/// 1974), seen from its centre of mass.
template <class Real>
Bodies<Real> plummer_sphere(std::size_t count, std::uint64_t seed);

/// Kinetic and potential energy, summed in double precision.
template <class Real>
double total_energy(const Bodies<Real>& bodies);

/// Leapfrog steps (kick, drift, kick) on `threads` CPU threads (0: all that OpenMP gives).
template <class Real>
class CpuNBody {
 public:
  CpuNBody(Bodies<Real> bodies, int threads);
  void step(double time_step);
  [[nodiscard]] const Bodies<Real>& bodies() const { return bodies_; }

 private:
  void accelerate();
  void kick(Real time);

  Bodies<Real> bodies_;
  std::vector<Real> ax_, ay_, az_;
  int threads_;
  bool accelerated_ = false;
};

struct NBodyReport {
  std::string device;
  std::vector<Seconds> latencies;  ///< of each measured step
  Seconds duration;
  double interactions = 0.0;  ///< bodies squared times measured steps
  /// Absent where summing all pairs on the CPU would take longer than the simulation.
  std::optional<double> energy_before;
  std::optional<double> energy_after;
};

/// Sends the mark "steps" around the measured steps, with their count; writes latency.csv. Errors:
/// invalid_argument; not_supported for cuda in a build without it.
Result<NBodyReport> run_nbody(const NBodyOptions& options);

/// The CUDA implementation: leaves positions and velocities of the end in `bodies`, and the time of
/// each measured step in the result. Errors: not_supported, unavailable (memory), lost.
Result<std::vector<Seconds>> run_nbody_cuda(Bodies<float>& bodies, const NBodyOptions& options);

}  // namespace ergo::workload
