#include "ergo/report/html.hpp"
#include "ergo/report/limits_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace ergo::report {
namespace {

constexpr double plot_width = 720;
constexpr double plot_height = 320;
constexpr double left = 60;
constexpr double right = 190;
constexpr double top = 15;
constexpr double bottom = 45;

/// Distinct for most kinds of colour blindness, on light and on dark ground (Okabe, Ito).
constexpr std::array palette{"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                             "#e69f00", "#56b4e9", "#b8a800", "#888888"};

const char* color_of(std::size_t i) {
  return palette[i % palette.size()];
}

/// A linear or logarithmic scale from values to pixels.
class FigureScale {
 public:
  FigureScale(double low, double high, double from, double to, bool logarithmic = false)
      : logarithmic_(logarithmic), from_(from), to_(to), low_(map(low)), high_(map(high)) {
    if (!(high_ > low_)) high_ = low_ + 1;
  }
  [[nodiscard]] double operator()(double value) const {
    return from_ + (map(value) - low_) / (high_ - low_) * (to_ - from_);
  }
  [[nodiscard]] std::vector<double> ticks() const {
    std::vector<double> all;
    if (logarithmic_) {
      for (double decade = std::floor(low_); decade <= high_; ++decade) {
        for (const double mantissa : {1.0, 2.0, 5.0}) {
          const double value = mantissa * std::pow(10, decade);
          if (map(value) >= low_ && map(value) <= high_) all.push_back(value);
        }
      }
      return all;
    }
    const double rough = (high_ - low_) / 6;
    const double power = std::pow(10, std::floor(std::log10(rough)));
    double step = power;
    for (const double m : {1.0, 2.0, 2.5, 5.0, 10.0}) {
      step = m * power;
      if (step >= rough) break;
    }
    for (double value = std::ceil(low_ / step) * step; value <= high_ + step * 1e-6; value += step)
      all.push_back(value);
    return all;
  }

 private:
  [[nodiscard]] double map(double value) const { return logarithmic_ ? std::log10(value) : value; }

  bool logarithmic_;
  double from_;
  double to_;
  double low_;
  double high_;
};

std::string axes(const FigureScale& x, const FigureScale& y, std::string_view x_label,
                 std::string_view y_label) {
  std::string svg;
  const double base = plot_height - bottom;
  for (const double tick : x.ticks()) {
    svg += fmt::format(
        "<path class=\"grid\" d=\"M{0:.1f} {1}V{2}\"/><text x=\"{0:.1f}\" y=\"{3}\" "
        "text-anchor=\"middle\">{4:g}</text>",
        x(tick), top, base, base + 16, tick);
  }
  for (const double tick : y.ticks()) {
    svg += fmt::format(
        "<path class=\"grid\" d=\"M{1} {0:.1f}H{2}\"/><text x=\"{3}\" y=\"{4:.1f}\" "
        "text-anchor=\"end\">{5:g}</text>",
        y(tick), left, plot_width - right, left - 6, y(tick) + 4, tick);
  }
  svg +=
      fmt::format("<path class=\"axis\" d=\"M{} {}V{}H{}\"/>", left, top, base, plot_width - right);
  svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                     (left + plot_width - right) / 2, plot_height - 8, x_label);
  svg += fmt::format(
      "<text transform=\"translate(14 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
      (top + base) / 2, y_label);
  return svg;
}

std::string legend(std::size_t row, const char* color, std::string_view text) {
  const double y = top + 10 + 18 * static_cast<double>(row);
  return fmt::format(
      "<circle cx=\"{}\" cy=\"{}\" r=\"4\" fill=\"{}\"/><text x=\"{}\" y=\"{}\">{}</text>",
      plot_width - right + 14, y, color, plot_width - right + 24, y + 4, escape_html(text));
}

std::string open_svg(std::string_view label) {
  return fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">", plot_width,
                     plot_height, escape_html(label));
}

