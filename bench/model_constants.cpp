// Chooses the constants of the models by nested validation: on all domains but one, scored on that
// one, for each of them. Prints what each domain's absence would have chosen, the scores of those
// choices on the domains that did not see them, and the median choice.
//
//   model_constants [--only PREFIX] DATA.csv...   each file one domain; minutes of two cores
//
// With --only, the constants whose names begin with PREFIX ("caution"); the others stay.

#include "ergo/model/evaluate.hpp"
#include "model/constants.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <numeric>
#include <string>
#include <vector>

namespace {

using ergo::Constants;
using ergo::DataSource;
using ergo::LeaveOut;
using ergo::Scores;

/// What a share of broken promises counts, beside shares of cost.
constexpr double violation_price = 0.25;
/// A value replaces the one at hand when it lowers the loss by at least this fraction.
constexpr double worth_changing = 0.01;

struct Choice {
  const char* name;
  double& (*of)(Constants&);
  std::vector<double> factors;
  bool across_cards = false;  ///< matters for unseen cards, too
};

const std::vector<double> half_to_double{0.5, 0.7, 1.4, 2.0};

#define ERGO_CONSTANT(member) #member, [](Constants & c) -> double& { return c.member; }

std::vector<Choice> choices_of(const std::string& prefix) {
  std::vector<Choice> all{{ERGO_CONSTANT(caution.price), {0.33, 0.5, 0.67, 1.33, 2.0}},
                          {ERGO_CONSTANT(caution.most_likely), {0.6, 0.8, 1.4, 2.0}},
                          {ERGO_CONSTANT(caution.clearly), {0.84, 0.92}},
                          {ERGO_CONSTANT(caution.noise), {0.33, 0.67, 1.33}},
                          {ERGO_CONSTANT(law.sharpness), {0.4, 0.6, 1.4, 2.0}, true},
                          {ERGO_CONSTANT(law.governor), {0.25, 0.5, 1.6, 2.5}, true},
                          {ERGO_CONSTANT(law.noise), half_to_double, true},
                          {ERGO_CONSTANT(law.own_mean), {0.3, 0.5, 2.0, 4.0}},
                          {ERGO_CONSTANT(law.own_spread), {0.25, 0.5, 2.0, 4.0}},
                          {ERGO_CONSTANT(law.foreign_mean), {0.25, 0.5, 2.0, 4.0}, true},
                          {ERGO_CONSTANT(law.foreign_spread), {0.25, 0.5, 2.0, 4.0}, true},
                          {ERGO_CONSTANT(kernel.limit_length), half_to_double},
                          {ERGO_CONSTANT(kernel.headroom_length), half_to_double},
                          {ERGO_CONSTANT(kernel.shared), half_to_double},
                          {ERGO_CONSTANT(kernel.workload), half_to_double},
                          {ERGO_CONSTANT(kernel.curve), half_to_double},
                          {ERGO_CONSTANT(kernel.curve_length), half_to_double},
                          {ERGO_CONSTANT(kernel.noise), half_to_double},
                          {ERGO_CONSTANT(transfer.power), half_to_double},
                          {ERGO_CONSTANT(transfer.time), half_to_double},
                          {ERGO_CONSTANT(transfer.length), half_to_double},
                          {ERGO_CONSTANT(transfer.noise), half_to_double},
                          {ERGO_CONSTANT(shapes.level), half_to_double, true},
                          {ERGO_CONSTANT(shapes.smooth), half_to_double, true},
                          {ERGO_CONSTANT(shapes.length), half_to_double, true},
                          {ERGO_CONSTANT(shapes.least), half_to_double, true},
                          {ERGO_CONSTANT(shapes.noise), half_to_double, true},
                          {ERGO_CONSTANT(mixture.even), {0.33, 3.0}},
                          {ERGO_CONSTANT(mixture.near_least), {0.25, 0.5, 2.0, 5.0}},
                          {ERGO_CONSTANT(mixture.like_power), half_to_double},
                          {ERGO_CONSTANT(mixture.like_slowdown), half_to_double},
                          {ERGO_CONSTANT(mixture.background), {0.33, 3.0}},
                          {ERGO_CONSTANT(mixture.alike_slowdown), half_to_double}};
  std::erase_if(all, [&](const Choice& c) { return std::string(c.name).rfind(prefix, 0) != 0; });
  return all;
}

double loss_of(const Scores& s) {
  return s.edp_mape.value_or(0) + *s.energy_regret + *s.edp_regret + *s.slowdown_regret +
         violation_price * *s.violations;
}

/// Scores per probe count and domain.
using Runs = std::vector<std::vector<Scores>>;

Runs scores(const std::vector<DataSource>& sources, const Constants& constants, LeaveOut leave_out,
            const std::vector<int>& probes) {
  Runs runs;
  for (int n : probes) {
    ergo::EvaluateOptions options;
    options.leave_out = leave_out;
    options.probes = n;
    options.constants = &constants;
    auto result = ergo::evaluate(sources, options);
    if (!result) {
      std::cerr << result.error().text() << "\n";
      std::exit(1);
    }
    runs.emplace_back();
    for (const auto& domain : result->front().domains)
      runs.back().push_back(domain.scores);
  }
  return runs;
}

/// Mean over runs and over all domains but one.
double mean_loss(const Runs& runs, std::size_t without) {
  double sum = 0;
  int n = 0;
  for (const auto& domains : runs) {
    for (std::size_t d = 0; d < domains.size(); ++d) {
      if (d == without) continue;
      sum += loss_of(domains[d]);
      ++n;
    }
  }
  return sum / n;
}

const std::vector<int> seen_probes{1, 2, 3};
const std::vector<int> unseen_probes{2, 3};
constexpr std::size_t nothing = static_cast<std::size_t>(-1);

/// The losses of one setting, for each domain that is held out: with the card known and unknown.
struct Losses {
  std::vector<double> known;
  std::vector<double> unknown;
};

Losses losses_of(const std::vector<DataSource>& sources, const Constants& constants, bool known,
                 bool unknown) {
  Losses losses;
  const Runs runs = known ? scores(sources, constants, LeaveOut::workload, seen_probes) : Runs{};
  for (std::size_t d = 0; d < sources.size(); ++d) {
    if (known) losses.known.push_back(mean_loss(runs, d));
    if (!unknown) continue;
    std::vector<DataSource> others = sources;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(d));
    losses.unknown.push_back(
        mean_loss(scores(others, constants, LeaveOut::gpu, unseen_probes), nothing));
  }
  return losses;
}

