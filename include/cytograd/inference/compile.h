#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "cytograd/core/tensor.h"

/// @file
/// Networks made ready for inference: one run of the network is watched, batch norms are folded
/// into the convolutions before them, activations, residual sums and concatenations are joined to
/// the kernels that produce them, weights are packed, and memory is planned, once.

namespace cytograd::inference {

/// Work and memory of one step, for a batch of one.
struct StepCost {
  std::string name;       ///< "conv2d 3x3 [56, 56, 64] -> [56, 56, 64] + residual, relu"
  double flops = 0;       ///< multiplications and additions
  int64_t bytes_out = 0;  ///< written
};

/// A network in its inference form. It holds its own copy of the weights: later training of the
/// model does not change it. Calls from many threads at once are allowed; each has its own
/// workspace, which is kept for the next call, so that repeated runs allocate nothing but their
/// result.
class CompiledModel {
 public:
  struct Program;  // private to the sources

  /// The network's result for x [N, ...] of the compiled shape and dtype; any N >= 0. Results of an
  /// image do not depend on the others in the batch nor on the number of threads, and differ from
  /// the network's own by rounding (sums in another order).
  /// @throws ShapeError, DtypeError or DeviceError if x is not of the compiled shape, dtype or
  /// device
  Tensor operator()(const Tensor& x) const;
  /// The same into `result`, packed and of the right shape, without allocating once the thread and
  /// batch size are known. @throws ShapeError, DtypeError
  void run(const Tensor& x, const Tensor& result) const;

  /// The same, adding to seconds[i] what step i of `steps()` took.
  /// @throws ValueError unless `seconds` is empty or has one element for every step
  void run(const Tensor& x, const Tensor& result, std::span<double> seconds) const;

  /// Without the batch axis.
  const Shape& input_shape() const;
  const Shape& output_shape() const;
  Dtype dtype() const;
  Device device() const;
  /// Bytes of intermediate results for a batch of n (large batches run in parts, so it stops
  /// growing), and of packed weights.
  int64_t workspace_bytes(int64_t n) const;
  int64_t weight_bytes() const;
  /// What runs, in order.
  std::vector<StepCost> steps() const;

  explicit CompiledModel(std::shared_ptr<const Program> program);

 private:
  std::shared_ptr<const Program> program_;
};

struct CompileOptions {
  Dtype dtype = Dtype::float32;  ///< of the model: float32 or float64
  int64_t batch = 1;             ///< usual size of a batch; chooses algorithms, other sizes run too
  Device device{};               ///< where the model lives and the compiled form runs
  bool bfloat16 = false;  ///< on a device: weights and intermediate values are stored in bfloat16,
                          ///< sums, input and result are float32
};

/// Compiles `f`, a function of one batch, by running it once on zeros [2, ...image].
///
/// `f` must be made of convolutions (conv2d), linear layers, batch norms in evaluation mode,
/// pooling, elementwise functions, sums of equal shapes, channel concatenations, upsampling and
/// reshapes, with no dependence between images; models in evaluation mode are. Grouped
/// convolutions, and functions applied to constants, run as they are. In float32, 3x3 convolutions
/// of stride 1 may run by Winograd's F(4x4, 3x3), which rounds more (relative errors near 1e-5
/// instead of 1e-6).
///
/// On a device biases, residual sums, activations and the map of a pointwise convolution's input
/// are part of the convolution; a call returns before its kernels have run, and may be captured in
/// a graph. Threads that use different streams have workspaces of their own.
///
/// @param f      as `[&](const Tensor& x) { return model(x); }`; destroyed before filters are
/// packed:
///               where it alone owns the model, each weight is freed as soon as it is packed
/// @param image  shape of one input without the batch, as [224, 224, 3]
/// @throws ValueError if batch < 1 or bfloat16 is asked for on the CPU; StateError for batch norm
/// or dropout in training mode; ValueError naming an operation that has no inference form here;
/// ShapeError, DtypeError
CompiledModel compile(std::function<Tensor(const Tensor&)> f, const Shape& image,
                      const CompileOptions& options = {});

/// The same for a model with `forward`, put into evaluation mode for the moment of compiling.
template <class Model>
requires requires(Model& m, const Tensor& x) {
  m.forward(x);
  m.eval();
}
CompiledModel compile(Model& model, const Shape& image, const CompileOptions& options = {}) {
  const bool training = model.training();
  model.eval();
  CompiledModel out =
      compile([&model](const Tensor& x) { return model.forward(x); }, image, options);
  model.train(training);
  return out;
}

/// The same for a model that is given up: at no time are all weights in memory twice.
template <class Model>
requires requires(Model& m, const Tensor& x) {
  m.forward(x);
  m.eval();
}
CompiledModel compile(std::unique_ptr<Model> model, const Shape& image,
                      const CompileOptions& options = {}) {
  model->eval();
  return compile([owned = std::shared_ptr<Model>(std::move(model))](
                     const Tensor& x) { return owned->forward(x); },
                 image, options);
}

}  // namespace cytograd::inference
