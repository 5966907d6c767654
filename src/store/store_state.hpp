#pragma once

#include "ergo/store/store.hpp"
#include "store/sqlite.hpp"

#include <filesystem>
#include <string>

namespace ergo {

struct Store::State {
  sql::Database database;
  std::filesystem::path path;
  StoreOptions options;
  std::string identity;  ///< empty when open for reading only
};

}  // namespace ergo
