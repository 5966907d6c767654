// Runs of two sides -> what differs, like with like.

#include "ergo/experiment/compare.hpp"

#include "ergo/experiment/plan.hpp"
#include "ergo/experiment/summary.hpp"
#include "ergo/stats/outliers.hpp"
#include "ergo/stats/summary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

namespace ergo {
namespace {

using Runs = std::vector<const RunRecord*>;
using ReadChannels = const std::vector<ChannelEnergy>& (*)(const RunRecord&);
using ReadQuantity = std::function<std::optional<double>(const RunRecord&)>;

bool counts_for_comparison(const RunRecord& run) {
  return !run.warmup && run.exit_code == 0 && !run.invalid;
}

/// What makes a channel the same in every run.
struct Meter {
  Domain domain = Domain::node;
  Provenance provenance = Provenance::measured;
  std::string source;
  bool in_total = false;
};

/// Channels that every run has, always with the same provenance.
std::map<std::string, Meter> meters_of(const Runs& runs, ReadChannels channels) {
  std::map<std::string, Meter> common;
  bool first = true;
  for (const RunRecord* run : runs) {
    std::map<std::string, Meter> mine;
    for (const ChannelEnergy& e : channels(*run))
      mine[e.channel] = {e.domain, e.provenance, e.source, e.in_total};
    if (first) {
      common = std::move(mine);
      first = false;
      continue;
    }
    std::erase_if(common, [&](const auto& one) {
      const auto found = mine.find(one.first);
      return found == mine.end() || found->second.provenance != one.second.provenance;
    });
  }
  return common;
}

const std::vector<ChannelEnergy>& whole_run(const RunRecord& run) {
  return run.energy;
}
const std::vector<ChannelEnergy>& its_items(const RunRecord& run) {
  return run.items->energy;
}

/// The UUID of the board that a channel "gpuN" meters; empty for other channels.
std::string board_of(const std::string& channel, const HostRecord& host) {
  for (const GpuIdentity& gpu : host.gpus) {
    if (channel == fmt::format("gpu{}", gpu.index)) return gpu.uuid;
  }
  return {};
}

}  // namespace

/// Gathers the parts of a Comparison.
class Comparing {
 public:
  Comparing(const CompareSide& a, const CompareSide& b, const CompareOptions& options)
      : a_(a), b_(b), options_(options) {}
  Result<Comparison> result();

 private:
  Result<void> choose_runs();
  void keep_pairs();
  void choose_items();
  Result<void> choose_channels();
  void check_devices();
  void add(const std::string& id, const std::string& label, const std::string& unit,
           const ReadQuantity& read, bool of_energy, int power_of_gain = 1);
  void add_quantities();
  void note_outliers(const Runs& runs, const char* side);
  [[nodiscard]] double items(const RunRecord& run) const;
  [[nodiscard]] ReadChannels reader() const { return result_.item ? its_items : whole_run; }
  [[nodiscard]] const std::vector<ChannelEnergy>& channels(const RunRecord& run) const {
    return reader()(run);
  }
  [[nodiscard]] std::optional<double> energy(const RunRecord& run) const;
  [[nodiscard]] std::optional<double> net_energy(const RunRecord& run) const;
  [[nodiscard]] double time(const RunRecord& run) const;
  [[nodiscard]] double relative_budget(const Runs& runs, bool net) const;
  void note(std::string text) { result_.notes.push_back(std::move(text)); }

