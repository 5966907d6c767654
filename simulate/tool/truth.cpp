#include "tool/truth.hpp"

#include "node.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace ergo::sim {
namespace {

struct Line {
  std::string channel;
  std::string name;
  double joules;
};

Result<Node> open_node(const TruthArguments& arguments) {
  return arguments.state.empty() ? Node::from_environment() : Node::open(arguments.state);
}

std::vector<Line> energies(Node& node, std::int64_t from_ns, std::int64_t to_ns) {
  std::vector<Line> lines;
  for (std::size_t i = 0; i < node.gpu_count(); ++i) {
    const std::string name(node.gpu(i).preset().name);
    lines.push_back({fmt::format("gpu{}", i), name, node.gpu_energy_j(i, from_ns, to_ns)});
  }
  for (std::size_t i = 0; i < node.package_count(); ++i) {
    lines.push_back({fmt::format("cpu{}", i), "package",
                     node.cpu_energy_j(i, CpuDomain::package, from_ns, to_ns)});
    lines.push_back({fmt::format("dram{}", i), "memory",
                     node.cpu_energy_j(i, CpuDomain::dram, from_ns, to_ns)});
  }
  return lines;
}

std::string as_json(const std::vector<Line>& lines, std::int64_t from_ns, std::int64_t to_ns) {
  nlohmann::json out{{"schema", "ergo-sim.truth/1"}, {"from_ns", from_ns}, {"to_ns", to_ns}};
  for (const Line& line : lines) {
    out["energy"].push_back(
        {{"channel", line.channel}, {"name", line.name}, {"joules", line.joules}});
  }
  return out.dump(1) + "\n";
}

}  // namespace

void add_truth_options(CLI::App& command, TruthArguments& arguments) {
  command.add_option("--state", arguments.state, "The state file (default: $ERGO_SIM_STATE)");
  command.add_option("--from-ns", arguments.from_ns,
                     "From this time on the node's clock (default: its start)");
  command.add_option("--to-ns", arguments.to_ns, "Up to this time (default: now)");
  command.add_flag("--json", arguments.json, "As JSON");
}

void add_advance_options(CLI::App& command, TruthArguments& arguments) {
  command.add_option("--state", arguments.state, "The state file (default: $ERGO_SIM_STATE)");
  command.add_option("seconds", arguments.advance_s, "By how much")->required();
}

Result<std::string> tell_truth(const TruthArguments& arguments) {
  auto node = open_node(arguments);
  if (!node) return node.error();
  const std::int64_t from_ns = arguments.from_ns.value_or(node->info().start_ns);
  const std::int64_t to_ns = arguments.to_ns.value_or(node->now_ns());
  const std::vector<Line> lines = energies(*node, from_ns, to_ns);
  for (const Line& line : lines) {
    if (std::isnan(line.joules)) {
      return Error{Errc::invalid_argument,
                   "that time is the future, or longer ago than the node remembers",
                   fmt::format("the node began at {} and it is now {}", node->info().start_ns,
                               node->now_ns())};
    }
  }
  if (arguments.json) return as_json(lines, from_ns, to_ns);
  std::string text;
  for (const Line& line : lines)
    text += fmt::format("{:<6} {:>14.3f} J  {}\n", line.channel, line.joules, line.name);
  return text;
}

Result<std::string> advance_clock(const TruthArguments& arguments) {
  auto node = open_node(arguments);
  if (!node) return node.error();
  const std::int64_t target = node->now_ns() + std::llround(arguments.advance_s * 1e9);
  if (!node->set_time_ns(target)) {
    return Error{Errc::not_supported, "this node's clock cannot be moved there",
                 "only a node made with --manual-clock has a clock that moves, and only forward"};
  }
  return fmt::format("{}\n", node->now_ns());
}

}  // namespace ergo::sim
