#pragma once
// The run that the programs beside this file look at: the first of a store's last experiment.

#include "ergo/store/store.hpp"

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

namespace ergo {

inline int fail(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  return 1;
}

struct RecordedRun {
  RunRecord record;
  std::unique_ptr<Timeline> timeline;

  static Result<RecordedRun> load(const char* path) {
    const auto store = Store::open(path, Store::Mode::read);
    if (!store) return store.error();
    const auto experiments = store->experiments();
    if (!experiments) return experiments.error();
    if (experiments->empty())
      return Error{Errc::not_found, "the store is empty", "record a run with --store"};
    const std::int64_t id = experiments->back().id;
    auto experiment = store->load_experiment(id);
    if (!experiment) return experiment.error();
    const auto runs = store->runs(id);
    if (!runs) return runs.error();
    if (runs->empty() || experiment->runs.empty())
      return Error{Errc::not_found, "the store's last experiment has no run", {}};
    auto timeline = store->load_timeline(runs->front().id);
    if (!timeline) return timeline.error();
    return RecordedRun{std::move(experiment->runs.front()), std::move(timeline).value()};
  }
};

}  // namespace ergo
