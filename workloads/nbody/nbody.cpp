#include "nbody/nbody.hpp"

#include "common/run_record.hpp"
#include "ergo/core/clock.hpp"
#include "ergo/mark.hpp"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <random>
#include <utility>

namespace ergo::workload {
namespace {

/// Three components of one direction, uniform on the sphere, with the given length.
std::array<double, 3> on_sphere(std::mt19937_64& random, double length) {
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  const double z = length * (1.0 - 2.0 * uniform(random));
  const double angle = 2.0 * std::numbers::pi * uniform(random);
  const double ring = std::sqrt(std::max(0.0, length * length - z * z));
  return {ring * std::cos(angle), ring * std::sin(angle), z};
}

template <class Real>
void subtract_mean(std::vector<Real>& values) {
  double sum = 0.0;
  for (Real value : values)
    sum += static_cast<double>(value);
  const Real mean = static_cast<Real>(sum / static_cast<double>(values.size()));
  for (Real& value : values)
    value -= mean;
}

/// Two sums over all pairs take seconds for so many bodies, and minutes for ten times as many.
constexpr std::size_t most_bodies_checked = 131'072;

template <class Real>
std::optional<double> checked_energy(const Bodies<Real>& bodies) {
  if (bodies.size() > most_bodies_checked) return std::nullopt;
  return total_energy(bodies);
}

template <class Real>
NBodyReport run_on_cpu(const NBodyOptions& options) {
  const SystemClock clock;
  CpuNBody<Real> system(
      plummer_sphere<Real>(static_cast<std::size_t>(options.bodies), options.seed),
      options.threads);
  NBodyReport report;
  report.energy_before = checked_energy(system.bodies());
  for (int i = 0; i < options.warmup; ++i)
    system.step(options.time_step);
  const Instant begin = clock.now();
  {
    const Mark window("steps", options.steps);
    for (int i = 0; i < options.steps; ++i) {
      const Instant start = clock.now();
      system.step(options.time_step);
      report.latencies.push_back(clock.now() - start);
    }
  }
  report.duration = clock.now() - begin;
  report.energy_after = checked_energy(system.bodies());
  const int threads = options.threads > 0 ? options.threads : omp_get_max_threads();
  report.device = fmt::format("cpu, {} thread{}", threads, threads == 1 ? "" : "s");
  return report;
}

Result<NBodyReport> run_on_cuda(const NBodyOptions& options) {
  if (options.double_precision) {
    return Error{Errc::not_supported, "nbody on CUDA computes in single precision",
                 "leave out --fp64"};
  }
  Bodies<float> bodies =
      plummer_sphere<float>(static_cast<std::size_t>(options.bodies), options.seed);
  NBodyReport report;
  report.energy_before = checked_energy(bodies);
  Result<std::vector<Seconds>> latencies = run_nbody_cuda(bodies, options);
  if (!latencies) return latencies.error();
  report.latencies = std::move(latencies).value();
  for (Seconds latency : report.latencies)
    report.duration += latency;
  report.energy_after = checked_energy(bodies);
  report.device = options.device;
  return report;
}

}  // namespace

template <class Real>
Bodies<Real> plummer_sphere(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  Bodies<Real> bodies;
  const auto put = [](std::vector<Real>& to, double value) {
    to.push_back(static_cast<Real>(value));
  };
  for (std::size_t i = 0; i < count; ++i) {
    const double enclosed = 0.999 * uniform(random) + 1e-9;
    const double radius = 1.0 / std::sqrt(std::pow(enclosed, -2.0 / 3.0) - 1.0);
    double fraction = 0.0;  // of the escape velocity, by von Neumann's rejection
    do {
      fraction = uniform(random);
    } while (0.1 * uniform(random) >
             fraction * fraction * std::pow(1.0 - fraction * fraction, 3.5));
    const double speed = fraction * std::sqrt(2.0) * std::pow(1.0 + radius * radius, -0.25);
    const auto position = on_sphere(random, radius);
    const auto velocity = on_sphere(random, speed);
    put(bodies.x, position[0]);
    put(bodies.y, position[1]);
    put(bodies.z, position[2]);
    put(bodies.vx, velocity[0]);
    put(bodies.vy, velocity[1]);
    put(bodies.vz, velocity[2]);
    put(bodies.mass, 1.0 / static_cast<double>(count));
  }
  for (auto* component : {&bodies.x, &bodies.y, &bodies.z, &bodies.vx, &bodies.vy, &bodies.vz}) {
    subtract_mean(*component);
  }
  return bodies;
}

template <class Real>
double total_energy(const Bodies<Real>& bodies) {
  const auto count = static_cast<std::ptrdiff_t>(bodies.size());
  double energy = 0.0;
#pragma omp parallel for reduction(+ : energy) schedule(dynamic, 64)
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const auto a = static_cast<std::size_t>(i);
    const auto value = [](Real number) { return static_cast<double>(number); };
    const double speed_squared = value(bodies.vx[a]) * value(bodies.vx[a]) +
                                 value(bodies.vy[a]) * value(bodies.vy[a]) +
                                 value(bodies.vz[a]) * value(bodies.vz[a]);
    double potential = 0.0;
    for (std::size_t b = a + 1; b < bodies.size(); ++b) {
      const double dx = value(bodies.x[b]) - value(bodies.x[a]);
      const double dy = value(bodies.y[b]) - value(bodies.y[a]);
      const double dz = value(bodies.z[b]) - value(bodies.z[a]);
      potential -=
          value(bodies.mass[b]) / std::sqrt(dx * dx + dy * dy + dz * dz + softening * softening);
    }
    energy += value(bodies.mass[a]) * (0.5 * speed_squared + potential);
  }
  return energy;
}

Result<NBodyReport> run_nbody(const NBodyOptions& options) {
  if (options.bodies < 2 || options.steps < 1 || options.warmup < 0 || !(options.time_step > 0.0)) {
    return Error{Errc::invalid_argument,
                 "nbody needs at least two bodies, one step and a positive time step", ""};
  }
  if (options.device != "cpu" && !options.device.starts_with("cuda")) {
    return Error{Errc::invalid_argument, fmt::format("there is no device \"{}\"", options.device),
                 "choose cpu or cuda"};
  }
  Result<NBodyReport> report = options.device != "cpu"    ? run_on_cuda(options)
                               : options.double_precision ? run_on_cpu<double>(options)
                                                          : run_on_cpu<float>(options);
  if (!report) return report;
  const auto bodies = static_cast<double>(options.bodies);
  report->interactions = bodies * bodies * static_cast<double>(options.steps);
  if (const auto folder = run_folder()) {
    if (Result<void> w = write_latencies(*folder, report->latencies); !w) return w.error();
  }
  return report;
}

#ifndef ERGO_WITH_CUDA
Result<std::vector<Seconds>> run_nbody_cuda(Bodies<float>&, const NBodyOptions&) {
  return Error{Errc::not_supported, "this ergo-workload was built without CUDA's compiler",
               "configure with -DERGO_CUDA=ON"};
}
#endif

template Bodies<float> plummer_sphere(std::size_t, std::uint64_t);
template Bodies<double> plummer_sphere(std::size_t, std::uint64_t);
template double total_energy(const Bodies<float>&);
template double total_energy(const Bodies<double>&);

}  // namespace ergo::workload
