// How well `ergo tune` decides: jobs of ten minutes on the simulated node's physics, hybrid rule
// and Zeus's exhaustive rule beside it. Prints the table of docs/results/; nothing here is timed.
//   ./build/bin/tune_scenarios [SEEDS [TEXT]]
// SEEDS: how many, or the first and the last of them: 6..15. With TEXT: only the situations whose
// name holds it, and a line for each job.

#include "unit/experiment/tune_job.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace ergo {
namespace {

struct Kind {
  const char* name;
  test::Work work;
};

const Kind kinds[] = {{"compute-bound", {{0.95, 0.3, 0.05}, 0.2, 0}},
                      {"mixed", {{0.7, 0.7, 0.4}, 0.15, 0}},
                      {"memory-bound", {{0.35, 0.95, 0.85}, 0.2, 0}},
                      {"bursty", {{0.9, 0.4, 0.1}, 0.1, 0.08}},
                      {"light", {{0.4, 0.2, 0.1}, 0.2, 0.02}}};
const char* const presets[] = {"v100", "t4", "k80", "a100", "h200"};

/// What a row of the table sums up.
struct Row {
  int jobs = 0;
  int settled = 0;
  int claims = 0;
  int held = 0;
  int too_much = 0;
  double regret = 0;
  double worst_regret = 0;
  double cost = 0;
  double worst_cost = 0;
  double saved = 0;
  double half_width = 0;

  void add(const test::Job& job, const test::Work& last, const TuneOptions& options,
           const test::Ran& ran) {
    ++jobs;
    saved += 1 - ran.joules / ran.default_joules;
    if (ran.report.settled_w) {
      ++settled;
      const double r = test::regret_of(job, last, options, *ran.report.settled_w);
      regret += r;
      worst_regret = std::max(worst_regret, r);
    }
    if (ran.report.profiling_cost) {
      cost += *ran.report.profiling_cost;
      worst_cost = std::max(worst_cost, *ran.report.profiling_cost);
    }
    if (!ran.report.saved_j) return;
    ++claims;
    const double truth = ran.default_joules - ran.joules;
    held += ran.report.saved_j->low <= truth && truth <= ran.report.saved_j->high ? 1 : 0;
    too_much += ran.report.saved_j->low > truth ? 1 : 0;
    half_width += (ran.report.saved_j->high - ran.report.saved_j->low) / 2 / ran.default_joules;
  }

  void print(const std::string& name) const {
    const double n = std::max(1, settled);
    const double c = std::max(1, claims);
    std::printf("| %s | %d | %.2f | %.2f | %.2f | %.2f | %.1f | %.1f | %.0f | %.0f |\n",
                name.c_str(), jobs, regret / n * 100, worst_regret * 100, cost / n * 100,
                worst_cost * 100, saved / jobs * 100, half_width / c * 100, held / c * 100,
                too_much / c * 100);
  }
};

test::Work minutes(const std::string& preset, test::Work work, double length) {
  const sim::Preset& card = *sim::find_preset(preset);
  const double one = test::truth_of(card, work, card.default_limit_w).seconds;
  work.items = std::ceil(length * 60 / one);
  return work;
}

/// Only situations whose name holds it are run, job by job.
std::string chosen;

void tell(const test::Job& job, const Kind& kind, const TuneOptions& options,
          const test::Ran& ran) {
  const double truth = 1 - ran.joules / ran.default_joules;
  const auto share = [&](double joules) { return joules / ran.default_joules * 100; };
  std::printf("  %-5s %-14s %llu:", job.preset.c_str(), kind.name,
              static_cast<unsigned long long>(job.seed));
  if (ran.report.settled_w) {
    std::printf(" %3.0f W, regret %5.2f, profiling %5.2f", *ran.report.settled_w,
                test::regret_of(job, job.works.back(), options, *ran.report.settled_w) * 100,
                ran.report.profiling_cost.value_or(0) * 100);
  }
  std::printf(", saved %6.2f", truth * 100);
  if (ran.report.saved_j) {
    std::printf(", claimed %6.2f (%6.2f..%6.2f)", share(ran.report.saved_j->value),
                share(ran.report.saved_j->low), share(ran.report.saved_j->high));
  }
  std::printf(", %d changes:", ran.report.phase_changes);
  for (const TuneWindow& w : ran.report.windows)
    std::printf(" %c%.0f@%.0f+%.0f", w.purpose[0], w.limit_w, (w.begin - Instant{}).value(),
                w.duration().value());
  std::printf("\n");
}

/// All cards, kinds of work and seeds of one situation.
struct Seeds {
  int first = 1;
  int last = 10;
};

template <class Make>
void run(const std::string& name, Seeds seeds, const char* goal, TuneRule rule, Make make) {
  if (name.find(chosen) == std::string::npos) return;
  Row row;
  for (const char* preset : presets) {
    for (const Kind& kind : kinds) {
      for (int seed = seeds.first; seed <= seeds.last; ++seed) {
        test::Job job;
        job.preset = preset;
        job.seed = static_cast<std::uint64_t>(seed);
        job.noise = 0.05;
        make(job, kind);
        TuneOptions options = test::options_for(job);
        options.goal = *TuneGoal::parse(goal);
        options.rule = rule;
        const test::Ran ran = test::run_job(job, options);
        if (!chosen.empty()) tell(job, kind, options, ran);
        row.add(job, job.works.back(), options, ran);
      }
    }
  }
  row.print(name);
}

/// Any work: nothing was chosen with it in view.
test::Work any_work(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto share = [&](double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random);
  };
  test::Work work;
  work.demand.compute = share(0.2, 1);
  work.demand.memory = share(0.02, 1);
  // Who hardly uses memory does not wait for it.
  work.demand.memory_bound = share(0, 0.95) * std::min(1.0, 1.5 * work.demand.memory);
  work.work = share(0.02, 0.5);
  if (share(0, 1) < 0.5) work.gap = work.work * share(0, 0.8);
  return work;
}

