#include "networks/weights.hpp"

#include "data/safetensors.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/script.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <string>

namespace ergo::workload {
namespace {

using TensorsByName = std::map<std::string, Tensor>;

c10::ScalarType scalar_type(const std::string& dtype) {
  static const std::map<std::string, c10::ScalarType> types{
      {"F64", torch::kFloat64},   {"F32", torch::kFloat32}, {"F16", torch::kFloat16},
      {"BF16", torch::kBFloat16}, {"I64", torch::kInt64},   {"I32", torch::kInt32},
      {"I16", torch::kInt16},     {"I8", torch::kInt8},     {"U8", torch::kUInt8},
      {"BOOL", torch::kBool}};
  return types.at(dtype);  // the reader has refused all others
}

Tensor copy_of(const StoredTensor& stored) {
  Tensor tensor = torch::empty(stored.shape, torch::dtype(scalar_type(stored.dtype)));
  std::memcpy(tensor.data_ptr(), stored.bytes.data(), stored.bytes.size());
  return tensor;
}

bool is_zip(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  char magic[2] = {};
  in.read(magic, sizeof magic);
  return in && magic[0] == 'P' && magic[1] == 'K';
}

Result<TensorsByName> read_torchscript(const std::filesystem::path& file) {
  TensorsByName tensors;
  try {
    const torch::jit::Module module = torch::jit::load(file.string(), torch::kCPU);
    for (const auto& parameter : module.named_parameters()) {
      tensors[parameter.name] = parameter.value;
    }
    for (const auto& buffer : module.named_buffers())
      tensors[buffer.name] = buffer.value;
  } catch (const c10::Error& error) {
    return Error{Errc::corrupt,
                 fmt::format("{} is not a TorchScript module: {}", file.string(),
                             error.what_without_backtrace()),
                 "save it with torch.jit.script(model).save(FILE), or use safetensors"};
  }
  return tensors;
}

Result<TensorsByName> read_tensors(const std::filesystem::path& file) {
  if (is_zip(file)) return read_torchscript(file);
  const Result<SafetensorsFile> stored = SafetensorsFile::open(file);
  if (!stored) return stored.error();
  TensorsByName tensors;
  for (const StoredTensor& tensor : stored->tensors())
    tensors[tensor.name] = copy_of(tensor);
  return tensors;
}

/// Names of another generation of the same weights: Google's BERT has gamma and beta.
std::string old_name(std::string name) {
  if (name.ends_with("LayerNorm.weight")) return name.substr(0, name.size() - 6) + "gamma";
  if (name.ends_with("LayerNorm.bias")) return name.substr(0, name.size() - 4) + "beta";
  return name;
}

/// Positions of the class token and of a square of patches, for another number of patches.
Tensor resize_positions(const Tensor& positions, std::int64_t tokens) {
  const auto side = [](std::int64_t count) {
    return static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(count - 1))));
  };
  const std::int64_t from = side(positions.size(1)), to = side(tokens), width = positions.size(2);
  if (from * from + 1 != positions.size(1)) return positions;
  Tensor grid = positions.slice(1, 1).transpose(1, 2).reshape({1, width, from, from});
  grid = torch::upsample_bicubic2d(grid.to(torch::kFloat32), {to, to}, true);
  return torch::cat({positions.slice(1, 0, 1).to(torch::kFloat32),
                     grid.reshape({1, width, to * to}).transpose(1, 2)},
                    1);
}

Result<void> put(Tensor& target, Tensor source, const std::string& name) {
  if (name == "encoder.pos_embedding" && source.dim() == 3 && source.sizes() != target.sizes()) {
    source = resize_positions(source, target.size(1));
  }
  if (source.sizes() != target.sizes()) {
    return Error{
        Errc::invalid_argument,
        fmt::format("\"{}\" has the shape [{}] in the file, and the network needs [{}]", name,
                    fmt::join(source.sizes(), ", "), fmt::join(target.sizes(), ", ")),
        "use weights of this network"};
  }
  target.copy_(source);
  return {};
}

}  // namespace

Result<void> load_weights(Network& network, const std::filesystem::path& file) {
  const Result<TensorsByName> tensors = read_tensors(file);
  if (!tensors) return tensors.error();
  torch::NoGradGuard no_grad;
  const auto fill = [&](const std::string& name, Tensor& target) -> Result<void> {
    auto found = tensors->find(name);
    if (found == tensors->end()) found = tensors->find(old_name(name));
    if (found != tensors->end()) return put(target, found->second, name);
    if (name.ends_with("num_batches_tracked")) return {};
    return Error{Errc::invalid_argument,
                 fmt::format("{} has no tensor \"{}\"", file.string(), name),
                 "use weights of this network, with its published names"};
  };
  for (auto& item : network.named_parameters()) {
    if (Result<void> filled = fill(item.key(), item.value()); !filled) return filled;
  }
  for (auto& item : network.named_buffers()) {
    if (Result<void> filled = fill(item.key(), item.value()); !filled) return filled;
  }
  return {};
}

Result<Tensor> load_tensor(const std::filesystem::path& file, const std::string& name) {
  const Result<SafetensorsFile> stored = SafetensorsFile::open(file);
  if (!stored) return stored.error();
  const StoredTensor* tensor = stored->find(name);
  if (tensor == nullptr) {
    return Error{Errc::invalid_argument,
                 fmt::format("{} has no tensor \"{}\"", file.string(), name), ""};
  }
  return copy_of(*tensor);
}

Result<void> save_tensor(const std::filesystem::path& file, const std::string& name,
                         Tensor tensor) {
  const bool whole = !tensor.is_floating_point();
  tensor = tensor.to(torch::kCPU, whole ? torch::kInt64 : torch::kFloat32).contiguous();
  const auto* bytes = static_cast<const std::byte*>(tensor.data_ptr());
  return write_safetensors(
      file, {{name, whole ? "I64" : "F32", tensor.sizes().vec(), {bytes, tensor.nbytes()}}});
}

}  // namespace ergo::workload
