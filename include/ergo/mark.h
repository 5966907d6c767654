/* Marks for C and C++: name the phases of a program, so that `ergo run` tells what each of them
 * costs.
 *
 *   #include <ergo/mark.h>
 *   ergo_mark_begin("epoch");
 *   train();
 *   ergo_mark_end_count("epoch", samples);
 *
 * One header, nothing to link. Outside `ergo run`, or when nobody listens, the calls do nothing and
 * cost a few nanoseconds. A mark costs a few microseconds. It never blocks and never fails: when
 * the socket is full, marks are kept in memory (up to 4 MiB) and sent with the next ones or at
 * exit; what is lost beyond that is reported as a number. Safe to use from several threads and
 * after fork(); errno is left alone. Not for signal handlers.
 *
 * Names: up to 255 bytes of UTF-8; blanks and control characters become '_'. Windows of one name
 * nest like brackets within a process; different names may overlap. The count says how many items
 * (samples, steps, inferences) a window held.
 *
 * Needs Linux with GCC or Clang, and POSIX 2008 declarations (the default; with -std=c99 add
 * -D_GNU_SOURCE).
 */
#ifndef ERGO_MARK_H
#define ERGO_MARK_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  ERGO_MARK_NAME_BYTES = 255,
  ERGO_MARK_BYTES = 384,          /* the longest mark is shorter */
  ERGO_MARK_KEPT_BYTES = 1 << 22, /* of marks that wait for room in the socket */
  ERGO_MARK_EXIT_MS = 2000,       /* how long exit() may wait for that room */
  ERGO_MARK_STALL_MS = 100        /* and how long when there is none at all */
};

/* Shared by all source files of a program or library that include this header. */
struct ergo_mark_state {
  int holder; /* pid of the process that holds the lock; of a dead parent after fork(): then it is
                 void */
  int pid;    /* of the process that `fd` and `kept` belong to; 0: not set up yet */
  int fd;
  int off; /* 1: nobody listens; 2: nobody ever asked for marks, which holds for forked children too
            */
  dev_t device;
  ino_t inode; /* `fd` is still our socket, and not what the program opened after closing everything
                */
  char* kept;  /* marks that wait: two bytes of length, then text */
  size_t kept_begin, kept_end;
  long long lost;
  int exit_registered;
};

__attribute__((weak, visibility("hidden"))) struct ergo_mark_state ergo_mark_shared = {
    0, 0, -1, 0, 0, 0, NULL, 0, 0, 0, 0};

/* ---- What follows up to "Public" is not for users. ---- */

/* The holder only makes calls that do not block, so the wait is short, and it is bounded (0.2 s) in
 * case the holder was interrupted by a handler that sends marks itself. */
