#include <map>
#include <unordered_map>

#include "cytograd/autograd/record.h"
#include "kernels/elementwise.h"

namespace cytograd {
namespace {

using autograd::Node;

// Nobody else can see this memory, so it may be added into.
bool may_add_into(const Tensor& t) {
  return t.is_unshared() && t.is_contiguous() && t.offset() == 0;
}

void accumulate(Tensor& sum, Tensor term) {
  if (!sum.defined()) {
    sum = std::move(term);
  } else if (may_add_into(sum)) {
    kernels::add_into(sum, term.contiguous());
  } else {
    Tensor fresh = sum.clone();
    kernels::add_into(fresh, term.contiguous());
    sum = std::move(fresh);
  }
}

void check_gradient(const Node& node, size_t i, const Tensor& grad) {
  const autograd::Input& input = node.inputs[i];
  check<InternalError>(grad.shape() == input.shape && grad.dtype() == input.dtype, node.name,
                       "the backward rule returned ", grad.dtype(), " ", grad.shape(),
                       " for input ", i, ", expected ", input.dtype, " ", input.shape);
}

void run(const std::shared_ptr<Node>& root, const Tensor& grad_output) {
  // Larger sequence = recorded later: a node is ready once every later node has run.
  std::map<uint64_t, std::pair<std::shared_ptr<Node>, Tensor>, std::greater<>> ready;
  const auto deliver = [&ready](const std::shared_ptr<Node>& node, Tensor grad) {
    if (node->sequence == 0) {
      // A leaf owns its gradient: later accumulation must not write into memory that others share.
      if (!node->leaf_grad.defined() && !may_add_into(grad)) grad = grad.clone();
      accumulate(node->leaf_grad, std::move(grad));
      return;
    }
    auto& slot = ready[node->sequence];
    if (!slot.first) slot.first = node;
    accumulate(slot.second, std::move(grad));
  };
  deliver(root, grad_output);
  while (!ready.empty()) {
    auto [node, grad] = std::move(ready.begin()->second);
    ready.erase(ready.begin());
    check<StateError>(!node->consumed, node->name,
                      "backward was already run through this graph; compute the result again");
    Grads grads = node->backward(grad);
    grad = Tensor{};
    node->release();
    node->consumed = true;
    check<InternalError>(grads.size() == node->inputs.size(), node->name,
                         "the backward rule returned ", grads.size(), " gradients for ",
                         node->inputs.size(), " inputs");
    for (size_t i = 0; i < grads.size(); ++i) {
      if (!node->inputs[i].node) continue;
      check<InternalError>(grads[i].defined(), node->name, "the backward rule left out input ", i);
      check_gradient(*node, i, grads[i]);
      deliver(node->inputs[i].node, std::exchange(grads[i], Tensor{}));
    }
  }
}

}  // namespace

void Tensor::backward() const {
  check<ShapeError>(numel() == 1, "backward", "a result of one element is expected, got ", shape(),
                    "; pass the gradient of each element");
  backward(Tensor::ones(shape(), dtype()));
}

void Tensor::backward(const Tensor& grad_output) const {
  check<StateError>(requires_grad(), "backward", "nothing here requires a gradient");
  check<ShapeError>(grad_output.shape() == shape(), "backward", "the gradient expects shape ",
                    shape(), ", got ", grad_output.shape());
  check<DtypeError>(grad_output.dtype() == dtype(), "backward", "the gradient expects ", dtype(),
                    ", got ", grad_output.dtype());
  const NoGrad no_grad;
  run(node(), grad_output);
}

}  // namespace cytograd
