#include "common/exit_code.hpp"
#include "common/run_record.hpp"
#include "ergo/core/clock.hpp"
#include "ergo/mark.hpp"
#include "networks/catalog.hpp"
#include "networks/mac_counter.hpp"
#include "networks/run.hpp"
#include "networks/session.hpp"
#include "networks/weights.hpp"

#include <fmt/format.h>
#include <torch/script.h>

namespace ergo::workload {
namespace {

using Pass = std::function<Tensor()>;

/// A model with its input, ready to run.
struct PreparedModel {
  Pass pass;
  NetworkFacts facts;
  std::string weights;
  std::int64_t batch = 1;
  int size = 0;
};

Tensor placed_input(Tensor input, const Session& session, bool channels_last) {
  if (input.is_floating_point()) input = input.to(session.type);
  input = input.to(session.device);
  return channels_last && input.dim() == 4 ? input.contiguous(at::MemoryFormat::ChannelsLast)
                                           : input;
}

Result<PreparedModel> prepare_network(const InferenceOptions& options, const Session& session) {
  const Result<CatalogEntry> entry = find_network(options.network);
  if (!entry) return entry.error();
  const Result<int> size = checked_size(*entry, options.size);
  if (!size) return size.error();

  const NetworkPtr network = make_network(entry->name, *size);
  PreparedModel model;
  model.weights = fmt::format("random weights, seed {}", options.execution.seed);
  if (!options.weights.empty()) {
    if (Result<void> loaded = load_weights(*network, options.weights); !loaded)
      return loaded.error();
    model.weights = options.weights.string();
  }
  network->eval();
  place(*network, session, options.execution.channels_last);

  Tensor input = random_input(entry->name, options.batch, *size, session.device);
  if (!options.input.empty()) {
    Result<Tensor> stored = load_tensor(options.input, "input");
    if (!stored) return stored.error();
    input = *stored;
  }
  input = placed_input(input, session, options.execution.channels_last);
  model.pass = [network, input] { return network->forward(input); };
  model.facts = facts_of(*network);
  model.batch = input.size(0);
  model.size = *size;
  return model;
}

/// A TorchScript module may return one tensor, or a tuple or list whose first element is one.
Tensor first_tensor(const c10::IValue& value) {
  if (value.isTensor()) return value.toTensor();
  if (value.isTensorList()) return value.toTensorVector().at(0);
  if (value.isTuple()) return first_tensor(value.toTupleRef().elements().at(0));
  TORCH_CHECK(false, "the module returns ", value.tagKind(), ", not a tensor");
}

Result<PreparedModel> prepare_torchscript(const InferenceOptions& options, const Session& session) {
  torch::jit::Module module;
  try {
    module = torch::jit::load(options.model.string(), session.device);
  } catch (const c10::Error& error) {
    return Error{Errc::corrupt,
                 fmt::format("cannot load {} as TorchScript: {}", options.model.string(),
                             error_of(error, "torch").message),
                 "save it with torch.jit.script(model).save(FILE)"};
  }
  module.eval();
  module.to(session.type);
  PreparedModel model;
  for (const auto& parameter : module.parameters())
    model.facts.parameters += parameter.numel();
  std::vector<c10::IValue> inputs;
  for (const InputShape& shape : options.shapes) {
    const Tensor input = shape.whole_numbers ? torch::randint(2, shape.dimensions, torch::kInt64)
                                             : torch::randn(shape.dimensions);
    inputs.emplace_back(placed_input(input, session, options.execution.channels_last));
  }
  const auto& first = options.shapes.at(0).dimensions;
  model.batch = first.empty() ? 1 : first[0];
  model.weights = options.model.string();
  // The executor of TorchScript is stateful, so the module is one object that all passes share.
  auto shared = std::make_shared<torch::jit::Module>(std::move(module));
  model.pass = [shared, inputs] { return first_tensor(shared->forward(inputs)); };
  return model;
}

/// One pass whose operators are counted. It also is the first of the warm-up.
Tensor counted_pass(PreparedModel& model) {
  const MacCounter counter;
  Tensor output = model.pass();
  model.facts.multiply_adds = counter.total() / model.batch;
  if (output.dim() > 0) model.facts.output_shape = output.sizes().slice(1).vec();
  return output;
}

Result<InferenceReport> measure(const InferenceOptions& options, const Session& session,
                                PreparedModel& model) {
  const torch::NoGradGuard no_grad;
  const SystemClock clock;
  Tensor output = counted_pass(model);
  for (int i = 1; i < options.warmup; ++i)
    output = model.pass();
  session.synchronize();

  InferenceReport report;
  report.latencies.reserve(static_cast<std::size_t>(options.iterations));
  const Instant begin = clock.now();
  {
    const Mark window("inference", model.batch * options.iterations);
    for (int i = 0; i < options.iterations; ++i) {
      const Instant start = clock.now();
      output = model.pass();
      session.synchronize();
      report.latencies.push_back(clock.now() - start);
    }
  }
  report.duration = clock.now() - begin;

  if (const auto folder = run_folder()) {
    if (Result<void> w = write_latencies(*folder, report.latencies); !w) return w.error();
  }
  if (!options.output.empty()) {
    if (Result<void> w = save_tensor(options.output, "output", output); !w) return w.error();
  }
  report.facts = model.facts;
  report.device = session.description;
  report.weights = model.weights;
  report.size = model.size;
  return report;
}

}  // namespace

Result<NetworkFacts> network_facts(const std::string& network, int size) {
  return guarded<NetworkFacts>(network, [&]() -> Result<NetworkFacts> {
    InferenceOptions options;
    options.network = network;
    options.size = size;
    const Result<Session> session = begin_session(options.execution);
    if (!session) return session.error();
    Result<PreparedModel> model = prepare_network(options, *session);
    if (!model) return model.error();
    const torch::NoGradGuard no_grad;
    counted_pass(*model);
    return model->facts;
  });
}

Result<InferenceReport> run_inference(const InferenceOptions& options) {
  const std::string what =
      fmt::format("{}, batch {}, size {}", options.network, options.batch,
                  options.size == 0 ? "as usual" : std::to_string(options.size));
  return guarded<InferenceReport>(what, [&]() -> Result<InferenceReport> {
    const Result<Session> session = begin_session(options.execution);
    if (!session) return session.error();
    Result<PreparedModel> model = options.network == "torchscript"
                                      ? prepare_torchscript(options, *session)
                                      : prepare_network(options, *session);
    if (!model) return model.error();
    return measure(options, *session, *model);
  });
}

}  // namespace ergo::workload
