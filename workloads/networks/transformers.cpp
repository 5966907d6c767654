#include "networks/network.hpp"

#include <cmath>
#include <string>
#include <tuple>
#include <vector>

namespace ergo::workload {
namespace {

namespace nn = torch::nn;

/// torch::linear with the weights of a Linear module: one fused call for inputs of any rank.
Tensor fused(const nn::Linear& layer, const Tensor& x) {
  return torch::linear(x, layer->weight, layer->bias);
}

nn::LayerNorm layer_norm(int width, double eps) {
  return nn::LayerNorm(nn::LayerNormOptions({width}).eps(eps));
}

/// softmax(Q K^T / sqrt(d) + mask) V over [n, heads, tokens, d]; `mask` may be undefined.
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                 double dropout) {
#if TORCH_VERSION_MAJOR >= 2
  return at::scaled_dot_product_attention(
      q, k, v, mask.defined() ? c10::optional<Tensor>(mask) : c10::nullopt, dropout);
#else
  // Scaling the queries touches fewer numbers than scaling the scores.
  const Tensor scaled = q / std::sqrt(static_cast<double>(q.size(-1)));
  Tensor scores = torch::matmul(scaled, k.transpose(-2, -1));
  if (mask.defined()) scores = scores + mask;
  Tensor weights = torch::softmax(scores, -1);
  if (dropout > 0) weights = torch::dropout(weights, dropout, true);
  return torch::matmul(weights, v);
#endif
}

Tensor split_heads(const Tensor& x, std::int64_t heads) {
  return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
}

Tensor join_heads(const Tensor& x) {
  const Tensor tokens_first = x.transpose(1, 2).contiguous();
  return tokens_first.view({x.size(0), x.size(2), x.size(1) * x.size(3)});
}

// ---- ViT-B/16 ----

constexpr int vit_width = 768;
constexpr int vit_heads = 12;
constexpr int patch = 16;

/// Self-attention with the parameter names of torch.nn.MultiheadAttention.
class VitAttentionImpl : public nn::Module {
 public:
  VitAttentionImpl() {
    in_proj_weight_ =
        register_parameter("in_proj_weight", torch::empty({3 * vit_width, vit_width}));
    in_proj_bias_ = register_parameter("in_proj_bias", torch::zeros({3 * vit_width}));
    out_proj_ = register_module("out_proj", nn::Linear(vit_width, vit_width));
    nn::init::xavier_uniform_(in_proj_weight_);
  }
  Tensor forward(const Tensor& x) {
    const auto qkv = torch::linear(x, in_proj_weight_, in_proj_bias_).chunk(3, 2);
    const Tensor y = attention(split_heads(qkv[0], vit_heads), split_heads(qkv[1], vit_heads),
                               split_heads(qkv[2], vit_heads), {}, 0.0);
    return fused(out_proj_, join_heads(y));
  }

 private:
  Tensor in_proj_weight_, in_proj_bias_;
  nn::Linear out_proj_{nullptr};
};
TORCH_MODULE(VitAttention);

/// One pre-norm encoder layer. The two linear layers of the MLP are "0" and "3", as torchvision has
/// it.
class VitBlockImpl : public nn::Module {
 public:
  VitBlockImpl() {
    ln_1_ = register_module("ln_1", layer_norm(vit_width, 1e-6));
    self_attention_ = register_module("self_attention", VitAttention());
    ln_2_ = register_module("ln_2", layer_norm(vit_width, 1e-6));
    mlp_ = register_module(
        "mlp", nn::Sequential(nn::Linear(vit_width, 4 * vit_width), nn::GELU(), nn::Dropout(0.0),
                              nn::Linear(4 * vit_width, vit_width)));
    expand_ = mlp_->ptr<nn::LinearImpl>(0);
    contract_ = mlp_->ptr<nn::LinearImpl>(3);
  }
  Tensor forward(const Tensor& x) {
    const Tensor y = x + self_attention_->forward(ln_1_->forward(x));
    return y + fused(contract_, torch::gelu(fused(expand_, ln_2_->forward(y))));
  }

