/* Ergometer's C interface: windows around any piece of code. Link with libergo_c.
 * docs/user/library.md has a complete example.
 *
 * Thread-safe, but for ergo_monitor_stop, which must be the last call on its monitor. No function
 * throws or exits. */
#ifndef ERGO_ERGO_H
#define ERGO_ERGO_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* C has no other way to name a type. NOLINTBEGIN(modernize-use-using) */

typedef struct ergo_monitor ergo_monitor;
typedef uint64_t ergo_window; /* 0 is no window */

enum {
  ERGO_OK = 0,
  ERGO_NO_SUCH_WINDOW = 1, /* not open: never begun, or ended or cancelled before */
  ERGO_INVALID = 2,        /* a null pointer */
  ERGO_AFTER_FORK = 3      /* the monitor belongs to the parent process: start a new one */
};

/* How a number came to be. */
enum { ERGO_MEASURED = 0, ERGO_DERIVED = 1, ERGO_ESTIMATED = 2, ERGO_SIMULATED = 3 };

/* Energy of one channel in one window; joules in [low_j, high_j] with 95 % confidence. */
typedef struct ergo_channel {
  char channel[32]; /* "gpu0", "cpu0", "dram0", "node" */
  char source[64];  /* "nvml.total_energy" */
  int provenance;
  int in_total; /* 0 for channels that overlap others */
  double joules, low_j, high_j, mean_w;
} ergo_channel;

/* Total of a window. Measured and estimated joules are never added up; what was not measured has
 * its flag at 0. */
typedef struct ergo_result {
  double duration_s;
  int has_measured;
  double measured_j, low_j, high_j;
  int has_estimated;
  double estimated_j;
  size_t channel_count; /* as found; ergo_end_channels() hands them out */
} ergo_result;

/* Starts reading the sensors each `period_s` seconds (0.001 and more). `gpus`: "all", "none",
 * "0,1", UUIDs, or NULL for what CUDA_VISIBLE_DEVICES shows. NULL on failure, with the reason in
 * `error` (may be NULL). */
ergo_monitor* ergo_monitor_start(double period_s, const char* gpus, char* error, size_t error_size);
void ergo_monitor_stop(ergo_monitor* monitor);

/* Opens a window. Windows may nest and overlap. 0 on failure. */
ergo_window ergo_begin(ergo_monitor* monitor, const char* name);
/* Closes a window. */
int ergo_end(ergo_monitor* monitor, ergo_window window, ergo_result* result);
/* The same, and writes up to `capacity` channels. */
int ergo_end_channels(ergo_monitor* monitor, ergo_window window, ergo_result* result,
                      ergo_channel* channels, size_t capacity);
/* Forgets an open window. */
int ergo_cancel(ergo_monitor* monitor, ergo_window window);

/* One signal that a monitor reads. */
typedef struct ergo_signal {
  char name[96]; /* "nvml.total_energy@gpu0", "gpu0.sm_utilization" */
  char unit[16]; /* "J", "W", "%" */
} ergo_signal;

/* One reading. Energies are cumulative since the monitor's start. */
typedef struct ergo_sample {
  int64_t time_ns; /* CLOCK_MONOTONIC */
  double value;
} ergo_sample;

/* Signals so far; their number may grow. 0 for a null pointer. */
size_t ergo_signal_count(ergo_monitor* monitor);
/* ERGO_INVALID when there is no such index. */
int ergo_signal_at(ergo_monitor* monitor, size_t index, ergo_signal* signal);
/* Readings of a signal from `from_ns` to `to_ns`, in order. Writes up to `capacity` of them;
 * `count` tells how many there are. */
int ergo_samples(ergo_monitor* monitor, size_t index, int64_t from_ns, int64_t to_ns,
                 ergo_sample* samples, size_t capacity, size_t* count);

/* "0.1.0" */
const char* ergo_version(void);

/* NOLINTEND(modernize-use-using) */

#ifdef __cplusplus
}
#endif

#endif
