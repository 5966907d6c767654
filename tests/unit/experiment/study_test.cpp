#include "ergo/experiment/study.hpp"

#include "test_paths.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace ergo {
namespace {

const std::string good_recipe = R"toml(title = "Sizes"
source = "a document"
axis = "size"
axis_label = "size (pixels)"
item = "inference"
command = ["work", "--size", "{size}", "-n", "{iterations}", "--device", "{device}"]
repeats = 10
cooldown = "2s"
seconds = [3, 4]

[table]
size = [112, 224]
iterations = [40000, 20000]

[quick]
repeats = 2
warmup = 1
seconds = 1.5

[quick.table]
size = [8, 16, 32]
iterations = 5
)toml";

std::string with(std::string_view from, std::string_view to) {
  std::string text = good_recipe;
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

/// The recipe is refused; the message begins with the file and this line.
void expect_refused(const std::string& text, int line, std::string_view word) {
  const auto recipe = parse_study(text, "my.toml");
  ASSERT_FALSE(recipe) << word;
  const std::string& message = recipe.error().message;
  EXPECT_TRUE(message.starts_with("my.toml:" + std::to_string(line) + ": ")) << message;
  EXPECT_NE(message.find(word), std::string::npos) << message;
}

TEST(Study, ARecipeIsReadAsItIsWritten) {
  const auto recipe = parse_study(good_recipe, "folder/sizes.toml");
  ASSERT_TRUE(recipe) << recipe.error().text();
  EXPECT_EQ(recipe->name, "sizes");
  EXPECT_EQ(recipe->axis_label, "size (pixels)");
  EXPECT_EQ(recipe->full.columns.at("iterations"), (std::vector<std::string>{"40000", "20000"}));
  EXPECT_EQ(recipe->full.repeats, 10);
  EXPECT_DOUBLE_EQ(recipe->full.cooldown.value(), 2);
  EXPECT_EQ(recipe->quick.warmup, 1);
  EXPECT_EQ(recipe->quick.columns.at("iterations"), (std::vector<std::string>{"5", "5", "5"}))
      << "one value stands for all rows";
  EXPECT_EQ(recipe->quick.seconds.size(), 3U);
}

TEST(Study, ARecipeNeedsNoSourceNoTitleAndNoQuickTable) {
  const auto recipe = parse_study(
      "axis = \"n\"\ncommand = [\"./mine\", \"{n}\"]\n[table]\nn = [1, 2, 3]\n", "x/my.toml");
  ASSERT_TRUE(recipe) << recipe.error().text();
  EXPECT_EQ(recipe->title, "my");
  EXPECT_EQ(recipe->source, "");
  EXPECT_TRUE(recipe->quick_is_ours);
  EXPECT_EQ(recipe->quick.columns.at("n"), (std::vector<std::string>{"1", "2", "3"}));
  EXPECT_EQ(recipe->quick.repeats, 1);
}

/// Ten cells, 10 runs each; `rest` is put before the table.
Result<StudyRecipe> ten_cells(const std::string& rest) {
  return parse_study(
      "axis = \"n\"\ncommand = [\"./mine\", \"{n}\", \"{k}\"]\nrepeats = 10\nwarmup = "
      "3\ncooldown = \"9s\"\n" +
          rest +
          "\n[table]\nn = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n"
          "k = [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]\n",
      "my.toml");
}

TEST(Study, WithoutAQuickTableFiveCellsAreChosenEvenly) {
  const auto recipe = ten_cells("");
  ASSERT_TRUE(recipe) << recipe.error().text();
  EXPECT_EQ(recipe->quick.columns.at("n"), (std::vector<std::string>{"0", "2", "4", "6", "9"}));
  EXPECT_EQ(recipe->quick.columns.at("k"), (std::vector<std::string>{"10", "12", "14", "16", "19"}))
      << "what follows from the axis stays with its cell";
  EXPECT_EQ(recipe->quick.repeats, 2);
  EXPECT_EQ(recipe->quick.warmup, 1);
  EXPECT_DOUBLE_EQ(recipe->quick.cooldown.value(), 0);
  EXPECT_EQ(recipe->full.repeats, 10);
}

TEST(Study, WithoutAQuickTableTheCellsFitIntoTwoMinutesWhereTheirTimeIsKnown) {
  const auto recipe = ten_cells("seconds = [100, 90, 80, 70, 60, 3, 4, 5, 6, 7]");
  ASSERT_TRUE(recipe) << recipe.error().text();
  EXPECT_EQ(recipe->quick.columns.at("n"), (std::vector<std::string>{"5", "6", "7", "8", "9"}));
  EXPECT_EQ(recipe->quick.seconds.size(), 5U);
  EXPECT_LT(planned_length(recipe->quick)->value(), 120);
  const auto slow = ten_cells("seconds = 500");
  ASSERT_TRUE(slow);
  EXPECT_EQ(slow->quick.columns.at("n"), (std::vector<std::string>{"0"})) << "one at least";
}

TEST(Study, ThePlansLengthCountsRepeatsWarmUpsAndCooldowns) {
  const auto recipe = parse_study(good_recipe, "sizes.toml");
  ASSERT_TRUE(recipe);
  EXPECT_DOUBLE_EQ(planned_length(recipe->full)->value(), 10 * (3 + 2) + 10 * (4 + 2));
  EXPECT_DOUBLE_EQ(planned_length(recipe->quick)->value(), 3 * 3 * 1.5);
  EXPECT_FALSE(planned_length(StudyTable{}));
}

TEST(Study, TheSweepHasOneAxisAndTheRestFollowsFromIt) {
  const auto recipe = parse_study(good_recipe, "sizes.toml");
  ASSERT_TRUE(recipe);
  const auto spec = sweep_of(*recipe, false, std::nullopt);
  ASSERT_TRUE(spec);
  ASSERT_EQ(spec->axes.size(), 1U);
  EXPECT_EQ(spec->axes[0].values, (std::vector<std::string>{"112", "224"}));
  EXPECT_EQ(spec->companions.at("size=224").at("iterations"), "20000");
  EXPECT_EQ(spec->command.back(), "cpu");
  EXPECT_EQ(sweep_of(*recipe, true, "cuda")->command.back(), "cuda");
  EXPECT_EQ(sweep_of(*recipe, true, "cuda")->repeats, 2);
}

TEST(Study, ADeviceForACommandWithoutOneIsRefused) {
  const auto recipe = parse_study(with(R"("--device", "{device}")", R"("--plain")"), "sizes.toml");
  ASSERT_TRUE(recipe);
  EXPECT_TRUE(sweep_of(*recipe, true, std::nullopt));
  EXPECT_FALSE(sweep_of(*recipe, true, "cuda"));
}

TEST(Study, MistakesAreNamedWithTheirLine) {
  expect_refused(with("item =", "itme ="), 5, "itme");
  expect_refused(with("title = \"Sizes\"", "title = 3"), 1, "title");
  expect_refused(with("axis = \"size\"\n", ""), 1, "axis");
  expect_refused(with("repeats = 10", "repeats = 0"), 7, "repeats");
  expect_refused(with("repeats = 10", "repeats = \"ten\""), 7, "repeats");
  expect_refused(with("cooldown = \"2s\"", "cooldown = \"soon\""), 8, "cooldown");
  expect_refused(with("seconds = [3, 4]", "seconds = [3, 4, 5]"), 9, "seconds");
  expect_refused(with("size = [112, 224]", "size = [112, 112]"), 12, "twice");
  expect_refused(with("size = [112, 224]", "size = []"), 12, "empty");
  expect_refused(with("size = [112, 224]", "size = [[1], 2]"), 12, "neither text nor a number");
  expect_refused(with("iterations = [40000, 20000]", "iterations = [1, 2, 3]"), 13, "3 values");
  expect_refused(with("iterations = [40000, 20000]", "steps = [1, 2]"), 13, "{steps}");
  expect_refused(with("[quick.table]\nsize = [8, 16, 32]\n", "[quick.table]\n"), 15, "axis");
  expect_refused(with("warmup = 1", "warm = 1"), 17, "warm");
}

TEST(Study, DamagedTextIsAnErrorAndNeverACrash) {
  expect_refused(with("axis = \"size\"", "axis = \"size"), 3, "without its end");
  expect_refused(with("[table]", "[table"), 11, "bracket");
  expect_refused(with("[table]", "]table]"), 11, "bracket");
  expect_refused(with("[table]", "[]"), 11, "");
  expect_refused(with("[table]", "[table.]"), 11, "");
  expect_refused(with("[table]", "[.]"), 11, "");
  expect_refused(with("title =", "t\xc3\xaftle ="), 1, "not ASCII");
  expect_refused(with("title =", "\xff\xfe ="), 1, "not ASCII");
  expect_refused(with("axis =", std::string_view("\0axis =", 7)), 3, "control character");
  expect_refused(with("112, 224", "[[[[[[[[[[112]]]]]]]]]]"), 12, "nested too deeply");
  expect_refused(with("axis = \"size\"", "axis = \"\"\"size\"\"\""), 3, "several lines");
  expect_refused(std::string(std::size_t{2} << 20, '#'), 1, "too long");
  expect_refused(with("\"Sizes\"", "\"Gr\xc3\""), 1, "not UTF-8");
  expect_refused(with("\"Sizes\"", "\"\xed\xa0\x80\""), 1, "not UTF-8");
  expect_refused(with("\"Sizes\"", "'Gr\xc3\xb6\xc3\x9f'"), 1, "not ASCII");
  expect_refused(with("\"Sizes\"", "\"\\\xc3\xb6\""), 1, "escape");
  expect_refused("x = 2[2'\xef\xbb\xb7'*]\n", 1, "not ASCII");
  EXPECT_FALSE(parse_study("", "empty.toml"));
  for (std::size_t length = 0; length < good_recipe.size(); ++length) {
    const auto cut = parse_study(good_recipe.substr(0, length), "cut.toml");
    EXPECT_TRUE(cut || cut.error().message.starts_with("cut.toml:")) << length;
  }
}

TEST(Study, LettersOfAnyLanguageMayStandInStringsAndComments) {
  const std::string title =
      "Gr\xc3\xb6\xc3\x9f"
      "en \xe2\x82\xac \xf0\x9f\x94\x8b \"\\";
  const auto recipe = parse_study(
      "# gr\xc3\xb6\xc3\x9f"
      "er\n" +
          with("\"Sizes\"",
               "\"Gr\xc3\xb6\xc3\x9f"
               "en \xe2\x82\xac \xf0\x9f\x94\x8b \\\"\\\\\""),
      "sizes.toml");
  ASSERT_TRUE(recipe) << recipe.error().text();
  EXPECT_EQ(recipe->title, title);
}

TEST(Study, AMissingRecipeAndAMissingFolderAreNamed) {
  EXPECT_NE(load_study("/nonexistent/a.toml").error().message.find("/nonexistent/a.toml"),
            std::string::npos);
  EXPECT_NE(list_studies("/nonexistent").error().message.find("/nonexistent"), std::string::npos);
}

class ShippedStudies : public ::testing::Test {
 protected:
  void SetUp() override {
    auto all = list_studies(std::filesystem::path(ERGO_SOURCE_DIR) / "studies");
    ASSERT_TRUE(all) << all.error().text();
    recipes_ = std::move(*all);
  }
  const StudyRecipe& named(std::string_view name) const {
    for (const StudyRecipe& one : recipes_) {
      if (one.name == name) return one;
    }
    ADD_FAILURE() << "no recipe " << name;
    std::abort();
  }
  std::vector<StudyRecipe> recipes_;
};

TEST_F(ShippedStudies, EveryQuickVersionIsPlannedForUnderTwoMinutes) {
  ASSERT_GE(recipes_.size(), 12U);
  for (const StudyRecipe& one : recipes_) {
    EXPECT_TRUE(sweep_of(one, true, std::nullopt)) << one.name;
    if (!one.quick.power_limits.empty()) continue;  // as long as the GPUs have limits
    const auto length = planned_length(one.quick);
    ASSERT_TRUE(length) << one.name;
    EXPECT_LT(length->value(), 120) << one.name;
  }
}

TEST_F(ShippedStudies, AlexNetFollowsTheDocument) {
  const StudyTable& t = named("alexnet").full;
  ASSERT_EQ(t.columns.at("size").size(), 20U);
  EXPECT_EQ(t.repeats, 10);
  for (int k = 0; k < 20; ++k) {
    EXPECT_EQ(t.columns.at("size")[static_cast<std::size_t>(k)], std::to_string(112 * (k + 1)));
    EXPECT_EQ(t.columns.at("iterations")[static_cast<std::size_t>(k)],
              std::to_string(40000 / (k + 1)));
  }
}

TEST_F(ShippedStudies, ResNetAndBertFollowTheDocument) {
  const StudyTable& resnet = named("resnet50").full;
  EXPECT_EQ(resnet.columns.at("size").front(), "8");
  EXPECT_EQ(resnet.columns.at("size").back(), "4096");
  EXPECT_EQ(resnet.columns.at("iterations").back(), "1000");
  const StudyTable& bert = named("bert").full;
  for (std::size_t i = 0; i < 10; ++i) {
    const int words = 50 * (static_cast<int>(i) + 1);
    EXPECT_EQ(bert.columns.at("words")[i], std::to_string(words));
    EXPECT_EQ(bert.columns.at("tokens")[i], std::to_string(words + 2));
    EXPECT_EQ(bert.columns.at("iterations")[i], std::to_string(10000 - 10 * words));
  }
}

TEST_F(ShippedStudies, TheTableOfNetworksHasTheDocumentsBatches) {
  const StudyTable& t = named("summary").full;
  EXPECT_EQ(t.columns.at("network"),
            (std::vector<std::string>{"yolov5s", "resnet50", "vit_b_16", "bert"}));
  EXPECT_EQ(t.columns.at("batch"), (std::vector<std::string>{"32", "128", "64", "128"}));
}

}  // namespace
}  // namespace ergo
