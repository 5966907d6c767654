#include "experiment/tune_marks.hpp"

#include <gtest/gtest.h>

namespace ergo::tune {
namespace {

Instant at(double seconds) {
  return Instant{} + Seconds(seconds);
}

MarkMessage mark(MarkKind kind, const char* name, double seconds,
                 std::optional<std::int64_t> count = std::nullopt) {
  MarkMessage m;
  m.kind = kind;
  m.name = name;
  m.time = at(seconds);
  m.count = count;
  return m;
}

TEST(ItemCounter, CountsTheRowThatBeatsFastest) {
  ItemCounter counter;
  for (int epoch = 0; epoch < 3; ++epoch) {
    for (int step = 0; step < 10; ++step)
      counter.take(mark(MarkKind::end, "step", epoch * 10 + step + 0.5, 32), 7);
    counter.take(mark(MarkKind::end, "epoch", epoch * 10 + 9.9, 320), 7);
  }
  ASSERT_TRUE(counter.ready());
  EXPECT_EQ(counter.name(), "step");
  EXPECT_EQ(counter.last_end(at(4.9)), at(4.5));
  EXPECT_EQ(counter.between(at(0.5), at(4.5)), 4 * 32);
  EXPECT_EQ(counter.between(at(4.5), at(5.5)), 32);
}

TEST(ItemCounter, TakesTheCountOfTheBeginAndOneForAnEvent) {
  ItemCounter counter;
  for (int i = 0; i < 4; ++i) {
    counter.take(mark(MarkKind::begin, "batch", i, 8), 1);
    counter.take(mark(MarkKind::end, "batch", i + 0.5), 1);
  }
  EXPECT_EQ(counter.between(at(0), at(10)), 32);
  ItemCounter events;
  for (int i = 0; i < 4; ++i)
    events.take(mark(MarkKind::event, "tick", i), 1);
  EXPECT_EQ(events.between(at(0), at(10)), 3) << "from 0 itself nothing is counted";
}

TEST(ItemCounter, TwoMarksAreNoRowAndProcessesAreApart) {
  ItemCounter counter;
  counter.take(mark(MarkKind::end, "a", 1), 1);
  counter.take(mark(MarkKind::end, "a", 2), 2);
  counter.take(mark(MarkKind::end, "a", 3), 1);
  EXPECT_FALSE(counter.ready());
  EXPECT_FALSE(counter.last_end(at(10)));
  EXPECT_EQ(counter.between(at(0), at(10)), 0);
  counter.take(mark(MarkKind::end, "a", 2.5), 1);  // late: out of order
  EXPECT_FALSE(counter.ready());
  counter.take(mark(MarkKind::end, "a", 5), 1);
  EXPECT_TRUE(counter.ready());
}

TEST(TimeLeft, FollowsThePaceOfTheLastWindows) {
  AnnouncedSeries epochs;
  epochs.total = 10;
  const auto at = [](double t) { return Instant{} + Seconds(t); };
  epochs.begins = {at(0)};
  EXPECT_EQ(time_left(epochs, at(1)), std::nullopt) << "no pace is known yet";
  // Ten seconds an epoch under the default, twelve since.
  epochs.begins = {at(0), at(10), at(20), at(32), at(44), at(56)};
  const auto left = time_left(epochs, at(59));
  ASSERT_TRUE(left);
  EXPECT_NEAR(left->value(), 4 * 12 + 9, 1e-9);
  EXPECT_NEAR(time_left(epochs, at(80))->value(), 4 * 12, 1e-9) << "a slow one is not made up for";
  epochs.over = true;
  EXPECT_EQ(time_left(epochs, at(59))->value(), 0);
}

}  // namespace
}  // namespace ergo::tune
