#pragma once
// What a Tuner remembers, and its steps (tune.cpp); what it tells is in tune_report.cpp.

#include "ergo/experiment/tune.hpp"
#include "experiment/tune_change.hpp"
#include "experiment/tune_heat.hpp"
#include "experiment/tune_ledger.hpp"
#include "experiment/tune_window.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ergo {

namespace tune {

enum class Step {
  baseline,  ///< under the default, until two windows agree
  probe,     ///< the low probe, and the default again
  check,     ///< limits that the model proposes
  settled,   ///< watching
  revisit,   ///< the default for one window, then settled again
  profile,   ///< exhaustive: one limit after the other
  given_up,  ///< under the default for good
};

inline constexpr double known_work = 0.03;  ///< a difference within it is none
/// A window with a larger standard error is no measurement of the default.
inline constexpr double too_rough = 0.03;
inline constexpr int most_doublings = 3;  ///< of windows, for work that changes often

}  // namespace tune

struct Tuner::State {
  explicit State(TuneOptions the_options) : options(std::move(the_options)) {
    phases.emplace_back();
    options.longest_window = std::max(options.longest_window, options.shortest_window);
    shortest = options.shortest_window;
    wanted = top();
  }

  TuneOptions options;
  std::vector<tune::Phase> phases;
  std::size_t current = 0;
  std::vector<TuneWindow> log;
  tune::Step step = tune::Step::baseline;
  double wanted = 0;
  double in_force = 0;
  Instant set_at;
  std::optional<Instant> usable_from;
  tune::WindowGatherer gatherer;
  Seconds shortest{0.0};
  int baselines = 0;
  int doublings = 0;
  int checks = 0;
  int refinements = 0;
  int confirmations = 0;
  int changes = 0;
  bool low_done = false;
  std::optional<double> probe_first;  ///< of work that has changed: the limit before
  std::vector<double> to_check;
  std::optional<Instant> last_default;
  Seconds revisit{0.0};
  std::optional<Seconds> left;  ///< of the job, as far as it tells
  bool suspicious = false;
  tune::Account pending;  ///< since the last window that fitted the current phase
  tune::Totals pending_profiling;
  tune::HeatLog heat;
  std::vector<tune::Slice> recent;  ///< of the last windows while watching

  [[nodiscard]] double top() const { return options.limits_w.back(); }
  [[nodiscard]] tune::Phase& phase() { return phases[current]; }
  [[nodiscard]] tune::MeasuredLimits measured_of_one() const;
  [[nodiscard]] bool watching() const { return step == tune::Step::settled; }

  void observe(const TuneObservation& o);
  void take(TuneWindow window);
  void take_baseline(const TuneWindow& window);
  void take_probe(const TuneWindow& window);
  void take_check(const TuneWindow& window);
  void take_settled(const TuneWindow& window);
  void take_revisit(const TuneWindow& window);
  void take_profile(const TuneWindow& window);
  void keep(const TuneWindow& window, std::string purpose);
  void book();
  void go(tune::Step next, double limit);
  void begin_phase();
  void remember(const TuneObservation& o, bool limited);
  void work_changed(const TuneWindow& window);
  void divide(const TuneWindow& window, std::size_t from, std::size_t to);
  void divide_unseen(std::size_t from, std::size_t to);
  void cut(std::size_t at, std::size_t from, std::size_t to);
  void after_agreement();
  void start_checks();
  void propose();
  void settle(double limit);
  void unsteady();
  bool known_by(const TuneWindow& window);
  [[nodiscard]] double used() const;
  [[nodiscard]] double spent() const;
  [[nodiscard]] double budget() const;
  [[nodiscard]] double revisit_price() const;
  [[nodiscard]] bool affords_revisit() const;
  [[nodiscard]] bool affords_second_look(const TuneWindow& low) const;
  void plan_revisit();
  [[nodiscard]] bool differ(const TuneWindow& w, double log_time, double log_power, double se,
                            double tolerance) const;
};

}  // namespace ergo
