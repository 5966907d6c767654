/* The C interface, used from C. Prints what went wrong and returns how much did. */
#include "ergo/ergo.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int failures = 0;

#define CHECK(condition)                                      \
  do {                                                        \
    if (!(condition)) {                                       \
      fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
      ++failures;                                             \
    }                                                         \
  } while (0)

static void wait_s(double seconds) {
  struct timespec t;
  t.tv_sec = (time_t)seconds;
  t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
  nanosleep(&t, NULL);
}

static void check_bad_calls(ergo_monitor* monitor) {
  ergo_result result;
  ergo_signal signal;
  size_t count = 0;
  CHECK(ergo_begin(NULL, "a") == 0);
  CHECK(ergo_begin(monitor, NULL) == 0);
  CHECK(ergo_end(NULL, 1, &result) == ERGO_INVALID);
  CHECK(ergo_end(monitor, 1, NULL) == ERGO_INVALID);
  CHECK(ergo_end(monitor, 12345, &result) == ERGO_NO_SUCH_WINDOW);
  CHECK(ergo_cancel(NULL, 1) == ERGO_INVALID);
  CHECK(ergo_cancel(monitor, 0) == ERGO_NO_SUCH_WINDOW);
  CHECK(ergo_signal_count(NULL) == 0);
  CHECK(ergo_signal_at(monitor, 100000, &signal) == ERGO_INVALID);
  CHECK(ergo_signal_at(monitor, 0, NULL) == ERGO_INVALID);
  CHECK(ergo_samples(monitor, 100000, 0, 1, NULL, 0, &count) == ERGO_INVALID);
  CHECK(ergo_samples(monitor, 0, 0, 1, NULL, 0, NULL) == ERGO_INVALID);
}

static void check_bad_starts(void) {
  char error[64] = "";
  char tiny[4] = "";
  CHECK(ergo_monitor_start(0.0, NULL, error, sizeof error) == NULL);
  CHECK(strstr(error, "1 ms") != NULL);
  CHECK(ergo_monitor_start(0.0, NULL, tiny, sizeof tiny) == NULL);
  CHECK(strlen(tiny) == 3);
  CHECK(ergo_monitor_start(0.0, NULL, NULL, 0) == NULL);
  CHECK(ergo_monitor_start(0.1, ",,", error, sizeof error) == NULL);
  ergo_monitor_stop(NULL);
}

static void check_windows(ergo_monitor* monitor) {
  ergo_result outer, inner;
  ergo_channel channels[8];
  size_t i, used;
  int gpu = -1;
  const ergo_window a = ergo_begin(monitor, "outer");
  const ergo_window b = ergo_begin(monitor, "inner");
  const ergo_window c = ergo_begin(monitor, "dropped");
  CHECK(a != 0 && b != 0 && c != 0 && a != b && b != c);
  wait_s(0.6);
  CHECK(ergo_cancel(monitor, c) == ERGO_OK);
  CHECK(ergo_end(monitor, c, &inner) == ERGO_NO_SUCH_WINDOW);
  CHECK(ergo_end(monitor, b, &inner) == ERGO_OK);
  memset(channels, 0x55, sizeof channels);
  CHECK(ergo_end_channels(monitor, a, &outer, channels, 7) == ERGO_OK);
  CHECK(ergo_end(monitor, a, &outer) == ERGO_NO_SUCH_WINDOW);
  CHECK(outer.duration_s >= 0.6 && outer.duration_s >= inner.duration_s);
  CHECK(outer.has_measured && outer.low_j <= outer.measured_j && outer.measured_j <= outer.high_j);
  CHECK(inner.has_measured && inner.measured_j <= outer.high_j);
  CHECK(outer.channel_count >= 1);
  CHECK(channels[7].provenance == 0x55555555); /* beyond the capacity nothing is written */
  used = outer.channel_count < 7 ? outer.channel_count : 7;
  for (i = 0; i < used; ++i)
    if (strcmp(channels[i].channel, "gpu0") == 0) gpu = (int)i;
  CHECK(gpu >= 0);
  if (gpu < 0) return;
  CHECK(channels[gpu].provenance == ERGO_SIMULATED && channels[gpu].in_total == 1);
  CHECK(strncmp(channels[gpu].source, "nvml.", 5) == 0);
  CHECK(channels[gpu].joules > 0 && channels[gpu].mean_w > 0);
  printf("%.6f %.6f %.6f\n", channels[gpu].low_j, channels[gpu].joules, channels[gpu].high_j);
}

static void check_signals(ergo_monitor* monitor) {
  ergo_signal signal;
  ergo_sample samples[3];
  size_t i, count = 0;
  for (i = 0; i < ergo_signal_count(monitor); ++i) {
    CHECK(ergo_signal_at(monitor, i, &signal) == ERGO_OK);
    if (strcmp(signal.name, "nvml.total_energy@gpu0") != 0) continue;
    CHECK(strcmp(signal.unit, "J") == 0);
    CHECK(ergo_samples(monitor, i, 0, INT64_MAX, samples, 3, &count) == ERGO_OK);
    CHECK(count > 3); /* all are counted, three are written */
    CHECK(samples[0].time_ns < samples[1].time_ns && samples[1].time_ns <= samples[2].time_ns);
    CHECK(samples[0].value <= samples[2].value);
    return;
  }
  CHECK(!"there is a counter");
}

static void check_fork(ergo_monitor* monitor) {
  ergo_result result;
  int status = -1;
  const ergo_window window = ergo_begin(monitor, "epoch");
  const pid_t child = fork();
  if (child == 0) {
    const int right = ergo_end(monitor, window, &result) == ERGO_AFTER_FORK &&
                      ergo_cancel(monitor, window) == ERGO_AFTER_FORK &&
                      ergo_begin(monitor, "b") == 0;
    ergo_monitor_stop(monitor);
    _exit(right ? 0 : 1);
  }
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  CHECK(ergo_cancel(monitor, window) == ERGO_OK);
}

int main(void) {
  char error[256] = "";
  ergo_monitor* monitor;
  check_bad_starts();
  monitor = ergo_monitor_start(0.02, "all", error, sizeof error);
  if (monitor == NULL) {
    fprintf(stderr, "%s\n", error);
    return 1;
  }
  CHECK(strchr(ergo_version(), '.') != NULL);
  check_bad_calls(monitor);
  check_windows(monitor);
  check_signals(monitor);
  check_fork(monitor);
  ergo_monitor_stop(monitor);
  return failures;
}
