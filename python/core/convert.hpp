#pragma once
// From the library's plain data to Python's. The caller holds the GIL.

#include "ergo/core/estimate.hpp"
#include "ergo/core/units.hpp"
#include "ergo/energy/measure.hpp"
#include "ergo/sensors/registry.hpp"

#include <pybind11/pybind11.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ergo::python {

/// A str. Bytes that are no UTF-8 (names of files, of devices) become U+FFFD.
pybind11::str text(std::string_view bytes);
pybind11::list texts(const std::vector<std::string>& all);

/// None for what is absent.
pybind11::object number(const std::optional<Joules>& joules);
pybind11::object number(const std::optional<Watts>& watts);

/// {"measured_j", "low_j", "high_j", "estimated_j"}: each a float or None.
void put_total(pybind11::dict& to, const EnergyTotal& total);
/// The fields of ergometer.Channel.
pybind11::dict channel(const ChannelEnergy& energy);
/// {"value", "low", "high"}
pybind11::dict estimate(const Estimate& value);
/// {"found", "missing", "gpus", "warnings"}: lists of dicts, and of texts.
pybind11::dict discovery(const Discovery& found);

/// The numbers of `values` in the machine's own format, as array.array and numpy read them.
template <class T>
pybind11::bytes packed(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// What "all", "none", "0,1" or UUIDs select; without a text what CUDA_VISIBLE_DEVICES shows.
GpuSelection selection(const std::optional<std::string>& gpus);

}  // namespace ergo::python
