#include "data/spans.hpp"

#include "ergo/core/files.hpp"

#include <gtest/gtest.h>

#include <string>

namespace ergo::workload {
namespace {

/// A vocabulary of the right length whose first words are those given.
std::string vocabulary(const std::vector<std::string>& words) {
  std::string lines;
  for (int i = 0; i < Tokenizer::vocabulary_size; ++i) {
    const auto at = static_cast<std::size_t>(i);
    lines += (at < words.size() ? words[at] : "[unused" + std::to_string(i) + "]") + "\n";
  }
  return lines;
}

std::vector<std::int32_t> ids_of(const std::vector<Token>& tokens) {
  std::vector<std::int32_t> ids;
  for (const Token& token : tokens)
    ids.push_back(token.id);
  return ids;
}

std::string squad(const std::string& context, const std::string& question,
                  const std::string& answer, int start) {
  return R"({"data":[{"paragraphs":[{"context":")" + context + R"(","qas":[{"question":")" +
         question + R"(","answers":[{"text":")" + answer + R"(","answer_start":)" +
         std::to_string(start) + "}]}]}]}]}";
}

TEST(Tokenizer, WordsAreSpeltFromTheLongestPieces) {
  const auto tokenizer =
      Tokenizer::from_vocabulary(vocabulary({"un", "##aff", "##able", "##a", "!", "run"}));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().text();
  EXPECT_EQ(ids_of(tokenizer->tokenize("Unaffable!  RUN")),
            (std::vector<std::int32_t>{0, 1, 2, 4, 5}));
}

TEST(Tokenizer, AWordThatCannotBeSpeltIsOneUnknownToken) {
  const auto tokenizer = Tokenizer::from_vocabulary(vocabulary({"un", "##aff"}));
  const auto tokens = tokenizer->tokenize("unaffxyz un");
  EXPECT_EQ(ids_of(tokens), (std::vector<std::int32_t>{Tokenizer::unknown, 0}));
  EXPECT_EQ(tokens[0].end, 8u);
}

TEST(Tokenizer, PiecesKnowTheBytesTheyStandFor) {
  const auto tokenizer = Tokenizer::from_vocabulary(vocabulary({"un", "##aff"}));
  const auto tokens = tokenizer->tokenize("  unaff");
  ASSERT_EQ(tokens.size(), 2u);
  EXPECT_EQ(tokens[1].begin, 4u);
  EXPECT_EQ(tokens[1].end, 7u);
}

TEST(Tokenizer, AVocabularyOfAnotherLengthIsRefused) {
  EXPECT_EQ(Tokenizer::from_vocabulary("a\nb\n").error().code, Errc::corrupt);
}

TEST(Tokenizer, WithoutAVocabularyEqualWordsHaveEqualIdsInTheVocabulary) {
  const Tokenizer tokenizer;
  const auto ids = ids_of(tokenizer.tokenize("Energy, energy"));
  ASSERT_EQ(ids.size(), 3u);
  EXPECT_EQ(ids[0], ids[2]);
  EXPECT_NE(ids[0], ids[1]);
  for (std::int32_t id : ids) {
    EXPECT_GE(id, 0);
    EXPECT_LT(id, Tokenizer::vocabulary_size);
  }
}

TEST(Squad, TheAnswerIsFoundInTokens) {
  const auto data =
      parse_squad(squad("The cat sat on the mat.", "Who sat?", "cat", 4), Tokenizer(), 16, 0);
  ASSERT_TRUE(data.ok()) << data.error().text();
  ASSERT_EQ(data->count(), 1u);
  EXPECT_EQ(data->start[0], 2);  // [CLS] the cat
  EXPECT_EQ(data->end[0], 2);
  EXPECT_EQ(data->ids.size(), 16u);
  EXPECT_EQ(data->ids[0], Tokenizer::cls);
  EXPECT_EQ(data->ids[8], Tokenizer::sep);
  EXPECT_EQ(data->types,
            (std::vector<std::int32_t>{0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0}));
  EXPECT_EQ(data->mask,
            (std::vector<std::int32_t>{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0}));
}

TEST(Squad, PositionsCountCharactersNotBytes) {
  const auto data =
      parse_squad(squad("Caf\u00e9 \u20ac five", "How much?", "five", 7), Tokenizer(), 16, 0);
  ASSERT_TRUE(data.ok()) << data.error().text();
  EXPECT_EQ(data->start[0], 3);
}

TEST(Squad, SamplesThatAreTooLongOrDamagedAreLeftOut) {
  const std::string good = squad("a b c", "d?", "b", 2);
  EXPECT_FALSE(parse_squad(good, Tokenizer(), 7, 0).ok());  // needs 8
  EXPECT_TRUE(parse_squad(good, Tokenizer(), 8, 0).ok());
  EXPECT_FALSE(parse_squad(squad("a b c", "d?", "b", 3), Tokenizer(), 8, 0).ok());
  EXPECT_FALSE(parse_squad(squad("a b c", "d?", "", 3), Tokenizer(), 8, 0).ok());
  EXPECT_FALSE(parse_squad(squad("a b c", "d?", "zebra", 400), Tokenizer(), 8, 0).ok());
}

TEST(Squad, OtherJsonIsCorruptAndNeverACrash) {
  for (
      const char* text :
      {"", "{", "[]", "1", "null", R"({"data":1})", R"({"data":[]})", R"({"data":[1]})",
       R"({"data":[{"paragraphs":[1]}]})", R"({"data":[{"paragraphs":[{"context":1,"qas":[]}]}]})",
       R"({"data":[{"paragraphs":[{"context":"a","qas":[1,{"question":"a"},{"question":"a","answers":[1]}]}]}]})"}) {
    const auto data = parse_squad(text, Tokenizer(), 16, 0);
    ASSERT_FALSE(data.ok()) << text;
    EXPECT_EQ(data.error().code, Errc::corrupt);
  }
}

TEST(Squad, AFolderSaysWhetherWordsAreHashed) {
  const auto folder = TemporaryFolder::create("ergo-squad");
  EXPECT_EQ(read_squad(folder->path(), 16, 0).error().code, Errc::not_found);
  ASSERT_TRUE(
      write_text_atomically(folder->path() / "train-v1.1.json", squad("a b c", "d?", "b", 2)).ok());
  EXPECT_NE(read_squad(folder->path(), 16, 0)->source.find("hashed"), std::string::npos);
  ASSERT_TRUE(write_text_atomically(folder->path() / "vocab.txt", vocabulary({"a", "b"})).ok());
  EXPECT_NE(read_squad(folder->path(), 16, 0)->source.find("WordPiece"), std::string::npos);
  ASSERT_TRUE(write_text_atomically(folder->path() / "vocab.txt", "a\n").ok());
  EXPECT_EQ(read_squad(folder->path(), 16, 0).error().code, Errc::corrupt);
}

TEST(SyntheticSpans, MarkTheAnswerAndStayInside) {
  for (int tokens : {8, 9, 32, 384}) {
    const SpanDataset data = synthetic_spans(tokens, 20, 4);
    ASSERT_EQ(data.ids.size(), 20u * static_cast<std::size_t>(tokens));
    for (std::size_t i = 0; i < data.count(); ++i) {
      EXPECT_GE(data.start[i], 1);
      EXPECT_GT(data.end[i], data.start[i]);
      EXPECT_LT(data.end[i], tokens - 4);
    }
  }
}

}  // namespace
}  // namespace ergo::workload
