#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"
#include "ergo/stats/summary.hpp"
#include "ergo/store/import.hpp"
#include "store/import/gpyjoules_tables.hpp"
#include "store/import/text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <system_error>

namespace ergo {
namespace importing {
namespace {

constexpr std::size_t file_limit = std::size_t{2} << 30;
constexpr const char* their_formula = "gpyjoules.trapezoid";
constexpr const char* steady = "gpyjoules.steady";

struct Gauge {
  const char* column;
  const char* name;
  const char* unit;
};
constexpr std::array gauges{
    Gauge{"util-gpu", "gpu0.sm_utilization", "%"},
    Gauge{"util-mem", "gpu0.memory_utilization", "%"}, Gauge{"clock-gpu", "gpu0.sm_clock", "MHz"},
    Gauge{"clock-mem", "gpu0.memory_clock", "MHz"}, Gauge{"tmp", "gpu0.temperature", "°C"}};

Series scaled(Series series, double factor, std::int64_t offset_ns = 0) {
  for (auto& [ns, value] : series) {
    ns += offset_ns;
    value *= factor;
  }
  return series;
}

SignalInfo gpu_signal(SignalKind kind, const std::string& source, int rank) {
  auto info = channel_signal(kind, "gpu0", Domain::gpu, source, true);
  info.rank = rank;
  info.traits.update_period = Seconds(0.1);
  info.traits.gain_u95 = 0.05;
  info.traits.gain_kind = "nvml board sensor";
  info.traits.basis = "assumed: renewed each 100 ms";
  return info;
}

/// A pair of begin and end events.
struct Stretch {
  std::string name;
  int index = 0;
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;
};

/// X_begin and the next X_end make a stretch; what has no partner is left out.
std::vector<Stretch> stretches_of(const std::vector<TimedEvent>& events) {
  std::map<std::string, std::int64_t> open;
  std::map<std::string, int> counts;
  std::vector<Stretch> found;
  for (const auto& event : events) {
    if (event.name.ends_with("_begin"))
      open[event.name.substr(0, event.name.size() - 6)] = event.ns;
    if (!event.name.ends_with("_end")) continue;
    const std::string name = event.name.substr(0, event.name.size() - 4);
    const auto begun = open.find(name);
    if (begun == open.end() || begun->second > event.ns) continue;
    found.push_back({name, counts[name]++, begun->second, event.ns});
    open.erase(begun);
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Stretch& a, const Stretch& b) { return a.begin_ns < b.begin_ns; });
  return found;
}

/// Their window of analysis: from epoch 1 to the last but one, without the first where there are
/// two, else everything.
Stretch steady_of(const std::vector<Stretch>& stretches, const Stretch& whole, int& epochs) {
  std::vector<Stretch> found;
  for (const auto& stretch : stretches) {
    if (stretch.name == "epoch") found.push_back(stretch);
  }
  Stretch result = whole;
  result.name = steady;
  result.index = 0;
  epochs = static_cast<int>(found.size());
  if (found.size() < 2) return result;
  const std::size_t last = found.size() == 2 ? 1 : found.size() - 2;
  result.begin_ns = found[1].begin_ns;
  result.end_ns = found[last].end_ns;
  epochs = static_cast<int>(last);
  return result;
}

std::string text_of(const nlohmann::json& json, const char* key) {
  return json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : std::string();
}

class GpyjoulesImporter {
 public:
  explicit GpyjoulesImporter(std::filesystem::path root) : root_(std::move(root)) {}

  Result<ImportedExperiment> import() {
    auto folders = folders_with(root_, "gpu-power.csv", 6);
    if (!folders) return folders.error();
    out_.origin = "gpyjoules";
    for (const auto& folder : *folders) {
      const auto path = std::filesystem::absolute(folder).lexically_normal();
      const bool idle = std::any_of(path.begin(), path.end(),
                                    [](const auto& part) { return part == "_baseline"; });
      if (idle) {
        out_.notes.push_back(folder.string() + ": a recording of the idle machine: left out");
      } else if (auto done = add_repetition(folder, path); !done) {
        return done.error();
      }
    }
    if (out_.record.runs.empty()) {
      return Error{
          Errc::not_found, "there is no gpu-power.csv in " + root_.string() + " nor below it", {}};
    }
    out_.record.started = iso_utc(out_.record.runs.front().started_unix_ns);
    return std::move(out_);
  }

 private:
  Result<std::string> text(const std::filesystem::path& file) {
    return read_text(file, file_limit);
  }

