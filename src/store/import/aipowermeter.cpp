#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"
#include "ergo/stats/summary.hpp"
#include "ergo/store/import.hpp"
#include "store/import/aipowermeter_records.hpp"
#include "store/import/text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <system_error>

namespace ergo {
namespace importing {
namespace {

constexpr std::size_t size_limit = std::size_t{2} << 30;
constexpr const char* script_formula = "aipowermeter.concat_power_measure";
constexpr const char* library_formula = "aipowermeter.ExpResults.total_";

/// Where a series of theirs belongs.
struct Place {
  const char* key;
  const char* channel;
  Domain domain;
  bool in_total;
  double gain;
};

// The processor is not recorded, so the gains are those of the less exact kinds
// (docs/user/accuracy.md).
constexpr std::array places{Place{"intel_power", "cpu0", Domain::cpu, true, 0.15},
                            Place{"total_dram_power", "dram0", Domain::dram, true, 0.20},
                            Place{"total_cpu_power", "core0", Domain::cpu, false, 0.15},
                            Place{"uncore_power", "uncore0", Domain::cpu, false, 0.15},
                            Place{"psys_power", "psys", Domain::node, false, 0.15}};

/// The channels of a segment: key in the segment -> signal.
std::vector<std::pair<std::string, SignalInfo>> channels_of(const Segment& segment,
                                                            bool main_format) {
  std::vector<std::pair<std::string, SignalInfo>> channels;
  const auto add = [&](const std::string& key, const std::string& channel, Domain domain,
                       bool in_total, double gain, const char* gain_kind) {
    auto info = channel_signal(SignalKind::power, channel, domain, "aipowermeter." + key, in_total);
    info.traits.gain_u95 = gain;
    info.traits.gain_kind = gain_kind;
    info.traits.basis = "assumed: power at the date of the record";
    if (main_format) {
      // Their main branch divides the difference of two counter readings by the time between them.
      info.traits.averaging_window = Seconds(median_spacing(segment.series.at(key)));
      info.traits.update_period = info.traits.averaging_window;
      info.traits.basis = "AIPowerMeter main: mean power since the record before";
    }
    channels.emplace_back(key, std::move(info));
  };
  for (const auto& place : places) {
    if (segment.series.contains(place.key)) {
      add(place.key, place.channel, place.domain, place.in_total, place.gain, "rapl");
    }
  }
  bool each = false;
  for (const auto& [key, series] : segment.series) {
    if (!key.starts_with("gpu.")) continue;
    each = true;
    add(key, "gpu" + key.substr(4), Domain::gpu, true, 0.05, "nvml board sensor");
  }
  if (!each && segment.series.contains("gpu"))
    add("gpu", "gpu0", Domain::gpu, true, 0.05, "nvml board sensor");
  return channels;
}

void add_gauges(Timeline& timeline, const Segment& segment) {
  for (const auto& [key, series] : segment.series) {
    if (key == "cpu_use") add_series(timeline, gauge_signal("process.cpu_share", "1"), series);
    if (key == "memory") add_series(timeline, gauge_signal("process.memory_pss", "B"), series);
    if (key.starts_with("gpu_use.")) {
      add_series(timeline, gauge_signal("gpu" + key.substr(8) + ".sm_utilization", "%"), series);
    }
    if (key.starts_with("gpu_memory.")) {
      add_series(timeline, gauge_signal("gpu" + key.substr(11) + ".memory_used", "B"), series);
    }
  }
}

/// Puts the results of both their formulas beside ours and says why they differ.
void compare(RunRecord& run, const Segment& segment,
             const std::vector<std::pair<std::string, SignalInfo>>& channels) {
  std::string numbers;
  for (const auto& [key, info] : channels) {
    const ChannelEnergy* ours = find_channel(run.energy, info.channel);
    if (ours == nullptr) continue;
    const double joules = ours->joules.value();
    std::vector<double> pieces;
    const double library = trapezoids(segment.series.at(key), &pieces);
    const double script = stats::median(pieces) * static_cast<double>(pieces.size());
    add_alternative(run.energy, info.channel, script_formula, script);
    add_alternative(run.energy, info.channel, library_formula, library);
    numbers += fmt::format(
        "{}{}: {:.6g} J here, {:.6g} J by its benchmark script, {:.6g} J by its library",
        numbers.empty() ? "" : "; ", info.channel, joules, script, library);
  }
  if (numbers.empty()) return;
  run.warnings.push_back("AIPowerMeter's own formulas give other joules (" + numbers +
                         "): its script multiplies the median trapezoid by their number, which "
                         "forgets every phase whose power is not the "
                         "usual one; both leave out what was used before the first record, and "
                         "nobody can know what was used after the "
                         "last; the dates are wall clock and jump when it is set");
}

Result<void> add_wattmeter(Timeline& timeline, const std::filesystem::path& folder,
                           std::int64_t first_ns) {
  const auto file = folder / "omegawatt.csv";
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return {};
  auto text = read_text(file, size_limit);
  if (!text) return text.error();
  auto powers = parse_omegawatt(*text, file.string());
  if (!powers) return powers.error();
  int number = 0;
  for (auto& [column, series] : *powers) {
    const std::int64_t offset = series.empty() ? 0 : zone_offset_ns(first_ns, series.front().first);
    for (auto& reading : series)
      reading.first += offset;
    const std::string channel = number == 0 ? "node" : fmt::format("node_{}", number + 1);
    ++number;
    auto info =
        channel_signal(SignalKind::power, channel, Domain::node, "omegawatt." + column, false);
    info.traits.update_period = Seconds(0.01);
    info.traits.gain_u95 = 0.02;
    info.traits.gain_kind = "omegawatt";
    info.traits.basis = "assumed: one reading each 10 ms, gain ±2 %";
    add_series(timeline, info, series);
  }
  return {};
}

Result<std::vector<double>> latencies_of(const std::filesystem::path& folder) {
  std::error_code ignored;
  for (const bool json : {true, false}) {
    const auto file = folder / (json ? "latency.json" : "latency.csv");
    if (!std::filesystem::exists(file, ignored)) continue;
    auto text = read_text(file, size_limit);
    if (!text) return text.error();
    return parse_latencies(*text, file.string(), json);
  }
  return std::vector<double>();
}

/// A text of metadata.json; empty without one.
std::string metadata_of(const std::filesystem::path& folder, const char* key) {
  const auto text = read_text(folder / "metadata.json");
  if (!text) return {};
  const auto parsed = nlohmann::json::parse(*text, nullptr, false);
  if (!parsed.is_object() || !parsed.contains(key) || !parsed[key].is_string()) return {};
  return parsed[key].get<std::string>();
}

class Importer {
 public:
  explicit Importer(std::filesystem::path root) : root_(std::move(root)) {}

