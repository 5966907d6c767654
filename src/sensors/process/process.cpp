#include "sensors/process/process.hpp"

#include "sensors/process/cpu_source.hpp"
#include "sensors/process/procfs.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace ergo::process {
namespace {

/// Decides when something costly is due: at most every `period`, and so rarely that it takes at
/// most 0.03 % of a core.
class Pace {
 public:
  explicit Pace(Seconds period, Seconds first = {})
      : period_(period), step_(first), delay_(first) {}

  [[nodiscard]] bool due(Instant now) {
    if (!began_) {
      began_ = true;
      next_ = now + delay_;
    }
    return now >= next_;
  }
  void done(Instant before, Instant after) {
    constexpr double share = 3e-4;
    // From the first delay on the steps double up to the period, so that short runs have readings
    // too.
    step_ = step_ > Seconds(0) ? std::min(step_ * 2.0, period_) : period_;
    // A tick that comes a little early is taken too, else every second one would be missed.
    constexpr double early = 0.9;
    next_ = before + std::max(step_ * early, (after - before) / share);
  }

 private:
  Seconds period_, step_, delay_;
  bool began_ = false;
  Instant next_;
};

/// Tells, once, that a process has ended: then its last values are read without waiting for their
/// turn.
class EndWatch {
 public:
  explicit EndWatch(int pid) : pidfd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}

  bool ended_now() {
    if (!pidfd_) return false;
    pollfd ready{pidfd_.get(), POLLIN, 0};
    if (::poll(&ready, 1, 0) != 1) return false;
    pidfd_.reset();
    return true;
  }

 private:
  Fd pidfd_;
};

class ProcCpu final : public CpuTimeSource {
 public:
  explicit ProcCpu(std::shared_ptr<const ProcessTree> tree) : tree_(std::move(tree)) {}

  Result<Seconds> read() override {
    std::vector<InheritedSum::Item> items;
    for (const Stat& stat : tree_->members())
      items.push_back({stat, stat.own_ticks, stat.waited_ticks});
    return Seconds(static_cast<double>(sum_.update(items)) / ticks_per_second());
  }

 private:
  std::shared_ptr<const ProcessTree> tree_;
  InheritedSum sum_;
};

/// /proc/stat kept open.
class MachineCpu {
 public:
  explicit MachineCpu(const std::filesystem::path& procfs)
      : file_(::open((procfs / "stat").c_str(), O_RDONLY | O_CLOEXEC)) {}

  Result<Seconds> read() {
    // The first line is enough; the kernel writes the whole file all the same.
    std::array<char, 512> buffer{};
    const ssize_t n = ::pread(file_.get(), buffer.data(), buffer.size(), 0);
    if (n < 0) return system_error("cannot read /proc/stat", errno);
    auto ticks = parse_busy_ticks({buffer.data(), static_cast<std::size_t>(n)});
    if (!ticks) return ticks.error();
    // irq and softirq have been seen to fall by a tick.
    highest_ = std::max(highest_, *ticks);
    return Seconds(static_cast<double>(highest_) / ticks_per_second());
  }

 private:
  Fd file_;
  std::uint64_t highest_ = 0;
};

struct Parts {
  std::unique_ptr<CpuTimeSource> cpu;
  std::string method;
  std::string notice;
  std::shared_ptr<const ProcessTree> tree;
};

class ProcessSensor final : public Sensor {
 public:
  ProcessSensor(Parts parts, const Environment& environment, const Options& options)
      : procfs_(environment.procfs),
        tree_(std::move(parts.tree)),
        cpu_(std::move(parts.cpu)),
        machine_(environment.procfs),
        end_(tree_->root()),
        cpu_pace_(options.cpu_period),
        machine_pace_(options.cpu_period),
        memory_pace_(options.memory_period, std::min(options.memory_period, Seconds(0.05))),
        pss_pace_(options.pss_period, std::min(options.pss_period, Seconds(0.2))) {
    name_ = "process tree (" + parts.method + ")";
    if (!parts.notice.empty()) notices_.push_back(std::move(parts.notice));
    declare(cpu_time_, "process.cpu_time", SignalKind::cpu_time, "s");
    if (machine_.read()) declare(machine_time_, "machine.cpu_time", SignalKind::cpu_time, "s");
    if (read_rss(tree_->root())) declare(rss_, "process.memory_rss", SignalKind::gauge, "B");
    if (read_shares(tree_->root())) {
      declare(pss_, "process.memory_pss", SignalKind::gauge, "B");
      declare(uss_, "process.memory_uss", SignalKind::gauge, "B");
    }
    if (read_used()) declare(used_, "machine.memory_used", SignalKind::gauge, "B");
    if (read_io(tree_->root())) {
      declare(io_read_, "process.io_read", SignalKind::counter, "B");
      declare(io_write_, "process.io_write", SignalKind::counter, "B");
    }
  }

