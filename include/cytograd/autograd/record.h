#pragma once

#include <initializer_list>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/autograd/trace.h"
#include "cytograd/core/error.h"
#include "cytograd/core/tensor.h"

/// @file
/// Define-by-run differentiation. An operation computes its result, then calls `record` with what
/// backward needs; `Tensor::backward` walks the nodes by falling sequence number.

namespace cytograd {

using Grads = std::vector<Tensor>;

/// Tensors kept for backward: data without graph, so that keeping an output makes no cycle.
struct Saved {
  std::vector<Tensor> tensors;
  Saved() = default;
  Saved(std::initializer_list<Tensor> list) : tensors(list) {}
};

/// For rules without options.
struct NoParams {};

namespace autograd {

struct Node;

/// What a node remembers of one input.
struct Input {
  std::shared_ptr<Node> node;  ///< null when no gradient is wanted
  Shape shape;
  Dtype dtype;
};

/// Leaves whose gradients live in memory of the group, which learns in each backward pass when a
/// gradient is complete (optim/gradient_buckets.h). Calls come from the thread that runs backward,
/// with recording off.
class LeafGroup {
 public:
  virtual ~LeafGroup() = default;
  /// A pass begins that gives a gradient to these of its leaves, in any order.
  virtual void begin_pass(const std::vector<size_t>& leaves) = 0;
  /// The last term of a leaf's gradient was added.
  virtual void complete(size_t leaf) = 0;
};

/// The place of a leaf's gradient in a group.
struct LeafHome {
  LeafGroup* group;
  size_t leaf;
  Tensor place;  ///< packed; shape and dtype of the leaf
};
/// Gives a leaf a home, or takes it away (null); its gradient so far stays its own or moves in.
void set_home(Node& leaf, std::unique_ptr<LeafHome> home);

/// One recorded operation, or a leaf (a tensor whose gradient is kept).
struct Node {
  const char* name = "";
  uint64_t sequence = 0;  ///< 0 for leaves; grows with every recorded operation
  Shape shape;            ///< of the output
  Dtype dtype = Dtype::float32;
  std::vector<Input> inputs;
  Tensor leaf_grad;  ///< leaves only; `home->place` or undefined where there is a home
  std::unique_ptr<LeafHome> home;  ///< of a leaf in a group
  bool consumed = false;

  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  virtual ~Node();
  /// @param sums  per input, what its gradient holds so far if the rule may add to it; the rule
  ///              takes what it uses (Back::take_sum)
  virtual Grads backward(const Tensor& grad_output, Grads& sums) {
    (void)grad_output, (void)sums;
    return {};
  }
  /// Can the output be computed again, so that nobody needs to keep it?
  virtual bool recomputes() const { return false; }
  /// The output again. @throws StateError if what it is made of was changed in place
  virtual Tensor recompute() { return {}; }
  /// Frees what was saved; called once the rule has run.
  virtual void release() {}
};

uint64_t next_sequence();
bool any_requires_grad(const Tensors& inputs);
/// Fills `node` and makes `output` its result. Returns output.
Tensor attach(std::shared_ptr<Node> node, const char* name, const Tensors& inputs, Tensor output);

/// Saved tensors with the storage versions they had. An input that its operation can compute again
/// is not kept, but computed when it is needed.
class SavedTensors {
 public:
  SavedTensors(Saved saved, const Tensors& inputs);
  /// @throws StateError if one of them was changed in place since
  void verify(const char* op) const;
  /// Computes what was not kept. @throws StateError if its operation was consumed by an earlier
  /// backward
  void restore(const std::vector<Input>& inputs);
  void clear();
  const Tensor& operator[](size_t i) const { return entries_[i].tensor; }
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Tensor tensor;
    uint64_t version = 0;
    int from_input = -1;  // which input this is, if it is to be computed again
  };
  std::vector<Entry> entries_;
};

/// What a backward rule sees.
template <class P>
struct Back {
  const SavedTensors& saved;
  const P& params;
  const std::vector<Input>& inputs;
  Grads& sums;
  /// Does input i want a gradient? Return an undefined Tensor there if not.
  bool needs(size_t i) const { return inputs[i].node != nullptr; }
  const Shape& input_shape(size_t i) const { return inputs[i].shape; }
  /// For rules that can add their gradient to memory at no cost: the gradient that input i has
  /// from other uses, in memory that only the engine sees, or undefined. Whoever takes it adds to
  /// it and returns it as the gradient of input i. Has a row_stride, is not always packed.
  Tensor take_sum(size_t i) const { return std::exchange(sums[i], Tensor{}); }
};

template <class P, class Rule>
struct RecordedNode : Node {
  SavedTensors saved;
  P params;
  RecordedNode(Saved s, P p, const Tensors& inputs)
      : saved(std::move(s), inputs), params(std::move(p)) {}
  Grads backward(const Tensor& grad_output, Grads& sums) override {
    saved.verify(name);
    saved.restore(inputs);
    return Rule{}(Back<P>{saved, params, inputs, sums}, grad_output);
  }
  void release() override { saved.clear(); }
};

template <class P, class Rule, class Again>
struct RecomputedNode final : RecordedNode<P, Rule> {
  using RecordedNode<P, Rule>::RecordedNode;
  bool recomputes() const override { return true; }
  Tensor recompute() override {
    this->saved.verify(this->name);
    this->saved.restore(this->inputs);
    Grads none;
    return Again{}(Back<P>{this->saved, this->params, this->inputs, none});
  }
};

template <class NodeType, class P>
Tensor record_as(const char* name, const Tensors& inputs, Tensor output, Saved saved, P params) {
  if (Tracer* t = tracer())
    t->operation(name, inputs, output, saved.tensors, {&typeid(P), &params});
  if (!grad_enabled() || !any_requires_grad(inputs)) return output;
  auto node = std::make_shared<NodeType>(std::move(saved), std::move(params), inputs);
  return attach(std::move(node), name, inputs, std::move(output));
}

}  // namespace autograd

