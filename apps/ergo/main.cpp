#include "calling_user.hpp"
#include "ergo/core/parse.hpp"
#include "verbs.hpp"

#include <signal.h>

#include <cstdio>
#include <exception>
#include <iostream>

namespace {

/// Everything after the first "--" belongs to the program that is measured, whatever it looks like.
std::vector<std::string> split_program(int& argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--") {
      std::vector<std::string> program(argv + i + 1, argv + argc);
      argc = i;
      return program;
    }
  }
  return {};
}

/// "--sim MODELS" on any verb. The option is only declared for --help and checked by CLI11: verbs
/// run while it parses, and the node must stand before that, so start_simulated_node() has read it
/// already.
void declare_simulated_node(CLI::App& app) {
  app.fallthrough();
  app.add_option("--sim",
                 "Use a simulated node (v100, t4, k80, a100, h200; several: v100,t4) in place of "
                 "this machine")
      ->expected(1);
  app.add_option("--sim-seed", "Seed of the simulated node (default 1)")
      ->check(CLI::NonNegativeNumber);
}

std::optional<std::string> value_of(std::string_view option, int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == option && i + 1 < argc) return std::string(argv[i + 1]);
    if (word.starts_with(option) && word.substr(option.size()).starts_with('=')) {
      return std::string(word.substr(option.size() + 1));
    }
  }
  return std::nullopt;
}

bool start_simulated_node(ergo::cli::CommandLine& line, int argc, char** argv) {
  const auto models = value_of("--sim", argc, argv);
  if (!models) return true;
  if (const auto user = ergo::cli::start_again_as_calling_user(argv); !user) {
    ergo::cli::print_error(user.error());
    return false;
  }
  const auto seed = ergo::parse_uint(value_of("--sim-seed", argc, argv).value_or("1"));
  auto node = ergo::cli::SimulatedNode::start(*models, seed.value_or(1));
  if (!node) {
    ergo::cli::print_error(node.error());
    return false;
  }
  line.node.emplace(std::move(*node));
  return true;
}

/// A disk that is full for this user (ulimit -f), or a reader of the output that has gone, must
/// fail a write and not end a run without its report. A handler, unlike ignoring, ends at exec: the
/// child has the signals as ergo found them.
void fail_writes_instead_of_dying() {
  for (const int number : {SIGXFSZ, SIGPIPE}) {
    struct sigaction action {};
    ::sigaction(number, nullptr, &action);
    if (action.sa_handler != SIG_DFL) continue;
    action.sa_handler = [](int) {};
    action.sa_flags = SA_RESTART;
    ::sigaction(number, &action, nullptr);
  }
}

/// The exit code, unless what went to stdout did not arrive.
int after_output(int exit_code, bool passes_codes_on) {
  std::cout.flush();
  if (std::cout.good()) return exit_code;
  ergo::cli::print_error({ergo::Errc::io, "the output could not be written to stdout",
                          "the reader of a pipe has ended, or the disk is full"});
  if (passes_codes_on) return ergo::cli::own_failure;
  return exit_code == 0 ? 1 : exit_code;
}

bool runs_commands(std::string_view verb) {
  return verb == "run" || verb == "sweep" || verb == "tune";
}

/// What CLI11 says, in the form of every other error, with the next step.
std::string explain(const CLI::App* app, const CLI::Error& error) {
  const auto verbs = app->get_subcommands();
  const auto words = app->remaining();
  std::string fact = error.what();
  std::string remedy = "ergo --help lists the verbs";
  if (!verbs.empty()) {
    const std::string verb = verbs.front()->get_name();
    remedy = "ergo " + verb + " --help shows what it takes";
    const auto more = app->remaining(true);
    if (runs_commands(verb) && !more.empty() && !more.front().starts_with('-')) {
      fact = "there is no -- before '" + more.front() + "'";
      remedy =
          "a command stands behind one: ergo " + verb + " [options] -- " + more.front() + " ...";
    }
  } else if (!words.empty()) {
    fact = "there is no verb or option '" + words.front() + "'";
  } else if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    fact = "a verb is missing";
  }
  return "ergo: " + fact + "\n      " + remedy + "\n";
}

int run(int argc, char** argv) {
  ergo::cli::CommandLine line;
  line.program = split_program(argc, argv);
  ergo::cli::adopt_choice_of_gpus();
  if (!start_simulated_node(line, argc, argv)) return ergo::cli::own_failure;
  line.app.require_subcommand(1);
  line.app.failure_message(explain);
  declare_simulated_node(line.app);
  line.app.set_version_flag("--version", std::string("ergo ") + ERGO_VERSION);
  ergo::cli::add_run(line);
  ergo::cli::add_sensors(line);
  ergo::cli::add_limits(line);
  ergo::cli::add_sweep(line);
  ergo::cli::add_study(line);
  ergo::cli::add_tune(line);
  ergo::cli::add_report(line);
  ergo::cli::add_compare(line);
  ergo::cli::add_plot(line);
  ergo::cli::add_export(line);
  ergo::cli::add_import(line);
  ergo::cli::add_predict(line);
  ergo::cli::add_evaluate(line);
  ergo::cli::add_advise(line);
  const std::string_view verb = argc > 1 ? argv[1] : "";
  const bool passes_codes_on = verb == "run" || verb == "tune";
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = line.app.exit(error);
    if (status != 0) return passes_codes_on ? ergo::cli::own_failure : 2;
  }
  return after_output(line.exit_code, passes_codes_on);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    fail_writes_instead_of_dying();
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "ergo: " << error.what() << "\n";
    return ergo::cli::own_failure;
  }
}