  const CompareSide& a_;
  const CompareSide& b_;
  const CompareOptions& options_;
  Runs runs_a_;
  Runs runs_b_;
  std::set<std::string> chosen_;  ///< channels whose sum is the energy
  std::optional<Provenance> provenance_;
  Comparison result_;
};

Result<void> Comparing::choose_runs() {
  const auto good = [this](const CompareSide& side, const char* name) {
    Runs runs;
    std::size_t left_out = 0;
    for (std::size_t i = 0; i < side.runs.size(); ++i) {
      const RunRecord& run = side.runs[i];
      if (counts_for_comparison(run))
        runs.push_back(&run);
      else
        left_out += run.warmup || made_again(side.runs, i) ? 0 : 1;
    }
    if (left_out > 0)
      note(fmt::format("{} of {}'s runs failed or are invalid and are left out", left_out, name));
    return runs;
  };
  runs_a_ = good(a_, "A");
  runs_b_ = good(b_, "B");
  result_.paired = options_.paired;
  if (result_.paired) keep_pairs();
  const std::size_t fewest = std::min(runs_a_.size(), runs_b_.size());
  if (fewest >= 2) return {};
  return Error{Errc::not_supported,
               fmt::format("{} has {} that counts: without a second one nobody knows how much runs "
                           "differ by themselves",
                           runs_a_.size() < 2 ? "A" : "B",
                           fewest == 0 ? "no run" : (result_.paired ? "one pair" : "one run")),
               "measure each side several times (-r 6)"};
}

void Comparing::keep_pairs() {
  // Of a pair that was cut short and made again, the later runs stand: they belong together.
  std::map<int, const RunRecord*> last_a;
  std::map<int, const RunRecord*> last_b;
  for (const RunRecord* run : runs_a_)
    last_a[run->repeat] = run;
  for (const RunRecord* run : runs_b_)
    last_b[run->repeat] = run;
  Runs a;
  Runs b;
  for (const RunRecord* run : runs_a_) {
    const auto partner = last_b.find(run->repeat);
    if (last_a.at(run->repeat) != run || partner == last_b.end()) continue;
    a.push_back(run);
    b.push_back(partner->second);
  }
  const std::size_t alone = last_a.size() + last_b.size() - 2 * a.size();
  if (alone > 0) note(fmt::format("{} runs have no partner on the other side", alone));
  runs_a_ = std::move(a);
  runs_b_ = std::move(b);
}

void Comparing::choose_items() {
  std::set<std::string> names;
  std::size_t counted = 0;
  for (const Runs* runs : {&runs_a_, &runs_b_}) {
    for (const RunRecord* run : *runs) {
      if (!run->items || run->items->count <= 0) continue;
      ++counted;
      names.insert(run->items->window);
    }
  }
  if (counted == 0) return;
  if (counted == runs_a_.size() + runs_b_.size() && names.size() == 1) {
    result_.item = *names.begin();
    return;
  }
  note(names.size() > 1 ? "the sides counted different items: whole runs are compared"
                        : "some runs counted items and others did not: whole runs are compared");
}

double Comparing::items(const RunRecord& run) const {
  return result_.item ? static_cast<double>(run.items->count) : 1.0;
}

Result<void> Comparing::choose_channels() {
  const ReadChannels channels = reader();
  const auto in_a = meters_of(runs_a_, channels);
  const auto in_b = meters_of(runs_b_, channels);
  std::map<Provenance, std::set<std::string>> alike;
  std::string unlike;
  for (const auto& [channel, meter] : in_a) {
    const auto other = in_b.find(channel);
    if (!meter.in_total) continue;
    if (other == in_b.end()) {
      note(channel + " is known for A only and left out");
    } else if (other->second.provenance != meter.provenance) {
      unlike = fmt::format("{} is {} in A and {} in B", channel, name_of(meter.provenance),
                           name_of(other->second.provenance));
      note(unlike + ", and left out");
    } else {
      alike[meter.provenance].insert(channel);
    }
  }
  for (const auto& [channel, meter] : in_b) {
    if (meter.in_total && !in_a.contains(channel))
      note(channel + " is known for B only and left out");
  }
  // Measured before simulated before estimated; they are never added up.
  for (const Provenance wanted :
       {Provenance::measured, Provenance::derived, Provenance::simulated, Provenance::estimated}) {
    if (!alike.contains(wanted) || !chosen_.empty()) continue;
    chosen_ = alike[wanted];
    provenance_ = wanted;
    if (wanted == Provenance::measured) chosen_.merge(alike[Provenance::derived]);
  }
  if (!unlike.empty() && chosen_.empty())
    return Error{Errc::not_supported, "the sides cannot be compared: " + unlike,
                 "measure both in the same way"};
  if (chosen_.empty()) note("no energy is known for both sides");
  return {};
}

void Comparing::check_devices() {
  result_.gain_cancels = !chosen_.empty() && a_.host.name == b_.host.name;
  const auto meters_a = meters_of(runs_a_, reader());
  const auto meters_b = meters_of(runs_b_, reader());
  for (const std::string& channel : chosen_) {
    if (board_of(channel, a_.host) != board_of(channel, b_.host)) result_.gain_cancels = false;
    const std::string& source_a = meters_a.at(channel).source;
    const std::string& source_b = meters_b.at(channel).source;
    if (source_a == source_b) continue;
    result_.gain_cancels = false;
    note(fmt::format("{} comes from {} in A and from {} in B", channel, source_a, source_b));
  }
}

std::optional<double> Comparing::energy(const RunRecord& run) const {
  if (chosen_.empty()) return std::nullopt;
  double sum = 0;
  for (const ChannelEnergy& e : channels(run)) {
    if (chosen_.contains(e.channel)) sum += e.joules.value();
  }
  return sum / items(run);
}

std::optional<double> Comparing::net_energy(const RunRecord& run) const {
  std::optional<double> sum;
  for (const ChannelEnergy& e : channels(run)) {
    if (!chosen_.contains(e.channel)) continue;
    if (!e.net) return std::nullopt;
    sum = sum.value_or(0.0) + e.net->value() / items(run);
  }
  return sum;
}

double Comparing::time(const RunRecord& run) const {
  return (result_.item ? run.items->duration : run.duration).value() / items(run);
}

/// Half-width of the error budget of a run's energy as a share of it, the median over runs.
double Comparing::relative_budget(const Runs& runs, bool net) const {
  std::vector<double> shares;
  for (const RunRecord* run : runs) {
    double joules = 0;
    double width = 0;
    for (const ChannelEnergy& e : channels(*run)) {
      if (!chosen_.contains(e.channel)) continue;
      const bool has_net = net && e.net && e.net_low && e.net_high;
      joules += has_net ? e.net->value() : e.joules.value();
      width += (has_net ? *e.net_high - *e.net_low : e.high - e.low).value() / 2;
    }
    if (joules > 0) shares.push_back(width / joules);
  }
  return shares.empty() ? 0.0 : stats::median(shares);
}

/// `power_of_gain`: the quantity grows as the gain to this power (time: 0).
void Comparing::add(const std::string& id, const std::string& label, const std::string& unit,
                    const ReadQuantity& read, bool of_energy, int power_of_gain) {
  std::vector<double> a;
  std::vector<double> b;
  for (auto [runs, values] : {std::pair(&runs_a_, &a), std::pair(&runs_b_, &b)}) {
    for (const RunRecord* run : *runs) {
      const auto value = read(*run);
      if (!value) return;
      values->push_back(*value);
    }
  }
  stats::PermutationOptions options;
  options.seed = options_.seed;
  const auto difference = stats::relative_difference(a, b, result_.paired, options);
  if (!difference) {
    note(label + " is not above 0 in every run and has no ratio");
    return;
  }
  ComparedQuantity quantity;
  quantity.id = id;
  quantity.label = label;
  quantity.unit = unit;
  if (of_energy) quantity.provenance = provenance_;
  quantity.a = stats::median_interval(a);
  quantity.b = stats::median_interval(b);
  quantity.change = difference->change;
  quantity.test = difference->test;
  quantity.told = stats::is_told(*difference);
  quantity.pairs_needed = stats::pairs_for(*difference, options_.resolution);
  if (of_energy && power_of_gain != 0) {
    quantity.budget_a = relative_budget(runs_a_, id == "net_energy");
    quantity.budget_b = relative_budget(runs_b_, id == "net_energy");
  }
  if (!result_.gain_cancels && (quantity.budget_a > 0 || quantity.budget_b > 0)) {
    const double budget = std::hypot(quantity.budget_a, quantity.budget_b);
    const double middle = std::log1p(quantity.change.value);
    const auto wider = [&](double end) { return std::hypot(std::log1p(end) - middle, budget); };
    quantity.change.low = std::expm1(middle - wider(quantity.change.low));
    quantity.change.high = std::expm1(middle + wider(quantity.change.high));
    quantity.told = quantity.told && (quantity.change.low > 0 || quantity.change.high < 0);
  }
  result_.quantities.push_back(std::move(quantity));
}

void Comparing::add_quantities() {
  const auto joules = [this](const RunRecord& run) { return energy(run); };
  add("energy", "energy", "J", joules, true);
  add(
      "time", "time", "s", [this](const RunRecord& run) { return std::optional(time(run)); }, false,
      0);
  const auto with_time = [this](double power) {
    return [this, power](const RunRecord& run) -> std::optional<double> {
      const auto e = energy(run);
      if (!e || !(time(run) > 0)) return std::nullopt;
      return *e * std::pow(time(run), power);
    };
  };
  add("power", "power", "W", with_time(-1), true);
  add("edp", "energy x time", "J s", with_time(1), true);
  if (net_energy(*runs_a_.front()))
    add(
        "net_energy", "energy above idle", "J",
        [this](const RunRecord& run) { return net_energy(run); }, true);
  add(
      "latency", "latency, median", "s",
      [](const RunRecord& run) {
        return run.latency ? std::optional(run.latency->median.value()) : std::nullopt;
      },
      false, 0);
  if (chosen_.size() < 2) return;
  for (const std::string& channel : chosen_) {
    add(
        "energy." + channel, channel + " energy", "J",
        [this, &channel](const RunRecord& run) -> std::optional<double> {
          for (const ChannelEnergy& e : channels(run)) {
            if (e.channel == channel) return e.joules.value() / items(run);
          }
          return std::nullopt;
        },
        true);
  }
}

void Comparing::note_outliers(const Runs& runs, const char* side) {
  constexpr std::size_t fewest = 5;
  if (runs.size() < fewest || chosen_.empty()) return;
  std::vector<double> values;
  for (const RunRecord* run : runs)
    values.push_back(energy(*run).value_or(0.0));
  const std::vector<double> z = stats::modified_z(values);
  for (const std::size_t i : stats::outliers(values)) {
    note(
        fmt::format("repeat {} of {} stands apart from its other runs (modified z {:.1f}); it is "
                    "counted",
                    runs[i]->repeat, side, z[i]));
  }
}

Result<Comparison> Comparing::result() {
  result_.label_a = a_.label;
  result_.label_b = b_.label;
  result_.resolution = options_.resolution;
  if (auto chosen = choose_runs(); !chosen) return chosen.error();
  result_.runs_a = runs_a_.size();
  result_.runs_b = runs_b_.size();
  choose_items();
  if (auto chosen = choose_channels(); !chosen) return chosen.error();
  check_devices();
  add_quantities();
  note_outliers(runs_a_, "A");
  note_outliers(runs_b_, "B");
  return std::move(result_);
}

Result<Comparison> compare(const CompareSide& a, const CompareSide& b,
                           const CompareOptions& options) {
  return Comparing(a, b, options).result();
}

}  // namespace ergo
