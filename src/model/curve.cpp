#include "ergo/model/curve.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

namespace ergo {
namespace {

constexpr double same_limit_w = 1e-6;

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return 0.5 * (*middle + *std::max_element(values.begin(), middle));
}

struct Rows {
  double limit_w = 0.0;
  std::vector<double> log_time;
  std::vector<double> log_power;
  std::vector<double> clock_mhz;
};

Curve curve_of(const std::vector<const SweepRow*>& rows) {
  Curve curve{rows.front()->gpu, rows.front()->workload, rows.front()->config, {}, {}, {}};
  std::map<long long, Rows> by_limit;
  std::vector<double> idle;
  std::vector<double> host;
  for (const SweepRow* row : rows) {
    Rows& at = by_limit[std::llround(row->power_limit_w / same_limit_w)];
    at.limit_w = row->power_limit_w;
    at.log_time.push_back(std::log(row->time_s));
    at.log_power.push_back(std::log(row->energy_j / row->time_s));
    if (row->clock_mhz) at.clock_mhz.push_back(*row->clock_mhz);
    if (row->idle_w) idle.push_back(*row->idle_w);
    if (row->host_energy_j) host.push_back(*row->host_energy_j / row->time_s);
  }
  for (const auto& [key, at] : by_limit) {
    CurvePoint point{at.limit_w, median_of(at.log_time), median_of(at.log_power)};
    if (!at.clock_mhz.empty()) point.clock_mhz = median_of(at.clock_mhz);
    curve.points.push_back(point);
  }
  if (!idle.empty()) curve.idle_w = median_of(idle);
  if (!host.empty()) curve.host_w = median_of(host);
  return curve;
}

}  // namespace

std::optional<std::size_t> Curve::find(double limit_w) const {
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (std::abs(points[i].limit_w - limit_w) <= 2 * same_limit_w) return i;
  }
  return std::nullopt;
}

std::vector<Curve> group_curves(const SweepTable& table, Repeats repeats) {
  using Key = std::tuple<std::string, std::string, std::string, int>;
  std::map<Key, std::size_t> index;
  std::vector<std::vector<const SweepRow*>> groups;
  for (const SweepRow& row : table) {
    const int repeat = repeats == Repeats::apart ? row.repeat.value_or(0) : 0;
    const auto [at, added] =
        index.try_emplace({row.gpu, row.workload, row.config, repeat}, groups.size());
    if (added) groups.emplace_back();
    groups[at->second].push_back(&row);
  }
  std::vector<Curve> curves;
  curves.reserve(groups.size());
  for (const auto& rows : groups)
    curves.push_back(curve_of(rows));
  return curves;
}

std::vector<double> limits_of(const std::vector<Curve>& curves, const std::string& gpu) {
  std::vector<double> limits;
  for (const Curve& curve : curves) {
    if (curve.gpu != gpu) continue;
    for (const CurvePoint& point : curve.points)
      limits.push_back(point.limit_w);
  }
  std::sort(limits.begin(), limits.end());
  limits.erase(std::unique(limits.begin(), limits.end(),
                           [](double a, double b) { return b - a <= 2 * same_limit_w; }),
               limits.end());
  return limits;
}

}  // namespace ergo