 protected:
  Result<void> do_read(const Clock& clock, Batch& out) override {
    Result<void> result;
    const bool last = end_.ended_now();
    if (const Instant now = clock.now(); cpu_pace_.due(now) || last) {
      result = read_cpu_time(clock, out);
      cpu_pace_.done(now, clock.now());
    }
    // Apart, since it costs far more: the kernel sums up every CPU and every interrupt.
    if (const Instant now = clock.now(); machine_pace_.due(now) || last) {
      read_machine_time(clock, out);
      machine_pace_.done(now, clock.now());
    }
    const Instant now = clock.now();
    const bool memory_due = memory_pace_.due(now) || last;
    const bool pss_due = pss_pace_.due(now);
    if (memory_due || pss_due) {
      const std::vector<Stat> members = tree_->members();
      if (memory_due) {
        add_sum(clock, out, rss_, members, [this](int pid) { return read_rss(pid); });
        add_used(clock, out);
        add_io(clock, out, members);
        memory_pace_.done(now, clock.now());
      }
      const Instant before = clock.now();
      if (pss_due) {
        add_shares(clock, out, members);
        pss_pace_.done(before, clock.now());
      }
    }
    return result;
  }

 private:
  using Index = std::optional<std::size_t>;

  void declare(Index& index, const char* name, SignalKind kind, const char* unit) {
    index = signals_.size();
    SignalInfo info;
    info.name = name;
    info.kind = kind;
    info.unit = unit;
    signals_.push_back(std::move(info));
  }

  Result<void> read_cpu_time(const Clock& clock, Batch& out) {
    const Instant before = clock.now();
    auto own = cpu_->read();
    if (!own) return own.error();
    out.add(*cpu_time_, own->value(), before, clock.now());
    return {};
  }

  void read_machine_time(const Clock& clock, Batch& out) {
    if (!machine_time_) return;
    const Instant before = clock.now();
    if (const auto busy = machine_.read())
      out.add(*machine_time_, busy->value(), before, clock.now());
  }

  /// The sum over all members that can be read; nothing when none can.
  template <class Read>
  void add_sum(const Clock& clock, Batch& out, Index signal, const std::vector<Stat>& members,
               Read read) {
    if (!signal) return;
    const Instant before = clock.now();
    std::uint64_t sum = 0;
    bool any = false;
    for (const Stat& member : members) {
      if (member.state == 'Z') continue;
      if (const Result<std::uint64_t> value = read(member.pid)) {
        sum += *value;
        any = true;
      }
    }
    if (any) out.add(*signal, static_cast<double>(sum), before, clock.now());
  }

  /// Both from one look at the page tables.
  void add_shares(const Clock& clock, Batch& out, const std::vector<Stat>& members) {
    if (!pss_) return;
    const Instant before = clock.now();
    Shares sum;
    bool any = false;
    for (const Stat& member : members) {
      if (member.state == 'Z') continue;
      const auto shares = read_shares(member.pid);
      if (!shares) continue;
      sum.proportional += shares->proportional;
      sum.own += shares->own;
      any = true;
    }
    if (!any) return;
    const Instant after = clock.now();
    out.add(*pss_, static_cast<double>(sum.proportional), before, after);
    out.add(*uss_, static_cast<double>(sum.own), before, after);
  }

  void add_used(const Clock& clock, Batch& out) {
    if (!used_) return;
    const Instant before = clock.now();
    if (const auto used = read_used())
      out.add(*used_, static_cast<double>(*used), before, clock.now());
  }

