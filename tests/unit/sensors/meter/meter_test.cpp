#include "sensors/meter/meter.hpp"

#include "contract/fake_root.hpp"
#include "sensors/meter/line_parser.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace ergo {
namespace {

using meter::LineParser;
using meter::parse_spec;
using testing::FakeRoot;
using ::testing::HasSubstr;
using testing::read_batch;

LineParser parser(const std::string& spec) {
  return LineParser(parse_spec(spec).value());
}

TEST(MeterSpec, MistakesAreNamed) {
  for (const char* text :
       {"", "exec=a", "value=1", "exec=a;file=b;value=1", "exec=a;value=1;after=x",
        "exec=a;value=1;unit=horses", "exec=a;value=1;gain=200%", "exec=a;value=1;colour=red",
        "exec=a;value=", "exec=a;value=1;period=fast", "exec=a;after=x;time=t",
        "exec=a;value=1;separator=::", "nonsense"}) {
    const auto spec = parse_spec(text);
    ASSERT_FALSE(spec.ok()) << text;
    EXPECT_EQ(spec.error().code, Errc::invalid_argument);
    EXPECT_THAT(spec.error().message, HasSubstr("meter"));
  }
}

TEST(MeterSpec, AFileHoldsOnePairPerLine) {
  const FakeRoot root;
  root.write("meter.conf",
             "# our wattmeter\nexec=echo 1; echo 2\nvalue=1\nunit=kW\nevery=2s\nname=rack\n");
  const auto spec = parse_spec("@" + (root.path() / "meter.conf").string());
  ASSERT_TRUE(spec.ok()) << spec.error().text();
  EXPECT_EQ(spec->exec, "echo 1; echo 2");
  EXPECT_DOUBLE_EQ(spec->scale, 1000.0);
  EXPECT_EQ(spec->period, Seconds(2.0));
  EXPECT_EQ(parse_spec("@/nowhere/meter.conf").error().code, Errc::not_found);
}

TEST(MeterLines, OmegaWattIsReadByColumnNames) {
  LineParser omega = parser("exec=x;time=timestamp;ok=frame_is_ok;value=activepow1");
  EXPECT_FALSE(omega.parse("#timestamp,#frame_is_ok,#U1,#U2,#U3,#current1,#activepow1"));
  EXPECT_FALSE(omega.parse("1671527189.304,false,,,,,"));
  const auto reading = omega.parse("1671527189.314471465,true,232.3,0.0,0.0,0.1,20.9");
  ASSERT_TRUE(reading);
  EXPECT_DOUBLE_EQ(reading->value, 20.9);
  EXPECT_NEAR(*reading->unix_s, 1671527189.314471, 1e-5);
}

TEST(MeterLines, TextAroundTheNumberServesIpmiAndPtdaemon) {
  LineParser ipmi = parser("exec=x;after=Instantaneous power reading:");
  EXPECT_DOUBLE_EQ(
      ipmi.parse("    Instantaneous power reading:                   220 Watts")->value, 220.0);
  EXPECT_FALSE(ipmi.parse("    Minimum during sampling period:                  7 Watts"));
  LineParser ptd = parser("file=x;after=Watts,");
  EXPECT_DOUBLE_EQ(
      ptd.parse("Time,11-21-2026 10:00:00.123,Watts,123.456,Volts,230.1,Amps,0.5")->value, 123.456);
}

TEST(MeterLines, ColumnsAreAddedAndScaled) {
  EXPECT_DOUBLE_EQ(parser("exec=x;value=1+3;unit=mW").parse("1000,5,2000")->value, 3.0);
  EXPECT_DOUBLE_EQ(parser("exec=x;value=2;separator=space;unit=Wh").parse("total   0.5  Wh")->value,
                   1800.0);
}

TEST(MeterLines, LinesThatDoNotFitAreNoReadings) {
  LineParser csv = parser("exec=x;value=2;ok=1;time=3");
  for (const char* line : {"", ",", "true", "true,", "true,x,1", "true,inf,1", "maybe,1,1",
                           "true,1,", "\xff\xfe,,,"}) {
    EXPECT_FALSE(csv.parse(line)) << line;
  }
  EXPECT_TRUE(csv.parse("true,1,1"));
}

TEST(Meter, ACommandThatPrintsLinesIsTheNode) {
  auto sensor = meter::open("exec=while echo 42.5; do sleep 0.02; done;value=1;name=test;gain=2%");
  // A semicolon separates pairs, so that this command is cut and its rest is refused.
  ASSERT_FALSE(sensor.ok());
  const FakeRoot root;
  root.write("read.sh", "while echo 42.5; do sleep 0.02; done\n");
  sensor = meter::open("exec=sh " + (root.path() / "read.sh").string() +
                       ";value=1;name=test;gain=2%;wait=20s");
  ASSERT_TRUE(sensor.ok()) << sensor.error().text();
  const SignalInfo& info = (*sensor)->signals().at(0);
  EXPECT_EQ(info.name, "meter.test@node");
  EXPECT_EQ(info.domain, Domain::node);
  EXPECT_FALSE(info.in_total);
  EXPECT_DOUBLE_EQ(info.traits.gain_u95, 0.02);
  ManualClock clock(Instant{1'000'000'000});
  const Batch batch = read_batch(**sensor, clock);
  ASSERT_EQ(batch.entries().size(), 1U);
  EXPECT_DOUBLE_EQ(batch.entries()[0].sample.value, 42.5);
}

TEST(Meter, ACommandThatEndsIsLostAndOneThatIsNotThereSaysSo) {
  const auto absent = meter::open("exec=/nowhere/wattmetre;value=1");
  ASSERT_FALSE(absent.ok());
  EXPECT_EQ(absent.error().code, Errc::lost);
  EXPECT_THAT(absent.error().message, HasSubstr("exit status 127"));

  auto sensor = meter::open("exec=echo 7;value=1;wait=20s");
  ASSERT_TRUE(sensor.ok()) << sensor.error().text();
  ManualClock clock(Instant{1'000'000'000});
  Batch batch;
  Result<void> read;
  // The reading is handed out first; the end is told by this read or by a later one.
  for (int i = 0; i < 200 && read; ++i) {
    read = (*sensor)->read(clock, batch);
    ::usleep(10'000);
  }
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, Errc::lost);
  ASSERT_EQ(batch.entries().size(), 1U);
  EXPECT_DOUBLE_EQ(batch.entries()[0].sample.value, 7.0);
}

TEST(Meter, WithEveryTheCommandIsRunAgain) {
  const FakeRoot root;
  root.write("count", "1");
  root.write("read.sh", "n=$(cat " + (root.path() / "count").string() +
                            "); echo \"Power: $n Watts\"; echo $((n+1)) > " +
                            (root.path() / "count").string() + "\n");
  auto sensor = meter::open("exec=sh " + (root.path() / "read.sh").string() +
                            ";after=Power:;every=1s;wait=20s");
  ASSERT_TRUE(sensor.ok()) << sensor.error().text();
  ManualClock clock(Instant{1'000'000'000});
  Batch batch;
  for (int i = 0; i < 500 && batch.entries().size() < 3; ++i) {
    ASSERT_TRUE((*sensor)->read(clock, batch).ok());
    clock.advance(Seconds(0.25));
    ::usleep(10'000);
  }
  ASSERT_EQ(batch.entries().size(), 3U);
  EXPECT_DOUBLE_EQ(batch.entries()[0].sample.value, 1.0);
  EXPECT_DOUBLE_EQ(batch.entries()[2].sample.value, 3.0);
}

TEST(Meter, UnusableOutputIsToldInTime) {
  const auto sensor = meter::open("exec=echo hello && sleep 60;value=power;wait=0.3s");
  ASSERT_FALSE(sensor.ok());
  EXPECT_EQ(sensor.error().code, Errc::unavailable);
  EXPECT_THAT(sensor.error().remedy, HasSubstr("header"));
}

TEST(Meter, AFileIsFollowedFromNowOnAndAcrossRotation) {
  const FakeRoot root;
  root.write("log.csv", "time,power\n1,10\n2,20\n");
  const auto path = root.path() / "log.csv";
  auto sensor = meter::open("file=" + path.string() + ";value=power");
  ASSERT_TRUE(sensor.ok()) << sensor.error().text();
  ManualClock clock(Instant{1'000'000'000});
  EXPECT_TRUE(read_batch(**sensor, clock).entries().empty())
      << "old lines are not readings of this run";
  clock.advance(Seconds(1));
  std::ofstream(path, std::ios::app) << "3,30\n4,5";  // the second line is not complete
  Batch batch = read_batch(**sensor, clock);
  ASSERT_EQ(batch.entries().size(), 1U);
  EXPECT_DOUBLE_EQ(batch.entries()[0].sample.value, 30.0);
  clock.advance(Seconds(1));
  std::ofstream(path, std::ios::app) << "0\n";
  EXPECT_DOUBLE_EQ(read_batch(**sensor, clock).entries().at(0).sample.value, 50.0);
  clock.advance(Seconds(1));
  root.replace("log.csv", "6,60\n");
  EXPECT_DOUBLE_EQ(read_batch(**sensor, clock).entries().at(0).sample.value, 60.0);
  EXPECT_EQ(meter::open("file=/nowhere/log.csv;value=1").error().code, Errc::not_found);
}

TEST(Meter, DatedReadingsStandAtTheirOwnTime) {
  const FakeRoot root;
  root.write("log.csv", "");
  const auto path = root.path() / "log.csv";
  auto sensor = meter::open("file=" + path.string() + ";time=1;value=2");
  ASSERT_TRUE(sensor.ok()) << sensor.error().text();
  const WallAnchor anchor = WallAnchor::now();
  const double now_s = static_cast<double>(anchor.unix_ns) * 1e-9;
  std::ofstream(path, std::ios::app) << std::fixed << now_s - 0.5 << ",10\n"
                                     << now_s - 0.25 << ",20\n";
  SystemClock clock;
  const Batch batch = read_batch(**sensor, clock);
  ASSERT_EQ(batch.entries().size(), 2U);
  EXPECT_NEAR((batch.entries()[1].sample.time - batch.entries()[0].sample.time).value(), 0.25,
              1e-4);
  EXPECT_NEAR((anchor.monotonic - batch.entries()[0].sample.time).value(), 0.5, 0.01);
}

TEST(Meter, AClockThatIsFarOffIsNotUsedAndSaidOnce) {
  const FakeRoot root;
  root.write("log.csv", "");
  const auto path = root.path() / "log.csv";
  auto sensor = meter::open("file=" + path.string() + ";time=1;value=2");
  ASSERT_TRUE(sensor.ok()) << sensor.error().text();
  ManualClock clock(Instant{1'000'000'000});
  std::ofstream(path, std::ios::app) << "12.5,10\n";
  EXPECT_EQ(read_batch(**sensor, clock).entries().size(), 1U);
  EXPECT_EQ((*sensor)->take_notices().size(), 1U);
  clock.advance(Seconds(1));
  std::ofstream(path, std::ios::app) << "13.5,10\n";
  EXPECT_EQ(read_batch(**sensor, clock).entries().size(), 1U);
  EXPECT_TRUE((*sensor)->take_notices().empty());
}

TEST(Meter, AnEnergyCounterGrowsFromZeroAndARestartIsSaid) {
  const FakeRoot root;
  root.write("log.csv", "");
  const auto path = root.path() / "log.csv";
  auto sensor = meter::open("file=" + path.string() + ";value=1;unit=Wh");
  ASSERT_TRUE(sensor.ok()) << sensor.error().text();
  EXPECT_EQ((*sensor)->signals()[0].kind, SignalKind::energy);
  ManualClock clock(Instant{1'000'000'000});
  std::vector<double> joules;
  for (const char* line : {"100\n", "101\n", "5\n", "6\n"}) {
    clock.advance(Seconds(1));
    std::ofstream(path, std::ios::app) << line;
    const Batch batch = read_batch(**sensor, clock);
    joules.push_back(batch.entries().at(0).sample.value);
  }
  EXPECT_THAT(joules, ::testing::ElementsAre(0.0, 3600.0, 3600.0, 7200.0));
  EXPECT_EQ((*sensor)->take_notices().size(), 1U);
}

}  // namespace
}  // namespace ergo
