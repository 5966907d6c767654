#include "store/sqlite.hpp"

#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>

namespace ergo::sql {
namespace {

std::optional<std::filesystem::path> missing_folder(const std::string& path) {
  std::error_code ignored;
  auto folder = std::filesystem::path(path).parent_path();
  if (folder.empty() || std::filesystem::exists(folder, ignored)) return std::nullopt;
  return folder;
}

/// What SQLite would answer with a disk error, or wait on for ever.
std::optional<Error> no_file(const std::string& path, bool may_create) {
  std::error_code failed;
  const auto status = std::filesystem::status(path, failed);
  if (std::filesystem::is_directory(status)) {
    return Error{Errc::invalid_argument, path + " is a folder, and a store is a file",
                 may_create ? "name a file in it, for example " +
                                  (std::filesystem::path(path) / "ergo.db").string()
                            : "name the store's file; ergo import reads folders of other tools"};
  }
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    return Error{Errc::invalid_argument, path + " is no ordinary file, and a store is one",
                 "name another file"};
  }
  return std::nullopt;
}

Error cannot_open(const std::string& path, int system_errno) {
  std::error_code ignored;
  if (const auto folder = missing_folder(path)) {
    return Error{Errc::not_found, "the folder of " + path + " does not exist",
                 "mkdir -p " + folder->string()};
  }
  if (!std::filesystem::exists(path, ignored) && (system_errno == 0 || system_errno == ENOENT)) {
    return Error{Errc::not_found, "there is no store " + path,
                 "check the name, or record a run with --store " + path};
  }
  Error error =
      system_error("cannot open the store " + path, system_errno != 0 ? system_errno : EIO);
  if (error.code == Errc::permission) {
    error.remedy = "its owner can allow it: chmod a+r " + path +
                   " (to add runs a+rw, and its folder must be open, too)";
  }
  return error;
}

std::string system_text(int number) {
  return number == 0 ? std::string() : ": " + std::generic_category().message(number);
}

}  // namespace

Error error_of(sqlite3* handle, const std::string& path) {
  if (handle == nullptr) return Error{Errc::io, "cannot open the store " + path, {}};
  const int system_errno = sqlite3_system_errno(handle);
  switch (sqlite3_errcode(handle) & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Error{Errc::busy, "the store " + path + " is locked by another program",
                   "wait for it or close it, or use another --store"};
    case SQLITE_FULL:
      return Error{Errc::io, "no space left for the store " + path,
                   "free some space or choose another --store"};
    case SQLITE_READONLY:
      return Error{Errc::permission, "the store " + path + " is read-only",
                   "chmod u+w " + path + " (its folder must be writable, too)"};
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return Error{Errc::permission, "no permission for the store " + path, "chmod u+rw " + path};
    case SQLITE_NOTADB:
      return Error{Errc::corrupt, path + " is not an Ergometer store (not an SQLite file)",
                   "name another file"};
    case SQLITE_CORRUPT:
      return Error{Errc::corrupt, "the store " + path + " is damaged: " + sqlite3_errmsg(handle),
                   "sqlite3 " + path + " .recover | sqlite3 recovered.db"};
    case SQLITE_CANTOPEN:
      return cannot_open(path, system_errno);
    case SQLITE_IOERR:
      return Error{Errc::io,
                   "cannot write or read the store " + path + ": " + sqlite3_errmsg(handle) +
                       system_text(system_errno),
                   "check the disk, its quota and the file-size limit (ulimit -f)"};
    default:
      return Error{Errc::io, "store " + path + ": " + sqlite3_errmsg(handle), {}};
  }
}

void Statement::Finalize::operator()(sqlite3_stmt* handle) const {
  sqlite3_finalize(handle);
}

Statement& Statement::operator<<(std::int64_t value) {
  sqlite3_bind_int64(handle_.get(), ++bound_, value);
  return *this;
}
Statement& Statement::operator<<(double value) {
  sqlite3_bind_double(handle_.get(), ++bound_, value);
  return *this;
}
Statement& Statement::operator<<(const std::string& value) {
  return *this << std::string_view(value);
}
Statement& Statement::operator<<(std::string_view value) {
  sqlite3_bind_text64(handle_.get(), ++bound_, value.data() != nullptr ? value.data() : "",
                      value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}
Statement& Statement::operator<<(std::nullopt_t) {
  sqlite3_bind_null(handle_.get(), ++bound_);
  return *this;
}
Statement& Statement::bind_blob(std::string_view bytes) {
  sqlite3_bind_blob64(handle_.get(), ++bound_, bytes.data() != nullptr ? bytes.data() : "",
                      bytes.size(), SQLITE_TRANSIENT);
  return *this;
}

Result<bool> Statement::step() {
  column_ = 0;
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(handle_.get());
    bound_ = 0;
    return false;
  }
  sqlite3* const database = sqlite3_db_handle(handle_.get());
  const char* const file = sqlite3_db_filename(database, "main");
  Error error = error_of(database, file != nullptr ? file : "");
  sqlite3_reset(handle_.get());
  bound_ = 0;
  return error;
}

