#include "ergo/experiment/study.hpp"

#include "ergo/core/files.hpp"
#include "ergo/core/parse.hpp"
#include "experiment/recipe_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>

// Damaged input must be an error, never an exception or an abort. What toml++ 3 mishandles never
// reaches it (plain_recipe).
#define TOML_EXCEPTIONS 0
#define TOML_ASSERT(condition) static_cast<void>(0)
#include <toml++/toml.h>

namespace ergo {
namespace {

constexpr std::size_t most_rows = 10'000;
constexpr int most_repeats = 1'000'000;

std::size_t line_of(const toml::node& node) {
  return node.source().begin.line;
}

/// Keys read from one table; the first error stays.
class Reader {
 public:
  Reader(const std::filesystem::path& file, const toml::table& table, std::string where)
      : file_(file), table_(table), where_(std::move(where)) {}

  std::string text(const char* key, bool required) {
    const toml::node* node = find(key, required);
    if (node == nullptr) return {};
    if (const auto* value = node->as_string()) return value->get();
    fail(*node, fmt::format("{} is no string", key));
    return {};
  }

  /// One of `choices`, the first where the key is absent.
  std::string choice(const char* key, const std::vector<std::string>& choices) {
    const std::string value = text(key, false);
    if (!error_ && table_.contains(key) &&
        std::find(choices.begin(), choices.end(), value) == choices.end())
      fail(*table_.get(key),
           fmt::format("{} is neither \"{}\" nor \"{}\"", key, choices[0], choices[1]));
    return value.empty() ? choices.front() : value;
  }

  int count(const char* key, int usual, int least) {
    const toml::node* node = find(key, false);
    if (node == nullptr) return usual;
    const auto* value = node->as_integer();
    if (value != nullptr && value->get() >= least && value->get() <= most_repeats)
      return static_cast<int>(value->get());
    fail(*node, fmt::format("{} is no whole number from {} to {}", key, least, most_repeats));
    return usual;
  }

  Seconds duration(const char* key) {
    const toml::node* node = find(key, false);
    if (node == nullptr) return Seconds(0.0);
    if (const auto* value = node->as_string()) {
      if (const auto parsed = parse_duration(value->get())) return *parsed;
    }
    fail(*node, fmt::format("{} is no duration such as \"30s\"", key));
    return Seconds(0.0);
  }

  /// A list, or one value for all rows.
  std::vector<std::string> values(const char* key, bool required) {
    const toml::node* node = find(key, required);
    return node == nullptr ? std::vector<std::string>() : values_of(key, *node);
  }

  std::map<std::string, std::vector<std::string>> columns(const char* key) {
    std::map<std::string, std::vector<std::string>> all;
    const toml::node* node = find(key, true);
    if (node == nullptr) return all;
    const toml::table* inner = node->as_table();
    if (inner == nullptr) {
      fail(*node, fmt::format("{} is no table", key));
      return all;
    }
    for (const auto& [name, column] : *inner) {
      all[std::string(name.str())] = values_of(std::string(name.str()), column);
      lines_[std::string(name.str())] = line_of(column);
    }
    return all;
  }

  const toml::table* table(const char* key) {
    const toml::node* node = find(key, false);
    if (node == nullptr) return nullptr;
    if (node->as_table() == nullptr) fail(*node, fmt::format("{} is no table", key));
    return node->as_table();
  }

  /// Whatever was never asked for is a mistake of the writer.
  void refuse_others() {
    for (const auto& [key, node] : table_) {
      if (!asked_.contains(std::string(key.str())))
        fail(node, fmt::format("{} has no key '{}'", where_, key.str()));
    }
  }

  [[nodiscard]] std::size_t line(const std::string& column) const {
    const auto found = lines_.find(column);
    return found == lines_.end() ? line_of(table_) : found->second;
  }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  const toml::node* find(const char* key, bool required) {
    asked_.insert(key);
    const toml::node* node = table_.get(key);
    if (node == nullptr && required) fail(table_, fmt::format("{} lacks '{}'", where_, key));
    return node;
  }

  std::vector<std::string> values_of(const std::string& key, const toml::node& node) {
    std::vector<std::string> all;
    const auto add = [&](const toml::node& one) {
      if (const auto* text = one.as_string()) {
        all.push_back(text->get());
      } else if (const auto* integer = one.as_integer()) {
        all.push_back(std::to_string(integer->get()));
      } else if (const auto* real = one.as_floating_point()) {
        all.push_back(shortest(real->get()));
      } else {
        fail(one, fmt::format("'{}' holds something that is neither text nor a number", key));
      }
    };
    if (const toml::array* list = node.as_array()) {
      for (const toml::node& one : *list)
        add(one);
      if (list->empty()) fail(node, fmt::format("'{}' is empty", key));
      if (list->size() > most_rows) fail(node, fmt::format("'{}' is too long", key));
    } else {
      add(node);
    }
    return all;
  }

