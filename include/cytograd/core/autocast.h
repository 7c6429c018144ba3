#pragma once

namespace cytograd {

/// While it lives, convolutions and matrix products (conv2d, conv_transpose2d, linear, matmul) of
/// this thread round their float32 operands and results to bfloat16 on CUDA: tensor cores, sums in
/// float32. What goes in and comes out is float32, and so are weights, their gradients, the
/// optimiser and everything else: bfloat16 has the exponents of float32, so no loss is scaled. On
/// the CPU, and for other dtypes, nothing changes. Scopes nest; the gradient of a product has the
/// precision that its forward pass had.
class Autocast {
 public:
  explicit Autocast(bool on = true);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool outer_;
};

/// Is this thread inside such a scope?
bool autocast_enabled();

}  // namespace cytograd
