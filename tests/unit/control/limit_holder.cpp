// limit_holder hold|cycle|once WATTS UUID…: sets a limit under the process's environment and says
// "set", or the error. hold: until stdin ends, reading the limits again with each byte, then
// restores. cycle: restores and begins again, for ever. once: sets another limit as well, and
// restores. FILE_SIZE limits how large its files may grow, as a full disk does.
#include "ergo/control/power_limit.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

void limit_file_size() {
  const char* text = std::getenv("FILE_SIZE");
  if (text == nullptr) return;
  std::signal(SIGXFSZ, SIG_IGN);
  const rlim_t bytes = std::strtoul(text, nullptr, 10);
  const rlimit limit{bytes, bytes};
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

void say(const std::string& text) {
  std::puts(text.c_str());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() < 3) return 2;
  if (words[0] == "guardian") {
    return ergo::control::guardian_main(std::span(words).subspan(1));
  }
  limit_file_size();
  const std::vector<std::string> uuids(words.begin() + 2, words.end());
  ergo::control::LimitOptions options;
  options.guardian = {argv[0], "guardian"};
  for (;;) {
    auto guard = ergo::control::set_power_limit(ergo::Environment::from_process(), uuids,
                                                ergo::Watts(std::stod(words[1])), options);
    if (!guard) {
      say(guard.error().text());
      return 1;
    }
    say("set");
    if (words[0] == "once") {
      const auto changed = (*guard)->change(ergo::Watts(std::stod(words[1]) + 10));
      return (*guard)->restore() && changed ? 0 : 1;
    }
    if (words[0] == "hold") {
      char byte = 0;
      while (::read(STDIN_FILENO, &byte, 1) > 0)
        say((*guard)->check().value_or("unchanged"));
      return (*guard)->restore() ? 0 : 1;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}
