#pragma once

#include <chrono>
#include <utility>

#include "inference/program.h"
#include "kernels/binary.h"
#include "kernels/elementwise.h"

/// @file
/// What a pass through the steps does on every device. Convolutions and affine maps differ.

namespace cytograd::inference {

template <class Context>
class Run {
 public:
  Run(Context ctx, const CompiledModel::Program& program, const Workspace& workspace,
      const Tensor& x, const Tensor& y)
      : ctx_(ctx), program_(program), workspace_(workspace), x_(x), y_(y), n_(x.size(0)) {}
  virtual ~Run() = default;

  void steps(std::span<double> seconds) const {
    using Clock = std::chrono::steady_clock;
    Clock::time_point begin = Clock::now();
    for (size_t i = 0; i < program_.graph.steps.size(); ++i) {
      step(program_.graph.steps[i], i);
      if (seconds.empty()) continue;
      wait();
      const Clock::time_point end = Clock::now();
      seconds[i] += std::chrono::duration<double>(end - std::exchange(begin, end)).count();
    }
    if (program_.graph.output == 0) kernels::copy(ctx_, y_, x_);
  }

 protected:
  virtual void conv(const Step& s, size_t i) const = 0;
  virtual void grouped_conv(const Step& s, size_t i) const = 0;
  virtual void affine(const Step& s) const = 0;
  /// For what was started.
  virtual void wait() const {}

  Tensor view(int v) const {
    const Place& p = program_.place(v);
    if (p.buffer >= 0) return workspace_.values[static_cast<size_t>(v)];
    const Tensor& t = p.buffer == kInput ? x_ : y_;
    return slice_of(t, t.offset(), p, batched(n_, program_.value(v).shape));
  }
  int64_t pitch(int v) const { return program_.place(v).pitch; }
  /// Sizes of a convolution of this batch.
  kernels::Conv2dShape conv_shape(const Step& s) const {
    kernels::Conv2dShape shape = s.conv;
    shape.n = n_;
    if (s.kind == Kind::grouped_conv) return shape;
    // A linear layer reads the axes of an image as channels: then the value is packed.
    shape.x_pitch = program_.value(s.inputs[0]).packed ? 0 : pitch(s.inputs[0]);
    shape.y_pitch = pitch(s.output);
    return shape;
  }

  Context ctx_;
  const CompiledModel::Program& program_;
  const Workspace& workspace_;
  const Tensor &x_, &y_;
  int64_t n_;

 private:
  void step(const Step& s, size_t i) const {
    const int in = s.inputs[0], out = s.output;
    switch (s.kind) {
      case Kind::conv:
        return conv(s, i);
      case Kind::grouped_conv:
        return grouped_conv(s, i);
      case Kind::affine:
        return affine(s);
      case Kind::unary:
        return kernels::unary(ctx_, s.function, s.params, view(in), view(out));
      case Kind::add:
        return sum(s);
      case Kind::max_pool:
        return kernels::max_pool2d(ctx_, view(in), s.windows, view(out), Tensor{});
      case Kind::avg_pool:
        return kernels::avg_pool2d(ctx_, view(in), s.windows, view(out));
      case Kind::upsample_nearest:
        return kernels::upsample_nearest(ctx_, view(in), s.taps, view(out));
      case Kind::upsample_bilinear:
        return kernels::upsample_bilinear(ctx_, view(in), s.taps, view(out));
      case Kind::concat:
        return concat(s);
    }
  }

  void sum(const Step& s) const {
    const Tensor y = view(s.output);
    kernels::binary(ctx_, kernels::BinaryFunctions::index<kernels::Add>(), view(s.inputs[0]),
                    view(s.inputs[1]), y);
    if (s.relu) kernels::unary(ctx_, kernels::UnaryFunctions::index<kernels::Relu>(), {}, y, y);
  }

  // Copies the parts that do not stand in their place already.
  void concat(const Step& s) const {
    const Tensor whole = view(s.output);
    int64_t offset = 0;
    for (const int part : s.inputs) {
      const Tensor from = view(part);
      Shape strides = whole.strides();
      const Tensor to = whole.as_strided(from.shape(), strides, whole.offset() + offset);
      if (from.storage() != to.storage() || from.offset() != to.offset())
        kernels::copy(ctx_, to, from);
      offset += from.size(-1);
    }
  }
};

}  // namespace cytograd::inference