 private:
  nn::LayerNorm ln_1_{nullptr}, ln_2_{nullptr};
  VitAttention self_attention_{nullptr};
  nn::Sequential mlp_{nullptr};
  nn::Linear expand_{nullptr}, contract_{nullptr};
};
TORCH_MODULE(VitBlock);

class VitEncoderImpl : public nn::Module {
 public:
  explicit VitEncoderImpl(int tokens) {
    pos_embedding_ =
        register_parameter("pos_embedding", torch::randn({1, tokens, vit_width}) * 0.02);
    nn::Sequential layers;
    for (int i = 0; i < 12; ++i) {
      layers->push_back("encoder_layer_" + std::to_string(i), VitBlock());
    }
    layers_ = register_module("layers", layers);
    ln_ = register_module("ln", layer_norm(vit_width, 1e-6));
  }
  Tensor forward(const Tensor& x) { return ln_->forward(layers_->forward(x + pos_embedding_)); }

 private:
  Tensor pos_embedding_;
  nn::Sequential layers_{nullptr};
  nn::LayerNorm ln_{nullptr};
};
TORCH_MODULE(VitEncoder);

class VitB16 final : public Network {
 public:
  explicit VitB16(int size) {
    class_token_ = register_parameter("class_token", torch::zeros({1, 1, vit_width}));
    conv_proj_ = register_module("conv_proj",
                                 nn::Conv2d(nn::Conv2dOptions(3, vit_width, patch).stride(patch)));
    encoder_ = register_module("encoder", VitEncoder((size / patch) * (size / patch) + 1));
    nn::Sequential heads;
    heads->push_back("head", nn::Linear(vit_width, 1000));
    heads_ = register_module("heads", heads);
  }

  Tensor forward(Tensor x) override {
    x = conv_proj_->forward(x).flatten(2).transpose(1, 2);
    x = torch::cat({class_token_.expand({x.size(0), -1, -1}), x}, 1);
    x = encoder_->forward(x);
    return heads_->forward(x.select(1, 0));
  }

 private:
  Tensor class_token_;
  nn::Conv2d conv_proj_{nullptr};
  VitEncoder encoder_{nullptr};
  nn::Sequential heads_{nullptr};
};

// ---- BERT ----

constexpr int bert_vocabulary = 30522;
constexpr int bert_positions = 512;
constexpr double bert_eps = 1e-12;
constexpr double bert_dropout = 0.1;

/// A container whose children carry Hugging Face's names.
struct Folder : nn::Module {};

template <class Holder>
Holder put(const std::shared_ptr<Folder>& folder, const std::string& name, Holder module) {
  return folder->register_module(name, module);
}

std::shared_ptr<Folder> subfolder(const std::shared_ptr<Folder>& folder, const std::string& name) {
  return folder->register_module(name, std::make_shared<Folder>());
}

class BertLayerImpl : public Folder {
 public:
  explicit BertLayerImpl(const BertShape& shape) : heads_(shape.heads) {
    const int width = shape.hidden;
    auto attention_part = register_module("attention", std::make_shared<Folder>());
    auto self = subfolder(attention_part, "self");
    query_ = put(self, "query", nn::Linear(width, width));
    key_ = put(self, "key", nn::Linear(width, width));
    value_ = put(self, "value", nn::Linear(width, width));
    auto attended = subfolder(attention_part, "output");
    project_ = put(attended, "dense", nn::Linear(width, width));
    norm_1_ = put(attended, "LayerNorm", layer_norm(width, bert_eps));
    auto intermediate = register_module("intermediate", std::make_shared<Folder>());
    expand_ = put(intermediate, "dense", nn::Linear(width, 4 * width));
    auto output = register_module("output", std::make_shared<Folder>());
    contract_ = put(output, "dense", nn::Linear(4 * width, width));
    norm_2_ = put(output, "LayerNorm", layer_norm(width, bert_eps));
  }

  Tensor forward(const Tensor& x, const Tensor& mask) {
    const double drop = is_training() ? bert_dropout : 0.0;
    Tensor y = attention(split_heads(fused(query_, x), heads_), split_heads(fused(key_, x), heads_),
                         split_heads(fused(value_, x), heads_), mask, drop);
    y = fused(project_, join_heads(y));
    if (drop > 0) y = torch::dropout(y, drop, true);
    const Tensor middle = norm_1_->forward(y + x);
    y = fused(contract_, torch::gelu(fused(expand_, middle)));
    if (drop > 0) y = torch::dropout(y, drop, true);
    return norm_2_->forward(y + middle);
  }

