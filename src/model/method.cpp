#include "ergo/model/method.hpp"

#include "model/methods.hpp"
#include "model/physical.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ergo {

const std::vector<std::string>& method_names() {
  static const std::vector<std::string> names = {"ergo",     "physical",  "nearest", "gp",
                                                 "shapes",   "quadratic", "linear",  "gpyjoules",
                                                 "constant", "default"};
  return names;
}

Result<std::unique_ptr<Method>> make_method(std::string_view name,
                                            const std::shared_ptr<CurveFits>& fits) {
  if (name == "physical") return make_physical(fits);
  if (name == "nearest") return make_nearest(fits);
  if (name == "gp") return make_gaussian_process(fits);
  if (name == "shapes") return make_shapes(fits);
  if (name == "ergo") return make_ensemble(fits);
  if (name == "quadratic") return make_polynomial("quadratic", 2);
  if (name == "linear") return make_polynomial("linear", 1);
  if (name == "gpyjoules") return make_gpyjoules();
  if (name == "constant") return make_constant();
  if (name == "default") return make_default_policy();
  return Error{Errc::invalid_argument, fmt::format("there is no method '{}'", name),
               fmt::format("one of {}", fmt::join(method_names(), ", "))};
}

Result<std::unique_ptr<Method>> make_method(std::string_view name) {
  return make_method(name, std::make_shared<CurveFits>());
}

}  // namespace ergo
