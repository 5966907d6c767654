#pragma once
// Questions with an answer in a text, as BERT reads them: SQuAD v1.1, or synthetic ones.

#include "ergo/core/result.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ergo::workload {

/// Samples of a fixed number of tokens: [CLS] text [SEP] question [SEP] padding.
struct SpanDataset {
  int tokens = 0;
  std::vector<std::int32_t> ids;    ///< [count, tokens]
  std::vector<std::int32_t> types;  ///< [count, tokens]: 1 in the question
  std::vector<std::int32_t> mask;   ///< [count, tokens]: 0 in the padding
  std::vector<std::int32_t> start;  ///< [count]: token at which the answer begins …
  std::vector<std::int32_t> end;    ///< … and its last token
  std::string source;

  [[nodiscard]] std::size_t count() const { return start.size(); }
};

/// A token and the bytes of the text that it stands for.
struct Token {
  std::int32_t id = 0;
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// Splits text into words and punctuation, lower-cased (ASCII), and words into pieces of a
/// vocabulary by longest match (the WordPiece of BERT uncased). Without a vocabulary a word is one
/// token whose id is a hash of it: lengths and cost then are close to the real ones, meaning is
/// not.
class Tokenizer {
 public:
  static constexpr std::int32_t cls = 101, sep = 102, unknown = 100;
  static constexpr std::int32_t vocabulary_size = 30522;

  /// Hashed ids.
  Tokenizer() = default;
  /// One piece a line, as bert-base-uncased's vocab.txt. Errors: corrupt when it is not of 30,522
  /// lines.
  static Result<Tokenizer> from_vocabulary(std::string_view lines);

  [[nodiscard]] std::vector<Token> tokenize(std::string_view text) const;
  [[nodiscard]] bool hashed() const { return pieces_.empty(); }

 private:
  void add_pieces(std::string_view word, std::size_t at, std::vector<Token>& to) const;

  std::unordered_map<std::string, std::int32_t> pieces_;
};

/// The samples of SQuAD's JSON whose text and question fit into `tokens`, at most `limit` (0: all).
/// Errors: corrupt.
Result<SpanDataset> parse_squad(std::string_view json, const Tokenizer& tokenizer, int tokens,
                                std::size_t limit);

/// train-v1.1.json of a folder, with its vocab.txt where there is one. Errors: not_found, corrupt,
/// io.
Result<SpanDataset> read_squad(const std::filesystem::path& folder, int tokens, std::size_t limit);

/// Random tokens in which two special ones mark the answer: a network can learn to find them.
SpanDataset synthetic_spans(int tokens, std::size_t count, std::uint64_t seed);

}  // namespace ergo::workload
