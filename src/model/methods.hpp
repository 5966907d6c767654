#pragma once
// The makers of all methods; method.cpp gives them their names.

#include "ergo/model/method.hpp"

#include <memory>
#include <string>

namespace ergo {

class CurveFits;

std::unique_ptr<Method> make_polynomial(std::string name, int degree);
std::unique_ptr<Method> make_constant();
std::unique_ptr<Method> make_default_policy();
std::unique_ptr<Method> make_gpyjoules();
std::unique_ptr<Method> make_nearest(const std::shared_ptr<CurveFits>& fits);
std::unique_ptr<Method> make_physical(std::shared_ptr<CurveFits> fits);
std::unique_ptr<Method> make_gaussian_process(std::shared_ptr<CurveFits> fits);
std::unique_ptr<Method> make_shapes(const std::shared_ptr<CurveFits>& fits);
std::unique_ptr<Method> make_ensemble(std::shared_ptr<CurveFits> fits);

/// As make_method, with fits of training curves shared between methods.
Result<std::unique_ptr<Method>> make_method(std::string_view name,
                                            const std::shared_ptr<CurveFits>& fits);

}  // namespace ergo
