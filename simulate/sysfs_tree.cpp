#include "sysfs_tree.hpp"

#include "gpu_metrics_table.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>

namespace ergo::sim {
namespace {

namespace fs = std::filesystem;

constexpr double kRegisterValues = 4294967296.0;  // RAPL counts in 32 bits

// A plain meter: base + slope * activity of package 0.
struct Meter {
  double base_w;
  double slope_w;

  [[nodiscard]] double power_w(const Package& package) const {
    return base_w + slope_w * package.load.now.compute;
  }
  [[nodiscard]] double energy_j(const Package& package, double elapsed_s) const {
    return base_w * elapsed_s + slope_w * package.activity_s;
  }
};

constexpr Meter kAmd{45.0, 210.0};
constexpr Meter kIntel{20.0, 120.0};
constexpr Meter kBoard{12.0, 30.0};
constexpr Meter kLaptop{6.0, 38.0};

long long micro(double value) {
  return std::llround(value * 1e6);
}

std::string number(double value) {
  return fmt::format("{}\n", micro(value));
}

}  // namespace

// Makes folders and files; the first failure is kept and the rest skipped.
class SysfsTree::Writer {
 public:
  Writer(fs::path root, SysfsTree& tree, Moment moment)
      : root_(std::move(root)), tree_(tree), moment_(std::move(moment)) {}

  void fixed(const fs::path& path, const std::string& text) {
    open(
        path, [text](const Moment&) { return text + "\n"; }, true, false);
  }
  void live(const fs::path& path, Content content, bool text = true) {
    open(path, std::move(content), text, true);
  }
  void link(const fs::path& path, const fs::path& target) {
    if (failure_) return;
    std::error_code error;
    fs::create_directories((root_ / path).parent_path(), error);
    fs::remove(root_ / path, error);
    fs::create_directory_symlink(fs::path(target).lexically_relative(path.parent_path()),
                                 root_ / path, error);
    if (error) failure_ = system_error("cannot link " + (root_ / path).string(), error.value());
  }
  int next_hwmon() { return hwmons_++; }
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

 private:
  void open(const fs::path& path, Content content, bool text, bool keep) {
    if (failure_) return;
    const fs::path full = root_ / path;
    std::error_code error;
    fs::create_directories(full.parent_path(), error);
    File file{Fd(::open(full.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)),
              std::move(content), 0, text};
    if (!file.fd) {
      failure_ = system_error("cannot create " + full.string(), errno);
      return;
    }
    if (auto written = tree_.write(file, moment_); !written) failure_ = written.error();
    if (keep) tree_.files_.push_back(std::move(file));
  }

