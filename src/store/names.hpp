#pragma once
// Enumerations as the words that stand in the file.

#include "ergo/core/result.hpp"
#include "ergo/sensors/signal.hpp"
#include "ergo/store/store.hpp"

#include <string_view>

namespace ergo::store {

std::string_view word(Domain value);
std::string_view word(Provenance value);
std::string_view word(SignalKind value);

/// Errors: `corrupt` for an unknown word.
Result<Domain> domain_of(std::string_view word);
Result<Provenance> provenance_of(std::string_view word);
Result<SignalKind> kind_of(std::string_view word);
Result<RunStatus> status_of(std::string_view word);

}  // namespace ergo::store
