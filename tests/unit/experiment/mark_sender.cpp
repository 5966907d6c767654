// Sends marks from C++, as a user's program would: mark_sender MODE [N].

#include "ergo/mark.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

void windows() {
  for (int epoch = 0; epoch < 3; ++epoch) {
    ergo::Mark outer("epoch", 100);
    ergo::Mark inner("step");
    inner.set_count(10 + epoch);
    inner.end();
    inner.end();
  }
  ergo::mark_event("done");
}

void many(int n) {
  for (int i = 0; i < n; ++i)
    ergo::Mark window("step", 1);
}

int in_threads(int n) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t, n] {
      const std::string name = "thread" + std::to_string(t);
      for (int i = 0; i < n; ++i)
        ergo::Mark window(name.c_str());
    });
  }
  for (auto& thread : threads)
    thread.join();
  return 0;
}

int in_fork() {
  ergo::Mark parent("parent");
  const pid_t pid = fork();
  if (pid == 0) {
    { ergo::Mark child("child"); }
    std::exit(0);
  }
  waitpid(pid, nullptr, 0);
  return 0;
}

/// A program that closes everything and opens its own file must not find marks in it.
int after_closing_all(const char* file) {
  ergo::mark_event("before");
  for (int fd = 3; fd < 64; ++fd)
    close(fd);
  for (int i = 0; i < 32; ++i) {
    if (open(file, O_WRONLY | O_CREAT, 0600) < 0) return 2;
  }
  ergo::mark_event("after");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  const int n = argc > 2 ? std::atoi(argv[2]) : 0;
  if (mode == "windows") windows();
  if (mode == "many") many(n);
  if (mode == "threads") return in_threads(n);
  if (mode == "fork") return in_fork();
  if (mode == "closed") return after_closing_all(argv[2]);
  if (mode == "long") {
    ergo::Mark window(std::string(400, 'x').c_str());
    ergo::Mark odd("ä b\tc\n");
  }
  if (mode == "cost") {
    timespec a{}, b{};
    clock_gettime(CLOCK_MONOTONIC, &a);
    many(n);
    clock_gettime(CLOCK_MONOTONIC, &b);
    const double ns =
        static_cast<double>(b.tv_sec - a.tv_sec) * 1e9 + static_cast<double>(b.tv_nsec - a.tv_nsec);
    std::printf("%.1f\n", ns / (2.0 * n));
  }
  return 0;
}
