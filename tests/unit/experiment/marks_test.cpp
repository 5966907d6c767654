#include "ergo/experiment/marks.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace ergo {
namespace {

using namespace literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Instant run_begin{1'000'000'000};
constexpr Instant run_end{11'000'000'000};

Instant at(double seconds) {
  return run_begin + Seconds(seconds);
}

/// Builds windows from marks written as "begin epoch 1.5 count=3", in seconds from the start of the
/// run.
class Windows : public testing::Test {
 protected:
  void mark(const std::string& kind, const std::string& name, double time, int pid = 7,
            const std::string& rest = "") {
    builder_.add(fmt::format("ergo1 {} {} {}{}", kind, name, at(time).ns, rest), pid,
                 at(time + 0.0001));
  }
  void begin(const std::string& name, double time, int pid = 7) { mark("begin", name, time, pid); }
  void end(const std::string& name, double time, int pid = 7) { mark("end", name, time, pid); }
  MarkedRun result() { return builder_.windows(run_begin, run_end); }

  /// "name index begin end [count]" with times relative to the run.
  static std::vector<std::string> text(const MarkedRun& run) {
    std::vector<std::string> out;
    for (const MarkedWindow& w : run.windows) {
      out.push_back(fmt::format("{} {} {:.3g} {:.3g}{}", w.name, w.index,
                                (w.begin - run_begin).value(), (w.end - run_begin).value(),
                                w.count ? fmt::format(" {}", *w.count) : ""));
    }
    return out;
  }

  WindowBuilder builder_;
};

TEST(ParseMark, ReadsTheThreeKinds) {
  auto begin = parse_mark("ergo1 begin epoch 123456789 count=42");
  ASSERT_TRUE(begin);
  EXPECT_EQ(begin->kind, MarkKind::begin);
  EXPECT_EQ(begin->name, "epoch");
  EXPECT_EQ(begin->time.ns, 123456789);
  EXPECT_EQ(begin->count, 42);
  EXPECT_FALSE(begin->total);
  auto announced = parse_mark("ergo1 begin epoch 1 total=10");
  ASSERT_TRUE(announced);
  EXPECT_EQ(announced->total, 10);
  EXPECT_FALSE(announced->count);
  auto both = parse_mark("ergo1 begin epoch 1 count=42 total=10");
  ASSERT_TRUE(both);
  EXPECT_EQ(both->count, 42);
  EXPECT_EQ(both->total, 10);
  auto end = parse_mark("ergo1 end époque/1 0");
  ASSERT_TRUE(end);
  EXPECT_EQ(end->kind, MarkKind::end);
  EXPECT_EQ(end->name, "époque/1");
  EXPECT_FALSE(end->count);
  auto event = parse_mark("ergo1 event checkpoint 9223372036854775807");
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, MarkKind::event);
}

TEST(ParseMark, RefusesEverythingElse) {
  const std::string long_name(256, 'x');
  for (const std::string& text :
       std::vector<std::string>{"",
                                " ",
                                "ergo1",
                                "ergo1 begin",
                                "ergo1 begin epoch",
                                "ergo2 begin epoch 1",
                                "ergo1 Begin epoch 1",
                                "ergo1 start epoch 1",
                                "ergo1 begin  1",
                                "ergo1 begin epoch  1",
                                " ergo1 begin epoch 1",
                                "ergo1 begin epoch 1 ",
                                "ergo1 begin epoch 1\n",
                                "ergo1 begin epoch -1",
                                "ergo1 begin epoch +1",
                                "ergo1 begin epoch 1.5",
                                "ergo1 begin epoch 0x10",
                                "ergo1 begin epoch 9223372036854775808",
                                "ergo1 begin epoch 00000000000000000001",
                                "ergo1 begin epoch 1 count=",
                                "ergo1 begin epoch 1 count=-3",
                                "ergo1 begin epoch 1 count=1.5",
                                "ergo1 begin epoch 1 count=9223372036854775808",
                                "ergo1 begin epoch 1 items=3",
                                "ergo1 begin epoch 1 count=3 x",
                                "ergo1 begin epoch 1 total=",
                                "ergo1 begin epoch 1 total=-1",
                                "ergo1 begin epoch 1 total=3 count=3",
                                "ergo1 begin epoch 1 count=3 total=3 x",
                                "ergo1 begin epoch 1 total=3 total=3",
                                "ergo1 end epoch 1 total=3",
                                "ergo1 event e 1 total=3",
                                "ergo1 event e 1 count=3",
                                "ergo1 begin a b 1",
                                "ergo1 begin a\tb 1",
                                "ergo1 begin \x7f 1",
                                "ergo1 begin \xff 1",
                                "ergo1 begin \xc3 1",
                                "ergo1 begin \xed\xa0\x80 1",
                                "ergo1 begin \xc0\xaf 1",
                                "ergo1 begin \xf4\x90\x80\x80 1",
                                "ergo1 begin " + long_name + " 1",
                                std::string("ergo1 begin a\0b 1", 17)}) {
    auto mark = parse_mark(text);
    EXPECT_FALSE(mark) << text;
    if (!mark) {
      EXPECT_EQ(mark.error().code, Errc::corrupt);
    }
  }
  EXPECT_TRUE(parse_mark("ergo1 begin " + std::string(255, 'x') + " 1"));
}

TEST_F(Windows, AreNumberedByStartPerName) {
  begin("epoch", 1);
  end("epoch", 2);
  begin("validate", 2);
  end("validate", 3);
  begin("epoch", 3);
  end("epoch", 4);
  const MarkedRun run = result();
  EXPECT_THAT(text(run), ElementsAre("epoch 0 1 2", "validate 0 2 3", "epoch 1 3 4"));
  EXPECT_THAT(run.warnings, IsEmpty());
}

TEST_F(Windows, OfOneNameNestLikeBrackets) {
  begin("a", 1);
  begin("a", 2);
  end("a", 3);
  begin("a", 4);
  end("a", 5);
  end("a", 6);
  EXPECT_THAT(text(result()), ElementsAre("a 0 1 6", "a 1 2 3", "a 2 4 5"));
}

TEST_F(Windows, OfDifferentNamesMayOverlap) {
  begin("load", 1);
  begin("train", 2);
  end("load", 3);
  end("train", 4);
  EXPECT_THAT(text(result()), ElementsAre("load 0 1 3", "train 0 2 4"));
}

TEST_F(Windows, OfDifferentProcessesDoNotMixButShareTheNumbering) {
  begin("epoch", 1, 7);
  begin("epoch", 2, 8);
  end("epoch", 3, 7);
  end("epoch", 4, 8);
  const MarkedRun run = result();
  EXPECT_THAT(text(run), ElementsAre("epoch 0 1 3", "epoch 1 2 4"));
  EXPECT_EQ(run.windows[0].pid, 7);
  EXPECT_EQ(run.windows[1].pid, 8);
}

TEST_F(Windows, TakeTheCountOfTheEndElseOfTheBegin) {
  mark("begin", "a", 1, 7, " count=3");
  end("a", 2);
  mark("begin", "a", 3, 7, " count=3");
  mark("end", "a", 4, 7, " count=5");
  begin("a", 5);
  mark("end", "a", 6, 7, " count=0");
  EXPECT_THAT(text(result()), ElementsAre("a 0 1 2 3", "a 1 3 4 5", "a 2 5 6 0"));
}

TEST_F(Windows, StillOpenAtTheEndOfTheRunEndWithIt) {
  mark("begin", "a", 1, 7, " count=3");
  begin("a", 2);
  end("a", 3);
  const MarkedRun run = result();
  EXPECT_THAT(text(run), ElementsAre("a 0 1 10 3", "a 1 2 3"));
  ASSERT_EQ(run.warnings.size(), 1U);
  EXPECT_THAT(run.warnings[0], HasSubstr("1 mark began a window that nothing ended"));
}

TEST_F(Windows, AnEndWithoutABeginIsAWarning) {
  end("a", 1);
  end("a", 2);
  const MarkedRun run = result();
  EXPECT_THAT(run.windows, IsEmpty());
  ASSERT_EQ(run.warnings.size(), 1U);
  EXPECT_THAT(run.warnings[0], HasSubstr("2 marks ended a window that was not open"));
  EXPECT_THAT(run.warnings[0], HasSubstr("end a of process 7 at 1.000 s"));
}

TEST_F(Windows, ComeRightWhenMarksArriveOutOfOrder) {
  builder_.add(fmt::format("ergo1 end a {}", at(2).ns), 7, at(5));
  builder_.add(fmt::format("ergo1 begin a {}", at(1).ns), 7, at(5));
  const MarkedRun run = result();
  EXPECT_THAT(text(run), ElementsAre("a 0 1 2"));
  EXPECT_THAT(run.warnings, IsEmpty());
}

TEST_F(Windows, OfNoLengthKeepTheOrderInWhichTheyWereSent) {
  begin("a", 1);
  end("a", 1);
  begin("a", 1);
  end("a", 1);
  const MarkedRun run = result();
  EXPECT_THAT(text(run), ElementsAre("a 0 1 1", "a 1 1 1"));
  EXPECT_THAT(run.warnings, IsEmpty());
}

TEST_F(Windows, TimesOutsideTheRunAreReplacedByThoseOfArrival) {
  builder_.add("ergo1 begin a 5", 7, at(1));                        // before the run
  builder_.add(fmt::format("ergo1 end a {}", at(9).ns), 7, at(2));  // from the future
  builder_.add("ergo1 event e 9223372036854775807", 7, at(3));
  const MarkedRun run = result();
  EXPECT_THAT(text(run), ElementsAre("a 0 1 2"));
  ASSERT_EQ(run.events.size(), 1U);
  EXPECT_EQ(run.events[0].time, at(3));
  ASSERT_EQ(run.warnings.size(), 1U);
  EXPECT_THAT(run.warnings[0], HasSubstr("3 marks with a time outside the run"));
}

TEST_F(Windows, WhatComesAfterTheEndOfTheRunChangesNothing) {
  begin("a", 1);
  end("a", 11);
  begin("b", 11);
  mark("event", "e", 12);
  const MarkedRun run = result();
  EXPECT_THAT(text(run), ElementsAre("a 0 1 10"));
  EXPECT_THAT(run.events, IsEmpty());
  ASSERT_EQ(run.warnings.size(), 1U);
  EXPECT_THAT(run.warnings[0], HasSubstr("2 marks came after the end"));
}

TEST_F(Windows, EventsKeepTheirNameAndTime) {
  mark("event", "checkpoint", 2);
  mark("event", "start", 1);
  const MarkedRun run = result();
  ASSERT_EQ(run.events.size(), 2U);
  EXPECT_EQ(run.events[0].name, "start");
  EXPECT_EQ(run.events[1].name, "checkpoint");
  EXPECT_EQ(run.events[1].time, at(2));
}

TEST_F(Windows, MalformedMarksAreCountedAndTheFirstIsShown) {
  for (int i = 0; i < 1000; ++i)
    builder_.add(fmt::format("garbage {}\n", i), 7, at(1));
  begin("a", 1);
  end("a", 2);
  const MarkedRun run = result();
  EXPECT_THAT(text(run), ElementsAre("a 0 1 2"));
  ASSERT_EQ(run.warnings.size(), 1U);
  EXPECT_THAT(run.warnings[0], HasSubstr("1000 marks could not be understood"));
  EXPECT_THAT(run.warnings[0], HasSubstr("'garbage 0?'"));
}

TEST_F(Windows, WhatSendersLostIsReported) {
  EXPECT_FALSE(builder_.add("ergo1 event ergo.lost=17 2000000000", 7, at(2)));
  EXPECT_FALSE(builder_.add("ergo1 event ergo.lost=3 2000000000", 8, at(2)));
  const MarkedRun run = result();
  EXPECT_THAT(run.events, IsEmpty());
  ASSERT_EQ(run.warnings.size(), 1U);
  EXPECT_THAT(run.warnings[0], HasSubstr("20 marks were lost"));
}

TEST_F(Windows, CanBeAskedForDuringTheRun) {
  begin("a", 1);
  EXPECT_EQ(builder_.windows(run_begin, at(1.5)).windows.size(), 1U);
  end("a", 2);
  EXPECT_THAT(text(result()), ElementsAre("a 0 1 2"));
}

TEST_F(Windows, ManyMarksAreHandled) {
  for (int i = 0; i < 100'000; ++i) {
    const double t = 1e-5 * i;
    begin("step", t);
    end("step", t + 5e-6);
  }
  const MarkedRun run = result();
  EXPECT_EQ(run.windows.size(), 100'000U);
  EXPECT_EQ(run.windows.back().index, 99'999);
  EXPECT_THAT(run.warnings, IsEmpty());
}

}  // namespace
}  // namespace ergo
