/* The simulated node's own functions, exported by libergo-sim-nvml.so beside NVML's and contained
   in the static library ergo_sim_client. They act on the node whose state file ERGO_SIM_STATE
   names. Times are nanoseconds of the simulation's clock, which is CLOCK_MONOTONIC unless the node
   was made with a manual clock. Thread-safe. */
#ifndef ERGO_SIM_API_H
#define ERGO_SIM_API_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The marker by which clients know that a library is the simulated one. Always 1. */
int ergo_sim_is_simulated(void);

/* Number of simulated GPUs, or -1 without a node. */
int ergo_sim_gpu_count(void);

/* The present, and moving a manual clock: 0, or -1 when there is no node, its clock is not manual,
 * or t is the past. */
int64_t ergo_sim_now_ns(void);
int ergo_sim_set_time_ns(int64_t t_ns);

/* True energy in joules between two times; NaN for the future, and for times longer ago than is
   remembered. Domains of a CPU package: 0 package, 1 core, 2 uncore, 3 DRAM. */
double ergo_sim_truth_j(unsigned gpu, int64_t from_ns, int64_t to_ns);
double ergo_sim_truth_cpu_j(unsigned package, int domain, int64_t from_ns, int64_t to_ns);

/* When the simulation began, the gain of a GPU's sensor, true power now (W) and core clock now
 * (MHz). */
int64_t ergo_sim_start_ns(void);
double ergo_sim_gain(unsigned gpu);
double ergo_sim_power_w(unsigned gpu);
double ergo_sim_clock_mhz(unsigned gpu);

/* This process's demand on a GPU from now on, all numbers 0..1: activity of the arithmetic units,
   share of the memory bandwidth, share of the time that does not depend on the core clock. Zero
   demand ends it. 0, or -1 on failure. */
int ergo_sim_set_demand(unsigned gpu, double compute, double memory, double memory_bound);

/* Does `work_s` seconds of work (as the undisturbed GPU at its highest clock counts them), waits
   until it is done, and returns how long it took in seconds; negative on failure. Without any
   demand it only waits so long. A manual clock is moved. */
double ergo_sim_run(unsigned gpu, double compute, double memory, double memory_bound,
                    double work_s);

/* Memory held by this process on a GPU, bytes. 0, or -1 on failure. */
int ergo_sim_set_memory(unsigned gpu, uint64_t bytes);

/* Faults: the GPU falls off the bus, or its energy counter starts again at zero, at time t. 0, or
 * -1 on failure. */
int ergo_sim_lose_gpu(unsigned gpu, int64_t t_ns);
int ergo_sim_reset_counter(unsigned gpu, int64_t t_ns);

#ifdef __cplusplus
}
#endif

#endif
