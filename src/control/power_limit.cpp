#include "ergo/control/power_limit.hpp"

#include "control/card.hpp"
#include "control/guardian.hpp"
#include "control/restore.hpp"
#include "control/saved.hpp"

#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>

namespace ergo::control {
namespace {

Result<std::vector<Card>> find_cards(const Environment& environment,
                                     std::span<const std::string> uuids) {
  if (uuids.empty()) {
    return Error{Errc::not_found, "there is no GPU whose power limit could be set",
                 "ergo limits show"};
  }
  CardFinder finder(environment);
  std::vector<std::string> names(uuids.begin(), uuids.end());
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::vector<Card> cards;
  for (const std::string& uuid : names) {
    auto card = finder.find(uuid);
    if (!card) return card.error();
    cards.push_back(std::move(card).value());
  }
  std::sort(cards.begin(), cards.end(),
            [](const Card& a, const Card& b) { return a.index() < b.index(); });
  return cards;
}

Result<LimitChange> plan_for(const Card& card, Watts limit) {
  if (auto allowed = card.check(limit); !allowed) return allowed.error();
  const auto found = card.limit();
  if (!found) return found.error();
  return LimitChange{card.index(), card.uuid(), *found, limit, limit, limit};
}

/// Writes and reads back. Errors leave the card as the driver left it: the caller restores.
Result<void> apply(const Card& card, LimitChange& change) {
  if (auto set = card.set(change.asked); !set) return set;
  const auto now = card.limit();
  if (!now) return now.error();
  const auto enforced = card.enforced();
  change.set = *now;
  change.enforced = enforced ? *enforced : *now;
  return {};
}

std::optional<std::string> clamp_of(const LimitChange& c) {
  if (c.set != c.asked) {
    return fmt::format("gpu{}: {:g} W was asked, but the driver set {:g} W", c.index,
                       c.asked.value(), c.set.value());
  }
  if (c.enforced < c.set) {
    return fmt::format("gpu{}: {:g} W is set, but another limiter enforces {:g} W", c.index,
                       c.set.value(), c.enforced.value());
  }
  return std::nullopt;
}

/// The facts that every saved limit of this process shares.
Result<SavedLimit> saved_template(const Environment& environment, SavedLimit::Kind kind) {
  auto boot = boot_id(environment);
  if (!boot) return boot.error();
  const auto self = this_process(environment);
  if (!self) return self.error();
  SavedLimit saved;
  saved.kind = kind;
  saved.boot_id = std::move(boot).value();
  saved.pid = self->pid;
  saved.start_ticks = self->start_ticks;
  return saved;
}

}  // namespace

struct PowerLimitGuard::State {
  State(const Environment& given, const LimitOptions& options)
      : environment(given), guardian_command(options.guardian), folder(given) {}

  [[nodiscard]] Result<void> acquire();
  [[nodiscard]] Result<void> save(const LimitChange& change);
  [[nodiscard]] Result<void> save_all(Watts limit);
  [[nodiscard]] Result<void> apply_all();
  void keep_watch();
  Result<void> restore();
  void release();