/// Records `output = name(inputs)` if recording is on and an input requires a gradient.
///
/// @param saved   tensors for the rule   @param params  plain values for the rule
/// @param rule    `(const auto& back, const Tensor& dy) -> Grads`, one gradient per input with its
/// shape and
///                dtype, undefined where `!back.needs(i)`. Captures nothing, which is checked here,
///                so that a graph owns exactly what was saved. Runs with recording off; `dy` has
///                the output's shape and may be strided; if dy.is_unshared(), the rule may write
///                over it.
template <class P, class Rule>
Tensor record(const char* name, const Tensors& inputs, Tensor output, Saved saved, P params, Rule) {
  static_assert(std::is_empty_v<Rule>, "a backward rule captures nothing: pass values in params");
  return autograd::record_as<autograd::RecordedNode<P, Rule>>(name, inputs, std::move(output),
                                                              std::move(saved), std::move(params));
}
/// The same for an operation whose output need not be kept: an operation that saves it runs
/// `again`, `(const auto& back) -> Tensor`, in its backward pass and gets the output, made of what
/// this one saved. Must give the same bits.
template <class P, class Rule, class Again>
Tensor record_recomputed(const char* name, const Tensors& inputs, Tensor output, Saved saved,
                         P params, Rule, Again) {
  static_assert(std::is_empty_v<Rule> && std::is_empty_v<Again>, "rules capture nothing");
  return autograd::record_as<autograd::RecomputedNode<P, Rule, Again>>(
      name, inputs, std::move(output), std::move(saved), std::move(params));
}
template <class Rule>
Tensor record(const char* name, const Tensors& inputs, Tensor output, Saved saved, Rule rule) {
  return record(name, inputs, std::move(output), std::move(saved), NoParams{}, rule);
}

}  // namespace cytograd