  fs::path root_;
  SysfsTree& tree_;
  Moment moment_;
  std::optional<Error> failure_;
  int hwmons_ = 0;
};

namespace {

template <class Writer>
void add_zone(Writer& out, const fs::path& folder, const std::string& name, std::uint64_t range_uj,
              auto energy_j) {
  out.fixed(folder / "name", name);
  out.fixed(folder / "max_energy_range_uj", std::to_string(range_uj));
  out.fixed(folder / "enabled", "1");
  const double wrap_uj = static_cast<double>(range_uj) * kRegisterValues / (kRegisterValues - 1.0);
  out.live(folder / "energy_uj", [wrap_uj, energy_j](const auto& moment) {
    return fmt::format("{}\n",
                       static_cast<std::uint64_t>(std::fmod(energy_j(moment) * 1e6, wrap_uj)));
  });
}

// The register does not begin at zero: it has counted since the machine was switched on.
double since_boot_j(std::size_t package) {
  return 1000.0 + 137.0 * static_cast<double>(package);
}

template <class Writer>
void add_rapl(Writer& out, std::size_t packages, const SysfsOptions& options) {
  const fs::path real = "devices/virtual/powercap/intel-rapl";
  const fs::path shown = "class/powercap";
  out.fixed(real / "enabled", "1");
  out.link(shown / "intel-rapl", real);
  for (std::size_t p = 0; p < packages; ++p) {
    const auto reading = [p](CpuDomain domain) {
      return [p, domain](const auto& moment) {
        const Package& package = moment.packages[p];
        return (since_boot_j(p) + cpu_energy_j(domain, moment.elapsed_s, package.activity_s)) *
               package.gain;
      };
    };
    const std::string zone = fmt::format("intel-rapl:{}", p);
    add_zone(out, real / zone, fmt::format("package-{}", p), options.max_energy_range_uj,
             reading(CpuDomain::package));
    out.link(shown / zone, real / zone);
    int child = 0;
    const auto add_child = [&](bool wanted, const char* name, CpuDomain domain) {
      if (!wanted) return;
      const std::string sub = fmt::format("{}:{}", zone, child++);
      add_zone(out, real / zone / sub, name, options.max_energy_range_uj, reading(domain));
      out.link(shown / sub, real / zone / sub);
    };
    add_child(options.core, "core", CpuDomain::core);
    add_child(options.uncore, "uncore", CpuDomain::uncore);
    add_child(options.dram, "dram", CpuDomain::dram);
  }
  if (!options.psys) return;
  const std::string zone = fmt::format("intel-rapl:{}", packages);
  add_zone(out, real / zone, "psys", options.max_energy_range_uj, [](const auto& moment) {
    double sum = 25.0 * moment.elapsed_s;  // the rest of the board
    for (const Package& package : moment.packages) {
      sum += cpu_energy_j(CpuDomain::package, moment.elapsed_s, package.activity_s);
      sum += cpu_energy_j(CpuDomain::dram, moment.elapsed_s, package.activity_s);
    }
    return sum;
  });
  out.link(shown / zone, real / zone);
}

template <class Writer>
fs::path add_chip(Writer& out, const fs::path& device, const std::string& name) {
  const std::string hwmon = fmt::format("hwmon{}", out.next_hwmon());
  fs::path folder = device / "hwmon" / hwmon;
  out.fixed(folder / "name", name);
  out.link(fs::path("class/hwmon") / hwmon, folder);
  out.link(folder / "device", device);
  return folder;
}

template <class Writer>
fs::path add_card(Writer& out, int card, const std::string& address, const char* vendor,
                  const char* model) {
  fs::path device = fs::path("devices/pci0000:00") / address;
  out.fixed(device / "vendor", vendor);
  out.fixed(device / "device", model);
  out.fixed(device / "power/runtime_status", "active");
  const std::string name = fmt::format("card{}", card);
  out.link(fs::path("class/drm") / name / "device", device);
  return device;
}

template <class Writer>
void add_amdgpu(Writer& out, int card, AmdMetrics metrics) {
  const fs::path device = add_card(out, card, "0000:c1:00.0", "0x1002", "0x740f");
  out.fixed(device / "unique_id", "51d7a1e0c0ffee01");
  out.fixed(device / "product_name", "Simulated AMD GPU");
  out.live(device / "gpu_busy_percent", [](const auto& moment) {
    return fmt::format("{}\n", std::lround(100.0 * moment.packages[0].load.now.compute));
  });
  out.live(
      device / "gpu_metrics",
      [metrics](const auto& moment) {
        const Package& package = moment.packages[0];
        return gpu_metrics_table(metrics == AmdMetrics::v1_4 ? 4 : 3,
                                 kAmd.energy_j(package, moment.elapsed_s), kAmd.power_w(package),
                                 moment.now_ns);
      },
      false);
  const fs::path chip = add_chip(out, device, "amdgpu");
  const auto power = [](const auto& moment) { return number(kAmd.power_w(moment.packages[0])); };
  out.live(chip / "power1_average", power);
  out.live(chip / "power1_input", power);
  out.fixed(chip / "power1_cap", "300000000");
  out.fixed(chip / "power1_cap_min", "0");
  out.fixed(chip / "power1_cap_max", "300000000");
  out.fixed(chip / "power1_cap_default", "300000000");
  out.fixed(chip / "temp1_input", "48000");
}

template <class Writer>
void add_intel_gpu(Writer& out, int card, const std::string& driver) {
  const fs::path device =
      add_card(out, card, driver == "xe" ? "0000:04:00.0" : "0000:03:00.0", "0x8086", "0x56a0");
  const fs::path chip = add_chip(out, device, driver);
  const auto energy = [](double share) {
    return [share](const auto& moment) {
      return number(share * kIntel.energy_j(moment.packages[0], moment.elapsed_s));
    };
  };
  out.live(chip / "energy1_input", energy(1.0));
  if (driver == "xe") out.live(chip / "energy2_input", energy(0.8));  // the package on the card
  out.fixed(chip / "power1_max", "190000000");
}

template <class Writer>
void add_meters(Writer& out, const SysfsOptions& options) {
  if (options.acpi_power_meter) {
    const fs::path chip = add_chip(out, "devices/LNXSYSTM:00/ACPI000D:00", "power_meter");
    out.live(chip / "power1_average", [](const auto& moment) {
      double watts = 60.0;  // fans, disks, supplies
      for (const Package& p : moment.packages) {
        watts += cpu_power_w(CpuDomain::package, p.load.now.compute) +
                 cpu_power_w(CpuDomain::dram, p.load.now.compute);
      }
      return number(watts);
    });
    out.fixed(chip / "power1_average_interval", "1000");
  }
  if (options.ina) {
    const fs::path chip = add_chip(out, "devices/platform/i2c-1/1-0040", "ina3221");
    out.fixed(chip / "in1_label", "VDD_IN");
    out.live(chip / "power1_input",
             [](const auto& moment) { return number(kBoard.power_w(moment.packages[0])); });
    out.fixed(chip / "in1_input", "5000");
    out.live(chip / "curr1_input", [](const auto& moment) {
      return fmt::format("{}\n", std::lround(kBoard.power_w(moment.packages[0]) / 5.0 * 1e3));
    });
  }
  if (options.battery) {
    const fs::path battery = "class/power_supply/BAT0";
    out.fixed(battery / "type", "Battery");
    out.fixed(battery / "status", "Discharging");
    out.fixed(battery / "voltage_now", "11400000");
    out.live(battery / "power_now",
             [](const auto& moment) { return number(kLaptop.power_w(moment.packages[0])); });
  }
}

}  // namespace

SysfsTree::Moment SysfsTree::look(Node& node) {
  Moment moment;
  for (std::size_t i = 0; i < node.package_count(); ++i)
    moment.packages.push_back(node.package(i));
  if (!moment.packages.empty()) {
    moment.now_ns = moment.packages[0].now_ns;
    moment.elapsed_s = static_cast<double>(moment.now_ns - node.info().start_ns) * 1e-9;
  }
  return moment;
}

Result<SysfsTree> SysfsTree::make(const fs::path& root, Node& node, const SysfsOptions& options) {
  SysfsTree tree;
  Writer out(root, tree, look(node));
  out.fixed("ergo-simulated", "This folder is made by ergo-sim. Nothing in it was measured.");
  const bool others = options.amdgpu != AmdMetrics::none || options.i915 || options.xe ||
                      options.acpi_power_meter || options.ina || options.battery;
  if (others && node.package_count() == 0) {
    return Error{Errc::invalid_argument, "these sysfs meters need a simulated CPU package",
                 "ask for --packages 1"};
  }
  if (options.rapl && node.package_count() > 0) add_rapl(out, node.package_count(), options);
  int card = 0;
  if (options.amdgpu != AmdMetrics::none) add_amdgpu(out, card++, options.amdgpu);
  if (options.i915) add_intel_gpu(out, card++, "i915");
  if (options.xe) add_intel_gpu(out, card++, "xe");
  add_meters(out, options);
  if (out.failure()) return *out.failure();
  return tree;
}

Result<void> SysfsTree::write(File& file, const Moment& moment) {
  std::string content = file.content(moment);
  const std::size_t length = content.size();
  if (file.text && length < file.length) content.append(file.length - length, '\n');
  file.length = std::max(length, file.length);
  const ssize_t written = pwrite(file.fd.get(), content.data(), content.size(), 0);
  if (written < 0) return system_error("cannot write to the simulated sysfs", errno);
  return {};
}

Result<void> SysfsTree::update(Node& node) {
  const Moment moment = look(node);
  for (File& file : files_) {
    if (auto written = write(file, moment); !written) return written;
  }
  return {};
}

}  // namespace ergo::sim
