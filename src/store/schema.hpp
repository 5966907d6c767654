#pragma once
// The tables of a store and how older files are brought up to date (docs/user/store.md).

#include "store/sqlite.hpp"

#include <span>
#include <string_view>

namespace ergo::store {

/// PRAGMA application_id of a store: "ERGO".
inline constexpr std::int64_t application_id = 0x4552474F;

/// Script i brings a file from version i to version i + 1. Released scripts never change; a new
/// version is a new script.
std::span<const std::string_view> migrations();
/// The version this program writes.
std::int64_t current_version();

/// Creates or upgrades the tables in one transaction. Errors: `not_supported` for a file of a newer
/// program, `corrupt` for a database of something else.
Result<void> migrate(sql::Database& database);
/// For reading only: refuses newer files and foreign databases; an older file is refused with the
/// command that upgrades it.
Result<void> check_readable(sql::Database& database);

}  // namespace ergo::store
