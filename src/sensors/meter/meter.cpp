#include "sensors/meter/meter.hpp"

#include "ergo/core/clock.hpp"
#include "sensors/meter/line_parser.hpp"
#include "sensors/meter/line_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace ergo::meter {
namespace {

// A meter's clock that is further off than this is not the clock of this machine.
constexpr double largest_clock_error_s = 5.0;
constexpr Seconds look_again{0.05};

class MeterSensor final : public Sensor {
 public:
  MeterSensor(const MeterSpec& spec, std::unique_ptr<LineSource> source, LineParser parser)
      : every_(spec.every),
        source_(std::move(source)),
        parser_(std::move(parser)),
        energy_(spec.is_energy) {
    const std::string source_name = spec.name.empty() ? "meter" : "meter." + spec.name;
    name_ = "Meter " + (spec.name.empty() ? spec.exec + spec.file : spec.name);
    SignalInfo info;
    info.name = fmt::format("{}@{}", source_name, spec.channel);
    info.kind = energy_ ? SignalKind::energy : SignalKind::power;
    info.unit = energy_ ? "J" : "W";
    info.channel = spec.channel;
    info.domain = Domain::node;
    info.device = "node";
    info.source = source_name;
    info.traits.update_period = spec.period;
    info.traits.averaging_window = energy_ ? Seconds(0.0) : spec.period;
    info.traits.gain_u95 = spec.gain_u95;
    info.traits.gain_kind = source_name;
    info.traits.basis = fmt::format("as given to the meter: period {} s, gain ±{} %",
                                    spec.period.value(), spec.gain_u95 * 100);
    signals_.push_back(std::move(info));
  }

  /// Waits for the first good line.
  Result<void> wait_for_first(Seconds at_most) {
    const SystemClock clock;
    const Instant until = clock.now() + at_most;
    while (readings_.empty()) {
      if (auto taken = take(); !taken) return taken;
      if (!readings_.empty()) break;
      if (clock.now() >= until) {
        return Error{Errc::unavailable,
                     fmt::format("{} gave no usable line in {} s", name_, at_most.value()),
                     parser_.needs_header() ? "its header line does not name the columns asked for"
                                            : "check value=, after=, ok= and separator="};
      }
      source_->wait(std::min(look_again, until - clock.now()));
    }
    return {};
  }

 private:
  Result<void> take() {
    const auto lines = source_->take();
    if (!lines) return lines.error();
    for (const std::string& line : *lines) {
      if (const auto reading = parser_.parse(line)) readings_.push_back(*reading);
    }
    return {};
  }

  Result<void> do_read(const Clock& clock, Batch& out) override {
    const Instant now = clock.now();
    if (!asked_at_ || (now - *asked_at_).value() >= every_.value()) {
      if (auto started = source_->again(); !started) return started;
      asked_at_ = now;
    }
    auto taken = take();
    if (!readings_.empty()) emit(clock.now(), out);
    return taken;
  }

  void emit(Instant now, Batch& out) {
    const bool dated = std::all_of(readings_.begin(), readings_.end(),
                                   [](const LineReading& r) { return r.unix_s.has_value(); });
    const WallAnchor anchor = WallAnchor::now();
    const double off = dated ? (now - anchor.instant_of_unix_ns(std::llround(
                                          std::clamp(*readings_.back().unix_s, 0.0, 9e9) * 1e9)))
                                   .value()
                             : 0.0;
    if (dated && std::abs(off) <= largest_clock_error_s) {
      for (const LineReading& reading : readings_)
        add_dated(reading, anchor, now, out);
    } else {
      if (dated && !std::exchange(complained_, true)) {
        notices_.push_back(fmt::format(
            "{}: its clock is off by {:.1f} s; the time of arrival is used", name_, off));
      }
      add_arrived(now, out);
    }
    readings_.clear();
    last_at_ = now;
  }

  void add_dated(const LineReading& reading, const WallAnchor& anchor, Instant now, Batch& out) {
    const Instant at = std::min(
        anchor.instant_of_unix_ns(std::llround(std::clamp(*reading.unix_s, 0.0, 9e9) * 1e9)), now);
    if (last_sample_ && at <= *last_sample_) return;
    last_sample_ = at;
    out.add(0, value_of(reading.value), at, at);
  }

  /// Without dates the readings of one look are spread over an unknown part of the time since the
  /// look before: of power their mean is taken, of a counter the last.
  void add_arrived(Instant now, Batch& out) {
    double value = readings_.back().value;
    if (!energy_) {
      value = 0.0;
      for (const LineReading& reading : readings_)
        value += reading.value / static_cast<double>(readings_.size());
    }
    const Instant since =
        last_at_ ? std::max(*last_at_, now - signals_[0].traits.update_period) : now;
    if (last_sample_ && now <= *last_sample_) return;
    last_sample_ = now;
    out.add(0, value_of(value), since, now);
  }

  double value_of(double raw) {
    if (!energy_) return raw;
    bool fell = false;
    const double joules = counter_.update(raw, &fell);
    if (fell) notices_.push_back(name_ + ": the counter restarted");
    return joules;
  }

  Seconds every_;
  std::unique_ptr<LineSource> source_;
  LineParser parser_;
  bool energy_;
  WrapCounter counter_;
  std::vector<LineReading> readings_;
  std::optional<Instant> asked_at_;
  std::optional<Instant> last_at_;
  std::optional<Instant> last_sample_;
  bool complained_ = false;
};

}  // namespace

Result<std::unique_ptr<Sensor>> open(const MeterSpec& spec) {
  LineParser parser(spec);
  if (!spec.file.empty()) {
    std::string header;
    auto source = tail_file(spec.file, &header);
    if (!source) return source.error();
    if (parser.needs_header()) (void)parser.parse(header);
    return std::unique_ptr<Sensor>(
        std::make_unique<MeterSensor>(spec, std::move(*source), std::move(parser)));
  }
  auto source = run_command(spec.exec, spec.every.value() > 0);
  if (!source) return source.error();
  auto sensor = std::make_unique<MeterSensor>(spec, std::move(*source), std::move(parser));
  if (auto first = sensor->wait_for_first(spec.wait); !first) return first.error();
  return std::unique_ptr<Sensor>(std::move(sensor));
}

Result<std::vector<std::unique_ptr<Sensor>>> open_all(const std::vector<std::string>& specs) {
  std::vector<std::unique_ptr<Sensor>> meters;
  std::set<std::string> channels;
  for (const std::string& spec : specs) {
    auto meter = open(spec);
    if (!meter) {
      const Error& error = meter.error();
      return Error{error.code, "the meter '" + spec + "': " + error.message, error.remedy};
    }
    const std::string& channel = (*meter)->signals().front().channel;
    if (!channels.insert(channel).second) {
      return Error{Errc::invalid_argument, "two meters have the channel '" + channel + "'",
                   "give each its own channel=NAME"};
    }
    meters.push_back(std::move(*meter));
  }
  return meters;
}

}  // namespace ergo::meter
