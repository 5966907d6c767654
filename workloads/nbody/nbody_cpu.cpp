#include "nbody/nbody.hpp"

#include <omp.h>

#include <cmath>
#include <utility>

// The inner loop is compiled for several generations of vector units and chosen when the program
// runs, so that one binary uses what the processor has.

namespace ergo::workload {
namespace {

template <class Real>
struct Accelerations {
  Real* x;
  Real* y;
  Real* z;
};

template <class Real>
[[gnu::always_inline]] inline void accelerate_rows(const Bodies<Real>& bodies, std::ptrdiff_t from,
                                                   std::ptrdiff_t to, Accelerations<Real> out) {
  const Real* x = bodies.x.data();
  const Real* y = bodies.y.data();
  const Real* z = bodies.z.data();
  const Real* mass = bodies.mass.data();
  const auto count = static_cast<std::ptrdiff_t>(bodies.size());
  constexpr Real eps_squared = static_cast<Real>(softening * softening);
  for (std::ptrdiff_t i = from; i < to; ++i) {
    const Real xi = x[i], yi = y[i], zi = z[i];
    Real ax = 0, ay = 0, az = 0;
#pragma omp simd reduction(+ : ax, ay, az)
    for (std::ptrdiff_t j = 0; j < count; ++j) {
      const Real dx = x[j] - xi, dy = y[j] - yi, dz = z[j] - zi;
      const Real distance_squared = dx * dx + dy * dy + dz * dz + eps_squared;
      const Real inverse = Real(1) / std::sqrt(distance_squared);
      const Real pull = mass[j] * inverse * inverse * inverse;
      ax += pull * dx;
      ay += pull * dy;
      az += pull * dz;
    }
    out.x[i] = ax;
    out.y[i] = ay;
    out.z[i] = az;
  }
}

template <class Real>
using Kernel = void (*)(const Bodies<Real>&, std::ptrdiff_t, std::ptrdiff_t, Accelerations<Real>);

template <class Real>
void accelerate_baseline(const Bodies<Real>& bodies, std::ptrdiff_t from, std::ptrdiff_t to,
                         Accelerations<Real> out) {
  accelerate_rows(bodies, from, to, out);
}

#ifdef __x86_64__
template <class Real>
[[gnu::target("avx2,fma")]] void accelerate_avx2(const Bodies<Real>& bodies, std::ptrdiff_t from,
                                                 std::ptrdiff_t to, Accelerations<Real> out) {
  accelerate_rows(bodies, from, to, out);
}

template <class Real>
[[gnu::target("avx512f,avx2,fma")]] void accelerate_avx512(const Bodies<Real>& bodies,
                                                           std::ptrdiff_t from, std::ptrdiff_t to,
                                                           Accelerations<Real> out) {
  accelerate_rows(bodies, from, to, out);
}
#endif

template <class Real>
Kernel<Real> best_kernel() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f")) return accelerate_avx512<Real>;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return accelerate_avx2<Real>;
#endif
  return accelerate_baseline<Real>;
}

}  // namespace

template <class Real>
CpuNBody<Real>::CpuNBody(Bodies<Real> bodies, int threads)
    : bodies_(std::move(bodies)),
      ax_(bodies_.size()),
      ay_(bodies_.size()),
      az_(bodies_.size()),
      threads_(threads > 0 ? threads : omp_get_max_threads()) {}

template <class Real>
void CpuNBody<Real>::accelerate() {
  const Kernel<Real> kernel = best_kernel<Real>();
  constexpr std::ptrdiff_t rows = 32;  // a task: enough to be worth starting, few enough to balance
  const auto count = static_cast<std::ptrdiff_t>(bodies_.size());
  const Accelerations<Real> out{ax_.data(), ay_.data(), az_.data()};
#pragma omp parallel for schedule(dynamic) num_threads(threads_)
  for (std::ptrdiff_t from = 0; from < count; from += rows) {
    kernel(bodies_, from, std::min(from + rows, count), out);
  }
}

template <class Real>
void CpuNBody<Real>::kick(Real time) {
  for (std::size_t i = 0; i < bodies_.size(); ++i) {
    bodies_.vx[i] += time * ax_[i];
    bodies_.vy[i] += time * ay_[i];
    bodies_.vz[i] += time * az_[i];
  }
}

template <class Real>
void CpuNBody<Real>::step(double time_step) {
  const Real whole = static_cast<Real>(time_step), half = static_cast<Real>(time_step / 2);
  if (!std::exchange(accelerated_, true)) accelerate();
  kick(half);
  for (std::size_t i = 0; i < bodies_.size(); ++i) {
    bodies_.x[i] += whole * bodies_.vx[i];
    bodies_.y[i] += whole * bodies_.vy[i];
    bodies_.z[i] += whole * bodies_.vz[i];
  }
  accelerate();
  kick(half);
}

template class CpuNBody<float>;
template class CpuNBody<double>;

}  // namespace ergo::workload
