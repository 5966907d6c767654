#include "convert.hpp"

#include "failure.hpp"

namespace ergo::python {

namespace py = pybind11;

py::str text(std::string_view bytes) {
  PyObject* decoded =
      PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "replace");
  if (decoded == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::str>(decoded);
}

py::list texts(const std::vector<std::string>& all) {
  py::list list;
  for (const std::string& one : all)
    list.append(text(one));
  return list;
}

py::object number(const std::optional<Joules>& joules) {
  if (!joules) return py::none();
  return py::float_(joules->value());
}

py::object number(const std::optional<Watts>& watts) {
  if (!watts) return py::none();
  return py::float_(watts->value());
}

void put_total(py::dict& to, const EnergyTotal& total) {
  // An interval of nothing is no interval.
  const auto bound = [&](Joules end) { return total.measured ? std::optional(end) : std::nullopt; };
  to["measured_j"] = number(total.measured);
  to["low_j"] = number(bound(total.low));
  to["high_j"] = number(bound(total.high));
  to["estimated_j"] = number(total.estimated);
}

py::dict channel(const ChannelEnergy& energy) {
  py::dict row;
  row["channel"] = text(energy.channel);
  row["source"] = text(energy.source);
  row["provenance"] = text(name_of(energy.provenance));
  row["in_total"] = energy.in_total;
  row["joules"] = energy.joules.value();
  row["low_j"] = energy.low.value();
  row["high_j"] = energy.high.value();
  row["mean_w"] = energy.mean.value();
  return row;
}

py::dict estimate(const Estimate& value) {
  py::dict row;
  row["value"] = value.value;
  row["low"] = value.low;
  row["high"] = value.high;
  return row;
}

namespace {

py::dict signal_row(const Sensor& sensor, const SignalInfo& signal) {
  const bool metered = signal.kind == SignalKind::energy || signal.kind == SignalKind::power;
  py::dict row;
  row["sensor"] = text(sensor.name());
  row["signal"] = text(signal.name);
  row["unit"] = text(signal.unit);
  row["channel"] = metered ? py::object(text(signal.channel)) : py::none();
  row["provenance"] = metered ? py::object(text(name_of(signal.provenance))) : py::none();
  row["in_total"] = metered && signal.in_total;
  return row;
}

py::dict missing_row(const Missing& missing) {
  py::dict row;
  row["backend"] = text(missing.backend);
  row["what"] = text(missing.what);
  row["why"] = text(missing.why);
  row["fix"] = text(missing.fix);
  return row;
}

py::dict gpu_row(const GpuIdentity& gpu) {
  py::dict row;
  row["index"] = gpu.index;
  row["uuid"] = text(gpu.uuid);
  row["name"] = text(gpu.name);
  row["power_limit_w"] =
      gpu.power_limit_w > 0.0 ? py::object(py::float_(gpu.power_limit_w)) : py::none();
  row["simulated"] = gpu.simulated;
  return row;
}

}  // namespace

py::dict discovery(const Discovery& found) {
  py::list signals;
  for (const auto& sensor : found.sensors) {
    for (const SignalInfo& signal : sensor->signals())
      signals.append(signal_row(*sensor, signal));
  }
  py::list missing;
  for (const Missing& one : found.missing)
    missing.append(missing_row(one));
  py::list gpus;
  for (const GpuIdentity& gpu : found.gpus)
    gpus.append(gpu_row(gpu));
  py::dict all;
  all["found"] = signals;
  all["missing"] = missing;
  all["gpus"] = gpus;
  all["warnings"] = texts(found.warnings);
  return all;
}

GpuSelection selection(const std::optional<std::string>& gpus) {
  if (!gpus || gpus->empty()) return {};
  return value_or_throw(GpuSelection::parse(*gpus));
}

}  // namespace ergo::python
