#include "ergo/store/store.hpp"

#include "convert.hpp"
#include "failure.hpp"
#include "parts.hpp"

#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

namespace ergo::python {
namespace {

namespace py = pybind11;

struct StoredRun {
  std::int64_t experiment = 0;
  RunInfo info;
  RunRecord record;
};

py::dict experiment_row(const ExperimentInfo& experiment) {
  py::dict row;
  row["id"] = experiment.id;
  row["name"] = text(experiment.name);
  row["command"] = texts(experiment.command);
  row["started"] = text(experiment.started);
  row["host_name"] = text(experiment.host);
  row["plan"] = text(experiment.plan);
  row["status"] = text(to_string(experiment.status));
  row["origin"] = text(experiment.origin);
  row["runs"] = experiment.runs;
  return row;
}

py::dict run_row(const StoredRun& run) {
  const RunRecord& record = run.record;
  py::dict row;
  row["id"] = run.info.id;
  row["experiment"] = run.experiment;
  row["run"] = record.index;
  row["repeat"] = record.repeat;
  row["warmup"] = record.warmup;
  row["status"] = text(to_string(run.info.status));
  row["invalid"] = record.invalid ? py::object(text(*record.invalid)) : py::none();
  row["exit_code"] = record.exit_code;
  row["signal"] = py::cast(record.signal);
  row["started_unix_ns"] = record.started_unix_ns;
  row["begin_ns"] = record.begin.ns;
  row["duration_s"] = record.duration.value();
  row["planned_power_limit_w"] = number(run.info.cell.power_limit);
  row["power_limit_w"] = number(record.power_limit);
  put_total(row, record.total);
  row["samples"] = run.info.samples;
  row["gaps"] = record.gaps;
  row["self_cpu_s"] = record.self_cpu.value();
  row["warnings"] = texts(record.warnings);
  for (const auto& [name, value] : record.parameters)
    row[text("param." + name)] = text(value);
  return row;
}

struct WindowKind {
  std::int64_t run = 0;
  const char* scope = "window";
};

py::dict window_row(const WindowKind& kind, const WindowRecord& window) {
  py::dict row;
  row["run"] = kind.run;
  row["scope"] = kind.scope;
  row["name"] = text(window.name);
  row["number"] = window.index;
  row["pid"] = window.pid;
  row["start_s"] = window.start.value();
  row["duration_s"] = window.duration.value();
  row["count"] = py::cast(window.count);
  put_total(row, window.total);
  for (const ChannelEnergy& energy : window.energy)
    row[text(energy.channel + "_j")] = energy.joules.value();
  return row;
}

/// The whole run, or its counted items, in the shape of a window.
WindowRecord whole_of(const RunRecord& run) {
  WindowRecord window;
  window.duration = run.duration;
  window.energy = run.energy;
  window.total = run.total;
  return window;
}

WindowRecord window_of(const ItemsRecord& items) {
  WindowRecord window;
  window.name = items.window;
  window.duration = items.duration;
  window.count = items.count;
  window.energy = items.energy;
  window.total = items.total;
  return window;
}

/// Reads one store. Calls of several threads wait for each other, without the GIL.
class Reader {
 public:
  explicit Reader(std::filesystem::path path) : path_(std::move(path)) {
    const py::gil_scoped_release unlocked;
    store();
  }
  ~Reader() { leave_to_parent(); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  [[nodiscard]] py::list experiments() {
    const auto found = unlocked([this] { return value_or_throw(store().experiments()); });
    py::list rows;
    for (const ExperimentInfo& experiment : found)
      rows.append(experiment_row(experiment));
    return rows;
  }

  [[nodiscard]] py::list runs() {
    py::list rows;
    for (const StoredRun& run : unlocked([this] { return load(std::nullopt); }))
      rows.append(run_row(run));
    return rows;
  }

  [[nodiscard]] py::list windows(std::optional<std::int64_t> run, const std::string& scope) {
    if (scope != "run" && scope != "window" && scope != "items") {
      throw Failure{{Errc::invalid_argument, "'" + scope + "' is no scope of windows",
                     "take 'run', 'window' or 'items'"}};
    }
    py::list rows;
    for (const StoredRun& stored : unlocked([&] { return load(run); })) {
      const RunRecord& record = stored.record;
      if (scope == "run") rows.append(window_row({stored.info.id, "run"}, whole_of(record)));
      if (scope == "items" && record.items)
        rows.append(window_row({stored.info.id, "items"}, window_of(*record.items)));
      if (scope != "window") continue;
      for (const WindowRecord& window : record.windows)
        rows.append(window_row({stored.info.id, "window"}, window));
    }
    return rows;
  }

  [[nodiscard]] py::list signals(std::int64_t run) {
    const auto found = unlocked([&] {
      begin_of(run);  // an error when there is no such run
      return value_or_throw(store().signals(run));
    });
    py::list names;
    for (const SignalInfo& signal : found)
      names.append(text(signal.name));
    return names;
  }

  /// Seconds since the start of the run, values, half widths: packed doubles.
  [[nodiscard]] py::tuple samples(std::int64_t run, const std::string& signal) {
    std::vector<double> times;
    std::vector<double> values;
    std::vector<double> half_widths;
    unlocked([&] {
      const Instant begin = begin_of(run);
      for (const Sample& sample : value_or_throw(store().load_samples(run, signal))) {
        times.push_back((sample.time - begin).value());
        values.push_back(sample.value);
        half_widths.push_back(static_cast<double>(sample.half_width_s));
      }
      return 0;
    });
    return py::make_tuple(packed(times), packed(values), packed(half_widths));
  }

  void close() {
    unlocked([this] {
      leave_to_parent();
      store_.reset();
      closed_ = true;
      return 0;
    });
  }

 private:
  template <class Work>
  auto unlocked(const Work& work) -> decltype(work()) {
    const py::gil_scoped_release released;
    const std::lock_guard lock(mutex_);
    return work();
  }

  /// SQLite's connections do not cross a fork: a child opens its own, and leaves the parent's
  /// alone.
  void leave_to_parent() {
    if (store_ && owner_ != ::getpid()) std::ignore = store_.release();
  }

  Store& store() {
    if (closed_) throw Failure{{Errc::invalid_argument, "this store is closed", "open it again"}};
    leave_to_parent();
    if (!store_) {
      store_ = std::make_unique<Store>(value_or_throw(Store::open(path_, Store::Mode::read)));
      owner_ = ::getpid();
    }
    return *store_;
  }

  /// Every run, or the one with this id, in order.
  std::vector<StoredRun> load(const std::optional<std::int64_t>& wanted) {
    std::vector<StoredRun> all;
    for (const ExperimentInfo& experiment : value_or_throw(store().experiments())) {
      const auto infos = value_or_throw(store().runs(experiment.id));
      const auto named = [&](const RunInfo& info) { return !wanted || info.id == *wanted; };
      if (std::none_of(infos.begin(), infos.end(), named)) continue;
      auto record = value_or_throw(store().load_experiment(experiment.id));
      for (std::size_t i = 0; i < infos.size() && i < record.runs.size(); ++i) {
        begins_[infos[i].id] = record.runs[i].begin;
        if (named(infos[i])) all.push_back({experiment.id, infos[i], std::move(record.runs[i])});
      }
    }
    if (wanted && all.empty()) throw no_run(*wanted);
    return all;
  }

  Instant begin_of(std::int64_t run) {
    if (!begins_.contains(run)) load(run);
    return begins_.at(run);
  }

  [[nodiscard]] Failure no_run(std::int64_t run) const {
    return {{Errc::not_found, path_.string() + " has no run with id " + std::to_string(run),
             "runs() lists them"}};
  }

  std::filesystem::path path_;
  std::mutex mutex_;  // guards what follows
  std::unique_ptr<Store> store_;
  pid_t owner_ = 0;
  bool closed_ = false;
  std::map<std::int64_t, Instant> begins_;
};

}  // namespace

void add_store(py::module_& module) {
  py::class_<Reader>(module, "Store")
      .def(py::init<std::filesystem::path>(), py::arg("path"))
      .def("experiments", &Reader::experiments)
      .def("runs", &Reader::runs)
      .def("windows", &Reader::windows, py::arg("run"), py::arg("scope"))
      .def("signals", &Reader::signals, py::arg("run"))
      .def("samples", &Reader::samples, py::arg("run"), py::arg("signal"))
      .def("close", &Reader::close);
}

}  // namespace ergo::python