  Result<void> add_repetition(const std::filesystem::path& folder,
                              const std::filesystem::path& path) {
    auto power_text = text(folder / "gpu-power.csv");
    if (!power_text) return power_text.error();
    auto columns = parse_gpu_power(*power_text, (folder / "gpu-power.csv").string());
    if (!columns) return columns.error();
    std::vector<TimedEvent> events;
    std::error_code ignored;
    if (const auto file = folder / "timestamps.csv"; std::filesystem::exists(file, ignored)) {
      auto events_text = text(file);
      if (!events_text) return events_text.error();
      auto parsed = parse_timestamps(*events_text, file.string());
      if (!parsed) return parsed.error();
      events = std::move(*parsed);
    }
    auto timeline = std::make_unique<Timeline>();
    add_gpu(*timeline, *columns);
    if (auto done = add_others(*timeline, folder, *columns); !done) return done;
    const Series& any =
        columns->contains("power") ? columns->at("power") : columns->at("total-energy");
    const auto stretches = stretches_of(events);
    Stretch whole{"", 0, any.front().first, any.back().first};
    if (!events.empty()) {
      const auto [first, last] = std::minmax_element(
          events.begin(), events.end(), [](const auto& a, const auto& b) { return a.ns < b.ns; });
      whole.begin_ns = first->ns;
      whole.end_ns = last->ns;
    }
    if (whole.end_ns <= whole.begin_ns) {
      out_.notes.push_back(folder.string() + ": too short for an energy: left out");
      return {};
    }
    RunRecord run = run_from(*timeline, Window{Instant{whole.begin_ns}, Instant{whole.end_ns}});
    run.index = static_cast<int>(out_.record.runs.size());
    run.started_unix_ns = local_to_unix_ns(whole.begin_ns);
    add_windows(run, *timeline, stretches, whole, *columns);
    describe(run, path, *columns);
    add_system(folder, run);
    out_.record.runs.push_back(std::move(run));
    out_.timelines.push_back(std::move(timeline));
    return {};
  }

  static void add_gpu(Timeline& timeline, const std::map<std::string, Series>& columns) {
    if (const auto energy = columns.find("total-energy");
        energy != columns.end() && energy->second.size() > 1) {
      auto info = gpu_signal(SignalKind::energy, "gpyjoules.total_energy", 0);
      info.traits.quantum = Joules(0.001);
      // A counter counts from the start of the driver; only differences mean anything.
      Series series = scaled(energy->second, 1e-3);
      const double start = series.front().second;
      for (auto& reading : series)
        reading.second -= start;
      add_series(timeline, info, series);
    }
    if (const auto power = columns.find("power"); power != columns.end()) {
      add_series(timeline, gpu_signal(SignalKind::power, "gpyjoules.power", 2),
                 scaled(power->second, 1e-3));
    }
    for (const auto& gauge : gauges) {
      if (const auto found = columns.find(gauge.column); found != columns.end()) {
        add_series(timeline, gauge_signal(gauge.name, gauge.unit), found->second);
      }
    }
  }

  Result<void> add_others(Timeline& timeline, const std::filesystem::path& folder,
                          const std::map<std::string, Series>& columns) {
    std::error_code ignored;
    const std::int64_t first_ns = columns.begin()->second.front().first;
    if (const auto file = folder / "total_power_samples.csv";
        std::filesystem::exists(file, ignored)) {
      auto content = text(file);
      if (!content) return content.error();
      auto series = parse_samples(*content, file.string());
      if (!series) return series.error();
      if (!series->empty()) {
        // These times are UTC, all others local.
        const auto offset = zone_offset_ns(first_ns, series->front().first);
        auto info = gpu_signal(SignalKind::power, "gpyjoules.total_power_samples", 1);
        info.traits.update_period = Seconds(0.02);
        info.traits.basis = "gpyjoules: the driver's buffer, about 50 readings a second";
        add_series(timeline, info, scaled(std::move(*series), 1e-3, offset));
      }
    }
    if (const auto file = folder / "power-external.csv"; std::filesystem::exists(file, ignored)) {
      auto content = text(file);
      if (!content) return content.error();
      auto series = parse_external(*content, file.string());
      if (!series) return series.error();
      auto info =
          channel_signal(SignalKind::power, "node", Domain::node, "gpyjoules.external", false);
      info.traits.update_period = Seconds(0.02);
      info.traits.gain_u95 = 0.02;
      info.traits.gain_kind = "mcp39f511n";
      info.traits.basis = "assumed: gain ±2 %";
      add_series(timeline, info, *series);
    }
    return {};
  }

