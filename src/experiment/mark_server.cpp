#include "ergo/core/files.hpp"
#include "ergo/experiment/marks.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>

namespace ergo {
namespace {

constexpr std::size_t batch_size = 64;
/// Longer than any well-formed mark: a longer datagram is cut, and its length gives it away.
constexpr std::size_t datagram_bytes = 512;

struct alignas(cmsghdr) ControlBuffer {
  std::array<char, CMSG_SPACE(sizeof(ucred))> bytes{};
};

/// Room for a batch of datagrams, and what the kernel needs to fill it.
struct ReceiveBuffers {
  std::array<std::array<char, datagram_bytes>, batch_size> data;
  std::array<ControlBuffer, batch_size> control;
  std::array<iovec, batch_size> parts;
  std::array<mmsghdr, batch_size> messages;

  /// The kernel shortens these fields, so they are set before every call.
  void prepare() {
    for (std::size_t i = 0; i < batch_size; ++i) {
      parts[i] = {data[i].data(), datagram_bytes};
      messages[i] = {};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
      messages[i].msg_hdr.msg_control = control[i].bytes.data();
      messages[i].msg_hdr.msg_controllen = control[i].bytes.size();
    }
  }
};

/// The sender's pid, as the kernel vouches for it; 0 when it lives in another pid namespace.
int sender_of(msghdr& message) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS) continue;
    ucred credentials{};
    std::memcpy(&credentials, CMSG_DATA(c), sizeof credentials);
    return credentials.pid;
  }
  return 0;
}

/// A new folder for the socket. $TMPDIR can be too long for a socket's address, so the usual short
/// places come first.
Result<std::string> make_folder() {
  constexpr std::size_t longest = sizeof(sockaddr_un::sun_path) - sizeof "/marks";
  int failure = ENAMETOOLONG;
  const std::array<const char*, 3> bases{std::getenv("XDG_RUNTIME_DIR"), std::getenv("TMPDIR"),
                                         "/tmp"};
  for (const char* base : bases) {
    if (base == nullptr || *base != '/') continue;
    std::string folder = std::string(base) + "/ergo-XXXXXX";
    if (folder.size() > longest) continue;
    if (::mkdtemp(folder.data()) != nullptr) return folder;
    failure = errno;
  }
  return system_error("cannot create a folder for marks", failure);
}

Result<Fd> bind_socket(const std::string& path) {
  Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return system_error("cannot create a socket for marks", errno);
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return system_error("cannot bind " + path, errno);
  }
  return socket;
}

}  // namespace

struct MarkServer::State {
  std::filesystem::path folder;
  std::filesystem::path path;
  Fd socket;
  Fd wake;
  MarkServerOptions options;
  mutable std::mutex mutex;
  WindowBuilder builder;
  std::thread thread;

  void serve() {
    auto buffers = std::make_unique<ReceiveBuffers>();
    for (;;) {
      std::array<pollfd, 2> ready{pollfd{socket.get(), POLLIN, 0}, pollfd{wake.get(), POLLIN, 0}};
      if (::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) return;
      // A stop request is looked at first and obeyed after: what was sent before it is in the queue
      // by now.
      const bool stop = ready[1].revents != 0;
      while (take_batch(*buffers)) {
      }
      if (stop) return;
    }
  }

  bool take_batch(ReceiveBuffers& buffers) {
    buffers.prepare();
    const int n = ::recvmmsg(socket.get(), buffers.messages.data(), batch_size,
                             MSG_DONTWAIT | MSG_TRUNC, nullptr);
    if (n <= 0) return n < 0 && errno == EINTR;
    const Instant received = SystemClock().now();
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      const std::size_t length = std::min<std::size_t>(buffers.messages[i].msg_len, datagram_bytes);
      const int pid = sender_of(buffers.messages[i].msg_hdr);
      std::optional<MarkMessage> mark;
      {
        const std::lock_guard lock(mutex);
        mark = builder.add({buffers.data[i].data(), length}, pid, received);
      }
      if (mark && options.on_mark) options.on_mark(*mark, pid);
    }
    return true;
  }
};

MarkServer::MarkServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
MarkServer::MarkServer(MarkServer&&) noexcept = default;
MarkServer& MarkServer::operator=(MarkServer&& o) noexcept {
  stop();
  state_ = std::move(o.state_);
  return *this;
}
MarkServer::~MarkServer() {
  stop();
}

Result<MarkServer> MarkServer::start(MarkServerOptions options) {
  auto folder = make_folder();
  if (!folder) return folder.error();
  auto state = std::make_unique<State>();
  state->folder = *folder;
  state->path = *folder + "/marks";
  state->options = std::move(options);
  MarkServer server(std::move(state));  // from here on it cleans up
  State& s = *server.state_;
  auto socket = bind_socket(s.path.native());
  if (!socket) return socket.error();
  s.socket = std::move(socket).value();
  ::chmod(s.path.c_str(), 0600);
  if (s.options.owner) {
    constexpr auto same_group = static_cast<gid_t>(-1);
    if (::chown(s.path.c_str(), *s.options.owner, same_group) != 0 ||
        ::chown(s.folder.c_str(), *s.options.owner, same_group) != 0) {
      return system_error("cannot hand the socket for marks to its user", errno);
    }
  }
  s.wake = Fd(::eventfd(0, EFD_CLOEXEC));
  if (!s.wake) return system_error("cannot create an event", errno);
  // Signals belong to the threads that know what to do with them.
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  s.thread = std::thread([&s] { s.serve(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return server;
}

const std::filesystem::path& MarkServer::path() const {
  return state_->path;
}

MarkedRun MarkServer::windows(Instant begin, Instant end) const {
  const std::lock_guard lock(state_->mutex);
  return state_->builder.windows(begin, end);
}

void MarkServer::stop() {
  if (!state_) return;
  if (state_->thread.joinable()) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(state_->wake.get(), &one, sizeof one);
    state_->thread.join();
  }
  state_->socket.reset();
  if (!state_->folder.empty()) {
    ::unlink(state_->path.c_str());
    ::rmdir(std::exchange(state_->folder, {}).c_str());
  }
}

}  // namespace ergo
