#include "store/names.hpp"

#include <array>
#include <string>
#include <utility>

namespace ergo {
namespace store {
namespace {

template <class Enum>
using Words = std::pair<Enum, std::string_view>;

constexpr std::array domains{Words<Domain>{Domain::gpu, "gpu"}, Words<Domain>{Domain::cpu, "cpu"},
                             Words<Domain>{Domain::dram, "dram"},
                             Words<Domain>{Domain::node, "node"}};
constexpr std::array provenances{Words<Provenance>{Provenance::measured, "measured"},
                                 Words<Provenance>{Provenance::derived, "derived"},
                                 Words<Provenance>{Provenance::estimated, "estimated"},
                                 Words<Provenance>{Provenance::simulated, "simulated"}};
constexpr std::array kinds{Words<SignalKind>{SignalKind::energy, "energy"},
                           Words<SignalKind>{SignalKind::power, "power"},
                           Words<SignalKind>{SignalKind::cpu_time, "cpu_time"},
                           Words<SignalKind>{SignalKind::gauge, "gauge"},
                           Words<SignalKind>{SignalKind::counter, "counter"},
                           Words<SignalKind>{SignalKind::flags, "flags"}};
constexpr std::array statuses{
    Words<RunStatus>{RunStatus::running, "running"}, Words<RunStatus>{RunStatus::done, "done"},
    Words<RunStatus>{RunStatus::failed, "failed"}, Words<RunStatus>{RunStatus::invalid, "invalid"},
    Words<RunStatus>{RunStatus::interrupted, "interrupted"}};

template <class Table, class Enum>
std::string_view find_word(const Table& table, Enum value) {
  for (const auto& [known, word] : table) {
    if (known == value) return word;
  }
  return {};
}

template <class Table>
auto find_value(const Table& table, std::string_view word)
    -> Result<typename Table::value_type::first_type> {
  for (const auto& [value, known] : table) {
    if (known == word) return value;
  }
  return Error{Errc::corrupt, "the store holds the unknown word '" + std::string(word) + "'", {}};
}

}  // namespace

std::string_view word(Domain value) {
  return find_word(domains, value);
}
std::string_view word(Provenance value) {
  return find_word(provenances, value);
}
std::string_view word(SignalKind value) {
  return find_word(kinds, value);
}
Result<Domain> domain_of(std::string_view word) {
  return find_value(domains, word);
}
Result<Provenance> provenance_of(std::string_view word) {
  return find_value(provenances, word);
}
Result<SignalKind> kind_of(std::string_view word) {
  return find_value(kinds, word);
}
Result<RunStatus> status_of(std::string_view word) {
  return find_value(statuses, word);
}

}  // namespace store

std::string_view to_string(RunStatus status) {
  return store::find_word(store::statuses, status);
}

}  // namespace ergo
