#include "control/restore.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace ergo::control {

Result<std::optional<std::string>> recover_dead_run(const StateFolder& folder, const Card& card) {
  const auto saved = folder.load(card.uuid(), SavedLimit::Kind::run);
  if (!saved) {
    if (saved.error().code == Errc::not_found) return std::optional<std::string>();
    return saved.error();
  }
  if (const auto owner = folder.living_owner(*saved)) return busy(card.uuid(), *owner);
  const auto boot = folder.boot();
  if (!boot) return boot.error();
  const bool this_boot = saved->boot_id == *boot;
  if (this_boot) {
    if (auto back = put_back(card, saved->found); !back) return back.error();
  }
  if (auto removed = folder.remove(card.uuid(), SavedLimit::Kind::run); !removed) {
    return removed.error();
  }
  if (!this_boot) return std::optional<std::string>();  // the driver has reset it
  return std::optional(
      fmt::format("gpu{}: the run of process {} died and left {:g} W; {:g} W, found by it, is back",
                  card.index(), saved->pid, saved->asked.value(), saved->found.value()));
}

namespace {

Restored outcome(const SavedLimit& saved, Restored::Outcome what) {
  return {saved, what, std::nullopt};
}

Restored failed(const SavedLimit& saved, Error error) {
  return {saved, Restored::Outcome::failed, std::move(error)};
}

/// With the lock held, if anything is to be written.
Restored restore_one(const SavedState& state, const StateFolder& folder, CardFinder& finder,
                     bool dry_run) {
  const SavedLimit& saved = state.saved;
  if (!state.this_boot) {
    if (!dry_run) {
      if (auto removed = folder.remove(saved.uuid, saved.kind); !removed) {
        return failed(saved, removed.error());
      }
    }
    return outcome(saved, Restored::Outcome::discarded);
  }
  const auto card = finder.find(saved.uuid);
  if (!card) {
    return failed(saved, {card.error().code,
                          fmt::format("the power limit of {} is not back at {:g} W: {}", saved.uuid,
                                      saved.found.value(), card.error().message),
                          "once the GPU answers: " + restore_command()});
  }
  if (dry_run) return outcome(saved, Restored::Outcome::restored);
  auto back = put_back(*card, saved.found);
  if (back) back = folder.remove(saved.uuid, saved.kind);
  return back ? outcome(saved, Restored::Outcome::restored) : failed(saved, back.error());
}

}  // namespace

Result<std::vector<Restored>> restore_all(const Environment& environment, bool dry_run) {
  const StateFolder folder(environment);
  std::vector<std::string> damaged;
  auto all = folder.all(damaged);
  if (!all) return all.error();
  std::vector<Restored> report;
  if (const auto of_root = saved_by_root(environment, damaged)) {
    for (const SavedState& state : *of_root) {
      report.push_back(
          failed(state.saved, {Errc::permission,
                               fmt::format("the limit of {} was changed by root, and only root may "
                                           "put {:g} W back",
                                           state.saved.uuid, state.saved.found.value()),
                               "sudo ergo limits restore"}));
    }
  }
  if (all->empty() && damaged.empty()) return report;
  CardFinder finder(environment);
  // A run's limit goes before the one that was kept: that one was found first.
  std::stable_partition(all->begin(), all->end(),
                        [](const SavedState& s) { return s.saved.kind == SavedLimit::Kind::run; });
  for (const SavedState& state : *all) {
    if (dry_run) {
      report.push_back(state.owner_alive && state.saved.kind == SavedLimit::Kind::run
                           ? outcome(state.saved, Restored::Outcome::in_use)
                           : restore_one(state, folder, finder, true));
      continue;
    }
    const auto lock = folder.lock(state.saved.uuid);
    if (!lock) {
      report.push_back(lock.error().code == Errc::busy
                           ? Restored{state.saved, Restored::Outcome::in_use, lock.error()}
                           : failed(state.saved, lock.error()));
      continue;
    }
    // A guardian may have been at work until now.
    if (!std::filesystem::exists(state.file)) continue;
    if (const auto owner = folder.living_owner(state.saved)) {
      report.push_back({state.saved, Restored::Outcome::in_use, busy(state.saved.uuid, *owner)});
      continue;
    }
    report.push_back(restore_one(state, folder, finder, false));
  }
  for (const std::string& text : damaged) {
    report.push_back(failed({}, {Errc::corrupt, text, {}}));
  }
  return report;
}

Result<std::vector<std::string>> recover_left_over(const Environment& environment,
                                                   std::span<const std::string> uuids) {
  const StateFolder folder(environment);
  CardFinder finder(environment);
  std::vector<std::string> told;
  for (const std::string& uuid : uuids) {
    std::error_code unseen;
    if (!std::filesystem::exists(folder.file(uuid, SavedLimit::Kind::run), unseen)) continue;
    const auto lock = folder.lock(uuid);
    if (!lock) return lock.error();
    const auto card = finder.find(uuid);
    if (!card) return card.error();
    auto recovered = recover_dead_run(folder, *card);
    if (!recovered) return recovered.error();
    if (*recovered) told.push_back(**recovered);
  }
  return told;
}

std::vector<SavedState> left_over(const Environment& environment, Seconds patience) {
  const auto look = [&] {
    std::vector<std::string> damaged;
    auto found = StateFolder(environment).all(damaged);
    std::vector<SavedState> all = found ? std::move(*found) : std::vector<SavedState>();
    if (auto more = saved_by_root(environment, damaged))
      all.insert(all.end(), more->begin(), more->end());
    std::erase_if(all, [](const SavedState& s) {
      return s.saved.kind != SavedLimit::Kind::run || !s.this_boot || s.owner_alive;
    });
    return all;
  };
  std::vector<SavedState> dead = look();
  constexpr Seconds pause(0.1);
  for (Seconds waited(0.0); !dead.empty() && waited < patience; waited += pause) {
    std::this_thread::sleep_for(std::chrono::duration<double>(pause.value()));
    dead = look();
  }
  return dead;
}

}  // namespace ergo::control
