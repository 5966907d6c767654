#pragma once
// An external meter that some program reads: lines of text in, power or energy of the whole machine
// out.
//
// A meter is described by `key=value` pairs separated by semicolons, or, as "@FILE", by one pair
// per line (# begins a comment; commands that contain a semicolon must be given so):
//
//   exec=COMMAND     a shell command that prints one line per reading, or
//   file=PATH        a file that another program appends to
//
//   value=COLUMN     the reading's column: its name in the header line, or its number from 1;
//                    "a+b" adds columns
//   after=TEXT       instead of columns: the first number after TEXT in a line
//   time=COLUMN      seconds since 1970 of the reading; else the time of arrival counts
//   ok=COLUMN        readings count only where this is true, 1, ok or yes
//   separator=CHAR   between columns, default a comma; "tab" and "space" are names
//
//   unit=W           mW, W, kW (power); J, Wh, kWh (a counter of energy)
//   every=DURATION   exec: the command ends after a reading and is started again this often
//   period=DURATION  how often the meter renews its reading, default 1s (or `every`)
//   gain=SHARE       half-width of the 95 % interval of its gain, default 1%
//   wait=DURATION    exec: how long to wait for the first good line, default 5s
//   name=TEXT        in the source: "meter.TEXT", default "meter"
//   channel=NAME     default node
//
// Examples: docs/developer/add-a-sensor.md. The channel is of domain `node` and not in the total:
// it overlaps the parts of the machine.

#include "ergo/core/result.hpp"
#include "ergo/core/units.hpp"
#include "ergo/sensors/sensor.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ergo::meter {

struct MeterSpec {
  std::string exec;
  std::string file;
  std::string value;
  std::string after;
  std::string time;
  std::string ok;
  char separator = ',';
  bool is_energy = false;
  double scale = 1.0;  ///< to J or W
  Seconds every{0.0};
  Seconds period{1.0};
  double gain_u95 = 0.01;
  Seconds wait{5.0};
  std::string name;
  std::string channel = "node";
};

/// Errors: invalid_argument with the key and what it may be; not_found, permission, io for "@FILE".
Result<MeterSpec> parse_spec(std::string_view text);

/// Starts the command or opens the file. Errors: not_found, permission; unavailable when the
/// command prints no good line in time or ends.
Result<std::unique_ptr<Sensor>> open(const MeterSpec& spec);
Result<std::unique_ptr<Sensor>> open(std::string_view spec);

/// All of them, or the first one's error, which names it. Two meters of one channel are an error.
Result<std::vector<std::unique_ptr<Sensor>>> open_all(const std::vector<std::string>& specs);

}  // namespace ergo::meter
