#pragma once
// Possible truths behind a prediction: curves drawn from it, for what a decision or a further
// measurement is worth.

#include "ergo/model/decide.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace ergo {

class Scenarios {
 public:
  /// `predictions` ascending by limit. Errors at limits near each other are alike. Deterministic
  /// under `seed`.
  Scenarios(std::vector<Prediction> predictions, const Decision& decision, std::uint64_t seed);

  /// Mean over the scenarios of the cost of `choice` over that of the choice made when every limit
  /// is known, a fraction of the cost under the highest limit.
  [[nodiscard]] double expected_loss(std::size_t choice) const;

  /// How much lower the expected cost gets by measuring under the limit of index `probe` before
  /// choosing.
  [[nodiscard]] double value_of_measuring(std::size_t probe) const;

 private:
  struct Curve {
    std::vector<double> log_time;
    std::vector<double> log_power;
  };

  [[nodiscard]] double cost(const Curve& truth, std::size_t choice) const;
  [[nodiscard]] std::vector<Prediction> known(const Curve& truth) const;
  [[nodiscard]] std::vector<Prediction> updated(const Curve& truth, std::size_t probe) const;
  [[nodiscard]] double correlation(std::size_t a, std::size_t b) const;

  std::vector<Prediction> predictions_;
  Decision decision_;
  std::vector<Curve> curves_;
};

}  // namespace ergo
