#pragma once
// Weights and tensors from and to files. Includes LibTorch.

#include "ergo/core/result.hpp"
#include "networks/network.hpp"

#include <filesystem>

namespace ergo::workload {

/// Replaces parameters and buffers of `network` by those of the same name in a safetensors file or
/// a TorchScript module. Every parameter must be there with its shape, except that a positional
/// embedding of ViT for another image size is interpolated (bicubic, as torchvision does). Counters
/// of batch normalisation may lack; other tensors of the file are ignored.
Result<void> load_weights(Network& network, const std::filesystem::path& file);

/// The tensor `name` of a safetensors file, as a copy.
Result<Tensor> load_tensor(const std::filesystem::path& file, const std::string& name);
/// Writes one tensor as float32, or int64 when it is of integers.
Result<void> save_tensor(const std::filesystem::path& file, const std::string& name, Tensor tensor);

}  // namespace ergo::workload
