#pragma once
// The parts of the module `ergometer._core`. Each adds its classes and functions; what Python sees
// of them is described in ../ergometer/_core.pyi.

#include <pybind11/pybind11.h>

namespace ergo::python {

void add_monitor(pybind11::module_& module);
void add_sensors(pybind11::module_& module);
void add_store(pybind11::module_& module);
void add_model(pybind11::module_& module);

}  // namespace ergo::python
