#pragma once
// Two programs, or two settings of one, against each other: runs in ABBA order, and how much the
// one costs more or less than the other (docs/user/compare.md).

#include "ergo/core/estimate.hpp"
#include "ergo/core/result.hpp"
#include "ergo/experiment/runner.hpp"
#include "ergo/stats/difference.hpp"
#include "ergo/store/store.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ergo {

/// Runs that are alike. Warm-ups, failed and invalid runs may be among them.
struct CompareSide {
  std::string label;
  HostRecord host;
  std::vector<RunRecord> runs;
};

struct CompareOptions {
  /// The sides took turns: the runs of one repeat number are a pair, and what both shared
  /// (temperature, a neighbour) is no difference.
  bool paired = false;
  double resolution = 0.01;  ///< for ComparedQuantity::pairs_needed
  std::uint64_t seed = 1;    ///< of the permutation test
};

/// One quantity of both sides; per item when Comparison::item is set.
struct ComparedQuantity {
  std::string id;     ///< "energy", "time", "power", "edp", "net_energy", "latency", "energy.gpu0"
  std::string label;  ///< for people
  std::string unit;   ///< "J", "s", "W", "J s"
  std::optional<Provenance> provenance;  ///< of energies and what follows from them
  Estimate a;                            ///< median over runs, with the interval over repeats
  Estimate b;
  /// Half-width of the error budget of one run as a share of it, the median over runs; 0 for times.
  /// Most of it is gain, which both sides share where Comparison::gain_cancels.
  double budget_a = 0.0;
  double budget_b = 0.0;
  /// b / a - 1. Its interval holds the spread over runs and, where the sides were metered by
  /// different devices, the error budgets of both.
  Estimate change;
  stats::PermutationTest test;
  bool told = false;             ///< the sides differ
  std::size_t pairs_needed = 0;  ///< runs on each side that would resolve `resolution`
};

struct Comparison {
  std::string label_a;
  std::string label_b;
  std::size_t runs_a = 0;  ///< that count
  std::size_t runs_b = 0;
  bool paired = false;
  std::optional<std::string> item;  ///< quantities are per item of the windows of this name
  /// Both sides were metered by the same devices: a wrong gain is the same factor on both and does
  /// not touch the ratio.
  bool gain_cancels = false;
  double resolution = 0.01;
  std::vector<ComparedQuantity> quantities;  ///< energy first, where it is known
  std::vector<std::string> notes;            ///< what was left out or stands apart, and why
};

/// Like with like: energy is that of the channels that all runs of both sides have with one
/// provenance; measured before estimated; per item when all counted items of one name. Errors: too
/// few good runs (two on each side), or nothing that is alike in both (one measured, the other
/// simulated).
Result<Comparison> compare(const CompareSide& a, const CompareSide& b,
                           const CompareOptions& options = {});

/// Two commands to be run in turn.
struct CompareSpec {
  std::string name;
  /// The parameter that tells the sides apart in the store, with its two values.
  std::string axis = "command";
  std::array<std::string, 2> values;
  std::array<std::vector<std::string>, 2> commands;
  int pairs = 6;
  int warmup = 1;  ///< runs of each command before, which do not count
  std::uint64_t seed = 1;
  Seconds cooldown{0.0};  ///< between runs
};

struct ComparedRun {
  int side = 0;  ///< 0: A, 1: B
  int repeat = 0;
  bool operator==(const ComparedRun&) const = default;
};

/// Blocks of ABBA or BAAB, each by the toss of a coin: drift at an even pace falls on both sides
/// alike. An odd last pair is AB or BA.
std::vector<ComparedRun> compare_order(int pairs, std::uint64_t seed);

/// What a store keeps to know a comparison again: {"compare": {"axis": …, "values": [A, B], …}}.
std::string compare_plan_text(const CompareSpec& spec);
/// Axis and values of A and B from such a text; nothing when it is none.
struct ComparePlan {
  std::string axis;
  std::array<std::string, 2> values;
};
std::optional<ComparePlan> parse_compare_plan(std::string_view text);

/// All calls come from the thread that called run_comparison.
class CompareEvents {
 public:
  virtual ~CompareEvents() = default;
  /// `number` of `total`, counted from 1, warm-ups included.
  virtual void on_run(std::size_t /*number*/, std::size_t /*total*/, const ComparedRun& /*run*/,
                      bool /*warmup*/) {}
  virtual void on_record(const RunRecord& /*record*/, const ComparedRun& /*run*/) {}
  /// Receives the events of each run.
  virtual RunEvents& run_events() = 0;
};

struct ComparedRuns {
  ExperimentRecord record;  ///< the pairs of earlier calls first
  std::size_t resumed = 0;  ///< pairs that were in the store before
  std::optional<int> stop_signal;
};

/// The runs that are planned and whose pairs the store has not whole yet, in order.
Result<std::vector<ComparedRun>> remaining_comparison(const CompareSpec& spec, const Store& store);

/// Runs the plan; the commands' output is kept away from the terminal. Stops at the first run that
/// fails, with an error that holds the exit code and the last line it printed: half a comparison is
/// none. `store` may be null; with one that holds a comparison of this plan (the number of pairs is
/// no part of it) it goes on there: whole pairs are not made again, a half one is.
Result<ComparedRuns> run_comparison(const CompareSpec& spec, Runner& runner, Store* store,
                                    Clock& clock, CompareEvents& events);

}  // namespace ergo