  Result<ImportedExperiment> import() {
    auto folders = folders_with(root_, "power_metrics.json", 4);
    if (!folders) return folders.error();
    if (folders->empty()) {
      return Error{Errc::not_found,
                   "there is no power_metrics.json in " + root_.string() + " nor below it",
                   {}};
    }
    out_.origin = "aipowermeter";
    for (const auto& folder : *folders) {
      if (auto done = add_folder(folder); !done) return done.error();
    }
    if (out_.record.runs.empty()) {
      return Error{Errc::corrupt,
                   root_.string() + ": no recording has two records, so no energy can be computed",
                   {}};
    }
    const auto& first = out_.record.runs.front();
    out_.record.started = iso_utc(first.started_unix_ns);
    out_.record.name = name_;
    if (name_.empty())
      out_.record.name = std::filesystem::absolute(root_).lexically_normal().filename().string();
    return std::move(out_);
  }

 private:
  Result<void> add_folder(const std::filesystem::path& folder) {
    const auto file = folder / "power_metrics.json";
    auto text = read_text(file, size_limit);
    if (!text) return text.error();
    auto metrics = parse_power_metrics(*text, file.string());
    if (!metrics) return metrics.error();
    auto latencies = latencies_of(folder);
    if (!latencies) return latencies.error();
    if (name_.empty()) name_ = metadata_of(folder, "description");
    if (metrics->backwards > 0) {
      out_.notes.push_back(
          fmt::format("{}: {} records left out, because the clock had been set back", file.string(),
                      metrics->backwards));
    }
    const bool one = metrics->segments.size() == 1;
    for (std::size_t i = 0; i < metrics->segments.size(); ++i) {
      const Segment& segment = metrics->segments[i];
      if (segment.records < 2 || segment.first_ns == segment.last_ns) {
        out_.notes.push_back(
            fmt::format("{}: segment {} has {} record, too few for an energy: left out",
                        file.string(), i + 1, segment.records));
        continue;
      }
      if (auto done = add_segment(folder, *metrics, segment,
                                  one ? std::move(*latencies) : std::vector<double>());
          !done) {
        return done;
      }
      if (!one) {
        out_.record.runs.back().warnings.push_back(
            fmt::format("segment {} of {}: the recording was stopped in between", i + 1,
                        metrics->segments.size()));
      }
    }
    return {};
  }