  Environment environment;
  std::vector<std::string> guardian_command;
  StateFolder folder;
  std::vector<Card> cards;
  std::vector<GpuLock> locks;
  std::vector<LimitChange> changes;  ///< as many as have a saved file
  std::vector<std::string> warnings;
  std::optional<std::string> problem;
  Guardian guardian;
  bool unguarded = false;  ///< the guardian was killed, and no other one could be started
  bool active = true;
};

Result<void> PowerLimitGuard::State::acquire() {
  if (auto ready = folder.prepare(); !ready) return ready;
  for (const Card& card : cards) {
    auto lock = folder.lock(card.uuid());
    if (!lock) return lock.error();
    locks.push_back(std::move(lock).value());
    auto recovered = recover_dead_run(folder, card);
    if (!recovered) return recovered.error();
    if (*recovered) warnings.push_back(**recovered);
  }
  return {};
}

Result<void> PowerLimitGuard::State::save(const LimitChange& change) {
  auto saved = saved_template(environment, SavedLimit::Kind::run);
  if (!saved) return saved.error();
  saved->uuid = change.uuid;
  saved->found = change.found;
  saved->asked = change.asked;
  return folder.save(*saved);
}

Result<void> PowerLimitGuard::State::save_all(Watts limit) {
  for (const Card& card : cards) {
    const auto plan = plan_for(card, limit);
    if (!plan) return plan.error();
    changes.push_back(*plan);
    if (auto kept = save(*plan); !kept) return kept;
  }
  return {};
}

/// What brings the limits back after a sudden death may itself have been removed or killed.
void PowerLimitGuard::State::keep_watch() {
  const auto tell = [this](std::string text) {
    if (std::find(warnings.begin(), warnings.end(), text) == warnings.end())
      warnings.push_back(std::move(text));
  };
  for (const LimitChange& change : changes) {
    const auto there = folder.load(change.uuid, SavedLimit::Kind::run);
    if (there && to_milliwatt(there->found) == to_milliwatt(change.found) &&
        there->pid == ::getpid())
      continue;
    const std::string file = folder.file(change.uuid, SavedLimit::Kind::run).string();
    auto again = folder.prepare();
    if (again) again = save(change);
    tell(again ? fmt::format("somebody changed or removed {}; the limit found is saved again", file)
               : fmt::format("somebody changed or removed {}: {}", file, again.error().message));
  }
  if (unguarded || guardian.alive()) return;
  auto again = Guardian::start(guardian_command, environment, locks);
  unguarded = !again;
  tell(again
           ? "the limit-guardian was killed; another one watches over the power limit now"
           : fmt::format("the limit-guardian was killed and cannot be started again: after a kill "
                         "-9 of ergo the limit stays set until '{}'",
                         restore_command()));
  if (again) guardian = std::move(*again);
}

Result<void> PowerLimitGuard::State::apply_all() {
  for (std::size_t i = 0; i < cards.size(); ++i) {
    if (auto applied = apply(cards[i], changes[i]); !applied) return applied;
    if (auto clamp = clamp_of(changes[i])) {
      warnings.push_back(*clamp);
      if (!problem) problem = *clamp;
    }
  }
  return {};
}

Result<void> PowerLimitGuard::State::restore() {
  if (!active) return {};
  active = false;
  Result<void> first;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    auto back = put_back(cards[i], changes[i].found);
    if (back) back = folder.remove(cards[i].uuid(), SavedLimit::Kind::run);
    if (!back && first) first = back;
  }
  // What failed is still saved, and the guardian, left alone, tries for itself.
  if (first) guardian.dismiss();
  guardian.abandon();
  if (first) release();
  locks.clear();
  return first;
}

void PowerLimitGuard::State::release() {
  // A lock lives as long as any copy of its descriptor, also one in a process that is just ending.
  for (const GpuLock& lock : locks)
    ::flock(lock.fd.get(), LOCK_UN);
}

PowerLimitGuard::PowerLimitGuard(std::unique_ptr<State> state) : state_(std::move(state)) {}

PowerLimitGuard::~PowerLimitGuard() {
  std::ignore = restore();
}

const std::vector<LimitChange>& PowerLimitGuard::changes() const {
  return state_->changes;
}

const std::vector<std::string>& PowerLimitGuard::warnings() const {
  return state_->warnings;
}

Watts PowerLimitGuard::enforced() const {
  return std::min_element(
             state_->changes.begin(), state_->changes.end(),
             [](const LimitChange& a, const LimitChange& b) { return a.enforced < b.enforced; })
      ->enforced;
}

std::optional<std::string> PowerLimitGuard::check() {
  if (state_->active) state_->keep_watch();
  for (std::size_t i = 0; state_->active && !state_->problem && i < state_->cards.size(); ++i) {
    const LimitChange& change = state_->changes[i];
    const auto now = state_->cards[i].limit();
    if (!now) {
      state_->problem = now.error().message;
      break;
    }
    const auto enforced = state_->cards[i].enforced();
    if (*now != change.set) {
      state_->problem =
          fmt::format("gpu{}: another program changed the power limit from {:g} W to {:g} W",
                      change.index, change.set.value(), now->value());
    } else if (enforced && *enforced != change.enforced) {
      state_->problem = fmt::format("gpu{}: the limit enforced went from {:g} W to {:g} W",
                                    change.index, change.enforced.value(), enforced->value());
    }
  }
  return state_->problem;
}

Result<void> PowerLimitGuard::change(Watts limit) {
  State& s = *state_;
  if (!s.active) return Error{Errc::canceled, "the limits found are back already", {}};
  std::ignore = check();  // before our own write hides somebody else's
  limit = to_milliwatt(limit);
  for (const Card& card : s.cards) {
    if (auto allowed = card.check(limit); !allowed) return allowed;
  }
  for (LimitChange& change : s.changes) {
    change.asked = limit;
    if (auto kept = s.save(change); !kept) return kept;
  }
  return s.apply_all();
}

Result<void> PowerLimitGuard::restore() {
  return state_->restore();
}

