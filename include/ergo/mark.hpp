#pragma once
// Marks for C++11 and later: name the phases of a program, so that `ergo run` tells what each of
// them costs.
//
//   #include <ergo/mark.hpp>
//   for (int epoch = 0; epoch < epochs; ++epoch) {
//     ergo::Mark window("epoch", samples);
//     train();
//   }
//
// Headers only, nothing to link. Properties as in ergo/mark.h: never blocks, never fails, does
// nothing outside `ergo run`, safe in threads and after fork.

#include "ergo/mark.h"

#include <cstring>

namespace ergo {

/// A window from construction to destruction.
class Mark {
 public:
  /// `count`: how many items (samples, steps, inferences) the window holds; negative when it is not
  /// known.
  /// `total`: how many windows of this name there will be in all (epochs); `ergo run` then predicts
  /// what they will have cost together. 0 when it is not known.
  explicit Mark(const char* name, long long count = -1, long long total = 0) noexcept
      : count_(count) {
    std::strncpy(name_, name == nullptr ? "" : name, sizeof name_ - 1);
    ergo_mark_begin_total(name_, -1, total);
  }
  Mark(const Mark&) = delete;
  Mark& operator=(const Mark&) = delete;
  ~Mark() { end(); }

  /// For a count that is known only later.
  void set_count(long long count) noexcept { count_ = count; }
  /// Ends the window now. Calling it again does nothing.
  void end() noexcept {
    if (!ended_) ergo_mark_end_count(name_, count_);
    ended_ = true;
  }

 private:
  // One byte more than a name may have, so that begin and end shorten a longer one alike.
  char name_[ERGO_MARK_NAME_BYTES + 2] = {};
  long long count_;
  bool ended_ = false;
};

inline void mark_begin(const char* name, long long count = -1, long long total = 0) noexcept {
  ergo_mark_begin_total(name, count, total);
}
inline void mark_end(const char* name, long long count = -1) noexcept {
  ergo_mark_end_count(name, count);
}
inline void mark_event(const char* name) noexcept {
  ergo_mark_event(name);
}

}  // namespace ergo
