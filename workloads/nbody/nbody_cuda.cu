// All-pairs gravity in tiles: each thread owns one body, and a block shares the bodies it reads
// (Nyland et al., GPU Gems 3).

#include "common/exit_code.hpp"
#include "ergo/core/clock.hpp"
#include "ergo/mark.hpp"
#include "nbody/nbody.hpp"

#include <cuda_runtime.h>

#include <string>
#include <utility>

namespace ergo::workload {
namespace {

constexpr int tile = 256;

__device__ float3 pull_of_all(const float4* bodies, int count, float4 self) {
  __shared__ float4 shared[tile];
  float3 sum{0.0f, 0.0f, 0.0f};
  for (int first = 0; first < count; first += tile) {
    const int mine = first + static_cast<int>(threadIdx.x);
    shared[threadIdx.x] = mine < count ? bodies[mine] : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    __syncthreads();
#pragma unroll 16
    for (int j = 0; j < tile; ++j) {  // bodies beyond the last have no mass
      const float4 other = shared[j];
      const float dx = other.x - self.x, dy = other.y - self.y, dz = other.z - self.z;
      const float inverse =
          rsqrtf(dx * dx + dy * dy + dz * dz + static_cast<float>(softening * softening));
      const float pull = other.w * inverse * inverse * inverse;
      sum.x += pull * dx;
      sum.y += pull * dy;
      sum.z += pull * dz;
    }
    __syncthreads();
  }
  return sum;
}

__global__ void kick(const float4* bodies, float4* velocities, int count, float time) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  const float4 self = i < count ? bodies[i] : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  const float3 pull = pull_of_all(bodies, count, self);
  if (i >= count) return;
  velocities[i].x += time * pull.x;
  velocities[i].y += time * pull.y;
  velocities[i].z += time * pull.z;
}

__global__ void drift(float4* bodies, const float4* velocities, int count, float time) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= count) return;
  bodies[i].x += time * velocities[i].x;
  bodies[i].y += time * velocities[i].y;
  bodies[i].z += time * velocities[i].z;
}

/// Device memory for one number of float4, freed with the object.
class DeviceArray {
 public:
  DeviceArray() = default;
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  ~DeviceArray() { cudaFree(data_); }
  cudaError_t allocate(std::size_t count) { return cudaMalloc(&data_, count * sizeof(float4)); }
  float4* get() { return data_; }

 private:
  float4* data_ = nullptr;
};

Error cuda_error(cudaError_t code, const char* what) {
  const std::string text = std::string(what) + ": " + cudaGetErrorString(code);
  if (code == cudaErrorMemoryAllocation) return out_of_memory(text);
  if (code == cudaErrorNoDevice || code == cudaErrorInsufficientDriver) {
    return Error{Errc::not_supported, text, "use --device cpu"};
  }
  return Error{Errc::lost, text, ""};
}

Result<int> device_index(const std::string& name) {
  if (name == "cuda") return 0;
  if (name.size() == 6 && name.starts_with("cuda:") && name[5] >= '0' && name[5] <= '9') {
    return name[5] - '0';
  }
  return Error{Errc::invalid_argument, "\"" + name + "\" is not a device",
               "choose cpu, cuda or cuda:N"};
}

/// The bodies on the device. One kick of a whole step joins the two half kicks of neighbouring
/// steps, so that each step sums the pairs once.
class CudaNBody {
 public:
  cudaError_t load(const Bodies<float>& bodies) {
    count_ = static_cast<int>(bodies.size());
    std::vector<float4> places(bodies.size()), speeds(bodies.size());
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      places[i] = make_float4(bodies.x[i], bodies.y[i], bodies.z[i], bodies.mass[i]);
      speeds[i] = make_float4(bodies.vx[i], bodies.vy[i], bodies.vz[i], 0.0f);
    }
    const std::size_t bytes = bodies.size() * sizeof(float4);
    if (auto e = bodies_.allocate(bodies.size()); e != cudaSuccess) return e;
    if (auto e = velocities_.allocate(bodies.size()); e != cudaSuccess) return e;
    if (auto e = cudaMemcpy(bodies_.get(), places.data(), bytes, cudaMemcpyHostToDevice); e)
      return e;
    return cudaMemcpy(velocities_.get(), speeds.data(), bytes, cudaMemcpyHostToDevice);
  }

  cudaError_t half_kick(float time_step) {
    kick<<<blocks(), tile>>>(bodies_.get(), velocities_.get(), count_, time_step / 2);
    return cudaDeviceSynchronize();
  }

  cudaError_t drift_and_kick(float time_step) {
    drift<<<blocks(), tile>>>(bodies_.get(), velocities_.get(), count_, time_step);
    kick<<<blocks(), tile>>>(bodies_.get(), velocities_.get(), count_, time_step);
    if (auto e = cudaGetLastError(); e != cudaSuccess) return e;
    return cudaDeviceSynchronize();
  }

  cudaError_t store(Bodies<float>& bodies) {
    std::vector<float4> places(bodies.size()), speeds(bodies.size());
    const std::size_t bytes = bodies.size() * sizeof(float4);
    if (auto e = cudaMemcpy(places.data(), bodies_.get(), bytes, cudaMemcpyDeviceToHost); e)
      return e;
    if (auto e = cudaMemcpy(speeds.data(), velocities_.get(), bytes, cudaMemcpyDeviceToHost); e)
      return e;
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      bodies.x[i] = places[i].x;
      bodies.y[i] = places[i].y;
      bodies.z[i] = places[i].z;
      bodies.vx[i] = speeds[i].x;
      bodies.vy[i] = speeds[i].y;
      bodies.vz[i] = speeds[i].z;
    }
    return cudaSuccess;
  }

 private:
  [[nodiscard]] int blocks() const { return (count_ + tile - 1) / tile; }

  int count_ = 0;
  DeviceArray bodies_;
  DeviceArray velocities_;
};

}  // namespace

Result<std::vector<Seconds>> run_nbody_cuda(Bodies<float>& bodies, const NBodyOptions& options) {
  const Result<int> device = device_index(options.device);
  if (!device) return device.error();
  if (auto e = cudaSetDevice(*device); e != cudaSuccess) return cuda_error(e, "cannot use the GPU");
  CudaNBody system;
  const auto step = static_cast<float>(options.time_step);
  if (auto e = system.load(bodies); e != cudaSuccess)
    return cuda_error(e, "cannot load the bodies");
  if (auto e = system.half_kick(step); e != cudaSuccess) return cuda_error(e, "first kick");
  for (int i = 0; i < options.warmup; ++i) {
    if (auto e = system.drift_and_kick(step); e != cudaSuccess) return cuda_error(e, "warm-up");
  }
  const SystemClock clock;
  std::vector<Seconds> latencies;
  {
    const Mark window("steps", options.steps);
    for (int i = 0; i < options.steps; ++i) {
      const Instant start = clock.now();
      if (auto e = system.drift_and_kick(step); e != cudaSuccess) return cuda_error(e, "step");
      latencies.push_back(clock.now() - start);
    }
  }
  // The last kick went half a step too far.
  if (auto e = system.half_kick(-step); e != cudaSuccess) return cuda_error(e, "last kick");
  if (auto e = system.store(bodies); e != cudaSuccess)
    return cuda_error(e, "cannot read the bodies");
  return latencies;
}

}  // namespace ergo::workload
