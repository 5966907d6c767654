// Results -> figures.

#include "ergo/report/plot.hpp"

#include "ergo/report/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <span>

namespace ergo::report {
namespace {

/// A unit of a size that keeps an axis' numbers short.
struct AxisUnit {
  std::string name;
  double factor = 1.0;  ///< SI value x factor = number on the axis
};

AxisUnit axis_unit(const std::string& unit, double largest) {
  if (unit == "1") return {"%", 100};
  if (unit.empty()) return {};
  struct Prefix {
    double factor;
    const char* name;
  };
  static constexpr std::array<Prefix, 7> decimal{
      {{1e-9, "n"}, {1e-6, "µ"}, {1e-3, "m"}, {1, ""}, {1e3, "k"}, {1e6, "M"}, {1e9, "G"}}};
  static constexpr std::array<Prefix, 5> binary{
      {{1, ""}, {0x1p10, "Ki"}, {0x1p20, "Mi"}, {0x1p30, "Gi"}, {0x1p40, "Ti"}}};
  const std::span<const Prefix> prefixes =
      unit == "B" ? std::span<const Prefix>(binary) : std::span<const Prefix>(decimal);
  Prefix chosen{1, ""};
  if (largest > 0) {
    chosen = prefixes.front();
    for (const Prefix& one : prefixes) {
      // Seconds above a thousand stay seconds.
      const bool usable = !(unit == "s" && one.factor > 1);
      if (usable && largest >= one.factor) chosen = one;
    }
  }
  return {chosen.name + unit, 1 / chosen.factor};
}

const ResultQuantity* find_quantity(const StudyResults& results, const std::string& id) {
  const auto found = std::find_if(results.quantities.begin(), results.quantities.end(),
                                  [&](const ResultQuantity& one) { return one.id == id; });
  return found == results.quantities.end() ? nullptr : &*found;
}

bool is_known(const StudyResults& results, const std::string& id) {
  return find_quantity(results, id) != nullptr &&
         std::any_of(results.cells.begin(), results.cells.end(),
                     [&](const ResultCell& cell) { return cell.figures.contains(id); });
}

/// GPU, CPU and DRAM apart and their sum; where one part is all, the sum would hide it.
std::vector<std::string> default_energies(const StudyResults& results) {
  std::vector<std::string> parts;
  for (const char* id : {"nvidia_draw_absolute", "intel_power", "dram_j"}) {
    if (is_known(results, id)) parts.emplace_back(id);
  }
  if (parts.size() != 1 && is_known(results, "energy_j")) parts.insert(parts.begin(), "energy_j");
  return parts;
}

Result<std::vector<const ResultQuantity*>> chosen_quantities(
    const StudyResults& results, const std::vector<std::string>& wanted) {
  std::string known;
  for (const ResultQuantity& one : results.quantities) {
    if (is_known(results, one.id)) known += (known.empty() ? "" : ", ") + one.id;
  }
  const std::vector<std::string> ids = wanted.empty() ? default_energies(results) : wanted;
  if (ids.empty())
    return Error{Errc::not_found, "no cell has an energy",
                 known.empty()
                     ? "ergo report names the reasons; --experiment chooses another of the store"
                     : "there are: " + known};
  std::vector<const ResultQuantity*> chosen;
  for (const std::string& id : ids) {
    if (!is_known(results, id))
      return Error{Errc::not_found, fmt::format("no cell has the quantity '{}'", id),
                   "there are: " + known};
    chosen.push_back(find_quantity(results, id));
    if (chosen.back()->unit != chosen.front()->unit)
      return Error{Errc::invalid_argument,
                   fmt::format("{} is in {} and {} in {}: one figure has one unit",
                               chosen.front()->id, chosen.front()->unit, id, chosen.back()->unit),
                   "plot them one by one"};
  }
  return chosen;
}

double largest_of(const StudyResults& results, const std::vector<const ResultQuantity*>& chosen) {
  double largest = 0;
  for (const ResultCell& cell : results.cells) {
    for (const ResultQuantity* one : chosen) {
      if (const auto found = cell.figures.find(one->id); found != cell.figures.end())
        largest = std::max(largest, std::abs(found->second.estimate.value));
    }
  }
  return largest;
}

/// What a series shows: "GPU energy, batch=8 (simulated)".
std::string series_label(const ResultQuantity& quantity, const ResultCell& cell) {
  std::string label = quantity.label;
  if (!cell.series.empty()) label += ", " + cell.series;
  const auto& provenance = cell.figures.at(quantity.id).provenance;
  if (provenance && *provenance != Provenance::measured)
    label += fmt::format(" ({})", name_of(*provenance));
  return label;
}

FigurePoint point_of(double x, const Estimate& e, double factor) {
  return {x, e.value * factor, e.low * factor, e.high * factor};
}

FigureSeries& series_named(Figure& figure, const std::string& label) {
  const auto found = std::find_if(figure.series.begin(), figure.series.end(),
                                  [&](const FigureSeries& one) { return one.label == label; });
  if (found != figure.series.end()) return *found;
  figure.series.push_back({label, {}});
  return figure.series.back();
}

std::string y_label_of(const std::vector<const ResultQuantity*>& chosen, const AxisUnit& unit,
                       const std::string& item) {
  const std::string what = chosen.size() == 1            ? chosen.front()->label
                           : chosen.front()->unit == "J" ? "energy"
                                                         : "value";
  const bool per_item =
      !item.empty() && (chosen.front()->unit == "J" || chosen.front()->id == "time_s");
  return fmt::format("{}{} ({})", what, per_item ? " per " + item : "", unit.name);
}

/// Places of the cells along the axis: numbers where all are, else 0, 1, 2 … with their names.
struct Places {
  std::vector<std::string> categories;
  [[nodiscard]] double of(const ResultCell& cell) const {
    if (categories.empty()) return *cell.position;
    const auto found = std::find(categories.begin(), categories.end(), cell.axis);
    return static_cast<double>(found - categories.begin());
  }
};

Places places_of(const StudyResults& results) {
  Places places;
  const auto numeric = [](const ResultCell& cell) { return cell.position.has_value(); };
  if (std::all_of(results.cells.begin(), results.cells.end(), numeric)) return places;
  for (const ResultCell& cell : results.cells) {
    if (std::find(places.categories.begin(), places.categories.end(), cell.axis) ==
        places.categories.end())
      places.categories.push_back(cell.axis);
  }
  return places;
}

/// The latency of a cell and what it is called.
const ResultFigure* latency_of(const ResultCell& cell, bool single) {
  const auto found = cell.figures.find(single ? "latency" : "time_s");
  return found == cell.figures.end() ? nullptr : &found->second;
}

}  // namespace

Result<Figure> axis_figure(const StudyResults& results,
                           const std::vector<std::string>& quantities) {
  const auto chosen = chosen_quantities(results, quantities);
  if (!chosen) return chosen.error();
  const AxisUnit unit = axis_unit(chosen->front()->unit, largest_of(results, *chosen));
  const Places places = places_of(results);
  Figure figure;
  figure.title = results.titles.title;
  figure.x_label = results.titles.axis_label;
  figure.y_label = y_label_of(*chosen, unit, results.titles.item);
  figure.categories = places.categories;
  for (const ResultQuantity* quantity : *chosen) {
    for (const ResultCell& cell : results.cells) {
      const auto found = cell.figures.find(quantity->id);
      if (found == cell.figures.end()) continue;
      series_named(figure, series_label(*quantity, cell))
          .points.push_back(point_of(places.of(cell), found->second.estimate, unit.factor));
    }
  }
  return figure;
}

Result<Figure> latency_figure(const StudyResults& results,
                              const std::vector<std::string>& quantities) {
  std::vector<std::string> wanted = quantities;
  if (wanted.empty())
    wanted = {is_known(results, "energy_j") ? "energy_j" : "nvidia_draw_absolute"};
  const auto chosen = chosen_quantities(results, wanted);
  if (!chosen) return chosen.error();
  const bool single = is_known(results, "latency");
  double slowest = 0;
  for (const ResultCell& cell : results.cells) {
    if (const ResultFigure* latency = latency_of(cell, single))
      slowest = std::max(slowest, latency->estimate.value);
  }
  const AxisUnit time = axis_unit("s", slowest);
  const AxisUnit unit = axis_unit(chosen->front()->unit, largest_of(results, *chosen));
  Figure figure;
  figure.title = results.titles.title;
  const std::string item = results.titles.item.empty() ? "run" : results.titles.item;
  figure.x_label = single ? fmt::format("latency, median ({})", time.name)
                          : fmt::format("time per {} ({})", item, time.name);
  figure.y_label = y_label_of(*chosen, unit, results.titles.item);
  for (const ResultQuantity* quantity : *chosen) {
    for (const ResultCell& cell : results.cells) {
      const auto found = cell.figures.find(quantity->id);
      const ResultFigure* latency = latency_of(cell, single);
      if (found == cell.figures.end() || latency == nullptr) continue;
      series_named(figure, series_label(*quantity, cell))
          .points.push_back(
              point_of(latency->estimate.value * time.factor, found->second.estimate, unit.factor));
    }
  }
  if (figure.series.empty())
    return Error{Errc::not_found, "no cell has both a latency and an energy", {}};
  return figure;
}

Result<Figure> power_figure(const RunTrace& trace) {
  Figure figure;
  figure.title = trace.label;
  figure.x_label = "time (s)";
  figure.y_label = "power (W)";
  figure.markers = false;
  for (const PowerTrace& channel : trace.channels) {
    FigureSeries series{channel.channel, {}};
    if (channel.provenance != Provenance::measured)
      series.label += fmt::format(" ({})", name_of(channel.provenance));
    for (const auto& [time, watts] : channel.points)
      series.points.push_back({time, watts, watts, watts});
    if (!series.points.empty()) figure.series.push_back(std::move(series));
  }
  if (figure.series.empty()) return Error{Errc::not_found, "the run has no readings of power", {}};
  for (const WindowRecord& window : trace.windows)
    figure.bands.push_back(
        {window.name, window.start.value(), (window.start + window.duration).value()});
  return figure;
}

}  // namespace ergo::report
