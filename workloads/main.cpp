// ergo-workload: runs what the built-in studies measure.

#include "cli.hpp"
#include "common/exit_code.hpp"
#include "common/run_record.hpp"
#include "networks/catalog.hpp"
#include "networks/run.hpp"
#include "summary.hpp"

#include <fmt/format.h>
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

namespace ergo::workload {
namespace {

Result<std::string> perform(const ListRequest&) {
  return list_text();
}

Result<std::string> perform(const InfoRequest& request) {
  const Result<CatalogEntry> entry = find_network(request.network);
  if (!entry) return entry.error();
  const Result<int> size = checked_size(*entry, request.size);
  if (!size) return size.error();
  const Result<NetworkFacts> facts = network_facts(request.network, *size);
  if (!facts) return facts.error();
  return facts_text(request.network, *size, *facts);
}

Result<std::string> perform(const InferenceOptions& options) {
  const Result<InferenceReport> report = run_inference(options);
  if (!report) return report.error();
  return summary(options, *report);
}

Result<std::string> perform(const TrainingOptions& options) {
  const Result<TrainingReport> report = run_training(options);
  if (!report) return report.error();
  return summary(options, *report);
}

Result<std::string> perform(const NBodyOptions& options) {
  const Result<NBodyReport> report = run_nbody(options);
  if (!report) return report.error();
  return summary(options, *report);
}

Result<std::string> perform(const SyntheticOptions& options) {
  std::unique_ptr<Worker> worker = make_cpu_worker();
  if (std::getenv("ERGO_SIM_STATE") != nullptr) {
    Result<std::unique_ptr<Worker>> simulated = make_simulated_worker(options.gpu);
    if (!simulated) return simulated.error();
    worker = std::move(simulated).value();
  }
  const Result<SyntheticReport> report = run_synthetic(options, *worker);
  if (!report) return report.error();
  if (const auto folder = run_folder()) {
    if (Result<void> w = write_latencies(*folder, report->latencies); !w) return w.error();
  }
  return summary(*report, worker->description());
}

int run(const Request& request) {
  const Result<std::string> text = std::visit([](const auto& r) { return perform(r); }, request);
  if (text) {
    fmt::print("{}", *text);
    return 0;
  }
  fmt::print(stderr, "ergo-workload: {}\n", text.error().text());
  return exit_code_of(text.error());
}

/// Freed memory stays with the process for the next pass. Given back to the kernel and fetched
/// again for each pass, as a fresh heap does, it costs BERT some 4,600 page faults and 6 % of the
/// CPU time of one inference.
void keep_freed_memory() {
  constexpr int largest_from_heap = 32 << 20;  // the most that glibc accepts
  constexpr int largest_unused_end = 1 << 30;
  mallopt(M_MMAP_THRESHOLD, largest_from_heap);
  mallopt(M_TRIM_THRESHOLD, largest_unused_end);
}

}  // namespace
}  // namespace ergo::workload

int main(int argc, char** argv) {
  ergo::workload::keep_freed_memory();
  try {
    const auto parsed = ergo::workload::parse_command_line(argc, argv);
    if (const int* exit_code = std::get_if<int>(&parsed)) return *exit_code;
    return ergo::workload::run(std::get<ergo::workload::Request>(parsed));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ergo-workload: %s\n", error.what());
    return ergo::workload::exit_failed;
  }
}
