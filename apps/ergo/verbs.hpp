#pragma once
// The verbs of the command line. Each lives in the file of its name and registers itself here.

#include "ergo/core/result.hpp"
#include "simulated_node.hpp"

#include <CLI/CLI.hpp>

#include <optional>
#include <string>
#include <vector>

namespace ergo::cli {

/// What main parses into. A verb's callback sets `exit_code`.
struct CommandLine {
  CLI::App app{"ergo: what a workload costs in energy, and how to make it cost less", "ergo"};
  /// The words after the first "--": the program to measure (run, sweep, tune).
  std::vector<std::string> program;
  /// With --sim: the node that stands in for this machine, until the verb has ended.
  std::optional<SimulatedNode> node;
  int exit_code = 0;
};

void add_run(CommandLine& line);
void add_sensors(CommandLine& line);
void add_limits(CommandLine& line);
void add_sweep(CommandLine& line);
void add_study(CommandLine& line);
void add_tune(CommandLine& line);
void add_report(CommandLine& line);
void add_compare(CommandLine& line);
void add_plot(CommandLine& line);
void add_export(CommandLine& line);
void add_import(CommandLine& line);
void add_predict(CommandLine& line);
void add_evaluate(CommandLine& line);
void add_advise(CommandLine& line);

/// Exit code for ergo's own failure where the child's code is passed on (as env, nice and timeout
/// do).
constexpr int own_failure = 125;

/// Prints "ergo: MESSAGE" and, on a line of its own, the remedy.
void print_error(const Error& error);

}  // namespace ergo::cli