  void add_io(const Clock& clock, Batch& out, const std::vector<Stat>& members) {
    if (!io_read_) return;
    const Instant before = clock.now();
    std::vector<InheritedSum::Item> reads, writes;
    for (const Stat& member : members) {
      const auto io = read_io(member.pid);
      if (!io) continue;
      // The kernel does not keep own and inherited bytes apart.
      reads.push_back({member, 0, io->read_bytes});
      writes.push_back({member, 0, io->written_bytes});
    }
    if (reads.empty()) return;
    const auto read = static_cast<double>(read_sum_.update(reads));
    const auto written = static_cast<double>(write_sum_.update(writes));
    const Instant after = clock.now();
    out.add(*io_read_, read, before, after);
    out.add(*io_write_, written, before, after);
  }

  [[nodiscard]] std::filesystem::path folder(int pid) const {
    return procfs_ / std::to_string(pid);
  }

  [[nodiscard]] Result<std::uint64_t> read_rss(int pid) const {
    auto text = read_text(folder(pid) / "statm");
    if (!text) return text.error();
    return parse_statm(*text, static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
  }
  [[nodiscard]] Result<Shares> read_shares(int pid) const {
    auto text = read_text(folder(pid) / "smaps_rollup");
    if (!text) return text.error();
    return parse_shares(*text);
  }
  [[nodiscard]] Result<std::uint64_t> read_used() const {
    auto text = read_text(procfs_ / "meminfo");
    if (!text) return text.error();
    return parse_memory_used(*text);
  }
  [[nodiscard]] Result<Io> read_io(int pid) const {
    auto text = read_text(folder(pid) / "io");
    if (!text) return text.error();
    return parse_io(*text);
  }

  std::filesystem::path procfs_;
  std::shared_ptr<const ProcessTree> tree_;
  std::unique_ptr<CpuTimeSource> cpu_;
  MachineCpu machine_;
  EndWatch end_;
  Pace cpu_pace_, machine_pace_, memory_pace_, pss_pace_;
  InheritedSum read_sum_, write_sum_;
  Index cpu_time_, machine_time_, rss_, pss_, uss_, used_, io_read_, io_write_;
};

bool allows(Method wanted, Method method) {
  return wanted == Method::automatic || wanted == method;
}

/// Picks the first method that works. The errors of the better ones become the notice of a worse
/// one.
Result<Parts> choose(int pid, const std::filesystem::path& procfs, const Options& options,
                     std::shared_ptr<const ProcessTree> tree) {
  std::optional<Error> why;
  if (allows(options.method, Method::cgroup)) {
    if (!options.cgroup) {
      why = Error{Errc::not_supported, "the command has no cgroup of its own", {}};
    } else if (auto cpu = open_cgroup_cpu(*options.cgroup)) {
      return Parts{std::move(cpu).value(), "cgroup v2", {}, std::move(tree)};
    } else {
      why = cpu.error();
    }
  }
  if (allows(options.method, Method::perf)) {
    if (!options.before_exec) {
      why = Error{
          Errc::not_supported, "a perf task-clock cannot catch a command that runs already", {}};
    } else if (auto cpu = open_perf_cpu(pid, procfs)) {
      return Parts{std::move(cpu).value(), "perf task-clock", {}, std::move(tree)};
    } else {
      why = cpu.error();
    }
  }
  if (!allows(options.method, Method::proc)) return *why;
  std::string notice;
  if (why) {
    notice =
        "CPU time is read from /proc, which misses the end of processes that nobody waits for: " +
        why->text();
  }
  return Parts{std::make_unique<ProcCpu>(tree), "/proc", std::move(notice), tree};
}

}  // namespace

Result<std::unique_ptr<Sensor>> open(int pid, const Environment& environment, Options options) {
  if (const auto stat = read_stat(environment.procfs, pid); !stat) {
    return Error{Errc::not_found, "there is no process " + std::to_string(pid), {}};
  }
  if (options.cgroup && !options.cgroup->holds(environment.procfs, pid)) options.cgroup.reset();
  auto tree = options.tree;
  if (!tree) tree = std::make_shared<ProcessTree>(pid, environment, TreeOptions{0, options.cgroup});
  auto parts = choose(pid, environment.procfs, options, std::move(tree));
  if (!parts) return parts.error();
  return std::unique_ptr<Sensor>(
      std::make_unique<ProcessSensor>(std::move(parts).value(), environment, options));
}

}  // namespace ergo::process
