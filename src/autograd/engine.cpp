#include <atomic>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "cytograd/autograd/record.h"
#include "cytograd/core/autocast.h"
#include "kernels/elementwise.h"
#include "kernels/row_stride.h"

namespace cytograd {
namespace {

using autograd::Node;

// Nobody else can see this memory and no element repeats, so it may be added into. A view that
// outlived the others of its storage is such a tensor, too.
bool may_add_into(const Tensor& t) { return t.is_unshared() && row_stride(t) >= 0; }

// The same for a gradient that stays: it must not keep a larger block alive.
bool may_keep(const Tensor& t) {
  return may_add_into(t) && t.is_contiguous() && t.bytes() == t.storage()->bytes();
}

void accumulate(Tensor& sum, Tensor term) {
  if (!sum.defined()) {
    sum = std::move(term);
  } else if (may_add_into(sum)) {
    kernels::add_into(sum, term);
  } else {
    Tensor fresh = sum.clone();
    kernels::add_into(fresh, term);
    sum = std::move(fresh);
  }
}

void check_gradient(const Node& node, size_t i, const Tensor& grad) {
  const autograd::Input& input = node.inputs[i];
  check<InternalError>(grad.shape() == input.shape && grad.dtype() == input.dtype, node.name,
                       "the backward rule returned ", grad.dtype(), " ", grad.shape(),
                       " for input ", i, ", expected ", input.dtype, " ", input.shape);
}

// Leaves with a home, of all threads: passes that cannot meet one need not look for them.
std::atomic<int64_t> homes{0};

// How many terms the gradient of each leaf with a home gets in a pass that begins at `root`.
using Terms = std::unordered_map<Node*, int64_t>;
Terms count_terms(Node* root) {
  Terms terms;
  std::unordered_set<Node*> seen{root};
  std::vector<Node*> pending{root};
  if (root->home) ++terms[root];
  while (!pending.empty()) {
    const Node* node = pending.back();
    pending.pop_back();
    for (const autograd::Input& input : node->inputs) {
      if (!input.node) continue;
      if (input.node->home) ++terms[input.node.get()];
      if (seen.insert(input.node.get()).second) pending.push_back(input.node.get());
    }
  }
  return terms;
}

// One backward pass.
class Run {
 public:
  explicit Run(Node* root) {
    if (homes == 0) return;
    terms_ = count_terms(root);
    std::map<autograd::LeafGroup*, std::vector<size_t>> groups;
    for (const auto& [leaf, count] : terms_) groups[leaf->home->group].push_back(leaf->home->leaf);
    for (const auto& [group, leaves] : groups) group->begin_pass(leaves);
  }

  void deliver(const std::shared_ptr<Node>& node, Tensor grad) {
    if (node->home) return deliver_home(*node, grad);
    if (node->sequence == 0) {
      // A leaf owns its gradient: later accumulation must not write into memory that others share.
      if (!node->leaf_grad.defined() && !may_keep(grad)) grad = grad.clone();
      accumulate(node->leaf_grad, std::move(grad));
      return;
    }
    auto& slot = ready_[node->sequence];
    if (!slot.first) slot.first = node;
    accumulate(slot.second, std::move(grad));
  }

  void finish() {
    while (!ready_.empty()) {
      auto [node, grad] = std::move(ready_.begin()->second);
      ready_.erase(ready_.begin());
      step(*node, std::move(grad));
    }
  }

 private:
  void deliver_home(Node& leaf, const Tensor& grad) {
    const Tensor& place = leaf.home->place;
    if (leaf.leaf_grad.defined())
      kernels::add_into(place, grad);
    else
      place.copy_(grad);
    leaf.leaf_grad = place;
    if (--terms_[&leaf] == 0) leaf.home->group->complete(leaf.home->leaf);
  }

  void step(Node& node, Tensor grad) {
    check<StateError>(!node.consumed, node.name,
                      "backward was already run through this graph; compute the result again");
    Grads sums = offer(node);
    Grads grads = node.backward(grad, sums);
    grad = Tensor{};
    node.release();
    node.consumed = true;
    check<InternalError>(grads.size() == node.inputs.size(), node.name,
                         "the backward rule returned ", grads.size(), " gradients for ",
                         node.inputs.size(), " inputs");
    for (size_t i = 0; i < sums.size(); ++i)
      if (sums[i].defined()) ready_[node.inputs[i].node->sequence].second = std::move(sums[i]);
    for (size_t i = 0; i < grads.size(); ++i) {
      if (!node.inputs[i].node) continue;
      check<InternalError>(grads[i].defined(), node.name, "the backward rule left out input ", i);
      check_gradient(node, i, grads[i]);
      deliver(node.inputs[i].node, std::exchange(grads[i], Tensor{}));
    }
  }

  // What the inputs of a node have so far, out of their slots, where the rule may add to it.
  Grads offer(const Node& node) {
    Grads sums(node.inputs.size());
    for (size_t i = 0; i < sums.size(); ++i) {
      if (!node.inputs[i].node) continue;
      const auto at = ready_.find(node.inputs[i].node->sequence);
      if (at == ready_.end() || !at->second.second.defined()) continue;
      if (may_add_into(at->second.second)) sums[i] = std::move(at->second.second);
    }
    return sums;
  }

  // Larger sequence = recorded later: a node is ready once every later node has run.
  std::map<uint64_t, std::pair<std::shared_ptr<Node>, Tensor>, std::greater<>> ready_;
  Terms terms_;  // still to come
};

}  // namespace

void autograd::set_home(Node& leaf, std::unique_ptr<LeafHome> home) {
  homes += (home ? 1 : 0) - (leaf.home ? 1 : 0);
  if (leaf.leaf_grad.defined()) {
    const NoGrad no_grad;
    if (home)
      home->place.copy_(leaf.leaf_grad);
    else
      leaf.leaf_grad = leaf.leaf_grad.clone();
    if (home) leaf.leaf_grad = home->place;
  }
  leaf.home = std::move(home);
}

void Tensor::backward() const {
  check<ShapeError>(numel() == 1, "backward", "a result of one element is expected, got ", shape(),
                    "; pass the gradient of each element");
  backward(Tensor::ones(shape(), dtype(), device()));
}

void Tensor::backward(const Tensor& grad_output) const {
  check<StateError>(requires_grad(), "backward", "nothing here requires a gradient");
  check<ShapeError>(grad_output.shape() == shape(), "backward", "the gradient expects shape ",
                    shape(), ", got ", grad_output.shape());
  check<DtypeError>(grad_output.dtype() == dtype(), "backward", "the gradient expects ", dtype(),
                    ", got ", grad_output.dtype());
  check<DeviceError>(grad_output.device() == device(), "backward", "the gradient expects ",
                     device(), ", got ", grad_output.device());
  const NoGrad no_grad;
  const Autocast as_recorded(false);  // rules get and give the dtypes that their forward pass had
  Run run(node().get());
  run.deliver(node(), grad_output);
  run.finish();
}

}  // namespace cytograd
