#include "cli.hpp"

#include "common/exit_code.hpp"
#include "ergo/core/parse.hpp"
#include "networks/catalog.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>

namespace ergo::workload {
namespace {

/// A CLI11 callback that reads a value with one of ergo's parsers.
template <class T, class Parser>
CLI::callback_t reads(T& target, Parser parser) {
  return [&target, parser](const CLI::results_t& values) {
    auto value = parser(values.at(0));
    if (!value) throw CLI::ValidationError(value.error().text());
    target = std::move(value).value();
    return true;
  };
}

/// "512MiB", "2GiB" or bytes.
Result<std::optional<std::uint64_t>> parse_bytes(const std::string& text) {
  std::string_view number = text;
  std::uint64_t unit = 1;
  const auto suffix = [&](std::string_view name, std::uint64_t size) {
    if (!number.ends_with(name)) return;
    number.remove_suffix(name.size());
    unit = size;
  };
  suffix("KiB", std::uint64_t{1} << 10);
  suffix("MiB", std::uint64_t{1} << 20);
  suffix("GiB", std::uint64_t{1} << 30);
  const Result<std::uint64_t> value = parse_uint(number);
  if (!value || *value > (std::uint64_t{1} << 50) / unit) {
    return Error{Errc::invalid_argument, fmt::format("\"{}\" is not a size", text),
                 "write 512MiB or 2GiB"};
  }
  return std::optional(*value * unit);
}

/// "1x3x224x224", or "int:1x128" for whole numbers.
Result<InputShape> parse_shape(std::string_view text) {
  InputShape shape;
  const Error bad{Errc::invalid_argument, fmt::format("\"{}\" is not a shape", text),
                  "write 1x3x224x224, or int:1x128 for whole numbers"};
  if (text.starts_with("int:")) {
    shape.whole_numbers = true;
    text.remove_prefix(4);
  }
  for (std::string_view part : split(text, 'x')) {
    const Result<std::int64_t> dimension = parse_int(part);
    if (!dimension || *dimension < 1) return bad;
    shape.dimensions.push_back(*dimension);
  }
  return shape;
}

void add_execution(CLI::App& app, Execution& execution) {
  app.add_option("--device", execution.device, "cpu, cuda or cuda:N")->capture_default_str();
  app.add_option("--dtype", execution.dtype, "fp32, tf32 (CUDA), fp16 or bf16")
      ->capture_default_str();
  app.add_option("--threads", execution.threads, "CPU threads (0: LibTorch's choice)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--seed", execution.seed, "of weights and inputs")->capture_default_str();
  app.add_flag("--channels-last", execution.channels_last, "keep images as NHWC");
  app.add_option("--memory-limit", reads(execution.memory_limit, parse_bytes),
                 "what may be allocated on the CPU, e.g. 2GiB (default: what is free)");
}

void add_measurement(CLI::App& app, InferenceOptions& options) {
  app.add_option("--iterations", options.iterations, "measured batches")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--warmup", options.warmup, "batches before, at least one is run")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--output", options.output, "write the last output here (safetensors)");
}

void add_inference(CLI::App& app, InferenceOptions& options, const CatalogEntry& entry) {
  options.network = entry.name;
  app.add_option("--batch", options.batch, "samples in a batch")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--size", options.size,
                 fmt::format("{} (default {})", entry.unit, entry.usual_size));
  add_measurement(app, options);
  app.add_option("--weights", options.weights, "safetensors or TorchScript file (default: random)")
      ->check(CLI::ExistingFile);
  app.add_option("--input", options.input,
                 "safetensors file with a tensor \"input\" (default: random)")
      ->check(CLI::ExistingFile);
  add_execution(app, options.execution);
}

void add_torchscript(CLI::App& app, InferenceOptions& options) {
  options.network = "torchscript";
  app.add_option("file", options.model, "the module")->required()->check(CLI::ExistingFile);
  app.add_option_function<std::vector<std::string>>(
         "--shape",
         [&options](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) {
             Result<InputShape> shape = parse_shape(text);
             if (!shape) throw CLI::ValidationError(shape.error().text());
             options.shapes.push_back(std::move(shape).value());
           }
         },
         "of each input: 1x3x224x224, or int:1x128 for whole numbers")
      ->required();
  add_measurement(app, options);
  add_execution(app, options.execution);
}

void add_training(CLI::App& app, TrainingOptions& options, const CatalogEntry& entry) {
  options.network = entry.name;
  const auto number = [&](const char* name, auto& target, const char* text) {
    app.add_option(name, target, text)->check(CLI::NonNegativeNumber);
  };
  number("--epochs", options.epochs, "passes over the data (default: gpyjoules')");
  number("--batch", options.batch, "samples in a step (default: gpyjoules')");
  number("--limit-samples", options.limit_samples, "use only the first so many samples");
  app.add_option("--learning-rate", reads(options.learning_rate, parse_double), "of the optimiser")
      ->type_name("FLOAT");
  app.add_option("--data", options.data, "folder with the real data (default: synthetic)")
      ->check(CLI::ExistingDirectory);
  app.add_flag("--mark-steps", options.mark_steps, "a window for each step too");
  if (entry.name == "bert-squad") {
    number("--layers", options.layers, "encoder layers (default 12)");
    number("--hidden", options.hidden, "width, a multiple of 12 (default 768)");
    number("--size", options.size, "tokens of one sample (default 384)");
  }
  add_execution(app, options.execution);
}

