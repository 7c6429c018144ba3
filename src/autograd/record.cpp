#include "cytograd/autograd/record.h"

#include <algorithm>
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

SavedTensors::SavedTensors(Saved saved, const Tensors& inputs) {
  for (Tensor& tensor : saved.tensors) {
    Entry entry;
    if (tensor.defined()) {
      const auto is_same = [&](const Tensor& x) {
        return x.defined() && x.node() == tensor.node();
      };
      const auto at = std::find_if(inputs.begin(), inputs.end(), is_same);
      if (tensor.node() && tensor.node()->recomputes() && at != inputs.end()) {
        entry.from_input = static_cast<int>(at - inputs.begin());
      } else {
        entry.version = tensor.storage()->version();
        // A handle of its own, also where there is no node yet: the output gets one after this.
        entry.tensor = tensor.detach();
      }
    }
    entries_.push_back(std::move(entry));
  }
}

void SavedTensors::verify(const char* op) const {
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Entry& e = entries_[i];
    check<StateError>(!e.tensor.defined() || e.tensor.storage()->version() == e.version, op,
                      "a tensor saved for backward (number ", i, ", shape ",
                      e.tensor.defined() ? e.tensor.shape() : Shape{}, ") was changed in place");
  }
}

void SavedTensors::restore(const std::vector<Input>& inputs) {
  for (Entry& entry : entries_) {
    if (entry.from_input < 0 || entry.tensor.defined()) continue;
    Node& maker = *inputs[static_cast<size_t>(entry.from_input)].node;
    check<StateError>(!maker.consumed, maker.name,
                      "backward was already run through this graph; compute the result again");
    entry.tensor = maker.recompute();
    entry.version = entry.tensor.storage()->version();
  }
}

void SavedTensors::clear() { entries_.clear(); }

}  // namespace autograd
}  // namespace cytograd