Result<void> Statement::run() {
  for (;;) {
    auto row = step();
    if (!row) return row.error();
    if (!*row) return {};
  }
}

bool Statement::next_is_null() const {
  return sqlite3_column_type(handle_.get(), column_) == SQLITE_NULL;
}
Statement& Statement::operator>>(std::int64_t& value) {
  value = sqlite3_column_int64(handle_.get(), column_++);
  return *this;
}
Statement& Statement::operator>>(int& value) {
  value = sqlite3_column_int(handle_.get(), column_++);
  return *this;
}
Statement& Statement::operator>>(bool& value) {
  value = sqlite3_column_int(handle_.get(), column_++) != 0;
  return *this;
}
Statement& Statement::operator>>(std::size_t& value) {
  value = static_cast<std::size_t>(sqlite3_column_int64(handle_.get(), column_++));
  return *this;
}
Statement& Statement::operator>>(double& value) {
  value = sqlite3_column_double(handle_.get(), column_++);
  return *this;
}
Statement& Statement::operator>>(std::string& value) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column_));
  const int size = sqlite3_column_bytes(handle_.get(), column_++);
  value.assign(text != nullptr ? text : "", static_cast<std::size_t>(size));
  return *this;
}
std::string_view Statement::blob() {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(handle_.get(), column_));
  const int size = sqlite3_column_bytes(handle_.get(), column_++);
  return {bytes, static_cast<std::size_t>(size)};
}

void Database::Close::operator()(sqlite3* handle) const {
  sqlite3_close_v2(handle);
}

Result<Database> Database::open(const std::string& path, Open mode, int busy_timeout_ms) {
  if (auto error = no_file(path, mode == Open::create)) return *error;
  const auto attempt = [&](const std::string& name, int flags) -> Result<Database> {
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(name.c_str(), &raw, flags | SQLITE_OPEN_FULLMUTEX, nullptr);
    Database database(std::unique_ptr<sqlite3, Close>(raw), path);
    if (code != SQLITE_OK) return error_of(raw, path);
    sqlite3_extended_result_codes(raw, 1);
    sqlite3_busy_timeout(raw, busy_timeout_ms);
    // The first statement is what really opens the file.
    if (auto version = database.number("PRAGMA schema_version"); !version) return version.error();
    return database;
  };
  if (mode == Open::create) {
    auto made = attempt(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    std::error_code unseen;
    if (made || made.error().code != Errc::not_found || missing_folder(path) ||
        std::filesystem::exists(path, unseen))
      return made;
    return Error{Errc::permission, "cannot make the store " + path + ": its folder takes no files",
                 "name a file in a folder that may be written"};
  }
  if (mode == Open::write) return attempt(path, SQLITE_OPEN_READWRITE);
  auto read = attempt(path, SQLITE_OPEN_READONLY);
  std::error_code ignored;
  if (read || !std::filesystem::exists(path, ignored) ||
      std::filesystem::exists(path + "-wal", ignored))
    return read;
  if (read.error().code != Errc::io && read.error().code != Errc::permission) return read;
  // A file in WAL mode in a folder where no -shm file can be made: nobody writes it, so it may be
  // read as it stands.
  std::string uri = "file:";
  for (const char c : path) {
    uri += (c == '?' || c == '#' || c == '%') ? fmt::format("%{:02x}", static_cast<unsigned>(c))
                                              : std::string(1, c);
  }
  auto immutable = attempt(uri + "?immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
  return immutable ? std::move(immutable) : std::move(read);
}

Result<void> Database::execute(const std::string& statements) {
  if (sqlite3_exec(handle_.get(), statements.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK)
    return {};
  return error_of(handle_.get(), path_);
}

Result<Statement> Database::prepare(std::string_view statement) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v2(handle_.get(), statement.data(),
                                      static_cast<int>(statement.size()), &raw, nullptr);
  if (code == SQLITE_OK) return Statement(raw);
  return error_of(handle_.get(), path_);
}

Result<std::int64_t> Database::number(std::string_view statement) {
  auto prepared = prepare(statement);
  if (!prepared) return prepared.error();
  auto row = prepared->step();
  if (!row) return row.error();
  std::int64_t value = 0;
  if (*row) *prepared >> value;
  return value;
}

std::int64_t Database::last_row() const {
  return sqlite3_last_insert_rowid(handle_.get());
}

Result<Transaction> Transaction::begin(Database& database) {
  if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) return begun.error();
  return Transaction(database);
}

Transaction::~Transaction() {
  // After some failures SQLite has rolled back by itself: then this fails, and rightly so.
  if (database_ != nullptr) (void)database_->execute("ROLLBACK");
}

Result<void> Transaction::commit() {
  auto committed = database_->execute("COMMIT");
  if (committed) database_ = nullptr;
  return committed;
}

}  // namespace ergo::sql
