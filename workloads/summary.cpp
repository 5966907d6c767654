#include "summary.hpp"

#include "common/run_record.hpp"
#include "networks/catalog.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

namespace ergo::workload {
namespace {

std::string line(const char* label, const std::string& value) {
  return fmt::format("  {:<16}{}\n", label, value);
}

std::string counted(const NetworkFacts& facts) {
  std::string text = line("parameters", with_commas(facts.parameters));
  if (facts.batch_norm_statistics > 0) {
    text += line("", fmt::format("and {} running statistics of batch normalisation",
                                 with_commas(facts.batch_norm_statistics)));
  }
  return text + line("multiply-adds", with_commas(facts.multiply_adds) + " for one sample");
}

std::string latency_lines(const std::vector<Seconds>& latencies) {
  return line("latency",
              fmt::format("median {}, 95 % within {}", readable(quantile(latencies, 0.5)),
                          readable(quantile(latencies, 0.95))));
}

}  // namespace

std::string list_text() {
  std::string text;
  for (const CatalogEntry& entry : catalog()) {
    text += fmt::format("{:<18}{}{}\n", entry.name,
                        entry.use == NetworkUse::training ? "train " : "", entry.summary);
  }
  text += fmt::format("{:<18}{}\n", "torchscript", "your own TorchScript module");
  text += fmt::format("{:<18}{}\n", "nbody", "gravity between all pairs of bodies");
  text += fmt::format("{:<18}{}\n", "synthetic",
                      "work of a stated kind; on the simulated node, a GPU's");
  return text;
}

std::string facts_text(const std::string& network, int size, const NetworkFacts& facts) {
  return fmt::format("{}, {}\n{}{}", network, size, counted(facts),
                     line("output", fmt::format("{}", fmt::join(facts.output_shape, " x "))));
}

std::string summary(const InferenceOptions& options, const InferenceReport& report) {
  std::string what = options.network;
  if (report.size > 0) what += fmt::format(", size {}, batch {}", report.size, options.batch);
  std::int64_t batch = options.batch;
  if (!options.shapes.empty()) batch = options.shapes[0].dimensions.at(0);
  const double samples = static_cast<double>(batch) * static_cast<double>(report.latencies.size());
  return fmt::format("{}: {}, {}\n", what, report.device, report.weights) + counted(report.facts) +
         latency_lines(report.latencies) +
         line("throughput",
              fmt::format("{:.4g} samples/s over {} batches", samples / report.duration.value(),
                          with_commas(static_cast<long long>(report.latencies.size()))));
}

std::string summary(const TrainingOptions& options, const TrainingReport& report) {
  std::string text =
      fmt::format("{}, batch {}: {}\n", options.network, report.batch, report.device) +
      line("data", report.data) + counted(report.facts);
  for (std::size_t i = 0; i < report.epochs.size(); ++i) {
    const EpochReport& epoch = report.epochs[i];
    text += line(fmt::format("epoch {}", i + 1).c_str(),
                 fmt::format("loss {:.4f}, accuracy {:.1f} %, {}, {:.4g} samples/s", epoch.loss,
                             100 * epoch.accuracy, readable(epoch.duration),
                             static_cast<double>(report.samples) / epoch.duration.value()));
  }
  return text;
}

std::string summary(const NBodyOptions& options, const NBodyReport& report) {
  const double rate = report.interactions / report.duration.value();
  const std::string kept =
      report.energy_before && report.energy_after
          ? fmt::format("changed by {:.2g} of its amount",
                        std::abs(*report.energy_after / *report.energy_before - 1.0))
          : std::string("not summed for so many bodies (up to 131,072 are)");
  return fmt::format("nbody, {} bodies, {}: {}\n", with_commas(options.bodies),
                     options.double_precision ? "fp64" : "fp32", report.device) +
         line("interactions",
              fmt::format("{}/s ({}flop/s at {} each)", readable_rate(rate),
                          readable_rate(rate * flops_per_interaction), flops_per_interaction)) +
         latency_lines(report.latencies) + line("energy", kept);
}

std::string summary(const SyntheticReport& report, const std::string& device) {
  return fmt::format("synthetic: {}\n", device) +
         line("iterations",
              fmt::format("{} in {}", report.latencies.size(), readable(report.duration))) +
         latency_lines(report.latencies);
}

}  // namespace ergo::workload
