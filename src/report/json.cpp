#include "ergo/report/json.hpp"

#include "ergo/report/format.hpp"

#include <nlohmann/json.hpp>

namespace ergo::report {
namespace {

using Json = nlohmann::ordered_json;

Json budget_json(const std::vector<BudgetPart>& budget) {
  Json parts = Json::array();
  for (const BudgetPart& part : budget)
    parts.push_back({{"name", part.name}, {"half_width_j", part.half_width.value()}});
  return parts;
}

Json channel_json(const ChannelEnergy& e) {
  Json json{{"channel", e.channel},       {"domain", name_of(e.domain)}, {"device", e.device},
            {"joules", e.joules.value()}, {"low_j", e.low.value()},      {"high_j", e.high.value()},
            {"mean_w", e.mean.value()}};
  if (e.max) json["max_w"] = e.max->value();
  json["provenance"] = name_of(e.provenance);
  json["source"] = e.source;
  json["in_total"] = e.in_total;
  if (e.idle) json["idle_j"] = e.idle->value();
  if (e.net) json["net_j"] = e.net->value();
  if (e.net_low) json["net_low_j"] = e.net_low->value();
  if (e.net_high) json["net_high_j"] = e.net_high->value();
  if (e.process) json["process_j"] = e.process->value();
  Json alternatives = Json::array();
  for (const Alternative& other : e.alternatives) {
    Json one{{"source", other.source}, {"joules", other.joules.value()}};
    // Stores of the first version kept no interval.
    if (other.high > other.low) {
      one["low_j"] = other.low.value();
      one["high_j"] = other.high.value();
    }
    alternatives.push_back(std::move(one));
  }
  json["alternatives"] = std::move(alternatives);
  json["budget"] = budget_json(e.budget);
  return json;
}

Json channels_json(const std::vector<ChannelEnergy>& channels) {
  Json json = Json::array();
  for (const ChannelEnergy& e : channels)
    json.push_back(channel_json(e));
  return json;
}

Json total_json(const EnergyTotal& total, const std::vector<ChannelEnergy>& channels) {
  Json json = Json::object();
  if (total.measured) {
    json["measured_j"] = total.measured->value();
    json["low_j"] = total.low.value();
    json["high_j"] = total.high.value();
    json["provenance"] = name_of(provenance_of_total(channels));
  }
  if (total.estimated) {
    json["estimated_j"] = total.estimated->value();
    json["estimated_low_j"] = total.estimated_low.value();
    json["estimated_high_j"] = total.estimated_high.value();
  }
  return json;
}

Json windows_json(const std::vector<WindowRecord>& windows) {
  Json json = Json::array();
  for (const WindowRecord& w : windows) {
    Json one{{"name", w.name},
             {"index", w.index},
             {"start_s", w.start.value()},
             {"duration_s", w.duration.value()}};
    if (w.count) one["count"] = *w.count;
    if (w.pid != 0) one["pid"] = w.pid;
    one["energy"] = channels_json(w.energy);
    one["total"] = total_json(w.total, w.energy);
    json.push_back(std::move(one));
  }
  return json;
}

Json run_object(const RunRecord& run) {
  Json json{{"index", run.index}, {"warmup", run.warmup}, {"exit_code", run.exit_code}};
  if (run.signal) json["signal"] = *run.signal;
  json["duration_s"] = run.duration.value();
  json["energy"] = channels_json(run.energy);
  json["total"] = total_json(run.total, run.energy);
  json["windows"] = windows_json(run.windows);
  if (run.items) {
    json["items"] = Json{{"window", run.items->window},
                         {"count", run.items->count},
                         {"duration_s", run.items->duration.value()},
                         {"total", total_json(run.items->total, run.items->energy)}};
  }
  Json metrics = Json::object();
  for (const GaugeSummary& m : run.metrics)
    metrics[m.name] = {{"mean", m.mean}, {"max", m.max}, {"unit", m.unit}};
  json["metrics"] = std::move(metrics);
  if (run.latency) {
    json["latency"] = {{"count", run.latency->count},
                       {"median_s", run.latency->median.value()},
                       {"p95_s", run.latency->p95.value()},
                       {"p99_s", run.latency->p99.value()}};
  }
  json["samples"] = run.samples;
  json["gaps"] = run.gaps;
  json["throttled"] = Json(run.throttled);
  json["self"] = {{"cpu_s", run.self_cpu.value()}};
  if (run.power_limit) json["power_limit_w"] = run.power_limit->value();
  if (!run.parameters.empty()) json["parameters"] = Json(run.parameters);
  if (run.invalid) json["invalid"] = *run.invalid;
  json["warnings"] = run.warnings;
  return json;
}

Json host_json(const HostRecord& host) {
  Json gpus = Json::array();
  for (const GpuIdentity& gpu : host.gpus) {
    Json one{{"index", gpu.index}, {"uuid", gpu.uuid}, {"name", gpu.name}};
    if (gpu.power_limit_w > 0) one["power_limit_w"] = gpu.power_limit_w;
    if (gpu.simulated) one["simulated"] = true;
    gpus.push_back(std::move(one));
  }
  return Json{
      {"name", host.name}, {"cpu", host.cpu}, {"kernel", host.kernel}, {"gpus", std::move(gpus)}};
}

Json median_json(const Estimate& e) {
  return Json{{"median", e.value}, {"low", e.low}, {"high", e.high}};
}

}  // namespace

std::string run_json(const ExperimentRecord& record) {
  Json json{{"schema", "ergo.run/1"}};
  if (!record.name.empty()) json["name"] = record.name;
  json["command"] = record.command;
  json["started"] = record.started;
  json["host"] = host_json(record.host);
  Json runs = Json::array();
  for (const RunRecord& run : record.runs)
    runs.push_back(run_object(run));
  json["runs"] = std::move(runs);
  Json summary{{"repeats", record.summary.repeats}};
  if (record.summary.repeats > 0) {
    summary["duration_s"] = median_json(record.summary.duration_s);
    Json energy = Json::object();
    for (const auto& [channel, estimate] : record.summary.energy_j)
      energy[channel] = median_json(estimate);
    summary["energy_j"] = std::move(energy);
  }
  json["summary"] = std::move(summary);
  // Program names and paths may hold bytes that are no UTF-8: they are replaced, the report is not
  // lost.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ergo::report