  Result<void> add_segment(const std::filesystem::path& folder, const PowerMetrics& metrics,
                           const Segment& segment, std::vector<double> latencies) {
    const bool main_format = metrics.generation == PowerMetrics::Generation::main;
    auto timeline = std::make_unique<Timeline>();
    auto channels = channels_of(segment, main_format);
    // Written by ergo on a simulated node: it must not become a measurement on its way.
    if (metadata_of(folder, "provenance") == "simulated") {
      for (auto& [key, info] : channels)
        info.provenance = Provenance::simulated;
    }
    for (const auto& [key, info] : channels)
      add_series(*timeline, info, segment.series.at(key));
    add_gauges(*timeline, segment);
    if (auto done = add_wattmeter(*timeline, folder, segment.first_ns); !done) return done;
    Seconds before{0.0};
    for (const auto& [key, info] : channels)
      before = std::max(before, info.traits.averaging_window);
    RunRecord run =
        run_from(*timeline, Window{Instant{segment.first_ns} - before, Instant{segment.last_ns}});
    run.index = static_cast<int>(out_.record.runs.size());
    run.started_unix_ns = local_to_unix_ns(run.begin.ns);
    compare(run, segment, channels);
    place(run, folder);
    if (!latencies.empty()) {
      run.items = ItemsRecord{"latency", static_cast<std::int64_t>(latencies.size()), run.duration,
                              run.total, run.energy};
      set_latencies(run, std::move(latencies));
    }
    out_.record.runs.push_back(std::move(run));
    out_.timelines.push_back(std::move(timeline));
    return {};
  }

  /// input_112/run_3 -> input=112, repeat 3.
  void place(RunRecord& run, const std::filesystem::path& folder) const {
    const auto whole = std::filesystem::absolute(folder).lexically_normal();
    for (const auto& part : {whole.parent_path().filename(), whole.filename()}) {
      const std::string name = part.string();
      if (name.find("input") != std::string::npos) {
        const auto label = split(name, '_');
        if (label.size() > 1) run.parameters["input"] = std::string(label[1]);
      }
      if (name.starts_with("run_")) {
        const auto number = parse_int(std::string_view(name).substr(4));
        if (number && *number >= 0 && *number < 1'000'000) run.repeat = static_cast<int>(*number);
      }
    }
  }

  std::filesystem::path root_;
  std::string name_;
  ImportedExperiment out_;
};

}  // namespace
}  // namespace importing

Result<ImportedExperiment> import_aipowermeter(const std::filesystem::path& folder) {
  return importing::Importer(folder).import();
}

}  // namespace ergo