  void fail(const toml::node& node, const std::string& message) {
    if (!error_) error_ = recipe_error(file_, std::max<std::size_t>(1, line_of(node)), message);
  }

  const std::filesystem::path& file_;
  const toml::table& table_;
  std::string where_;
  std::set<std::string> asked_;
  std::map<std::string, std::size_t> lines_;
  std::optional<Error> error_;
};

bool uses(const std::vector<std::string>& command, const std::string& name) {
  return std::any_of(command.begin(), command.end(), [&](const std::string& word) {
    return word.find("{" + name + "}") != std::string::npos;
  });
}

/// Columns as long as the axis, each in the command or the axis itself.
Result<void> check_columns(StudyTable& table, const StudyRecipe& recipe, const Reader& reader,
                           const std::filesystem::path& file) {
  const auto axis = table.columns.find(recipe.axis);
  if (axis == table.columns.end()) {
    return recipe_error(file, reader.line({}),
                        fmt::format("the table lacks the axis '{}'", recipe.axis));
  }
  const std::set<std::string> distinct(axis->second.begin(), axis->second.end());
  if (distinct.size() != axis->second.size())
    return recipe_error(file, reader.line(recipe.axis), "the axis has a value twice");
  for (auto& [name, values] : table.columns) {
    if (values.size() == 1) values.resize(axis->second.size(), values.front());
    if (values.size() != axis->second.size()) {
      return recipe_error(file, reader.line(name),
                          fmt::format("'{}' has {} values, the axis '{}' has {}", name,
                                      values.size(), recipe.axis, axis->second.size()));
    }
    if (name != recipe.axis && !uses(recipe.command, name)) {
      return recipe_error(file, reader.line(name),
                          fmt::format("the command never uses {{{}}}", name),
                          "write it where its value belongs, or leave the column out");
    }
  }
  return {};
}

Result<StudyTable> read_table(const toml::table& from, const std::filesystem::path& file,
                              const StudyRecipe& recipe, Reader& reader) {
  StudyTable table;
  table.repeats = reader.count("repeats", 1, 1);
  table.warmup = reader.count("warmup", 0, 0);
  table.cooldown = reader.duration("cooldown");
  table.power_limits = reader.text("power_limits", false);
  table.columns = reader.columns("table");
  std::vector<std::string> seconds = reader.values("seconds", false);
  if (reader.error()) return *reader.error();
  if (auto checked = check_columns(table, recipe, reader, file); !checked) return checked.error();
  const std::size_t rows = table.columns.at(recipe.axis).size();
  if (seconds.size() == 1) seconds.resize(rows, seconds.front());
  const std::size_t line = seconds.empty() ? 0 : line_of(*from.get("seconds"));
  if (!seconds.empty() && seconds.size() != rows)
    return recipe_error(file, line,
                        fmt::format("'seconds' has {} values for {} rows", seconds.size(), rows));
  for (const std::string& text : seconds) {
    const auto value = parse_duration(text);
    if (!value) return recipe_error(file, line, fmt::format("'{}' is no time in seconds", text));
    table.seconds.push_back(*value);
  }
  return table;
}

/// The cells of which the runs fit into two minutes, the shortest first; all where the recipe does
/// not say how long they take. In the recipe's order.
std::vector<std::size_t> affordable_rows(const StudyTable& table, std::size_t rows, int runs) {
  std::vector<std::size_t> all(rows);
  std::iota(all.begin(), all.end(), std::size_t{0});
  if (table.seconds.empty()) return all;
  std::stable_sort(all.begin(), all.end(), [&](std::size_t a, std::size_t b) {
    return table.seconds[a] < table.seconds[b];
  });
  Seconds left(110.0);
  std::size_t kept = 0;
  for (; kept < rows; ++kept) {
    left = left - table.seconds[all[kept]] * static_cast<double>(runs);
    if (kept > 0 && left < Seconds(0.0)) break;
  }
  all.resize(kept);
  std::sort(all.begin(), all.end());
  return all;
}

/// What --quick runs where the recipe does not say it.
StudyTable shrunk(const StudyTable& full, const std::string& axis) {
  StudyTable small = full;
  small.repeats = std::min(full.repeats, 2);
  small.warmup = std::min(full.warmup, 1);
  small.cooldown = Seconds(0.0);
  const std::vector<std::size_t> rows =
      affordable_rows(full, full.columns.at(axis).size(), small.repeats + small.warmup);
  constexpr std::size_t most = 5;
  const std::size_t count = std::min(rows.size(), most);
  std::vector<std::size_t> chosen;
  // Evenly over what there is, the first and the last among them.
  for (std::size_t i = 0; i < count; ++i)
    chosen.push_back(count == 1 ? rows[0] : rows[i * (rows.size() - 1) / (count - 1)]);
  const auto pick = [&](const auto& from, auto& to) {
    to.clear();
    for (const std::size_t row : chosen)
      to.push_back(from[row]);
  };
  for (auto& [name, values] : small.columns)
    pick(full.columns.at(name), values);
  if (!full.seconds.empty()) pick(full.seconds, small.seconds);
  return small;
}

}  // namespace

Result<StudyRecipe> parse_study(std::string_view text, const std::filesystem::path& file) {
  const auto plain = plain_recipe(text, file);
  if (!plain) return plain.error();
  const toml::parse_result parsed = toml::parse(*plain);
  if (!parsed) {
    return recipe_error(file, parsed.error().source().begin.line,
                        std::string(parsed.error().description()));
  }
  StudyRecipe recipe;
  recipe.name = file.stem().string();
  Reader reader(file, parsed.table(), "the recipe");
  recipe.title = reader.text("title", false);
  recipe.source = reader.text("source", false);
  recipe.axis = reader.text("axis", true);
  recipe.axis_label = reader.text("axis_label", false);
  recipe.item = reader.text("item", false);
  recipe.each_gpu = reader.choice("gpus", {"all", "each"}) == "each";
  recipe.command = reader.values("command", true);
  const toml::table* quick = reader.table("quick");
  if (reader.error()) return *reader.error();
  if (recipe.title.empty()) recipe.title = recipe.name;
  if (recipe.axis_label.empty()) recipe.axis_label = recipe.axis;
  auto full = read_table(parsed.table(), file, recipe, reader);
  if (!full) return full.error();
  recipe.full = std::move(*full);
  reader.refuse_others();
  if (reader.error()) return *reader.error();
  if (quick == nullptr) {
    recipe.quick = shrunk(recipe.full, recipe.axis);
    recipe.quick_is_ours = true;
    return recipe;
  }
  Reader quick_reader(file, *quick, "[quick]");
  auto small = read_table(*quick, file, recipe, quick_reader);
  if (!small) return small.error();
  recipe.quick = std::move(*small);
  quick_reader.refuse_others();
  if (quick_reader.error()) return *quick_reader.error();
  return recipe;
}

Result<StudyRecipe> load_study(const std::filesystem::path& file) {
  const auto text = read_text(file, longest_recipe);
  if (!text) return text.error();
  return parse_study(*text, file);
}

Result<std::vector<StudyRecipe>> list_studies(const std::filesystem::path& folder) {
  std::error_code failure;
  std::vector<std::filesystem::path> files;
  for (std::filesystem::directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    if (entry->path().extension() == ".toml") files.push_back(entry->path());
  }
  if (failure) {
    return Error{Errc::not_found,
                 "there are no recipes in " + folder.string() + ": " + failure.message(),
                 "name a recipe by its path: ergo study FILE.toml"};
  }
  std::sort(files.begin(), files.end());
  std::vector<StudyRecipe> recipes;
  for (const auto& file : files) {
    auto recipe = load_study(file);
    if (!recipe) return recipe.error();
    recipes.push_back(std::move(*recipe));
  }
  return recipes;
}

Result<SweepSpec> sweep_of(const StudyRecipe& recipe, bool quick,
                           const std::optional<std::string>& device) {
  const StudyTable& table = quick ? recipe.quick : recipe.full;
  SweepSpec spec;
  spec.name = recipe.title;
  spec.command = recipe.command;
  const bool has_device = uses(recipe.command, "device");
  if (device && !has_device) {
    return Error{Errc::invalid_argument,
                 fmt::format("--device: the command of {} has no {{device}}", recipe.name),
                 {}};
  }
  for (std::string& word : spec.command) {
    if (word == "{device}") word = device.value_or("cpu");
  }
  spec.axes.push_back({recipe.axis, table.columns.at(recipe.axis)});
  spec.repeats = table.repeats;
  spec.warmup = table.warmup;
  spec.cooldown = table.cooldown;
  constexpr int too_large = 3;  // ergo-workload's exit code (docs/user/workloads.md)
  spec.skip_code = too_large;
  spec.capture_output = true;
  for (const auto& [name, values] : table.columns) {
    for (std::size_t row = 0; name != recipe.axis && row < values.size(); ++row)
      spec.companions[recipe.axis + "=" + spec.axes.front().values[row]][name] = values[row];
  }
  return spec;
}

std::optional<Seconds> planned_length(const StudyTable& table) {
  if (table.seconds.empty()) return std::nullopt;
  Seconds length{0.0};
  for (const Seconds one : table.seconds)
    length += (one + table.cooldown) * static_cast<double>(table.repeats + table.warmup);
  return length;
}

}  // namespace ergo
