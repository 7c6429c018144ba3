#pragma once

namespace cytograd {

/// While it lives, operations of this thread on CUDA compute in bfloat16 where that suffices; on
/// the CPU, and for float64, nothing changes. Scopes nest.
///
/// - Products (conv2d, conv_transpose2d, linear, matmul) round their float32 operands to bfloat16,
///   multiply on tensor cores, add in float32 and return bfloat16.
/// - What follows keeps the bfloat16 that it gets, in memory; each element is computed in float32
///   and rounded once: norms (statistics, parameters and their gradients in float32), relu and
///   other bounded functions, sums and products of elements, pooling, resizing, dropout,
///   concatenation, roi_align.
/// - Sums over many elements, softmax, distances, losses, gather and scatter, and functions that
///   are steep somewhere (exp, log, sqrt, powers, softplus) take bfloat16 as float32 and return
///   float32. So does an operation on one operand of each type.
///
/// Only the first point needs the scope: bfloat16 tensors on CUDA are treated so everywhere.
/// Weights, their gradients and the optimiser are float32: a conversion is an operation whose
/// gradient converts back. bfloat16 has the exponents of float32, so no loss is scaled. The
/// backward pass has the types that the forward pass had, inside a scope or not.
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