 private:
  int heads_;
  nn::Linear query_{nullptr}, key_{nullptr}, value_{nullptr}, project_{nullptr};
  nn::Linear expand_{nullptr}, contract_{nullptr};
  nn::LayerNorm norm_1_{nullptr}, norm_2_{nullptr};
};
TORCH_MODULE(BertLayer);

class BertModelImpl : public Folder {
 public:
  explicit BertModelImpl(const BertShape& shape) {
    auto embeddings = register_module("embeddings", std::make_shared<Folder>());
    words_ = put(embeddings, "word_embeddings", nn::Embedding(bert_vocabulary, shape.hidden));
    positions_ =
        put(embeddings, "position_embeddings", nn::Embedding(bert_positions, shape.hidden));
    types_ = put(embeddings, "token_type_embeddings", nn::Embedding(2, shape.hidden));
    norm_ = put(embeddings, "LayerNorm", layer_norm(shape.hidden, bert_eps));
    auto encoder = register_module("encoder", std::make_shared<Folder>());
    auto list = subfolder(encoder, "layer");
    for (int i = 0; i < shape.layers; ++i) {
      layers_.push_back(put(list, std::to_string(i), BertLayer(shape)));
    }
    auto pooler = register_module("pooler", std::make_shared<Folder>());
    pooler_ = put(pooler, "dense", nn::Linear(shape.hidden, shape.hidden));
  }

  /// `types` may be undefined (all zero), and so may `mask` (attend to all tokens).
  Tensor forward(const Tensor& ids, Tensor types, const Tensor& mask) {
    const Tensor places = torch::arange(ids.size(1), ids.options());
    if (!types.defined()) types = torch::zeros_like(ids);
    Tensor x = words_->forward(ids) + types_->forward(types);
    x = norm_->forward(x + positions_->forward(places));
    if (is_training()) x = torch::dropout(x, bert_dropout, true);
    for (auto& layer : layers_)
      x = layer->forward(x, mask);
    return x;
  }

  /// The "pooled" first token, [n, hidden].
  Tensor pool(const Tensor& x) { return torch::tanh(fused(pooler_, x.select(1, 0))); }

  [[nodiscard]] Tensor additive_mask(const Tensor& attended) {
    const Tensor hidden = 1 - attended.to(words_->weight.dtype());
    return hidden.view({attended.size(0), 1, 1, attended.size(1)}) * -1e4;
  }

 private:
  nn::Embedding words_{nullptr}, positions_{nullptr}, types_{nullptr};
  nn::LayerNorm norm_{nullptr};
  std::vector<BertLayer> layers_;
  nn::Linear pooler_{nullptr};
};
TORCH_MODULE(BertModel);

/// Weights normal with deviation 0.02, biases 0 (Devlin et al. 2019).
void initialize_bert(nn::Module& module) {
  torch::NoGradGuard no_grad;
  for (const auto& part : module.modules(false)) {
    if (auto* linear = part->as<nn::LinearImpl>()) {
      linear->weight.normal_(0, 0.02);
      if (linear->bias.defined()) linear->bias.zero_();
    } else if (auto* embedding = part->as<nn::EmbeddingImpl>()) {
      embedding->weight.normal_(0, 0.02);
    }
  }
}

class BertClassifier final : public Network {
 public:
  explicit BertClassifier(const BertShape& shape) {
    bert_ = register_module("bert", BertModel(shape));
    classifier_ = register_module("classifier", nn::Linear(shape.hidden, 2));
    initialize_bert(*this);
  }
  Tensor forward(Tensor ids) override {
    return fused(classifier_, bert_->pool(bert_->forward(ids, {}, {})));
  }

 private:
  BertModel bert_{nullptr};
  nn::Linear classifier_{nullptr};
};

class BertSquad final : public Network {
 public:
  explicit BertSquad(const BertShape& shape) {
    const auto head = [&] { return nn::Linear(nn::LinearOptions(shape.hidden, 1).bias(false)); };
    bert_ = register_module("bert", BertModel(shape));
    start_ = register_module("start", head());
    end_ = register_module("end", head());
    initialize_bert(*this);
  }
  Tensor forward(Tensor x) override {
    const Tensor y =
        bert_->forward(x.select(1, 0), x.select(1, 1), bert_->additive_mask(x.select(1, 2)));
    return torch::stack({fused(start_, y).squeeze(2), fused(end_, y).squeeze(2)}, 1);
  }

 private:
  BertModel bert_{nullptr};
  nn::Linear start_{nullptr}, end_{nullptr};
};

}  // namespace

NetworkPtr make_vit_b_16(int size) {
  return std::make_shared<VitB16>(size);
}
NetworkPtr make_bert_classifier(const BertShape& shape) {
  return std::make_shared<BertClassifier>(shape);
}
NetworkPtr make_bert_squad(const BertShape& shape) {
  return std::make_shared<BertSquad>(shape);
}

}  // namespace ergo::workload
