#pragma once
// A thin layer over SQLite: ownership, and its error codes as ours. Nothing outside src/store
// includes it.

#include "ergo/core/result.hpp"
#include "ergo/core/units.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

struct sqlite3;
struct sqlite3_stmt;

namespace ergo::sql {

class Database;

/// One prepared statement. Columns and parameters are used strictly from left to right, so that
/// adding a column in SQL and in code stays in one order: bind with <<, read with >> or next<T>().
class Statement {
 public:
  explicit Statement(sqlite3_stmt* handle) : handle_(handle) {}

  Statement& operator<<(std::int64_t value);
  Statement& operator<<(double value);
  Statement& operator<<(const std::string& value);
  Statement& operator<<(std::string_view value);
  Statement& operator<<(const char* value) { return *this << std::string_view(value); }
  Statement& operator<<(int value) { return *this << static_cast<std::int64_t>(value); }
  Statement& operator<<(bool value) { return *this << static_cast<std::int64_t>(value); }
  Statement& operator<<(std::size_t value) { return *this << static_cast<std::int64_t>(value); }
  Statement& operator<<(std::nullopt_t);
  template <class D>
  Statement& operator<<(Quantity<D> value) {
    return *this << value.value();
  }
  template <class T>
  Statement& operator<<(const std::optional<T>& value) {
    return value ? *this << *value : *this << std::nullopt;
  }
  /// Bytes are copied.
  Statement& bind_blob(std::string_view bytes);

  /// Runs to the end; for statements without rows. The statement can be bound again afterwards.
  Result<void> run();
  /// The next row: false at the end.
  Result<bool> step();

  [[nodiscard]] bool next_is_null() const;
  Statement& operator>>(std::int64_t& value);
  Statement& operator>>(int& value);
  Statement& operator>>(bool& value);
  Statement& operator>>(std::size_t& value);
  Statement& operator>>(double& value);
  Statement& operator>>(std::string& value);
  template <class D>
  Statement& operator>>(Quantity<D>& value) {
    double raw = 0.0;
    *this >> raw;
    value = Quantity<D>(raw);
    return *this;
  }
  template <class T>
  Statement& operator>>(std::optional<T>& value) {
    const bool absent = next_is_null();
    T read{};
    *this >> read;
    value = absent ? std::nullopt : std::optional<T>(std::move(read));
    return *this;
  }
  /// The next column's bytes, valid until the next step().
  std::string_view blob();

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* handle) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
  int bound_ = 0;
  int column_ = 0;
};

/// One connection. Not safe for use by several threads at a time.
class Database {
 public:
  enum class Open { read, write, create };
  static Result<Database> open(const std::string& path, Open mode, int busy_timeout_ms);

  /// One or several statements without results.
  Result<void> execute(const std::string& statements);
  /// A wrong statement is a programming error, but a damaged file shows up here as well.
  Result<Statement> prepare(std::string_view statement);
  /// First column of the first row.
  Result<std::int64_t> number(std::string_view statement);
  [[nodiscard]] std::int64_t last_row() const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  Database(std::unique_ptr<sqlite3, Close> handle, std::string path)
      : handle_(std::move(handle)), path_(std::move(path)) {}

  std::unique_ptr<sqlite3, Close> handle_;
  std::string path_;
};

/// BEGIN IMMEDIATE … COMMIT: the writer waits for its turn at the start, never in the middle. Rolls
/// back unless committed.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& o) noexcept : database_(std::exchange(o.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  Result<void> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

/// What the last failure on this connection was, as a fact and a remedy.
Error error_of(sqlite3* handle, const std::string& path);

}  // namespace ergo::sql