Result<std::unique_ptr<PowerLimitGuard>> set_power_limit(const Environment& environment,
                                                         std::span<const std::string> uuids,
                                                         Watts limit, const LimitOptions& options) {
  auto cards = find_cards(environment, uuids);
  if (!cards) return cards.error();
  limit = to_milliwatt(limit);
  for (const Card& card : *cards) {
    if (auto allowed = card.check(limit); !allowed) return allowed.error();
  }
  auto state = std::make_unique<PowerLimitGuard::State>(environment, options);
  state->cards = std::move(cards).value();
  // From here on an early return restores and removes whatever was done.
  std::unique_ptr<PowerLimitGuard> guard(new PowerLimitGuard(std::move(state)));
  PowerLimitGuard::State& s = *guard->state_;
  if (auto acquired = s.acquire(); !acquired) return acquired.error();
  if (auto saved = s.save_all(limit); !saved) return saved.error();
  auto guardian = Guardian::start(options.guardian, environment, s.locks);
  if (!guardian) return guardian.error();
  s.guardian = std::move(guardian).value();
  if (auto applied = s.apply_all(); !applied) {
    Error error = applied.error();
    if (auto back = guard->restore(); !back) error.message += "; " + back.error().text();
    return error;
  }
  return guard;
}

Result<std::vector<LimitChange>> plan_power_limit(const Environment& environment,
                                                  std::span<const std::string> uuids, Watts limit) {
  const auto cards = find_cards(environment, uuids);
  if (!cards) return cards.error();
  std::vector<LimitChange> plans;
  for (const Card& card : *cards) {
    const auto plan = plan_for(card, to_milliwatt(limit));
    if (!plan) return plan.error();
    plans.push_back(*plan);
  }
  return plans;
}

namespace {

/// What was done to one GPU, and the file that was there before.
struct Kept {
  LimitChange change;
  std::optional<SavedLimit> earlier;
};

Result<void> undo(const StateFolder& folder, const Card& card, const Kept& kept) {
  if (auto back = put_back(card, kept.change.found); !back) return back;
  return kept.earlier ? folder.save(*kept.earlier)
                      : folder.remove(card.uuid(), SavedLimit::Kind::kept);
}

/// Saves the limit found unless an earlier one of this boot is saved, and sets the new one.
Result<Kept> keep_on(const Environment& environment, const StateFolder& folder, const Card& card,
                     Watts limit) {
  auto plan = plan_for(card, limit);
  if (!plan) return plan.error();
  auto saved = saved_template(environment, SavedLimit::Kind::kept);
  if (!saved) return saved.error();
  const auto earlier = folder.load(card.uuid(), SavedLimit::Kind::kept);
  if (!earlier && earlier.error().code == Errc::corrupt) return earlier.error();
  const bool again = earlier && earlier->boot_id == saved->boot_id;
  saved->uuid = card.uuid();
  saved->found = again ? earlier->found : plan->found;
  saved->asked = limit;
  Kept kept{*plan, again ? std::optional(*earlier) : std::nullopt};
  if (auto on_disk = folder.save(*saved); !on_disk) return on_disk.error();
  if (auto applied = apply(card, kept.change); !applied) {
    Error error = applied.error();
    if (auto back = undo(folder, card, kept); !back) error.message += "; " + back.error().text();
    return error;
  }
  return kept;
}

}  // namespace

Result<std::vector<LimitChange>> keep_power_limit(const Environment& environment,
                                                  std::span<const std::string> uuids, Watts limit) {
  const auto cards = find_cards(environment, uuids);
  if (!cards) return cards.error();
  limit = to_milliwatt(limit);
  for (const Card& card : *cards) {
    if (auto allowed = card.check(limit); !allowed) return allowed.error();
  }
  const StateFolder folder(environment);
  if (auto ready = folder.prepare(); !ready) return ready.error();
  std::vector<GpuLock> locks;
  for (const Card& card : *cards) {
    auto lock = folder.lock(card.uuid());
    if (!lock) return lock.error();
    locks.push_back(std::move(lock).value());
    if (auto recovered = recover_dead_run(folder, card); !recovered) return recovered.error();
  }
  std::vector<Kept> all;
  for (const Card& card : *cards) {
    auto kept = keep_on(environment, folder, card, limit);
    if (!kept) {
      Error error = kept.error();
      for (std::size_t i = 0; i < all.size(); ++i) {
        if (auto back = undo(folder, (*cards)[i], all[i]); !back)
          error.message += "; " + back.error().text();
      }
      return error;
    }
    all.push_back(std::move(kept).value());
  }
  std::vector<LimitChange> changes;
  changes.reserve(all.size());
  for (const Kept& kept : all)
    changes.push_back(kept.change);
  return changes;
}

}  // namespace ergo::control
