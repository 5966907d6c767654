#include "convert.hpp"
#include "ergo/core/parse.hpp"
#include "ergo/model/advise.hpp"
#include "ergo/model/predict.hpp"
#include "ergo/report/export_csv.hpp"
#include "failure.hpp"
#include "parts.hpp"

#include <pybind11/stl.h>

#include <utility>

namespace ergo::python {
namespace {

namespace py = pybind11;

/// A table as Python hands it over: a file, or CSV text and what to call it in errors.
struct TableSource {
  std::string name;
  std::optional<std::string> csv;
};

SweepTable table_of(const TableSource& source) {
  if (source.csv) return value_or_throw(parse_sweep_table(*source.csv, source.name));
  return value_or_throw(report::load_model_data(source.name)).table;
}

std::vector<double> limits_of(const std::optional<std::string>& limits) {
  if (!limits) return {};
  return value_or_throw(parse_numbers(*limits));
}

using Source = std::pair<std::string, std::optional<std::string>>;

void put_interval(py::dict& row, const char* value, const char* stem, const Estimate& e) {
  row[value] = e.value;
  row[(std::string(stem) + "_low").c_str()] = e.low;
  row[(std::string(stem) + "_high").c_str()] = e.high;
}

py::list predict(const Source& probes, const std::optional<Source>& train,
                 const std::optional<std::string>& limits, const std::string& method) {
  std::vector<PredictedRow> predicted;
  {
    const py::gil_scoped_release unlocked;
    SweepTable known;
    if (train) known = table_of({train->first, train->second});
    predicted = value_or_throw(
        predict_table(known, table_of({probes.first, probes.second}), {limits_of(limits), method}));
  }
  py::list rows;
  for (const PredictedRow& one : predicted) {
    py::dict row;
    row["gpu"] = text(one.gpu);
    row["workload"] = text(one.workload);
    row["config"] = text(one.config);
    row["power_limit_w"] = one.prediction.limit_w;
    put_interval(row, "time_s", "time", time_of(one.prediction));
    put_interval(row, "energy_j", "energy", energy_of(one.prediction));
    put_interval(row, "edp_js", "edp", edp_of(one.prediction));
    row["method"] = text(method);
    rows.append(row);
  }
  return rows;
}

Objective objective_of(const std::string& name) {
  if (name == "energy") return Objective::energy;
  if (name == "edp") return Objective::edp;
  if (name == "ed2p") return Objective::ed2p;
  if (name == "time") return Objective::time;
  throw Failure{{Errc::invalid_argument, "'" + name + "' is no objective",
                 "take 'energy', 'edp', 'ed2p' or 'time'"}};
}

/// Names and shape of schema ergo.advise/1.
py::dict advice_row(const Advice& a) {
  py::dict row;
  row["gpu"] = text(a.gpu);
  row["workload"] = text(a.workload);
  row["config"] = text(a.config);
  row["measured_limits"] = a.measured;
  row["default_limit_w"] = a.default_limit_w;
  if (a.host_w) row["host_w"] = *a.host_w;
  if (a.refusal) {
    py::dict refused;
    refused["why"] = text(a.refusal->message);
    refused["remedy"] = text(a.refusal->remedy);
    row["refused"] = refused;
  }
  if (a.limit_w) {
    row["power_limit_w"] = *a.limit_w;
    row["limit_measured"] = a.limit_measured;
    row["saving"] = estimate(*a.saving);
    row["energy_saving"] = estimate(*a.energy_saving);
    row["slowdown"] = estimate(*a.slowdown);
    row["time_s"] = estimate(*a.time_s);
    row["energy_j"] = estimate(*a.energy_j);
    row["expected_loss"] = a.expected_loss;
  }
  if (a.repeat_w) row["repeat_limit_w"] = *a.repeat_w;
  if (a.next) {
    py::dict next;
    next["power_limit_w"] = a.next->limit_w;
    next["value"] = a.next->value;
    row["next_probe"] = next;
  }
  return row;
}

py::list advise_rows(const Source& data, const std::string& objective,
                     const std::optional<std::string>& max_slowdown,
                     const std::optional<std::string>& limits, const std::string& method) {
  std::vector<Advice> found;
  {
    const py::gil_scoped_release unlocked;
    AdviseOptions options;
    options.objective = objective_of(objective);
    options.method = method;
    if (max_slowdown) options.max_slowdown = value_or_throw(parse_fraction(*max_slowdown));
    options.limits = limits_of(limits);
    found = value_or_throw(advise(table_of({data.first, data.second}), options));
  }
  py::list rows;
  for (const Advice& one : found)
    rows.append(advice_row(one));
  return rows;
}

}  // namespace

void add_model(py::module_& module) {
  module.def("predict", &predict, py::arg("probes"), py::arg("train"), py::arg("limits"),
             py::arg("method"));
  module.def("advise", &advise_rows, py::arg("data"), py::arg("objective"), py::arg("max_slowdown"),
             py::arg("limits"), py::arg("method"));
}

}  // namespace ergo::python