void add_nbody(CLI::App& app, NBodyOptions& options) {
  app.add_option("--bodies", options.bodies, "")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--steps", options.steps, "measured")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--warmup", options.warmup, "steps before")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--threads", options.threads, "CPU threads (0: all)")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--time-step", options.time_step, "")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--seed", options.seed, "of the bodies")->capture_default_str();
  app.add_option("--device", options.device, "cpu or cuda")->capture_default_str();
  app.add_flag("--fp64", options.double_precision, "double precision (CPU)");
}

void add_synthetic(CLI::App& app, SyntheticOptions& options) {
  app.add_option("--seconds", reads(options.seconds, parse_duration), "stop after this time")
      ->type_name("DURATION");
  app.add_option("--iterations", options.iterations, "stop after so many iterations")
      ->check(CLI::PositiveNumber);
  app.add_option("--iteration-time", reads(options.iteration, parse_duration),
                 "of one iteration at the highest clock (default 50ms)")
      ->type_name("DURATION");
  app.add_option("--compute", reads(options.compute, parse_fraction),
                 "busy arithmetic units, 0..1 (default 0.8)")
      ->type_name("FRACTION");
  app.add_option("--memory", reads(options.memory, parse_fraction),
                 "busy memory bandwidth, 0..1 (default 0.3)")
      ->type_name("FRACTION");
  app.add_option("--memory-bound", reads(options.memory_bound, parse_fraction),
                 "part of the time that no core clock changes, 0..1 (default 0.3)")
      ->type_name("FRACTION");
  app.add_option("--burst-period", reads(options.burst_period, parse_duration),
                 "a burst and its pause (default: no bursts)")
      ->type_name("DURATION");
  app.add_option("--duty", reads(options.duty, parse_fraction),
                 "working part of the burst period (default 1)")
      ->type_name("FRACTION");
  app.add_option("--epoch", options.epoch_iterations, "iterations in one window \"epoch\"")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--gpu", options.gpu, "of the simulated node")->capture_default_str();
}

/// The whole command line. Its options point into `requests`, one for each subcommand.
class CommandLine {
 public:
  CommandLine() {
    app_.require_subcommand(0, 1);
    app_.add_flag("--list", list_, "list the workloads");
    auto [info, info_request] =
        command<InfoRequest>("info", "parameters and multiply-adds of a network");
    info->add_option("network", info_request->network, "")->required();
    info->add_option("--size", info_request->size, "pixels or tokens");
    for (const CatalogEntry& entry : catalog()) {
      const std::string name(entry.name), summary(entry.summary);
      if (entry.use == NetworkUse::inference) {
        auto [app, options] = command<InferenceOptions>(name, summary);
        add_inference(*app, *options, entry);
      } else {
        auto [app, options] = command<TrainingOptions>(name, "train " + summary);
        add_training(*app, *options, entry);
      }
    }
    auto [own, own_options] =
        command<InferenceOptions>("torchscript", "your own TorchScript module");
    add_torchscript(*own, *own_options);
    auto [nbody, nbody_options] =
        command<NBodyOptions>("nbody", "gravity between all pairs of bodies");
    add_nbody(*nbody, *nbody_options);
    auto [synthetic, synthetic_options] = command<SyntheticOptions>(
        "synthetic", "work of a stated kind; on the simulated node, a GPU's");
    add_synthetic(*synthetic, *synthetic_options);
  }

  std::variant<Request, int> parse(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app_.exit(error) == 0 ? 0 : exit_refused;
    }
    if (list_) return ListRequest{};
    for (std::size_t i = 0; i < commands_.size(); ++i) {
      if (commands_[i]->parsed()) return *requests_[i];
    }
    fmt::print("{}", app_.help());
    return exit_refused;
  }

 private:
  /// A subcommand and the options that it fills in; both live as long as this object.
  template <class Options>
  std::pair<CLI::App*, Options*> command(const std::string& name, const std::string& text) {
    commands_.push_back(app_.add_subcommand(name, text));
    requests_.push_back(std::make_unique<Request>(Options{}));
    return {commands_.back(), std::get_if<Options>(requests_.back().get())};
  }

  CLI::App app_{"Workloads for measuring: networks, n-body, synthetic work", "ergo-workload"};
  bool list_ = false;
  std::vector<CLI::App*> commands_;
  std::vector<std::unique_ptr<Request>> requests_;
};

}  // namespace

std::variant<Request, int> parse_command_line(int argc, char** argv) {
  return CommandLine().parse(argc, argv);
}

}  // namespace ergo::workload
