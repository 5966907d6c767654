#include "networks/session.hpp"

#include "common/exit_code.hpp"
#include "common/memory_limit.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/cuda.h>

#include <array>
#include <new>

namespace ergo::workload {
namespace {

Result<torch::ScalarType> scalar_type_of(const std::string& dtype, bool on_cuda) {
  if (dtype == "fp32") return torch::kFloat32;
  if (dtype == "fp16") return torch::kFloat16;
  if (dtype == "bf16") return torch::kBFloat16;
  if (dtype == "tf32") {
    if (on_cuda) return torch::kFloat32;
    return Error{Errc::not_supported, "tf32 is a format of CUDA devices", "use --dtype fp32"};
  }
  return Error{Errc::invalid_argument, fmt::format("there is no number format \"{}\"", dtype),
               "choose one of fp32, tf32, fp16, bf16"};
}

Result<torch::Device> device_of(const std::string& name) {
  if (name != "cpu" && name != "cuda" && !name.starts_with("cuda:")) {
    return Error{Errc::invalid_argument, fmt::format("there is no device \"{}\"", name),
                 "choose cpu, cuda or cuda:N"};
  }
  torch::Device device(torch::kCPU);
  try {
    device = torch::Device(name);
  } catch (const c10::Error&) {
    return Error{Errc::invalid_argument, fmt::format("\"{}\" is not a device", name),
                 "choose cpu, cuda or cuda:N"};
  }
  if (device.is_cpu()) return device;
  if (!torch::cuda::is_available()) {
    return Error{
        Errc::not_supported, "this LibTorch finds no CUDA device",
        "use --device cpu, or build with a LibTorch that has CUDA, on a machine with a driver"};
  }
  if (device.has_index() &&
      static_cast<int>(device.index()) >= static_cast<int>(torch::cuda::device_count())) {
    return Error{Errc::not_supported,
                 fmt::format("there are only {} CUDA devices", torch::cuda::device_count()), ""};
  }
  return device;
}

bool speaks_of_memory(std::string_view text) {
  constexpr std::array<std::string_view, 5> words{
      "out of memory", "allocate memory", "not enough memory", "out_of_memory", "ALLOC_FAILED"};
  for (std::string_view word : words) {
    if (text.find(word) != std::string_view::npos) return true;
  }
  return false;
}

/// The first line, without the source position or the failed condition that LibTorch puts before
/// some messages.
std::string first_line(std::string text) {
  text = text.substr(0, text.find('\n'));
  if (text.starts_with("err == 0. ")) text = text.substr(10);
  if (text.starts_with('[')) {
    if (const auto end = text.find("] "); end != std::string::npos) text = text.substr(end + 2);
  }
  return text;
}

}  // namespace

void Session::synchronize() const {
  if (device.is_cuda()) torch::cuda::synchronize(device.index());
}

Result<Session> begin_session(const Execution& execution) {
  const Result<torch::Device> device = device_of(execution.device);
  if (!device) return device.error();
  const bool on_cuda = device->is_cuda();
  const Result<torch::ScalarType> type = scalar_type_of(execution.dtype, on_cuda);
  if (!type) return type.error();

  if (execution.threads > 0) at::set_num_threads(execution.threads);
  torch::manual_seed(execution.seed);
  at::globalContext().setAllowTF32CuDNN(execution.dtype == "tf32");
  at::globalContext().setAllowTF32CuBLAS(execution.dtype == "tf32");
  if (!on_cuda) {
    const auto limit = execution.memory_limit ? execution.memory_limit : available_memory();
    if (limit) {
      if (Result<void> limited = limit_memory(*limit); !limited) return limited.error();
    }
  }
  Session session{*device, *type, ""};
  session.description = on_cuda ? device->str()
                                : fmt::format("cpu, {} thread{}", at::get_num_threads(),
                                              at::get_num_threads() == 1 ? "" : "s");
  session.description += ", " + execution.dtype;
  return session;
}

void place(Network& network, const Session& session, bool channels_last) {
  network.to(session.device, session.type);
  if (!channels_last) return;
  for (Tensor& parameter : network.parameters()) {
    if (parameter.dim() == 4) {
      parameter.set_data(parameter.contiguous(at::MemoryFormat::ChannelsLast));
    }
  }
}

NetworkFacts facts_of(const torch::nn::Module& network) {
  NetworkFacts facts;
  for (const Tensor& parameter : network.parameters())
    facts.parameters += parameter.numel();
  for (const auto& buffer : network.named_buffers()) {
    if (buffer.key().ends_with("running_mean") || buffer.key().ends_with("running_var")) {
      facts.batch_norm_statistics += buffer.value().numel();
    }
  }
  return facts;
}

NetworkPtr make_network(std::string_view name, int size, const BertShape& bert) {
  if (name == "alexnet") return make_alexnet();
  if (name == "resnet50") return make_resnet50();
  if (name == "vit_b_16") return make_vit_b_16(size);
  if (name == "yolov5s") return make_yolov5s();
  if (name == "bert") return make_bert_classifier(bert);
  if (name == "mnist-cnn") return make_mnist_cnn();
  if (name == "mnist-dense") return make_mnist_dense();
  if (name == "resnet32-cifar10") return make_resnet32_cifar10();
  return make_bert_squad(bert);  // the catalogue holds no other name
}

Tensor random_input(std::string_view name, int batch, int size, torch::Device device) {
  constexpr int vocabulary = 30522;
  const auto whole = torch::dtype(torch::kInt64).device(device);
  if (name == "bert") return torch::randint(vocabulary, {batch, size}, whole);
  if (name == "bert-squad") {
    const Tensor ids = torch::randint(vocabulary, {batch, size}, whole);
    return torch::stack({ids, torch::zeros_like(ids), torch::ones_like(ids)}, 1);
  }
  const int channels = name.starts_with("mnist") ? 1 : 3;
  return torch::randn({batch, channels, size, size}, device);
}

Error error_of(const std::exception& exception, const std::string& what) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&exception);
  const std::string text = torch_error ? torch_error->what_without_backtrace() : exception.what();
  if (dynamic_cast<const std::bad_alloc*>(&exception) || speaks_of_memory(text)) {
    return out_of_memory(fmt::format("{}: {}", what, first_line(text)));
  }
  if (text.find("not implemented for") != std::string::npos ||
      text.find("not supported") != std::string::npos) {
    return Error{Errc::not_supported, fmt::format("{}: {}", what, first_line(text)),
                 "use another --dtype or --device"};
  }
  return Error{Errc::io, fmt::format("{}: {}", what, first_line(text)), ""};
}

}  // namespace ergo::workload
