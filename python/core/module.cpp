// The module `ergometer._core`: the C++ library as the package `ergometer` uses it. Long calls
// leave the GIL to other threads.

#include "convert.hpp"
#include "failure.hpp"
#include "parts.hpp"

#include <exception>
#include <string_view>

namespace ergo::python {
namespace {

namespace py = pybind11;

std::string_view name_of(Errc code) {
  switch (code) {
    case Errc::invalid_argument:
      return "invalid_argument";
    case Errc::not_found:
      return "not_found";
    case Errc::permission:
      return "permission";
    case Errc::not_supported:
      return "not_supported";
    case Errc::unavailable:
      return "unavailable";
    case Errc::lost:
      return "lost";
    case Errc::corrupt:
      return "corrupt";
    case Errc::io:
      return "io";
    case Errc::busy:
      return "busy";
    case Errc::canceled:
      return "canceled";
  }
  return "";
}

void raise(const Error& error) {
  const py::object type = py::module_::import("ergometer._errors").attr("ErgometerError");
  const py::object failure =
      type(text(error.message), text(error.remedy), text(name_of(error.code)));
  PyErr_SetObject(type.ptr(), failure.ptr());
}

}  // namespace
}  // namespace ergo::python

PYBIND11_MODULE(_core, module) {
  pybind11::register_local_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const ergo::python::Failure& failure) {
      ergo::python::raise(failure.error);
    }
  });
  module.attr("__version__") = ERGO_VERSION;
  ergo::python::add_monitor(module);
  ergo::python::add_sensors(module);
  ergo::python::add_store(module);
  ergo::python::add_model(module);
}
