#include "convert.hpp"
#include "ergo/sensors/registry.hpp"
#include "parts.hpp"

#include <pybind11/stl.h>

#include <utility>

namespace ergo::python {
namespace {

namespace py = pybind11;

py::dict sensors(const std::optional<std::string>& gpus) {
  Discovery found;
  {
    const py::gil_scoped_release unlocked;
    found = discover({Environment::from_process(), selection(gpus), nullptr});
  }
  return discovery(found);
}

}  // namespace

void add_sensors(py::module_& module) {
  module.def("sensors", &sensors, py::arg("gpus"));
}

}  // namespace ergo::python