void any(test::Job& job, const Kind& kind) {
  const auto index = static_cast<std::uint64_t>(&kind - &kinds[0]);
  job.works = {minutes(job.preset, any_work(job.seed * 1000 + job.preset[0] * 10 + index), 10)};
}

void steady(test::Job& job, const Kind& kind) {
  job.works = {minutes(job.preset, kind.work, 10)};
}

void all(Seeds seeds) {
  std::printf(
      "| situation | jobs | regret mean %% | worst | profiling %% | worst | saved %% | ± | "
      "interval holds %% | claims too much %% |\n");
  std::printf("|---|---|---|---|---|---|---|---|---|---|\n");
  for (const char* goal : {"energy", "edp", "ed2p", "cost:0.5"}) {
    run(std::string("steady, ") + goal, seeds, goal, TuneRule::hybrid, steady);
    run(std::string("the same, exhaustive rule, ") + goal, seeds, goal, TuneRule::exhaustive,
        steady);
  }
  const auto drift = [](test::Job& job, const Kind& kind) {
    steady(job, kind);
    job.drift_per_k = 0.004;
  };
  const auto noise = [](test::Job& job, const Kind& kind) {
    steady(job, kind);
    job.noise = 0.2;
  };
  const auto other_work = [](test::Job& job, const Kind& kind) {
    const Kind& first = &kind == &kinds[2] ? kinds[0] : kinds[2];
    job.works = {minutes(job.preset, first.work, 5), minutes(job.preset, kind.work, 5)};
  };
  const auto neighbour = [](test::Job& job, const Kind& kind) {
    steady(job, kind);
    job.neighbour = [](double done) {
      return done > 0.3 && done < 0.6 ? sim::Demand{0.5, 0.2, 0.1} : sim::Demand{0, 0, 0};
    };
  };
  const auto energy = [&](const std::string& name, auto make, auto... change) {
    run(name, seeds, "energy", TuneRule::hybrid, [&](test::Job& job, const Kind& kind) {
      make(job, kind);
      (change(job), ...);
    });
  };
  const auto no_marks = [](test::Job& job) { job.marks = false; };
  const auto no_utilization = [](test::Job& job) { job.utilization = false; };
  const auto saturates = [](test::Job& job) {
    job.reading_of_traffic = [](double share) { return share * (1.25 - 0.25 * share); };
  };
  for (const char* goal : {"energy", "edp"}) {
    run(std::string("any work, ") + goal, seeds, goal, TuneRule::hybrid, any);
  }
  energy("any work, noise", any, [](test::Job& job) { job.noise = 0.2; });
  energy("any work, without marks", any, no_marks);
  energy("any work, without marks, memory not told", any, no_marks, no_utilization);
  energy("drift (idle power +0.4 % per kelvin)", drift);
  const auto tells = [](test::Job& job) { job.tells_length = true; };
  energy("the same, the job tells its length", drift, tells);
  for (const double length : {1.0, 3.0}) {
    const auto short_job = [&](test::Job& job, const Kind& kind) {
      job.works = {minutes(job.preset, kind.work, length)};
    };
    const std::string name = length < 2 ? "1 minute" : "3 minutes";
    energy(name, short_job);
    energy(name + ", the job tells its length", short_job, tells);
  }
  energy("drift, no thermometer", drift, [](test::Job& job) { job.thermometer = false; });
  energy("noise (20 % of the demand)", noise);
  energy("another kind of work after 5 minutes", other_work);
  energy("a neighbour for the middle third", neighbour);
  energy("without marks", steady, no_marks);
  energy("without marks, drift", drift, no_marks);
  energy("without marks, noise", noise, no_marks);
  energy("without marks, another kind of work", other_work, no_marks);
  energy("without marks, a neighbour", neighbour, no_marks);
  energy("without marks, utilisation of memory saturates", steady, no_marks, saturates);
  energy("without marks, utilisation of memory not told", steady, no_marks, no_utilization);
  // Three parts: passes of some work, an optimiser that reads and writes all weights, the host.
  const auto iterations = [](test::Job& job, const Kind& kind) {
    test::Work work = kind.work;
    work.work = 0.5;
    work.second = {0.25, 0.9, 0.8};
    work.second_work = 0.12;
    work.gap = 0.08;
    job.works = {minutes(job.preset, work, 10)};
  };
  energy("without marks, iterations of 0.7 s", iterations, no_marks);
  energy("without marks, iterations of 0.7 s, memory not told", iterations, no_marks,
         no_utilization);
}

}  // namespace
}  // namespace ergo

int main(int argc, char** argv) {
  if (argc > 2) ergo::chosen = argv[2];
  ergo::Seeds seeds;
  if (argc > 1 && std::sscanf(argv[1], "%d..%d", &seeds.first, &seeds.last) < 2) {
    seeds.last = std::max(1, seeds.first);
    seeds.first = 1;
  }
  ergo::all(seeds);
}
