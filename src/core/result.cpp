#include "ergo/core/result.hpp"

#include <cerrno>
#include <cstring>
#include <system_error>

namespace ergo {

std::string Error::text() const {
  return remedy.empty() ? message : message + " (" + remedy + ")";
}

Error system_error(const std::string& what, int error_number) {
  Errc code = Errc::io;
  if (error_number == ENOENT || error_number == ENOTDIR) code = Errc::not_found;
  if (error_number == EACCES || error_number == EPERM) code = Errc::permission;
  std::string remedy;
  if (error_number == ENOSPC || error_number == EDQUOT)
    remedy = "free some space or choose another folder";
  return Error{code, what + ": " + std::generic_category().message(error_number), remedy};
}

}  // namespace ergo
