#include "ergo/experiment/monitor.hpp"

#include "convert.hpp"
#include "failure.hpp"
#include "parts.hpp"

#include <pybind11/stl.h>
#include <unistd.h>

#include <memory>
#include <utility>

namespace ergo::python {
namespace {

namespace py = pybind11;

/// Shares its monitor with the calls that are under way in other threads: close() waits for none of
/// them, and the last one ends the monitor.
class SharedMonitor {
 public:
  SharedMonitor(double period, const std::optional<std::string>& gpus) {
    const py::gil_scoped_release unlocked;
    MonitorOptions options;
    options.period = Seconds(period);
    options.gpus = selection(gpus);
    monitor_ = value_or_throw(Monitor::start(options));
  }
  ~SharedMonitor() { close(); }
  SharedMonitor(const SharedMonitor&) = delete;
  SharedMonitor& operator=(const SharedMonitor&) = delete;

  Monitor::WindowId begin(std::string name) {
    auto monitor = held();
    const py::gil_scoped_release unlocked;
    return monitor->begin(std::move(name));
  }

  py::dict end(Monitor::WindowId window) {
    auto monitor = held();
    WindowRecord record;
    {
      const py::gil_scoped_release unlocked;
      record = value_or_throw(monitor->end(window));
    }
    return row(record, monitor->started() + record.start);
  }

  void cancel(Monitor::WindowId window) { value_or_throw(held()->cancel(window)); }

  [[nodiscard]] std::vector<std::pair<std::string, std::string>> signals() const {
    const Timeline& timeline = held()->timeline();
    std::vector<std::pair<std::string, std::string>> found;
    for (SignalId id = 0; id < timeline.signal_count(); ++id)
      found.emplace_back(timeline.info(id).name, timeline.info(id).unit);
    return found;
  }

  [[nodiscard]] py::tuple samples(const std::string& signal, std::int64_t first_ns,
                                  std::int64_t last_ns) const {
    const auto monitor = held();
    std::vector<std::int64_t> times;
    std::vector<double> values;
    {
      const py::gil_scoped_release unlocked;
      const auto id = monitor->timeline().find(signal);
      if (!id) throw Failure{{Errc::not_found, "no signal is called '" + signal + "'", ""}};
      monitor->timeline().visit(*id, Instant{first_ns}, Instant{last_ns}, [&](const Sample& s) {
        // The timeline also shows the neighbours of the stretch.
        if (s.time.ns < first_ns || s.time.ns > last_ns) return;
        times.push_back(s.time.ns);
        values.push_back(s.value);
      });
    }
    return py::make_tuple(packed(times), packed(values));
  }

  [[nodiscard]] py::list warnings() const {
    const auto monitor = held();
    std::vector<std::string> all;
    {
      const py::gil_scoped_release unlocked;  // a reading may be under way
      all = monitor->warnings();
    }
    return texts(all);
  }
  [[nodiscard]] py::dict sensors() const { return discovery(held()->discovery()); }
  [[nodiscard]] double own_cpu() const { return held()->own_cpu().value(); }

  void close() {
    std::shared_ptr<Monitor> last = std::move(monitor_);
    if (!last) return;
    const py::gil_scoped_release unlocked;  // it waits for its thread
    last.reset();
  }

 private:
  [[nodiscard]] std::shared_ptr<Monitor> held() const {
    if (!monitor_) {
      throw Failure{{Errc::invalid_argument, "this monitor is closed", "make a new one"}};
    }
    // Its timeline may be locked by a thread that does not exist in this process.
    if (::getpid() != owner_) {
      throw Failure{{Errc::not_supported, "this monitor belongs to the parent process",
                     "make a new one after a fork"}};
    }
    return monitor_;
  }

  static py::dict row(const WindowRecord& record, Instant begin) {
    py::list channels;
    for (const ChannelEnergy& energy : record.energy)
      channels.append(channel(energy));
    py::dict row;
    row["name"] = text(record.name);
    row["duration_s"] = record.duration.value();
    put_total(row, record.total);
    row["channels"] = channels;
    row["begin_ns"] = begin.ns;
    row["end_ns"] = (begin + record.duration).ns;
    return row;
  }

  std::shared_ptr<Monitor> monitor_;  ///< null once it is closed
  pid_t owner_ = ::getpid();
};

}  // namespace

void add_monitor(py::module_& module) {
  py::class_<SharedMonitor>(module, "Monitor")
      .def(py::init<double, std::optional<std::string>>(), py::arg("period"), py::arg("gpus"))
      .def("begin", &SharedMonitor::begin, py::arg("name"))
      .def("end", &SharedMonitor::end, py::arg("key"))
      .def("cancel", &SharedMonitor::cancel, py::arg("key"))
      .def("signals", &SharedMonitor::signals)
      .def("samples", &SharedMonitor::samples, py::arg("signal"), py::arg("first_ns"),
           py::arg("last_ns"))
      .def("warnings", &SharedMonitor::warnings)
      .def("sensors", &SharedMonitor::sensors)
      .def("own_cpu_s", &SharedMonitor::own_cpu)
      .def("close", &SharedMonitor::close);
}

}  // namespace ergo::python
