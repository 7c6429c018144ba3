#pragma once

#include <functional>
#include <memory>

#include "bench/support/case.h"
#include "cytograd/autograd/grad_mode.h"

/// @file
/// Passes of a differentiable operation as work. Operations are timed as programs call them, with
/// validation, allocation and recording; their kernels are large enough here to hide that.

namespace cytograd::bench {

using Op = std::function<Tensor()>;

/// y = op(), without a graph.
inline Work forward_pass(Op op) {
  return {[op = std::move(op)] {
    const NoGrad no_grad;
    op();
  }};
}

/// The gradients of the tensors in `leaves` from a random gradient of y = op(), which is run
/// untimed before.
inline Work backward_pass(Op op, Tensors leaves) {
  struct State {
    Tensor y, dy;
  };
  const auto state = std::make_shared<State>();
  for (const Tensor& leaf : leaves) leaf.set_requires_grad(true);
  return {.run = [state] { state->y.backward(state->dy); },
          .prepare =
              [state, op = std::move(op), leaves = std::move(leaves)] {
                for (const Tensor& leaf : leaves) leaf.zero_grad();
                state->y = op();
                if (!state->dy.defined()) state->dy = random_tensor(state->y.shape());
              }};
}

}  // namespace cytograd::bench
