#include "networks/mac_counter.hpp"

#include <ATen/ATen.h>

#include <array>
#include <memory>
#include <string_view>
#include <vector>

namespace ergo::workload {
namespace {

struct CountState {
  std::int64_t total = 0;
  int depth = 0;  // counted operators call others: only the outermost one counts
};

// RecordFunction takes plain function pointers, so the count of this thread has to be reachable
// from them.
thread_local CountState count_state;

enum class OperatorKind { convolution, product, attention };

struct CountedOperator {
  std::string_view name;
  OperatorKind kind;
  std::size_t left;  // which input is the left factor of a product
};

constexpr std::array<CountedOperator, 11> counted_operators{{
    {"aten::convolution", OperatorKind::convolution, 0},
    {"aten::_convolution", OperatorKind::convolution, 0},
    {"aten::linear", OperatorKind::product, 0},
    {"aten::matmul", OperatorKind::product, 0},
    {"aten::mm", OperatorKind::product, 0},
    {"aten::bmm", OperatorKind::product, 0},
    {"aten::mv", OperatorKind::product, 0},
    {"aten::addmm", OperatorKind::product, 1},
    {"aten::baddbmm", OperatorKind::product, 1},
    {"aten::addmv", OperatorKind::product, 1},
    {"aten::scaled_dot_product_attention", OperatorKind::attention, 0},
}};

const CountedOperator* counted(std::string_view name) {
  for (const CountedOperator& op : counted_operators) {
    if (op.name == name) return &op;
  }
  return nullptr;
}

/// What has to be kept of an operator's inputs until its output is there.
struct CountContext final : at::ObserverContext {
  bool counts = false;               ///< false inside of another counted operator
  std::int64_t of_inputs = 0;        ///< multiply-adds that the inputs alone decide
  std::int64_t for_each_output = 0;  ///< multiply-adds for each element of the output
};

void read_convolution(c10::ArrayRef<const c10::IValue> inputs, CountContext& context) {
  const at::Tensor input = inputs[0].toTensor(), weight = inputs[1].toTensor();
  const std::int64_t for_each = weight.numel() / weight.size(0);
  const bool transposed = inputs[6].toBool();
  if (transposed) {
    context.of_inputs = input.numel() * for_each;
  } else {
    context.for_each_output = for_each;
  }
}

void read_attention(c10::ArrayRef<const c10::IValue> inputs, CountContext& context) {
  const std::int64_t keys = inputs[1].toTensor().size(-2);
  context.of_inputs = inputs[0].toTensor().numel() * keys;
  context.for_each_output = keys;
}

std::unique_ptr<at::ObserverContext> begin_operator(const at::RecordFunction& call) {
  const CountedOperator* op = counted(call.name());
  if (op == nullptr) return nullptr;
  auto context = std::make_unique<CountContext>();
  context->counts = ++count_state.depth == 1;
  if (!context->counts) return context;
  const auto inputs = call.inputs();
  switch (op->kind) {
    case OperatorKind::convolution:
      read_convolution(inputs, *context);
      break;
    case OperatorKind::product:
      context->for_each_output = inputs[op->left].toTensor().size(-1);
      break;
    case OperatorKind::attention:
      read_attention(inputs, *context);
      break;
  }
  return context;
}

void end_operator(const at::RecordFunction& call, at::ObserverContext* context) {
  if (context == nullptr) return;
  --count_state.depth;
  const auto& counting = static_cast<const CountContext&>(*context);
  const auto& outputs = call.outputs();
  if (!counting.counts || outputs.empty() || !outputs[0].isTensor()) return;
  count_state.total +=
      counting.of_inputs + outputs[0].toTensor().numel() * counting.for_each_output;
}

}  // namespace

MacCounter::MacCounter() {
  count_state = {};
  handle_ = at::addThreadLocalCallback(at::RecordFunctionCallback(begin_operator, end_operator)
                                           .needsInputs(true)
                                           .needsOutputs(true)
                                           .scopes({at::RecordScope::FUNCTION}));
}

MacCounter::~MacCounter() {
  at::removeCallback(handle_);
}

std::int64_t MacCounter::total() const {
  return count_state.total;
}

}  // namespace ergo::workload
