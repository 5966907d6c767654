#include "data/spans.hpp"

#include "ergo/core/files.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <random>

namespace ergo::workload {
namespace {

using nlohmann::json;

struct Question {
  std::string_view text;
  std::string_view answer;
  std::size_t answer_at = 0;
};

/// The text under `key`, or nothing where that is not a string.
const std::string* text_at(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found != object.end() ? found->get_ptr<const std::string*>() : nullptr;
}

const json* list_at(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found != object.end() && found->is_array() ? &*found : nullptr;
}

/// Byte position of the n-th character of UTF-8 text: SQuAD counts characters.
std::size_t byte_of_character(std::string_view text, std::uint64_t n) {
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const bool starts_character = (static_cast<unsigned char>(text[at]) & 0xc0) != 0x80;
    if (starts_character && n-- == 0) return at;
  }
  return text.size();
}

/// Question and first answer; absent when the entry is not of SQuAD's form or the answer is not in
/// the text.
std::optional<Question> read_question(const json& entry, std::string_view context) {
  const std::string* question = text_at(entry, "question");
  const json* answers = list_at(entry, "answers");
  if (question == nullptr || answers == nullptr || answers->empty()) return std::nullopt;
  const json& answer = (*answers)[0];
  const std::string* answer_text = text_at(answer, "text");
  if (answer_text == nullptr || answer_text->empty()) return std::nullopt;
  const auto start = answer.find("answer_start");
  if (start == answer.end() || !start->is_number_unsigned()) return std::nullopt;
  const std::size_t at = byte_of_character(context, start->get<std::uint64_t>());
  if (context.substr(at, answer_text->size()) != *answer_text) return std::nullopt;
  return Question{*question, *answer_text, at};
}

/// Appends one sample; false when it does not fit, or no token stands for the answer.
bool append_sample(const std::vector<Token>& context, const std::vector<Token>& question,
                   std::size_t answer_begin, std::size_t answer_end, SpanDataset& to) {
  const auto tokens = static_cast<std::size_t>(to.tokens);
  if (context.size() + question.size() + 3 > tokens) return false;
  const auto covers = [&](const Token& token) {
    return token.begin < answer_end && token.end > answer_begin;
  };
  const auto first = std::find_if(context.begin(), context.end(), covers);
  if (first == context.end()) return false;
  const auto behind = std::find_if_not(first, context.end(), covers);

  const std::size_t row = to.ids.size();
  to.ids.push_back(Tokenizer::cls);
  for (const Token& token : context)
    to.ids.push_back(token.id);
  to.ids.push_back(Tokenizer::sep);
  const std::size_t question_at = to.ids.size() - row;
  for (const Token& token : question)
    to.ids.push_back(token.id);
  to.ids.push_back(Tokenizer::sep);
  const std::size_t used = to.ids.size() - row;
  to.ids.resize(row + tokens, 0);
  to.types.resize(row + tokens, 0);
  to.mask.resize(row + tokens, 0);
  std::fill_n(to.types.begin() + static_cast<std::ptrdiff_t>(row + question_at), used - question_at,
              1);
  std::fill_n(to.mask.begin() + static_cast<std::ptrdiff_t>(row), used, 1);
  to.start.push_back(static_cast<std::int32_t>(first - context.begin()) + 1);  // behind [CLS]
  to.end.push_back(static_cast<std::int32_t>(behind - context.begin()));
  return true;
}

Error corrupt_squad(std::string why) {
  return Error{Errc::corrupt, std::move(why), "use SQuAD's train-v1.1.json"};
}

}  // namespace

Result<SpanDataset> parse_squad(std::string_view text, const Tokenizer& tokenizer, int tokens,
                                std::size_t limit) {
  const json document = json::parse(text.begin(), text.end(), nullptr, false);
  const json* articles = document.is_discarded() ? nullptr : list_at(document, "data");
  if (articles == nullptr) return corrupt_squad("not SQuAD's JSON: it has no list \"data\"");
  SpanDataset data;
  data.tokens = tokens;
  const auto full = [&] { return limit > 0 && data.count() >= limit; };
  std::size_t bad = 0;
  for (const json& article : *articles) {
    const json* paragraphs = list_at(article, "paragraphs");
    if (paragraphs == nullptr) return corrupt_squad("an article has no list \"paragraphs\"");
    for (const json& paragraph : *paragraphs) {
      const std::string* context = text_at(paragraph, "context");
      const json* questions = list_at(paragraph, "qas");
      if (context == nullptr || questions == nullptr)
        return corrupt_squad("a paragraph lacks its text or questions");
      const std::vector<Token> context_tokens = tokenizer.tokenize(*context);
      for (const json& entry : *questions) {
        if (full()) break;
        const std::optional<Question> question = read_question(entry, *context);
        if (!question) {
          ++bad;
          continue;
        }
        append_sample(context_tokens, tokenizer.tokenize(question->text), question->answer_at,
                      question->answer_at + question->answer.size(), data);
      }
    }
  }
  if (data.count() == 0) {
    return corrupt_squad(
        fmt::format("no question fits into {} tokens ({} are damaged)", tokens, bad));
  }
  return data;
}

Result<SpanDataset> read_squad(const std::filesystem::path& folder, int tokens, std::size_t limit) {
  constexpr std::size_t largest = std::size_t{1} << 30;
  const auto file = folder / "train-v1.1.json";
  const Result<std::string> text = read_text(file, largest);
  if (!text) {
    Error error = text.error();
    error.remedy = "the folder must hold SQuAD's train-v1.1.json";
    return error;
  }
  Tokenizer tokenizer;
  if (const Result<std::string> lines = read_text(folder / "vocab.txt"); lines) {
    Result<Tokenizer> read = Tokenizer::from_vocabulary(*lines);
    if (!read) return read.error();
    tokenizer = std::move(read).value();
  } else if (lines.error().code != Errc::not_found) {
    return lines.error();
  }
  Result<SpanDataset> data = parse_squad(*text, tokenizer, tokens, limit);
  if (!data) return data;
  data->source =
      file.string() + (tokenizer.hashed() ? ", words hashed (no vocab.txt)" : ", WordPiece");
  return data;
}

SpanDataset synthetic_spans(int tokens, std::size_t count, std::uint64_t seed) {
  constexpr std::int32_t start_mark = 2000, end_mark = 2001, first_word = 3000;
  SpanDataset data;
  data.tokens = tokens;
  data.source = fmt::format("synthetic: {} samples of random tokens with a marked answer, seed {}",
                            count, seed);
  std::mt19937_64 random(seed);
  const auto below = [&](int n) {
    return static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(n));
  };
  const auto width = static_cast<std::size_t>(tokens);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t row = data.ids.size();
    for (std::size_t at = 0; at < width; ++at) {
      data.ids.push_back(first_word + below(Tokenizer::vocabulary_size - first_word));
      data.types.push_back(at >= width - 3 ? 1 : 0);
      data.mask.push_back(1);
    }
    data.ids[row] = Tokenizer::cls;
    data.ids[row + width - 4] = data.ids[row + width - 1] = Tokenizer::sep;
    const std::int32_t start = 1 + below(tokens - 6);
    const std::int32_t end = start + 1 + below(std::min(8, tokens - 5 - start));
    data.ids[row + static_cast<std::size_t>(start)] = start_mark;
    data.ids[row + static_cast<std::size_t>(end)] = end_mark;
    data.start.push_back(start);
    data.end.push_back(end);
  }
  return data;
}

}  // namespace ergo::workload
