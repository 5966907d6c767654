#include "sensors/estimate/tdp.hpp"

#include "ergo/core/parse.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace ergo::estimate {
namespace {

// TDP (W) and threads of one package as their vendors state them on the products' pages:
// ark.intel.com for Intel ("TDP", "Total Threads"; "Processor Base Power" since the 12th generation
// of Core), amd.com for AMD ("Default TDP", "# of Threads"). Compared with codecarbon's
// cpu_power.csv (release 3.3.2, MIT): of 120 rows 113 stand there with the same watts; for the Core
// i7-12700K it has the turbo power of 190 W; the Core i5-12400, i7-1260P, i7-13700K, i9-12900K and
// i9-14900K and the Xeon Platinum 8480C (sold to clouds alone, taken as the 8480+) are not in it.
constexpr std::array table{
    // Intel Xeon E5, Haswell and Broadwell
    Tdp{"Xeon E5-2620 v3", 85, 12}, Tdp{"Xeon E5-2630 v3", 85, 16}, Tdp{"Xeon E5-2680 v3", 120, 24},
    Tdp{"Xeon E5-2690 v3", 135, 24}, Tdp{"Xeon E5-2620 v4", 85, 16}, Tdp{"Xeon E5-2630 v4", 85, 20},
    Tdp{"Xeon E5-2640 v4", 90, 20}, Tdp{"Xeon E5-2650 v4", 105, 24},
    Tdp{"Xeon E5-2680 v4", 120, 28}, Tdp{"Xeon E5-2690 v4", 135, 28},
    Tdp{"Xeon E5-2698 v4", 135, 40}, Tdp{"Xeon E5-2699 v4", 145, 44},
    // Intel Xeon Scalable, first to fifth generation
    Tdp{"Xeon Silver 4110", 85, 16}, Tdp{"Xeon Silver 4114", 85, 20},
    Tdp{"Xeon Silver 4210", 85, 20}, Tdp{"Xeon Silver 4214", 85, 24},
    Tdp{"Xeon Silver 4216", 100, 32}, Tdp{"Xeon Silver 4310", 120, 24},
    Tdp{"Xeon Silver 4314", 135, 32}, Tdp{"Xeon Silver 4316", 150, 40},
    Tdp{"Xeon Gold 6126", 125, 24}, Tdp{"Xeon Gold 6130", 125, 32}, Tdp{"Xeon Gold 6148", 150, 40},
    Tdp{"Xeon Gold 6152", 140, 44}, Tdp{"Xeon Gold 6226R", 150, 32}, Tdp{"Xeon Gold 6230", 125, 40},
    Tdp{"Xeon Gold 6240", 150, 36}, Tdp{"Xeon Gold 6248", 150, 40}, Tdp{"Xeon Gold 6248R", 205, 48},
    Tdp{"Xeon Gold 6330", 205, 56}, Tdp{"Xeon Gold 6338", 205, 64}, Tdp{"Xeon Gold 6342", 230, 48},
    Tdp{"Xeon Gold 6348", 235, 56}, Tdp{"Xeon Gold 6430", 270, 64},
    Tdp{"Xeon Platinum 8160", 150, 48}, Tdp{"Xeon Platinum 8168", 205, 48},
    Tdp{"Xeon Platinum 8176", 165, 56}, Tdp{"Xeon Platinum 8180", 205, 56},
    Tdp{"Xeon Platinum 8260", 165, 48}, Tdp{"Xeon Platinum 8268", 205, 48},
    Tdp{"Xeon Platinum 8280", 205, 56}, Tdp{"Xeon Platinum 8358", 250, 64},
    Tdp{"Xeon Platinum 8360Y", 250, 72}, Tdp{"Xeon Platinum 8380", 270, 80},
    Tdp{"Xeon Platinum 8468", 350, 96}, Tdp{"Xeon Platinum 8480+", 350, 112},
    Tdp{"Xeon Platinum 8480C", 350, 112}, Tdp{"Xeon Platinum 8558", 330, 96},
    Tdp{"Xeon Platinum 8592+", 350, 128},
    // AMD EPYC, 7001 to 9005
    Tdp{"EPYC 7251", 120, 16}, Tdp{"EPYC 7501", 170, 64}, Tdp{"EPYC 7551", 180, 64},
    Tdp{"EPYC 7601", 180, 64}, Tdp{"EPYC 7282", 120, 32}, Tdp{"EPYC 7302", 155, 32},
    Tdp{"EPYC 7352", 155, 48}, Tdp{"EPYC 7402", 180, 48}, Tdp{"EPYC 7452", 155, 64},
    Tdp{"EPYC 7502", 180, 64}, Tdp{"EPYC 7542", 225, 64}, Tdp{"EPYC 7642", 225, 96},
    Tdp{"EPYC 7702", 200, 128}, Tdp{"EPYC 7742", 225, 128}, Tdp{"EPYC 7H12", 280, 128},
    Tdp{"EPYC 7313", 155, 32}, Tdp{"EPYC 7413", 180, 48}, Tdp{"EPYC 7443", 200, 48},
    Tdp{"EPYC 7513", 200, 64}, Tdp{"EPYC 7543", 225, 64}, Tdp{"EPYC 7643", 225, 96},
    Tdp{"EPYC 7713", 225, 128}, Tdp{"EPYC 7763", 280, 128}, Tdp{"EPYC 9124", 200, 32},
    Tdp{"EPYC 9254", 200, 48}, Tdp{"EPYC 9354", 280, 64}, Tdp{"EPYC 9454", 290, 96},
    Tdp{"EPYC 9534", 280, 128}, Tdp{"EPYC 9554", 360, 128}, Tdp{"EPYC 9654", 360, 192},
    Tdp{"EPYC 9754", 360, 256}, Tdp{"EPYC 9655", 400, 192}, Tdp{"EPYC 9755", 500, 256},
    Tdp{"EPYC 9965", 500, 384},
    // Intel Core
    Tdp{"Core i7-4770", 84, 8}, Tdp{"Core i7-4790K", 88, 8}, Tdp{"Core i7-6700K", 91, 8},
    Tdp{"Core i7-7700K", 91, 8}, Tdp{"Core i5-8250U", 15, 8}, Tdp{"Core i7-8550U", 15, 8},
    Tdp{"Core i7-8565U", 15, 8}, Tdp{"Core i7-8700", 65, 12}, Tdp{"Core i7-8700K", 95, 12},
    Tdp{"Core i7-9700K", 95, 8}, Tdp{"Core i9-9900K", 95, 16}, Tdp{"Core i9-10900K", 125, 20},
    Tdp{"Core i7-1165G7", 28, 8}, Tdp{"Core i7-1185G7", 28, 8}, Tdp{"Core i5-12400", 65, 12},
    Tdp{"Core i7-12700K", 125, 20}, Tdp{"Core i9-12900K", 125, 24}, Tdp{"Core i7-1260P", 28, 16},
    Tdp{"Core i7-13700K", 125, 24}, Tdp{"Core i9-13900K", 125, 32}, Tdp{"Core i9-14900K", 125, 32},
    // AMD Ryzen and Threadripper
    Tdp{"Ryzen 5 3600", 65, 12}, Tdp{"Ryzen 7 3700X", 65, 16}, Tdp{"Ryzen 9 3900X", 105, 24},
    Tdp{"Ryzen 9 3950X", 105, 32}, Tdp{"Ryzen 5 5600X", 65, 12}, Tdp{"Ryzen 7 5800X", 105, 16},
    Tdp{"Ryzen 9 5900X", 105, 24}, Tdp{"Ryzen 9 5950X", 105, 32}, Tdp{"Ryzen 7 7700X", 105, 16},
    Tdp{"Ryzen 9 7900X", 170, 24}, Tdp{"Ryzen 9 7950X", 170, 32}, Tdp{"Ryzen 9 9950X", 170, 32},
    Tdp{"Ryzen Threadripper 3970X", 280, 64}, Tdp{"Ryzen Threadripper 3990X", 280, 128},
    Tdp{"Ryzen Threadripper PRO 3995WX", 280, 128}, Tdp{"Ryzen Threadripper PRO 5995WX", 280, 128}};

/// Words of a model name without the signs for trade marks and the word CPU.
std::vector<std::string> words_of(std::string_view model) {
  std::string text(model);
  for (const std::string_view mark : {"(R)", "(r)", "(TM)", "(tm)"}) {
    for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) {
      text.replace(at, mark.size(), " ");
    }
  }
  std::vector<std::string> words;
  for (const std::string_view part : split(text, ' ')) {
    const std::string_view word = trim(part);
    if (!word.empty() && word != "CPU") words.emplace_back(word);
  }
  return words;
}

}  // namespace

std::optional<Tdp> find_tdp(std::string_view model) {
  const std::vector<std::string> words = words_of(model);
  for (const Tdp& row : table) {
    const auto wanted = split(row.name, ' ');
    if (std::search(words.begin(), words.end(), wanted.begin(), wanted.end()) != words.end())
      return row;
  }
  return std::nullopt;
}

BusyPower busy_power(const CpuInfo& cpu) {
  const int threads = std::max(cpu.threads, 1);
  const auto row = find_tdp(cpu.model);
  if (!row) return {threads * watts_per_thread, {}};
  // A virtual machine shows some threads of a package; a real one shows whole packages.
  if (cpu.hypervisor) return {row->watts / row->threads * threads, row->name};
  return {row->watts * std::max(cpu.packages, 1), row->name};
}

}  // namespace ergo::estimate