  void add_windows(RunRecord& run, const Timeline& timeline, const std::vector<Stretch>& stretches,
                   const Stretch& whole, const std::map<std::string, Series>& columns) {
    const auto window_of = [&](const Stretch& stretch) {
      const Window window{Instant{stretch.begin_ns}, Instant{stretch.end_ns}};
      WindowEnergy measured = measure(timeline, window);
      WindowRecord record;
      record.name = stretch.name;
      record.index = stretch.index;
      record.start = window.begin - run.begin;
      record.duration = window.duration();
      record.energy = std::move(measured.channels);
      record.total = measured.total;
      return record;
    };
    for (const auto& stretch : stretches) {
      if (stretch.end_ns > stretch.begin_ns) run.windows.push_back(window_of(stretch));
    }
    int epochs = 0;
    const Stretch analysed = steady_of(stretches, whole, epochs);
    if (analysed.end_ns <= analysed.begin_ns) return;
    WindowRecord window = window_of(analysed);
    if (epochs > 0) window.count = epochs;
    compare_steady(run, window, analysed, columns);
    if (epochs > 0)
      run.items = ItemsRecord{steady, epochs, window.duration, window.total, window.energy};
    run.windows.push_back(std::move(window));
  }

  static void compare_steady(RunRecord& run, WindowRecord& window, const Stretch& analysed,
                             const std::map<std::string, Series>& columns) {
    const auto power = columns.find("power");
    if (power == columns.end()) return;
    Series inside;
    for (const auto& reading : power->second) {
      if (reading.first >= analysed.begin_ns && reading.first <= analysed.end_ns)
        inside.push_back(reading);
    }
    const double theirs = trapezoids(inside) * 1e-3;
    const ChannelEnergy* ours = find_channel(window.energy, "gpu0");
    if (ours == nullptr || inside.size() < 2) return;
    run.warnings.push_back(
        fmt::format("gpyjoules' own formula gives {:.6g} J for its window of analysis (epoch 1 to "
                    "the last but one), here it is "
                    "{:.6g} J: it adds up trapezoids between the readings inside the window, so it "
                    "leaves out the pieces before "
                    "the first and after the last of them, and it takes the polled power, not the "
                    "energy counter",
                    theirs, ours->joules.value()));
    add_alternative(window.energy, "gpu0", their_formula, theirs);
  }

  /// <experiment>/<benchmark>/<setting>/<repetition>
  void describe(RunRecord& run, const std::filesystem::path& path,
                const std::map<std::string, Series>& columns) {
    std::vector<std::string> parts;
    for (const auto& part : path)
      parts.push_back(part.string());
    const auto from_end = [&](std::size_t n) {
      return parts.size() > n ? parts[parts.size() - 1 - n] : std::string();
    };
    if (const auto repeat = parse_int(from_end(0)); repeat && *repeat >= 0 && *repeat < 1'000'000) {
      run.repeat = static_cast<int>(*repeat);
    }
    const std::string setting = from_end(1);
    const bool is_limit =
        setting.ends_with("W") && parse_double(setting.substr(0, setting.size() - 1));
    if (!setting.empty() && !is_limit) run.parameters["setting"] = setting;
    if (!from_end(2).empty()) run.parameters["workload"] = from_end(2);
    if (out_.record.name.empty()) out_.record.name = from_end(3);
    if (const auto enforced = columns.find("enforced-power-limit"); enforced != columns.end()) {
      std::vector<double> watts;
      for (const auto& [ns, milliwatts] : enforced->second)
        watts.push_back(milliwatts * 1e-3);
      set_power_limit(run, stats::median(watts));
      const auto [least, most] = std::minmax_element(watts.begin(), watts.end());
      if (*most - *least > 0.5) {
        run.invalid = fmt::format(
            "the power limit changed between {:g} W and {:g} W during the run", *least, *most);
        run.warnings.push_back(*run.invalid);
      }
    } else if (is_limit) {
      set_power_limit(run, *parse_double(setting.substr(0, setting.size() - 1)));
    }
  }

  void add_system(const std::filesystem::path& folder, RunRecord& run) {
    const auto content = read_text(folder / "system_info.json");
    if (!content) return;
    const auto json = nlohmann::json::parse(*content, nullptr, false);
    if (!json.is_object()) {
      run.warnings.push_back((folder / "system_info.json").string() +
                             " is not JSON: the GPU's name is unknown");
      return;
    }
    if (out_.record.host.kernel.empty()) out_.record.host.kernel = text_of(json, "platform");
    if (!out_.record.host.gpus.empty() || text_of(json, "device_name").empty()) return;
    GpuIdentity gpu;
    gpu.name = text_of(json, "device_name");
    out_.record.host.gpus.push_back(std::move(gpu));
  }

  std::filesystem::path root_;
  ImportedExperiment out_;
};

}  // namespace
}  // namespace importing

Result<ImportedExperiment> import_gpyjoules(const std::filesystem::path& folder) {
  return importing::GpyjoulesImporter(folder).import();
}

}  // namespace ergo
