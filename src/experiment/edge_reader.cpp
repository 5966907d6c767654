#include "experiment/edge_reader.hpp"

#include <utility>

namespace ergo {
namespace {

/// A program may number its windows by name; none of those is seen again.
constexpr std::size_t most_names = 256;

}  // namespace

void EdgeReader::use(std::weak_ptr<Sampler> sampler) {
  const std::lock_guard lock(mutex_);
  sampler_ = std::move(sampler);
}

void EdgeReader::at(const MarkMessage& mark) {
  std::shared_ptr<Sampler> sampler;
  {
    const std::lock_guard lock(mutex_);
    if (!worth_reading(mark)) return;
    sampler = sampler_.lock();
  }
  if (sampler) sampler->edge();
}

bool EdgeReader::worth_reading(const MarkMessage& mark) {
  if (mark.kind == MarkKind::event) return false;
  if (names_.size() >= most_names && !names_.contains(mark.name)) names_.clear();
  Name& name = names_[mark.name];
  if (mark.kind == MarkKind::begin) {
    name.begun = mark.time;
    return !name.is_short;
  }
  const bool was_short = std::exchange(name.is_short, mark.time - name.begun < short_window);
  return !(was_short && name.is_short);
}

}  // namespace ergo
