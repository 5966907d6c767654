// Figures -> gnuplot.

#include "ergo/core/parse.hpp"
#include "ergo/report/plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace ergo::report {
namespace {

/// Okabe and Ito's colours: told apart by colour-blind readers and in print.
constexpr std::array colours{"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"};
constexpr std::size_t most_band_labels = 12;
constexpr std::size_t longest_title = 72;
constexpr std::size_t longest_category = 28;

/// Text as gnuplot takes it literally: in single quotes nothing but the quote itself is special.
std::string gnuplot_text(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\'';
    out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return out + "'";
}

/// At most so many characters; what is longer ends in "…".
std::string shortened(std::string_view text, std::size_t most) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool continues = (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80;
    if (!continues && characters++ == most) return std::string(text.substr(0, i)) + "…";
  }
  return std::string(text);
}

std::string terminal(FigureFormat format, std::string_view output) {
  switch (format) {
    case FigureFormat::svg:
      return "set terminal svg size 720,432 dynamic noenhanced font 'Helvetica,14' background "
             "'white'\nset output " +
             gnuplot_text(output) + "\n";
    case FigureFormat::png:
      return "set terminal pngcairo size 1440,864 noenhanced font 'Sans,22'\nset output " +
             gnuplot_text(output) + "\n";
    case FigureFormat::script:
      break;
  }
  return "# set terminal and output before: gnuplot -e \"set terminal pdfcairo noenhanced; set "
         "output 'figure.pdf'\" FILE\n";
}

std::string data_block(const FigureSeries& series, std::size_t number) {
  std::string text = fmt::format("# {}\n$series{} << EOD\n", gnuplot_text(series.label), number);
  for (const FigurePoint& p : series.points)
    text += fmt::format("{} {} {} {}\n", shortest(p.x), shortest(p.y), shortest(p.low),
                        shortest(p.high));
  return text + "EOD\n";
}

/// Windows take the colours from the other end, so that they differ from the lines.
const char* band_colour(const std::string& name, const std::set<std::string>& names) {
  const auto place = std::distance(names.begin(), names.find(name));
  return colours[colours.size() - 1 - static_cast<std::size_t>(place) % colours.size()];
}

std::string bands_text(const Figure& figure) {
  std::set<std::string> names;
  for (const FigureBand& band : figure.bands)
    names.insert(band.name);
  std::string text;
  std::size_t labels = 0;
  for (const FigureBand& band : figure.bands) {
    text += fmt::format(
        "set object rectangle from {}, graph 0 to {}, graph 1 behind fillstyle transparent solid "
        "0.15 noborder fillcolor rgb '{}'\n",
        shortest(band.from), shortest(band.to), band_colour(band.name, names));
    if (++labels <= most_band_labels)
      text += fmt::format("set label {} at {}, graph 0.97 left offset 0.3,0 noenhanced\n",
                          gnuplot_text(band.name), shortest(band.from));
  }
  return text;
}

std::string categories_text(const Figure& figure) {
  if (figure.categories.empty()) return {};
  std::string text = "set xtics (";
  for (std::size_t i = 0; i < figure.categories.size(); ++i)
    text += fmt::format("{}{} {}", i == 0 ? "" : ", ",
                        gnuplot_text(shortened(figure.categories[i], longest_category)), i);
  return text + fmt::format(") noenhanced\nset xrange [-0.5:{}.5]\n", figure.categories.size() - 1);
}

/// Lines, and over them points with their error bars where there are any.
std::string plot_text(const Figure& figure) {
  std::string text = "plot ";
  for (std::size_t i = 0; i < figure.series.size(); ++i) {
    const FigureSeries& series = figure.series[i];
    const char* colour = colours[i % colours.size()];
    const std::string title = fmt::format("title {} noenhanced", gnuplot_text(series.label));
    const std::string separator = i == 0 ? "" : ", \\\n     ";
    const bool bars = std::any_of(series.points.begin(), series.points.end(),
                                  [](const FigurePoint& p) { return p.high > p.low; });
    const std::string style = fmt::format("linecolor rgb '{}'", colour);
    if (!figure.markers) {
      text += fmt::format("{}$series{} using 1:2 with lines {} linewidth 1.5 {}", separator, i,
                          style, title);
      continue;
    }
    text += separator;
    // Between categories there is nothing a line could mean.
    if (figure.categories.empty())
      text += fmt::format("$series{} using 1:2 with lines {} notitle, \\\n     ", i, style);
    text += fmt::format("$series{} using {} {} pointtype {} {}", i,
                        bars ? "1:2:3:4 with yerrorbars" : "1:2 with points", style,
                        5 + 2 * (i % 5), title);
  }
  return text + "\n";
}

}  // namespace

std::string gnuplot_script(const Figure& figure, FigureFormat format, std::string_view output) {
  std::string text = "# gnuplot 5\n" + terminal(format, output);
  text += "set encoding utf8\n";
  text += fmt::format("set title {} noenhanced\n",
                      gnuplot_text(shortened(figure.title, longest_title)));
  text += fmt::format("set xlabel {} noenhanced\n", gnuplot_text(figure.x_label));
  text += fmt::format("set ylabel {} noenhanced\n", gnuplot_text(figure.y_label));
  text +=
      "set grid ytics linetype 1 linecolor rgb '#dddddd'\nset border 3\nset tics nomirror out\n";
  text += "set key outside bottom center horizontal\nset yrange [0:*]\n";
  if (figure.markers && figure.categories.empty())
    text += "set offsets graph 0.03, graph 0.03, 0, 0\n";
  text += categories_text(figure) + bands_text(figure);
  for (std::size_t i = 0; i < figure.series.size(); ++i)
    text += data_block(figure.series[i], i);
  return text + plot_text(figure);
}

}  // namespace ergo::report
