#pragma once
// The command line of ergo-workload, turned into options.

#include "common/options.hpp"

#include <string>
#include <variant>

namespace ergo::workload {

struct ListRequest {};

struct InfoRequest {
  std::string network;
  int size = 0;
};

using Request = std::variant<ListRequest, InfoRequest, InferenceOptions, TrainingOptions,
                             NBodyOptions, SyntheticOptions>;

/// What is asked for, or the exit code after help or a message has been printed.
std::variant<Request, int> parse_command_line(int argc, char** argv);

}  // namespace ergo::workload