struct Range {
  double low = 1e300;
  double high = -1e300;
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

std::string curve_svg(const LimitCurve& curve, const FigureScale& x, const FigureScale& y,
                      const char* color) {
  const double unit = curve.standard().energy_j / 100;
  std::string svg;
  if (curve.bands.size() > 1) {
    std::string path;
    for (const LimitBand& b : curve.bands)
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x(b.limit_w),
                          y(b.energy_j.low / unit));
    for (auto b = curve.bands.rbegin(); b != curve.bands.rend(); ++b)
      path += fmt::format("L{:.1f} {:.1f}", x(b->limit_w), y(b->energy_j.high / unit));
    svg += fmt::format("<path d=\"{}Z\" fill=\"{}\" opacity=\".15\"/>", path, color);
  }
  std::string path;
  for (const LimitPoint& p : curve.points) {
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x(p.limit_w),
                        y(p.energy_j / unit));
    svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"/>", x(p.limit_w),
                       y(p.energy_j / unit), color);
  }
  return svg + fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"/>",
                           path, color);
}

}  // namespace

std::string limit_curves_svg(const LimitsResults& results, std::string_view gpu) {
  Range limits;
  Range energies;
  for (const LimitCurve& c : results.curves) {
    if (c.gpu != gpu) continue;
    for (const LimitPoint& p : c.points) {
      limits.add(p.limit_w);
      energies.add(p.energy_j / c.standard().energy_j * 100);
    }
    for (const LimitBand& b : c.bands) {
      energies.add(b.energy_j.low / c.standard().energy_j * 100);
      energies.add(b.energy_j.high / c.standard().energy_j * 100);
    }
  }
  if (limits.low > limits.high) return {};
  // One wild band must not flatten all curves.
  energies.high = std::min(energies.high, 200.0);
  energies.low = std::max(energies.low, 0.0);
  const FigureScale x(limits.low, limits.high, left, plot_width - right);
  const FigureScale y(energies.low, energies.high, plot_height - bottom, top);
  std::string svg = open_svg("Energy against the power limit");
  svg += axes(x, y, "power limit (W)", "energy (% of that under the default)");
  std::size_t i = 0;
  for (const LimitCurve& c : results.curves) {
    if (c.gpu != gpu) continue;
    svg += curve_svg(c, x, y, color_of(i)) +
           legend(i, color_of(i), c.config.empty() ? c.workload : c.workload + " " + c.config);
    ++i;
  }
  return svg + "</svg>\n";
}

std::string pareto_svg(const LimitsResults& results) {
  Range times;
  Range energies;
  std::vector<std::string> gpus;
  for (const LimitCurve& c : results.curves) {
    const LimitPoint& p = c.points[c.best_energy];
    times.add(p.time_s);
    energies.add(p.energy_j);
    if (std::find(gpus.begin(), gpus.end(), c.gpu) == gpus.end()) gpus.push_back(c.gpu);
  }
  if (times.low > times.high) return {};
  const FigureScale x(times.low / 1.3, times.high * 1.3, left, plot_width - right, true);
  const FigureScale y(energies.low / 1.3, energies.high * 1.3, plot_height - bottom, top, true);
  std::string svg = open_svg("Energy against time, each GPU at its best limit");
  svg += axes(x, y, "time of one item (s)", "energy of one item (J)");
  for (const LimitCurve& c : results.curves) {
    const LimitPoint& p = c.points[c.best_energy];
    const auto gpu =
        static_cast<std::size_t>(std::find(gpus.begin(), gpus.end(), c.gpu) - gpus.begin());
    svg += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" fill=\"{}\" opacity=\"{}\"><title>{}, "
        "{}</title>"
        "</circle>",
        x(p.time_s), y(p.energy_j), c.on_front ? 6 : 4, color_of(gpu), c.on_front ? 1.0 : 0.55,
        escape_html(c.workload), escape_html(c.gpu));
  }
  for (std::size_t i = 0; i < gpus.size(); ++i)
    svg += legend(i, color_of(i), gpus[i]);
  svg += legend(gpus.size(), "currentColor", "large: on the front");
  return svg + "</svg>\n";
}

}  // namespace ergo::report
