// The least program that wraps a command as `ergo run` does: child_wrapper COMMAND…. Ends with the
// command's exit code; names survivors on stderr.

#include "ergo/experiment/child.hpp"

#include <cstdio>
#include <string>

int main(int argc, char** argv) {
  auto signals = ergo::SignalForwarder::install();
  if (!signals) return 125;
  ergo::ChildSpec spec;
  spec.argv.assign(argv + 1, argv + argc);
  spec.adopt_orphans = true;
  auto child = ergo::launch(spec);
  if (!child) {
    std::fprintf(stderr, "%s\n", child.error().text().c_str());
    return ergo::exit_code_of_failed_launch(child.error());
  }
  auto end = child->wait(&*signals);
  if (!end) return 125;
  for (const ergo::Survivor& survivor : child->survivors()) {
    std::fprintf(stderr, "survivor %d %s\n", survivor.pid, survivor.command.c_str());
  }
  return end->exit_code;
}
