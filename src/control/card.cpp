#include "control/card.hpp"

#include "control/amdgpu_limits.hpp"
#include "control/nvml_limits.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace ergo::control {

Error no_right(const std::string& what) {
  if (::geteuid() == 0) {
    return {Errc::permission, what + ": the driver does not let this process change power limits",
            "in a container: set the limit on the host, or start it with --cap-add SYS_ADMIN"};
  }
  return {Errc::permission, what + ": only root may change power limits",
          "sudo ergo …; the command that is measured still runs as you"};
}

std::string label_of(unsigned index, const std::string& uuid) {
  return fmt::format("GPU {} ({})", index, uuid);
}

Watts to_milliwatt(Watts limit) {
  return Watts(static_cast<double>(std::llround(limit.value() * 1e3)) * 1e-3);
}

std::string ergo_as_typed() {
  if (::geteuid() != 0) return "ergo";
  constexpr std::array<std::pair<const char*, const char*>, 3> tools{
      {{"SUDO_UID", "sudo ergo"}, {"DOAS_USER", "doas ergo"}, {"PKEXEC_UID", "pkexec ergo"}}};
  for (const auto& [variable, words] : tools) {
    if (std::getenv(variable) != nullptr) return words;
  }
  return "ergo";
}

std::string restore_command() {
  return ergo_as_typed() + " limits restore";
}

struct CardFinder::State {
  Environment environment;
  std::optional<Result<std::shared_ptr<const nvml::Library>>> library;

  const Result<std::shared_ptr<const nvml::Library>>& open() {
    if (!library) library.emplace(nvml::Library::open(environment.nvml_library));
    return *library;
  }
};

CardFinder::CardFinder(Environment environment)
    : state_(std::make_unique<State>(State{std::move(environment), {}})) {}
CardFinder::~CardFinder() = default;

std::vector<Card> CardFinder::amd_cards() const {
  const auto& library = state_->open();
  const auto count = library ? (*library)->device_count() : Result<unsigned>(0U);
  return find_amd_cards(state_->environment, count.value_or(0));
}

Result<Card> CardFinder::find(const std::string& uuid) {
  if (uuid.starts_with("MIG-")) {
    return Error{Errc::not_supported,
                 fmt::format("{} is a MIG instance: only a whole GPU has a power limit", uuid),
                 "name the GPU: ergo limits show"};
  }
  const auto& library = state_->open();
  auto card = library ? find_nvml_card(*library, uuid) : Result<Card>(library.error());
  if (card) return card;
  for (const Card& other : amd_cards()) {
    if (other.uuid() == uuid) return other;
  }
  return card;
}

Result<void> Card::check(Watts limit) const {
  const GpuLimits limits = this->limits();
  const std::string label = label_of(index_, uuid_);
  if (!limits.set) {
    // A GPU that is gone says so in the driver's words.
    if (auto now = this->limit(); !now) return now.error();
  }
  if (!limits.refusal.empty()) {
    return Error{
        Errc::not_supported, fmt::format("{} cannot be limited: {}", label, limits.refusal), {}};
  }
  if (!std::isfinite(limit.value()) || limit <= Watts(0.0) || limit > Watts(1e5) ||
      (limits.min && limit < *limits.min) || (limits.max && limit > *limits.max)) {
    const std::string range =
        limits.min && limits.max
            ? fmt::format("it allows {:g} to {:g} W", limits.min->value(), limits.max->value())
            : std::string();
    return Error{Errc::invalid_argument,
                 fmt::format("{} cannot be limited to {:g} W", label, limit.value()), range};
  }
  const double steps = limit / device_->step();
  if (std::abs(steps - std::round(steps)) > 1e-3) {
    return Error{
        Errc::invalid_argument,
        fmt::format("{} takes whole watts, not {:g} W", label, limit.value()),
        fmt::format("{:g} or {:g} W", std::floor(limit.value()), std::ceil(limit.value()))};
  }
  return {};
}

Result<void> put_back(const Card& card, Watts found) {
  const auto failed = [&](const Error& error) {
    return Error{error.code,
                 fmt::format("the power limit of GPU {} ({}) is not back at {:g} W: {}",
                             card.index(), card.uuid(), found.value(), error.message),
                 "once the GPU answers: " + restore_command()};
  };
  const auto before = card.limit();
  if (!before) return failed(before.error());
  if (*before == found) return {};
  if (const auto set = card.set(found); !set) return failed(set.error());
  const auto after = card.limit();
  if (!after) return failed(after.error());
  if (*after != found) {
    return failed({Errc::unavailable, fmt::format("the driver holds {:g} W", after->value()), {}});
  }
  return {};
}

}  // namespace ergo::control
