#include "verbs.hpp"

#include <iostream>

namespace ergo::cli {

void print_error(const Error& error) {
  std::cerr << "ergo: " << error.message << "\n";
  if (!error.remedy.empty()) std::cerr << "      " << error.remedy << "\n";
}

}  // namespace ergo::cli
