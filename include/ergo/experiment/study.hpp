#pragma once
// Recipes of studies: a sweep that a person wrote down (studies/*.toml; docs/user/studies.md).

#include "ergo/core/result.hpp"
#include "ergo/experiment/sweep.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ergo {

/// The cells of a study and how often each is run. Columns are of one length; row i is cell i.
struct StudyTable {
  std::map<std::string, std::vector<std::string>> columns;
  int repeats = 1;
  int warmup = 0;
  Seconds cooldown{0.0};
  /// A second axis: every row under these GPU power limits ("all", "150..300:25"); empty: none.
  std::string power_limits;
  /// About how long one run of each row takes where the recipe says so; else empty.
  std::vector<Seconds> seconds;
};

struct StudyRecipe {
  std::string name;    ///< the file's name without ".toml"
  std::string title;   ///< the name where it has none
  std::string source;  ///< the document that it repeats, if any
  std::string axis;    ///< the column that is the runs' parameter; the others follow from it
  std::string axis_label;
  std::string item;  ///< what the workload counts
  /// One GPU after the other, each as an experiment of its own, in place of all together.
  bool each_gpu = false;
  std::vector<std::string> command;
  StudyTable full;
  StudyTable quick;  ///< for two CPU cores, under two minutes
  /// The recipe has no [quick]: at most five of its cells, evenly chosen among those of which the
  /// runs fit into two minutes (all, where it does not say how long they take), at most two runs
  /// each, no rests.
  bool quick_is_ours = false;
};

/// Reads a recipe. Strict: an unknown or missing key, a wrong type, columns of different lengths or
/// a column that the command never uses is an error whose message begins "FILE:LINE: ".
Result<StudyRecipe> parse_study(std::string_view text, const std::filesystem::path& file);
Result<StudyRecipe> load_study(const std::filesystem::path& file);

/// All recipes of a folder by name. Errors: a folder that cannot be read, a recipe that is wrong.
Result<std::vector<StudyRecipe>> list_studies(const std::filesystem::path& folder);

/// The sweep of a recipe. `device` stands for {device}. Error: a device for a command that has no
/// {device}.
Result<SweepSpec> sweep_of(const StudyRecipe& recipe, bool quick,
                           const std::optional<std::string>& device);

/// The sum over all runs of what the recipe says they take, with their cooldowns; nothing when it
/// does not say.
std::optional<Seconds> planned_length(const StudyTable& table);

}  // namespace ergo
