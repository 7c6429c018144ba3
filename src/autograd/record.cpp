#include "cytograd/autograd/record.h"

#include <atomic>

namespace cytograd {
namespace {
thread_local bool enabled = true;
}

bool grad_enabled() { return enabled; }
GradMode::GradMode(bool value) : previous_(std::exchange(enabled, value)) {}
GradMode::~GradMode() { enabled = previous_; }

namespace autograd {

uint64_t next_sequence() {
  static std::atomic<uint64_t> counter{0};
  return ++counter;
}

bool any_requires_grad(const Tensors& inputs) {
  for (const Tensor& input : inputs)
    if (input.defined() && input.requires_grad()) return true;
  return false;
}

Tensor attach(std::shared_ptr<Node> node, const char* name, const Tensors& inputs, Tensor output) {
  check<InternalError>(!output.requires_grad(), name,
                       "the result already has a place in the graph");
  node->name = name;
  node->sequence = next_sequence();
  node->shape = output.shape();
  node->dtype = output.dtype();
  node->inputs.reserve(inputs.size());
  for (const Tensor& input : inputs) {
    if (input.defined())
      node->inputs.push_back({input.node(), input.shape(), input.dtype()});
    else
      node->inputs.push_back({nullptr, Shape{}, Dtype::float32});
  }
  output.set_node(std::move(node));
  return output;
}

// A deep graph freed by recursion would overflow the stack: children that only this node keeps are
// moved to a list first.
Node::~Node() {
  std::vector<std::shared_ptr<Node>> pending;
  const auto take = [&pending](Node& node) {
    for (Input& input : node.inputs)
      if (input.node && input.node.use_count() == 1) pending.push_back(std::move(input.node));
  };
  take(*this);
  while (!pending.empty()) {
    const std::shared_ptr<Node> node = std::move(pending.back());
    pending.pop_back();
    take(*node);
  }
}

SavedTensors::SavedTensors(Saved saved) : tensors_(std::move(saved.tensors)) {
  for (Tensor& tensor : tensors_) {
    versions_.push_back(tensor.defined() ? tensor.storage()->version() : 0);
    // A handle of its own, also where there is no node yet: the output gets one after this.
    if (tensor.defined()) tensor = tensor.detach();
  }
}

void SavedTensors::verify(const char* op) const {
  for (size_t i = 0; i < tensors_.size(); ++i)
    check<StateError>(!tensors_[i].defined() || tensors_[i].storage()->version() == versions_[i],
                      op, "a tensor saved for backward (number ", i, ", shape ",
                      tensors_[i].defined() ? tensors_[i].shape() : Shape{},
                      ") was changed in place");
}

void SavedTensors::clear() { tensors_.clear(); }

}  // namespace autograd
}  // namespace cytograd
