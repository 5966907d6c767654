#pragma once
// Student's t distribution. Degrees of freedom need not be whole (Welch). Pure functions.

namespace ergo::stats {

/// P(T <= t). By the regularised incomplete beta function (DLMF 8.17.22, continued fraction);
/// relative error of a tail below 1e-12. NaN for freedom <= 0.
double student_t_cdf(double t, double freedom);

/// Its inverse for p in (0, 1). NaN outside.
double student_t_quantile(double p, double freedom);

/// Half-width of a two-sided 95 % interval in standard errors: student_t_quantile(0.975, freedom).
double student_t_95(double freedom);

}  // namespace ergo::stats
