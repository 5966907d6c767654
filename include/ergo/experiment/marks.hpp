#pragma once
// Marks: how a running program names its phases. A mark is one datagram of text:
//
//   ergo1 begin NAME T_NS [count=N] [total=M]
//   ergo1 end NAME T_NS [count=N]
//   ergo1 event NAME T_NS
//
// sent to the Unix datagram socket that ERGO_MARKS names. T_NS is CLOCK_MONOTONIC in nanoseconds.
// Senders: ergo/mark.hpp (C++), ergo/mark.h (C), ergometer.mark (Python). docs/user/marks.md tells
// it to users.

#include "ergo/core/clock.hpp"
#include "ergo/core/result.hpp"

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ergo {

enum class MarkKind { begin, end, event };

struct MarkMessage {
  MarkKind kind = MarkKind::event;
  std::string name;
  Instant time;
  std::optional<std::int64_t> count;  ///< items in the window; never with an event
  std::optional<std::int64_t>
      total;  ///< windows of this name there will be in all; only with a begin
};

/// Reads one datagram. Strict: single spaces, nothing before or after; NAME is 1 to 255 bytes of
/// UTF-8 without spaces and control characters; T_NS, N and M are decimal and not negative. Errors:
/// corrupt.
Result<MarkMessage> parse_mark(std::string_view datagram);

/// One occurrence of a marked window.
struct MarkedWindow {
  std::string name;
  int index =
      0;  ///< 0, 1, 2 … among the windows of this name, in order of start, over all processes
  int pid = 0;  ///< the process that sent it; 0 when unknown
  Instant begin;
  Instant end;
  std::optional<std::int64_t> count;  ///< the end's, else the begin's
};

struct MarkedEvent {
  std::string name;
  int pid = 0;
  Instant time;
};

/// What the marks of a run amount to. Windows and events are in order of (begin) time and lie
/// within the run.
struct MarkedRun {
  std::vector<MarkedWindow> windows;
  std::vector<MarkedEvent> events;
  /// What was odd about the marks: at most one line for each kind of oddity, with how often and the
  /// first case.
  std::vector<std::string> warnings;
};

/// Collects marks and pairs them up. Windows of one name from one process nest like brackets;
/// different names, and different processes, are independent. Not thread-safe.
class WindowBuilder {
 public:
  WindowBuilder();
  WindowBuilder(WindowBuilder&&) noexcept;
  WindowBuilder& operator=(WindowBuilder&&) noexcept;
  ~WindowBuilder();

  /// Adds a datagram as it came. Returns its mark when it was well-formed.
  std::optional<MarkMessage> add(std::string_view datagram, int pid, Instant received);

  /// The windows of a run that lasted from `begin` to `end`. May be called at any time, again and
  /// again. Nothing is thrown away: a window that is still open is closed at `end`, with a warning;
  /// a mark whose time lies outside the run, or after its arrival, counts at its arrival, with a
  /// warning. Only what begins after `end`, and an end without a begin, yields nothing but a
  /// warning.
  [[nodiscard]] MarkedRun windows(Instant begin, Instant end) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct MarkServerOptions {
  /// Called for each well-formed mark, on the server's thread, as it arrives. Must not block.
  std::function<void(const MarkMessage& mark, int pid)> on_mark;
  /// The user who may send, when the command runs as somebody else; default: this process's.
  std::optional<uid_t> owner;
};

/// The receiving end: a socket in a folder of its own that only the owner may enter, and a thread
/// that empties it. A sender is never held up; what does not fit into the socket's queue
/// (net.unix.max_dgram_qlen datagrams) the senders keep back and send with their next mark, and
/// what is lost in the end they report, so that it becomes a warning.
class MarkServer {
 public:
  static Result<MarkServer> start(MarkServerOptions options = {});
  MarkServer(MarkServer&&) noexcept;
  MarkServer& operator=(MarkServer&&) noexcept;
  ~MarkServer();

  /// The value for ERGO_MARKS. Short enough for any sockaddr_un.
  [[nodiscard]] const std::filesystem::path& path() const;

  /// What has arrived so far. Thread-safe.
  [[nodiscard]] MarkedRun windows(Instant begin, Instant end) const;

  /// Takes what is still in the queue, then ends the thread and removes the socket. Idempotent.
  void stop();

 private:
  struct State;
  explicit MarkServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ergo