double relative(const Losses& tried, const Losses& start, std::size_t held_out) {
  if (tried.unknown.empty()) return tried.known[held_out] / start.known[held_out];
  return 0.5 * (tried.known[held_out] / start.known[held_out] +
                tried.unknown[held_out] / start.unknown[held_out]);
}

/// One setting for each held-out domain.
std::vector<Constants> chosen(const std::vector<DataSource>& sources,
                              const std::vector<Choice>& choices) {
  Constants start;
  const Losses at_start = losses_of(sources, start, true, true);
  std::vector<Constants> best(sources.size());
  for (const Choice& choice : choices) {
    std::vector<double> least(sources.size(), 1.0 - worth_changing);
    std::cout << fmt::format("{:<24}", choice.name);
    for (double factor : choice.factors) {
      Constants tried;
      const double value = choice.of(tried) *= factor;
      const Losses losses = losses_of(sources, tried, true, choice.across_cards);
      double mean = 0;
      for (std::size_t d = 0; d < sources.size(); ++d) {
        const double loss = relative(losses, at_start, d);
        mean += loss / static_cast<double>(sources.size());
        if (loss >= least[d]) continue;
        least[d] = loss;
        choice.of(best[d]) = value;
      }
      std::cout << fmt::format("  {:.3g}: {:+.1f} %", value, 100 * (mean - 1)) << std::flush;
    }
    std::cout << "\n";
  }
  return best;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

void print_scores(const std::string& title, const std::vector<Scores>& domains) {
  const auto mean = [&](auto field) {
    double sum = 0;
    for (const Scores& s : domains)
      sum += field(s);
    return 100 * sum / static_cast<double>(domains.size());
  };
  std::cout << fmt::format("{:<44} {:6.2f} {:6.2f} {:6.2f} {:6.2f} {:6.2f} {:6.2f} {:6.2f}\n",
                           title, mean([](const Scores& s) { return *s.time_mape; }),
                           mean([](const Scores& s) { return *s.energy_mape; }),
                           mean([](const Scores& s) { return *s.edp_mape; }),
                           mean([](const Scores& s) { return *s.energy_regret; }),
                           mean([](const Scores& s) { return *s.edp_regret; }),
                           mean([](const Scores& s) { return *s.slowdown_regret; }),
                           mean([](const Scores& s) { return *s.violations; }));
}

void print_comparison(const std::vector<DataSource>& sources, const std::vector<Constants>& nested,
                      const Constants& final, LeaveOut leave_out, const std::vector<int>& probes) {
  const Runs built_in = scores(sources, {}, leave_out, probes);
  const Runs with_median = scores(sources, final, leave_out, probes);
  std::vector<Runs> held;
  for (const Constants& c : nested)
    held.push_back(scores(sources, c, leave_out, probes));
  for (std::size_t p = 0; p < probes.size(); ++p) {
    const std::string what = fmt::format(
        "{}, {} probes: ", leave_out == LeaveOut::gpu ? "unseen GPU" : "unseen workload",
        probes[p]);
    std::vector<Scores> unseen;
    for (std::size_t d = 0; d < sources.size(); ++d)
      unseen.push_back(held[d][p][d]);
    print_scores(what + "built in", built_in[p]);
    print_scores(what + "median choice", with_median[p]);
    print_scores(what + "nested", unseen);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<DataSource> sources;
  std::string prefix;
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--only" && i + 1 < argc) {
      prefix = argv[++i];
      continue;
    }
    auto table = ergo::read_sweep_table(argv[i]);
    if (!table) {
      std::cerr << table.error().text() << "\n";
      return 1;
    }
    sources.push_back({argv[i], std::move(table).value()});
  }
  if (sources.size() < 3) {
    std::cerr << "usage: model_constants [--only PREFIX] DATA.csv...  (three files or more)\n";
    return 2;
  }
  std::cout << "change of the loss, mean over the domains held out\n";
  const std::vector<Choice> choices = choices_of(prefix);
  const std::vector<Constants> nested = chosen(sources, choices);
  std::cout << "\nconstant: built in | chosen without each domain in turn | median\n";
  Constants final;
  for (const Choice& choice : choices) {
    std::vector<double> values;
    std::string row;
    for (Constants c : nested) {
      values.push_back(choice.of(c));
      row += fmt::format(" {:8.3g}", values.back());
    }
    Constants built_in;
    std::cout << fmt::format("{:<24} {:8.3g} |{} | {:8.3g}\n", choice.name, choice.of(built_in),
                             row, median(values));
    choice.of(final) = median(values);
  }
  std::cout
      << "\nmean error of time, energy, EDP; regret of energy, EDP, energy at <= 5 % slowdown; "
         "violations (all in %)\n";
  print_comparison(sources, nested, final, LeaveOut::workload, seen_probes);
  print_comparison(sources, nested, final, LeaveOut::gpu, unseen_probes);
  return 0;
}
