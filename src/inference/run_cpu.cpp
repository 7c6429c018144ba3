#include "inference/run.h"
#include "kernels/affine.h"

namespace cytograd::inference {
namespace {

template <class T>
class CpuRun final : public Run<CpuContext> {
 public:
  using Run::Run;

 private:
  T* data(int v) const {
    const Place& p = program_.place(v);
    if (p.buffer == kInput) return x_.data<T>();
    if (p.buffer == kResult) return y_.data<T>() + p.offset;
    return workspace_.arena.data<T>() + program_.plan.buffers[static_cast<size_t>(p.buffer)] * n_ +
           p.offset;
  }
  static const T* data_or_null(const Tensor& t) { return t.defined() ? t.data<T>() : nullptr; }

  void conv(const Step& s, size_t i) const override {
    const int in = s.inputs[0], out = s.output;
    if (s.residual >= 0 && !program_.plan.same_memory(s.residual, out))
      kernels::copy(ctx_, view(out), view(s.residual));
    kernels::Conv2dInput<T> input;
    if (s.affine_input) input = {s.scale.data<T>(), s.shift.data<T>()};
    kernels::conv2d_fused<T>(conv_shape(s), data(in), program_.filters[i], data(out), input,
                             s.residual >= 0, {.bias = data_or_null(s.bias), .relu = s.relu});
  }
  void grouped_conv(const Step& s, size_t i) const override {
    kernels::conv2d_forward<T>(conv_shape(s), data(s.inputs[0]),
                               program_.filters[i].data.template data<T>(), data(s.output),
                               {.bias = data_or_null(s.bias), .relu = s.relu});
  }
  void affine(const Step& s) const override {
    const Shape& shape = program_.value(s.output).shape;
    kernels::affine<T>(n_ * shape.numel() / shape.back(), shape.back(), data(s.inputs[0]),
                       pitch(s.inputs[0]), s.scale.data<T>(), s.shift.data<T>(), s.relu,
                       data(s.output), pitch(s.output));
  }
};

}  // namespace

void run_steps(CpuContext ctx, const CompiledModel::Program& program, const Tensor& x,
               const Tensor& y, std::span<double> seconds) {
  std::unique_ptr<Workspace> workspace = program.borrow(x.size(0), nullptr);
  dispatch_floating(x.dtype(), "compiled model",
                    [&]<class T>() { CpuRun<T>(ctx, program, *workspace, x, y).steps(seconds); });
  program.give_back(std::move(workspace));
}

}  // namespace cytograd::inference
