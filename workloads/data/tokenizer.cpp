#include "data/spans.hpp"
#include "ergo/core/parse.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ergo::workload {
namespace {

enum class Letter { space, punctuation, word };

Letter kind_of(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte <= ' ') return Letter::space;
  const bool alphanumeric = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                            (byte >= 'A' && byte <= 'Z') || byte >= 0x80;
  return alphanumeric ? Letter::word : Letter::punctuation;
}

std::string lower(std::string_view word) {
  std::string text(word);
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

/// FNV-1a over the word, into the ids that bert-base-uncased uses for whole words.
std::int32_t hashed_id(std::string_view word) {
  constexpr std::int32_t first_word = 1996;
  std::uint64_t hash = 14695981039346656037u;
  for (char c : word)
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return first_word +
         static_cast<std::int32_t>(
             hash % static_cast<std::uint64_t>(Tokenizer::vocabulary_size - first_word));
}

}  // namespace

Result<Tokenizer> Tokenizer::from_vocabulary(std::string_view lines) {
  Tokenizer tokenizer;
  std::int32_t id = 0;
  for (std::string_view line : split(trim(lines), '\n')) {
    tokenizer.pieces_.emplace(std::string(trim(line)), id++);
  }
  if (id != vocabulary_size) {
    return Error{
        Errc::corrupt,
        fmt::format("the vocabulary has {} lines, bert-base-uncased's has {}", id, vocabulary_size),
        "use the vocab.txt of bert-base-uncased, or remove it"};
  }
  return tokenizer;
}

std::vector<Token> Tokenizer::tokenize(std::string_view text) const {
  std::vector<Token> tokens;
  std::size_t at = 0;
  while (at < text.size()) {
    const Letter kind = kind_of(text[at]);
    std::size_t end = at + 1;
    if (kind == Letter::word) {
      while (end < text.size() && kind_of(text[end]) == Letter::word)
        ++end;
    }
    if (kind != Letter::space) {
      const std::string word = lower(text.substr(at, end - at));
      if (hashed()) {
        tokens.push_back({hashed_id(word), at, end});
      } else {
        add_pieces(word, at, tokens);
      }
    }
    at = end;
  }
  return tokens;
}

void Tokenizer::add_pieces(std::string_view word, std::size_t at, std::vector<Token>& to) const {
  constexpr std::size_t longest_word =
      100;  // longer ones are unknown, as in the reference implementation
  const std::size_t before = to.size();
  std::size_t begin = 0;
  while (begin < word.size() && word.size() <= longest_word) {
    std::size_t end = word.size();
    auto found = pieces_.end();
    for (; end > begin; --end) {
      const std::string piece =
          (begin > 0 ? "##" : "") + std::string(word.substr(begin, end - begin));
      found = pieces_.find(piece);
      if (found != pieces_.end()) break;
    }
    if (found == pieces_.end()) break;
    to.push_back({found->second, at + begin, at + end});
    begin = end;
  }
  if (begin < word.size()) {  // a word that cannot be spelt out is one unknown token
    to.resize(before);
    to.push_back({unknown, at, at + word.size()});
  }
}

}  // namespace ergo::workload
