#include <cstdio>
#include <exception>
#include <iostream>

#include "verbs.hpp"

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

int run(int argc, char** argv) {
  ergo::cli::CommandLine line;
  line.program = split_program(argc, argv);
  line.app.require_subcommand(1);
  line.app.set_version_flag("--version", std::string("ergo ") + ERGO_VERSION);
  ergo::cli::add_run(line);
  ergo::cli::add_sensors(line);
  ergo::cli::add_predict(line);
  ergo::cli::add_evaluate(line);
  ergo::cli::add_advise(line);
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = line.app.exit(error);
    const bool passes_codes_on = argc > 1 && std::string_view(argv[1]) == "run";
    return status == 0 ? 0 : (passes_codes_on ? ergo::cli::own_failure : 2);
  }
  return line.exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "ergo: " << error.what() << "\n";
    return ergo::cli::own_failure;
  }
}
