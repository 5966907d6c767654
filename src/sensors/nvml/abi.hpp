#pragma once
// The binary interface of NVIDIA's management library, as far as Ergometer uses it (and as far as
// the simulated node offers it): return codes, constants, struct layouts for x86-64 and AArch64
// Linux (LP64), and function types. Written from the documented facts; sizes and offsets are
// checked below. No declaration here links to anything: the functions are found by dlsym
// (library.hpp) under the name of the type with "nvml" in front.

#include <cstddef>
#include <cstdint>

namespace ergo::nvml::abi {

using Return = int;  // an enum in C: the size of int
inline constexpr Return success = 0;
inline constexpr Return uninitialized = 1;
inline constexpr Return invalid_argument = 2;
inline constexpr Return not_supported = 3;
inline constexpr Return no_permission = 4;
inline constexpr Return not_found = 6;
inline constexpr Return insufficient_size = 7;
inline constexpr Return insufficient_power = 8;
inline constexpr Return driver_not_loaded = 9;
inline constexpr Return timeout = 10;
inline constexpr Return irq_issue = 11;
inline constexpr Return library_not_found = 12;
inline constexpr Return function_not_found = 13;
inline constexpr Return corrupted_inforom = 14;
inline constexpr Return gpu_is_lost = 15;
inline constexpr Return reset_required = 16;
inline constexpr Return operating_system = 17;
inline constexpr Return lib_rm_version_mismatch = 18;
inline constexpr Return in_use = 19;
inline constexpr Return memory = 20;
inline constexpr Return no_data = 21;
inline constexpr Return insufficient_resources = 23;
inline constexpr Return argument_version_mismatch = 25;
inline constexpr Return deprecated = 26;
inline constexpr Return not_ready = 27;
inline constexpr Return gpu_not_found = 28;
inline constexpr Return invalid_state = 29;
inline constexpr Return unknown = 999;

/// Opaque handles.
using Device = struct DeviceTag*;
using GpmSample = struct GpmSampleTag*;

// Buffer sizes that the documentation asks for.
inline constexpr unsigned version_buffer_size = 80;
inline constexpr unsigned uuid_buffer_size = 96;
inline constexpr unsigned name_buffer_size = 96;

// nvmlDeviceArchitecture_t. The A100 (GA100) says ampere like its smaller siblings.
namespace architecture {
inline constexpr unsigned kepler = 2;
inline constexpr unsigned maxwell = 3;
inline constexpr unsigned pascal = 4;
inline constexpr unsigned volta = 5;
inline constexpr unsigned turing = 6;
inline constexpr unsigned ampere = 7;
inline constexpr unsigned ada = 8;
inline constexpr unsigned hopper = 9;
inline constexpr unsigned blackwell = 10;
inline constexpr unsigned rubin = 13;
inline constexpr unsigned unknown = 0xffffffffU;
}  // namespace architecture

// nvmlClockType_t
inline constexpr int clock_graphics = 0;
inline constexpr int clock_sm = 1;
inline constexpr int clock_mem = 2;
inline constexpr int clock_video = 3;
// nvmlClockId_t
inline constexpr int clock_id_current = 0;
// nvmlTemperatureSensors_t
inline constexpr int temperature_gpu = 0;
// nvmlEnableState_t and MIG modes
inline constexpr unsigned disabled = 0;
inline constexpr unsigned enabled = 1;

// Fields of nvmlDeviceGetFieldValues.
namespace field {
inline constexpr unsigned perf_policy_power = 74;    // ns
inline constexpr unsigned perf_policy_thermal = 75;  // ns
inline constexpr unsigned memory_temperature = 82;   // °C
inline constexpr unsigned total_energy = 83;         // mJ since driver load; Volta and later
inline constexpr unsigned power_average = 185;       // mW; driver 535 and later
inline constexpr unsigned power_instant = 186;       // mW; driver 535 and later
inline constexpr unsigned power_min_limit = 187;
inline constexpr unsigned power_max_limit = 188;
inline constexpr unsigned power_default_limit = 189;
inline constexpr unsigned power_current_limit = 190;
inline constexpr unsigned energy = 191;  // as total_energy, with a scope
inline constexpr unsigned power_requested_limit = 192;
inline constexpr unsigned throttled_sw_thermal = 269;   // ns
inline constexpr unsigned throttled_hw_thermal = 270;   // ns
inline constexpr unsigned throttled_power_brake = 271;  // ns
}  // namespace field

inline constexpr unsigned scope_gpu = 0;
inline constexpr unsigned scope_module = 1;
inline constexpr unsigned scope_memory = 2;

// nvmlValueType_t
inline constexpr int value_double = 0;
inline constexpr int value_unsigned_int = 1;
inline constexpr int value_unsigned_long = 2;
inline constexpr int value_unsigned_long_long = 3;
inline constexpr int value_signed_long_long = 4;
inline constexpr int value_signed_int = 5;
inline constexpr int value_unsigned_short = 6;

// Bits of nvmlDeviceGetCurrentClocksEventReasons.
namespace reason {
inline constexpr std::uint64_t gpu_idle = 0x1;
inline constexpr std::uint64_t application_clocks = 0x2;
inline constexpr std::uint64_t sw_power_cap = 0x4;
inline constexpr std::uint64_t hw_slowdown = 0x8;
inline constexpr std::uint64_t sync_boost = 0x10;
inline constexpr std::uint64_t sw_thermal = 0x20;
inline constexpr std::uint64_t hw_thermal = 0x40;
inline constexpr std::uint64_t hw_power_brake = 0x80;
inline constexpr std::uint64_t display_clock = 0x100;
}  // namespace reason

/// The version field of structs that carry one: size and version number in one word.
template <class Struct>
constexpr unsigned struct_version(unsigned version) {
  return static_cast<unsigned>(sizeof(Struct)) | (version << 24U);
}

struct Utilization {
  unsigned gpu;     // %
  unsigned memory;  // %
};
static_assert(sizeof(Utilization) == 8);

struct Memory {  // bytes
  std::uint64_t total;
  std::uint64_t free;
  std::uint64_t used;
};
static_assert(sizeof(Memory) == 24 && offsetof(Memory, used) == 16);

struct MemoryV2 {  // bytes
  unsigned version;
  std::uint64_t total;
  std::uint64_t reserved;
  std::uint64_t free;
  std::uint64_t used;
};
static_assert(sizeof(MemoryV2) == 40 && offsetof(MemoryV2, used) == 32);
static_assert(struct_version<MemoryV2>(2) == 0x02000028);

/// What nvmlDeviceGetComputeRunningProcesses (without suffix) fills.
struct ProcessInfoV1 {
  unsigned pid;
  std::uint64_t used_memory;  // bytes; all ones = not available
};
static_assert(sizeof(ProcessInfoV1) == 16);

/// What …_v2 and …_v3 fill.
struct ProcessInfo {
  unsigned pid;
  std::uint64_t used_memory;  // bytes; all ones = not available
  unsigned gpu_instance;      // all ones without MIG
  unsigned compute_instance;
};
static_assert(sizeof(ProcessInfo) == 24 && offsetof(ProcessInfo, gpu_instance) == 16);
inline constexpr std::uint64_t memory_not_available = ~std::uint64_t{0};

union Value {
  double d;
  int si;
  unsigned ui;
  unsigned long ul;
  unsigned long long ull;
  long long sll;
  unsigned short us;
};
static_assert(sizeof(Value) == 8);

struct FieldValue {
  unsigned field;
  unsigned scope;
  long long timestamp;  // µs since 1970; 0 when the driver gave none
  long long latency_us;
  int value_type;
  Return status;
  Value value;
};
static_assert(sizeof(FieldValue) == 40 && offsetof(FieldValue, timestamp) == 8 &&
              offsetof(FieldValue, value_type) == 24 && offsetof(FieldValue, status) == 28 &&
              offsetof(FieldValue, value) == 32);

// nvmlSamplingType_t
inline constexpr int samples_total_power = 0;  // mW

struct Sample {
  unsigned long long timestamp;  // µs since 1970
  Value value;
};
static_assert(sizeof(Sample) == 16 && offsetof(Sample, value) == 8);

struct ProcessUtilizationSample {
  unsigned pid;
  unsigned long long timestamp;  // µs since 1970
  unsigned sm;                   // %
  unsigned memory;
  unsigned encoder;
  unsigned decoder;
};
static_assert(sizeof(ProcessUtilizationSample) == 32 &&
              offsetof(ProcessUtilizationSample, timestamp) == 8 &&
              offsetof(ProcessUtilizationSample, sm) == 16 &&
              offsetof(ProcessUtilizationSample, decoder) == 28);

struct PciInfo {
  char bus_id_legacy[16];
  unsigned domain;
  unsigned bus;
  unsigned device;
  unsigned device_id;  // device in the upper, vendor (0x10de) in the lower half
  unsigned subsystem_id;
  char bus_id[32];
};
static_assert(sizeof(PciInfo) == 68 && offsetof(PciInfo, domain) == 16 &&
              offsetof(PciInfo, device_id) == 28 && offsetof(PciInfo, bus_id) == 36);

struct TemperatureV1 {
  unsigned version;
  int sensor;
  int temperature;  // °C
};
static_assert(sizeof(TemperatureV1) == 12 && struct_version<TemperatureV1>(1) == 0x0100000c);

// GPM: activity counters of Hopper and later.
namespace gpm {
inline constexpr unsigned sm_util = 2;        // %
inline constexpr unsigned sm_occupancy = 3;   // %
inline constexpr unsigned any_tensor = 5;     // %
inline constexpr unsigned dram_bw_util = 10;  // %
inline constexpr unsigned metric_max =
    333;  // the largest of all header versions: we allocate, the driver fills
inline constexpr unsigned struct_version = 1;  // plain numbers here
}  // namespace gpm

struct GpmMetric {
  unsigned id;
  Return status;
  double value;
  const char* short_name;
  const char* long_name;
  const char* unit;
};
static_assert(sizeof(GpmMetric) == 40 && offsetof(GpmMetric, value) == 8);

struct GpmMetricsGet {
  unsigned version;
  unsigned count;
  GpmSample sample1;
  GpmSample sample2;
  GpmMetric metrics[gpm::metric_max];
};
static_assert(offsetof(GpmMetricsGet, sample1) == 8 && offsetof(GpmMetricsGet, metrics) == 24);

struct GpmSupport {
  unsigned version;
  unsigned supported;
};
static_assert(sizeof(GpmSupport) == 8);

// Function types. `unsigned` powers are milliwatts, energies millijoules.
using Init_v2 = Return();
using Shutdown = Return();
using ErrorString = const char*(Return);
using SystemGetDriverVersion = Return(char*, unsigned);
using SystemGetNVMLVersion = Return(char*, unsigned);
using DeviceGetCount_v2 = Return(unsigned*);
using DeviceGetHandleByIndex_v2 = Return(unsigned, Device*);
using DeviceGetHandleByUUID = Return(const char*, Device*);
using DeviceGetIndex = Return(Device, unsigned*);
using DeviceGetUUID = Return(Device, char*, unsigned);
using DeviceGetName = Return(Device, char*, unsigned);
using DeviceGetPciInfo_v3 = Return(Device, PciInfo*);
using DeviceGetArchitecture = Return(Device, unsigned*);
using DeviceGetCudaComputeCapability = Return(Device, int*, int*);
using DeviceGetFieldValues = Return(Device, int, FieldValue*);
using DeviceGetTotalEnergyConsumption = Return(Device, unsigned long long*);
using DeviceGetPowerUsage = Return(Device, unsigned*);
using DeviceGetSamples = Return(Device, int, unsigned long long, int*, unsigned*, Sample*);
using DeviceGetUtilizationRates = Return(Device, Utilization*);
using DeviceGetMemoryInfo = Return(Device, Memory*);
using DeviceGetMemoryInfo_v2 = Return(Device, MemoryV2*);
using DeviceGetClockInfo = Return(Device, int, unsigned*);
using DeviceGetTemperature = Return(Device, int, unsigned*);
using DeviceGetTemperatureV = Return(Device, TemperatureV1*);
using DeviceGetCurrentClocksEventReasons = Return(Device, unsigned long long*);
using DeviceGetCurrentClocksThrottleReasons = Return(Device, unsigned long long*);
using DeviceGetProcessUtilization = Return(Device, ProcessUtilizationSample*, unsigned*,
                                           unsigned long long);
using DeviceGetComputeRunningProcesses = Return(Device, unsigned*, ProcessInfoV1*);
using DeviceGetComputeRunningProcesses_v2 = Return(Device, unsigned*, ProcessInfo*);
using DeviceGetComputeRunningProcesses_v3 = Return(Device, unsigned*, ProcessInfo*);
using DeviceGetMigMode = Return(Device, unsigned*, unsigned*);
using DeviceGetMaxMigDeviceCount = Return(Device, unsigned*);
using DeviceGetMigDeviceHandleByIndex = Return(Device, unsigned, Device*);
using DeviceGetDeviceHandleFromMigDeviceHandle = Return(Device, Device*);
using DeviceGetPersistenceMode = Return(Device, unsigned*);
using DeviceGetPowerManagementLimit = Return(Device, unsigned*);
using DeviceGetPowerManagementDefaultLimit = Return(Device, unsigned*);
using DeviceGetPowerManagementLimitConstraints = Return(Device, unsigned*, unsigned*);
using DeviceGetEnforcedPowerLimit = Return(Device, unsigned*);
using DeviceSetPowerManagementLimit = Return(Device, unsigned);
using GpmQueryDeviceSupport = Return(Device, GpmSupport*);
using GpmSampleAlloc = Return(GpmSample*);
using GpmSampleFree = Return(GpmSample);
using GpmSampleGet = Return(Device, GpmSample);
using GpmMetricsGetFn = Return(GpmMetricsGet*);  // nvmlGpmMetricsGet

}  // namespace ergo::nvml::abi
