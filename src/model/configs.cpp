#include "model/configs.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace ergo {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// ln of each positive number in the label by the letters before it: "bs64-lr=0.1" holds bs and lr.
std::map<std::string, double> numbers_in(const std::string& label) {
  std::map<std::string, double> found;
  std::string name;
  for (std::size_t i = 0; i < label.size();) {
    if (!is_digit(label[i])) {
      if (is_letter(label[i])) {
        name += label[i];
      } else if (label[i] != '=' && label[i] != '_' && label[i] != ' ') {
        name.clear();
      }
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < label.size() && (is_digit(label[end]) || label[end] == '.'))
      ++end;
    const double value = std::strtod(label.substr(i, end - i).c_str(), nullptr);
    if (value > 0 && std::isfinite(value)) found.try_emplace(name, std::log(value));
    name.clear();
    i = end;
  }
  return found;
}

}  // namespace

ConfigSpace::ConfigSpace(const Training& curves) {
  struct Sums {
    double n = 0, sum = 0, squares = 0;
  };
  std::map<std::string, std::map<std::pair<std::string, std::string>, Sums>> by_name;
  for (const Curve* curve : curves) {
    for (const auto& [name, value] : numbers_in(curve->config)) {
      Sums& s = by_name[name][{curve->gpu, curve->workload}];
      s.n += 1;
      s.sum += value;
      s.squares += value * value;
    }
  }
  for (const auto& [name, workloads] : by_name) {
    double n = 0;
    double squares = 0;
    for (const auto& [workload, s] : workloads) {
      n += s.n - 1;
      squares += std::max(s.squares - s.sum * s.sum / s.n, 0.0);
    }
    constexpr double rounding = 1e-9;
    if (n > 0 && squares > rounding * n) spread_[name] = std::sqrt(squares / n);
  }
}

ConfigPlace ConfigSpace::place(const std::string& config) const {
  ConfigPlace place;
  for (const auto& [name, value] : numbers_in(config)) {
    const auto spread = spread_.find(name);
    if (spread != spread_.end()) place.emplace_back(name, value / spread->second);
  }
  return place;
}

double closeness(const ConfigPlace& a, const ConfigPlace& b) {
  double squares = 0;
  for (auto x = a.begin(), y = b.begin(); x != a.end() && y != b.end();) {
    if (x->first == y->first) {
      squares += (x->second - y->second) * (x->second - y->second);
      ++x;
      ++y;
    } else if (x->first < y->first) {
      ++x;
    } else {
      ++y;
    }
  }
  constexpr double alike = 0.5;  // in standard deviations
  return std::exp(-0.5 * squares / (alike * alike));
}

}  // namespace ergo