static inline int ergo_mark_lock(int self) {
  int tries;
  for (tries = 0; tries < 4000; ++tries) {
    const struct timespec moment = {0, 50000};
    int expected = 0;
    if (__atomic_compare_exchange_n(&ergo_mark_shared.holder, &expected, self, 0, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED))
      return 1;
    if (expected != self && __atomic_compare_exchange_n(&ergo_mark_shared.holder, &expected, self,
                                                        0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
      return 1;
    if (tries < 100)
      sched_yield();
    else
      nanosleep(&moment, NULL);
  }
  return 0;
}

static inline void ergo_mark_unlock(void) {
  __atomic_store_n(&ergo_mark_shared.holder, 0, __ATOMIC_RELEASE);
}

/* `pid` and `off` are looked at without the lock. */
static inline void ergo_mark_set(int* field, int value) {
  __atomic_store_n(field, value, __ATOMIC_RELEASE);
}
static inline int ergo_mark_get(const int* field) {
  return __atomic_load_n(field, __ATOMIC_ACQUIRE);
}

static inline int ergo_mark_owns_fd(const struct ergo_mark_state* s) {
  struct stat info;
  return s->fd >= 0 && fstat(s->fd, &info) == 0 && info.st_dev == s->device &&
         info.st_ino == s->inode;
}

/* Returns the new value of `off`. */
static inline int ergo_mark_connect(struct ergo_mark_state* s) {
  const char* path = getenv("ERGO_MARKS");
  struct sockaddr_un address;
  struct stat info;
  s->fd = -1;
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  if (path == NULL || *path == '\0' || strlen(path) >= sizeof address.sun_path) return 2;
  memcpy(address.sun_path, path, strlen(path));
  s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (s->fd >= 0 &&
      s->fd < 3) { /* the program closed its standard streams; their numbers are not for us */
    const int higher = fcntl(s->fd, F_DUPFD_CLOEXEC, 3);
    close(s->fd);
    s->fd = higher;
  }
  if (s->fd < 0) return 1;
  if (connect(s->fd, (const struct sockaddr*)&address, (socklen_t)sizeof address) != 0 ||
      fstat(s->fd, &info) != 0) {
    close(s->fd);
    s->fd = -1;
    return 1;
  }
  s->device = info.st_dev;
  s->inode = info.st_ino;
  return 0;
}

/* After a fork the parent keeps its marks and its connection; the child begins anew. */
static inline int ergo_mark_ready(struct ergo_mark_state* s, int self) {
  if (s->pid != self) {
    if (s->pid != 0 && ergo_mark_owns_fd(s)) close(s->fd);
    s->kept_begin = s->kept_end = 0;
    __atomic_store_n(&s->lost, 0, __ATOMIC_RELAXED);
    ergo_mark_set(&s->off, ergo_mark_connect(s));
    ergo_mark_set(&s->pid, self);
  } else if (!s->off && !ergo_mark_owns_fd(s)) {
    ergo_mark_set(&s->off, ergo_mark_connect(s));
  }
  return !s->off;
}

/* 1: done with it (sent, or nobody listens any more); 0: no room now. */
static inline int ergo_mark_try_send(struct ergo_mark_state* s, const char* text, size_t length) {
  if (send(s->fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return 1;
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == EINTR) return 0;
  ergo_mark_set(&s->off, 1);
  close(s->fd);
  s->fd = -1;
  return 1;
}

static inline size_t ergo_mark_put(char* out, size_t at, const char* text) {
  const size_t length = strlen(text);
  memcpy(out + at, text, length);
  return at + length;
}

static inline size_t ergo_mark_put_number(char* out, size_t at, long long value) {
  char digits[24];
  size_t n = 0;
  do {
    digits[n++] = (char)('0' + (int)(value % 10));
    value /= 10;
  } while (value > 0);
  while (n > 0)
    out[at++] = digits[--n];
  return at;
}

static inline size_t ergo_mark_put_name(char* out, size_t at, const char* name) {
  size_t n = name == NULL ? 0 : strnlen(name, ERGO_MARK_NAME_BYTES + 1);
  size_t i;
  if (n > ERGO_MARK_NAME_BYTES) {
    n = ERGO_MARK_NAME_BYTES;
    while (n > 0 && ((unsigned char)name[n] & 0xC0) == 0x80)
      --n; /* not in the middle of a character */
  }
  if (n == 0) out[at++] = '_';
  for (i = 0; i < n; ++i) {
    const unsigned char c = (unsigned char)name[i];
    out[at++] = c <= 0x20 || c == 0x7F ? '_' : (char)c;
  }
  return at;
}

static inline long long ergo_mark_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (long long)t.tv_sec * 1000000000LL + (long long)t.tv_nsec;
}

/* Sends what waits, oldest first, and then the number of marks that were lost. 1: nothing is left.
 */
static inline int ergo_mark_flush_kept(struct ergo_mark_state* s) {
  while (s->kept_begin < s->kept_end) {
    const unsigned char* at = (const unsigned char*)s->kept + s->kept_begin;
    const size_t length = (size_t)at[0] + ((size_t)at[1] << 8);
    if (!ergo_mark_try_send(s, (const char*)at + 2, length)) return 0;
    s->kept_begin += 2 + length;
    if (s->off) break;
  }
  s->kept_begin = s->kept_end = 0;
  if (__atomic_load_n(&s->lost, __ATOMIC_RELAXED) > 0 && !s->off) {
    char text[ERGO_MARK_BYTES];
    const long long lost = __atomic_exchange_n(&s->lost, 0, __ATOMIC_RELAXED);
    size_t n = ergo_mark_put(text, 0, "ergo1 event ergo.lost=");
    n = ergo_mark_put_number(text, n, lost);
    text[n++] = ' ';
    n = ergo_mark_put_number(text, n, ergo_mark_now());
    if (!ergo_mark_try_send(s, text, n)) {
      __atomic_fetch_add(&s->lost, lost, __ATOMIC_RELAXED);
      return 0;
    }
  }
  return 1;
}

/* Waits until everything is sent, for `most_ms` in all and for ERGO_MARK_STALL_MS without any
 * progress. 1: not stalled. */
static inline int ergo_mark_drain(struct ergo_mark_state* s, long long most_ms) {
  const long long ms = 1000000LL;
  const long long last = ergo_mark_now() + most_ms * ms;
  long long patience = ergo_mark_now() + ERGO_MARK_STALL_MS * ms;
  while (!s->off && ergo_mark_owns_fd(s)) {
    const size_t before = s->kept_begin;
    struct pollfd room;
    if (ergo_mark_flush_kept(s) || ergo_mark_now() > last) break;
    if (s->kept_begin != before) patience = ergo_mark_now() + ERGO_MARK_STALL_MS * ms;
    if (ergo_mark_now() > patience) return 0;
    room.fd = s->fd;
    room.events = POLLOUT;
    room.revents = 0;
    poll(&room, 1, 10);
  }
  return 1;
}

static inline void ergo_mark_at_exit(void) {
  struct ergo_mark_state* s = &ergo_mark_shared;
  const int self = (int)getpid();
  if (s->pid != self || !ergo_mark_lock(self)) return;
  if (ergo_mark_drain(s, ERGO_MARK_EXIT_MS) && s->kept_begin < s->kept_end) {
    /* Too many for the time there is: say at least how many. */
    long long left = 0;
    for (; s->kept_begin < s->kept_end; ++left) {
      const unsigned char* at = (const unsigned char*)s->kept + s->kept_begin;
      s->kept_begin += 2 + (size_t)at[0] + ((size_t)at[1] << 8);
    }
    __atomic_fetch_add(&s->lost, left, __ATOMIC_RELAXED);
    ergo_mark_drain(s, ERGO_MARK_STALL_MS);
  }
  ergo_mark_unlock();
}

static inline void ergo_mark_keep(struct ergo_mark_state* s, const char* text, size_t length) {
  if (!s->exit_registered) {
    s->exit_registered = 1;
    atexit(ergo_mark_at_exit);
  }
  if (s->kept == NULL) s->kept = (char*)malloc(ERGO_MARK_KEPT_BYTES);
  /* Only when half is free: it moves all that is kept. */
  if (s->kept_end + 2 + length > ERGO_MARK_KEPT_BYTES && s->kept_begin > ERGO_MARK_KEPT_BYTES / 2) {
    memmove(s->kept, s->kept + s->kept_begin, s->kept_end - s->kept_begin);
    s->kept_end -= s->kept_begin;
    s->kept_begin = 0;
  }
  if (s->kept == NULL || s->kept_end + 2 + length > ERGO_MARK_KEPT_BYTES) {
    __atomic_fetch_add(&s->lost, 1, __ATOMIC_RELAXED);
    return;
  }
  s->kept[s->kept_end] = (char)(length & 0xFF);
  s->kept[s->kept_end + 1] = (char)(length >> 8);
  memcpy(s->kept + s->kept_end + 2, text, length);
  s->kept_end += 2 + length;
}

static inline void ergo_mark_send_all(const char* verb, const char* name, long long count,
                                      long long total) {
  struct ergo_mark_state* s = &ergo_mark_shared;
  const int saved_errno = errno;
  char text[ERGO_MARK_BYTES];
  size_t n;
  long long now;
  int self;
  if (ergo_mark_get(&s->off) == 2) return;
  self = (int)getpid();
  if (ergo_mark_get(&s->pid) == self && ergo_mark_get(&s->off)) return;
  now = ergo_mark_now();
  n = ergo_mark_put(text, 0, verb);
  n = ergo_mark_put_name(text, n, name);
  text[n++] = ' ';
  n = ergo_mark_put_number(text, n, now);
  if (count >= 0) {
    n = ergo_mark_put(text, n, " count=");
    n = ergo_mark_put_number(text, n, count);
  }
  if (total > 0) {
    n = ergo_mark_put(text, n, " total=");
    n = ergo_mark_put_number(text, n, total);
  }
  if (ergo_mark_lock(self)) {
    if (ergo_mark_ready(s, self) && (!ergo_mark_flush_kept(s) || !ergo_mark_try_send(s, text, n)))
      ergo_mark_keep(s, text, n);
    ergo_mark_unlock();
  } else {
    __atomic_fetch_add(&s->lost, 1, __ATOMIC_RELAXED);
  }
  errno = saved_errno;
}

static inline void ergo_mark_send(const char* verb, const char* name, long long count) {
  ergo_mark_send_all(verb, name, count, 0);
}

/* ---- Public ---- */

/* Begins a window. */
static inline void ergo_mark_begin(const char* name) {
  ergo_mark_send("ergo1 begin ", name, -1);
}
/* Begins a window of `count` items; a negative count is none. */
static inline void ergo_mark_begin_count(const char* name, long long count) {
  ergo_mark_send("ergo1 begin ", name, count);
}
/* The same, and says how many windows of this name there will be in all: `ergo run` then predicts
 * what they will have cost together. */
static inline void ergo_mark_begin_total(const char* name, long long count, long long total) {
  ergo_mark_send_all("ergo1 begin ", name, count, total);
}
/* Ends the window of this name that was begun last. */
static inline void ergo_mark_end(const char* name) {
  ergo_mark_send("ergo1 end ", name, -1);
}
/* The same, and says how many items it held. */
static inline void ergo_mark_end_count(const char* name, long long count) {
  ergo_mark_send("ergo1 end ", name, count);
}
/* Something happened now. */
static inline void ergo_mark_event(const char* name) {
  ergo_mark_send("ergo1 event ", name, -1);
}

#ifdef __cplusplus
}
#endif

#endif
