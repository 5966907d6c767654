#include "ergo/core/parse.hpp"
#include "store/import/build.hpp"
#include "store/import/results.hpp"
#include "store/import/text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

namespace ergo::importing {
namespace {

using Json = nlohmann::json;

int line_at(std::string_view text, std::size_t position) {
  return 1 +
         static_cast<int>(std::count(
             text.begin(),
             text.begin() + static_cast<std::ptrdiff_t>(std::min(position, text.size())), '\n'));
}

/// Notes where parsing failed, without exceptions.
class Locator : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return true; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t at, const std::string&,
                   const nlohmann::detail::exception&) override {
    position = at;
    return false;
  }
  std::size_t position = 0;
};

/// A cache that is still being written lacks its last two brackets and may end in a comma.
std::string closed(std::string_view text) {
  std::string whole(trim(text));
  if (whole.ends_with(',')) whole.pop_back();
  return whole + "}}";
}

std::string text_of_value(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return shortest(value.get<double>());
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<double> positive(const Json& entry, const char* key) {
  const auto found = entry.find(key);
  if (found == entry.end() || !found->is_number()) return std::nullopt;
  const auto value = found->get<double>();
  return std::isfinite(value) && value > 0.0 ? std::optional(value) : std::nullopt;
}

void add_energy(RunRecord& run, const Json& entry) {
  const double seconds = run.duration.value();
  for (const char* key : {"nvml_energy", "ps_energy", "pmt_energy", "energy"}) {
    if (const auto joules = positive(entry, key)) {
      run.energy = {
          channel_result("gpu0", std::string("kernel_tuner.") + key, *joules, seconds, 0.05)};
      break;
    }
  }
  if (run.energy.empty()) {
    if (const auto watts = positive(entry, "nvml_power")) {
      run.energy = {
          channel_result("gpu0", "kernel_tuner.nvml_power", *watts * seconds, seconds, 0.05)};
    }
  }
  run.total = total_of(run.energy);
}

RunRecord run_of(const std::string& key, const Json& entry,
                 const std::vector<std::string>& parameters) {
  RunRecord run;
  constexpr const char* limit_key = "nvml_pwr_limit";
  const auto limit = positive(entry, limit_key);
  for (const auto& name : parameters) {
    // The limit is no part of the configuration: it is what configurations are compared under.
    if (entry.contains(name) && !(limit && name == limit_key))
      run.parameters[name] = text_of_value(entry[name]);
  }
  if (limit) set_power_limit(run, *limit);
  if (entry.contains("timestamp") && entry["timestamp"].is_string()) {
    if (const auto date = parse_date(entry["timestamp"].get_ref<const std::string&>()))
      run.started_unix_ns = date->ns;
  }
  if (const auto milliseconds = positive(entry, "time")) {
    run.duration = Seconds(*milliseconds * 1e-3);
    add_energy(run, entry);
  } else {
    // A configuration that did not compile or run has a word in place of its time.
    run.exit_code = 1;
    const std::string word = entry.contains("time") ? text_of_value(entry["time"]) : "no time";
    run.warnings.push_back(fmt::format("configuration {} failed: {}", key, word));
  }
  return run;
}

}  // namespace

Result<ImportedExperiment> parse_kernel_tuner(std::string_view text, const std::string& file) {
  ImportedExperiment out;
  out.origin = "kernel_tuner";
  auto cache = Json::parse(text, nullptr, false);
  if (cache.is_discarded()) {
    cache = Json::parse(closed(text), nullptr, false);
    if (cache.is_discarded()) {
      Locator locator;
      (void)Json::sax_parse(text, &locator);
      return bad_line(file, line_at(text, locator.position), "not JSON");
    }
    out.notes.push_back(file +
                        ": the cache was still open: it holds what had been tuned until then");
  }
  if (!cache.is_object() || !cache.contains("cache") || !cache["cache"].is_object()) {
    return bad_line(file, 1, "not a cache of Kernel Tuner: there is no object 'cache'");
  }
  std::vector<std::string> parameters;
  if (cache.contains("tune_params_keys") && cache["tune_params_keys"].is_array()) {
    for (const auto& name : cache["tune_params_keys"]) {
      if (name.is_string()) parameters.push_back(name.get<std::string>());
    }
  }
  const auto word = [&](const char* key) {
    return cache.contains(key) && cache[key].is_string() ? cache[key].get<std::string>()
                                                         : std::string();
  };
  out.record.name = word("kernel_name");
  GpuIdentity gpu;
  gpu.name = word("device_name");
  out.record.host.gpus.push_back(std::move(gpu));
  for (const auto& [key, entry] : cache["cache"].items()) {
    if (!entry.is_object())
      return bad_line(file, 1, fmt::format("the entry '{:.60}' is not an object", key));
    RunRecord run = run_of(key, entry, parameters);
    run.index = static_cast<int>(out.record.runs.size());
    out.record.runs.push_back(std::move(run));
    out.timelines.emplace_back();
  }
  if (out.record.runs.empty()) return bad_line(file, 1, "the cache has no entries");
  const auto& first = out.record.runs.front();
  if (first.started_unix_ns != 0) out.record.started = iso_utc(first.started_unix_ns);
  return out;
}

}  // namespace ergo::importing
