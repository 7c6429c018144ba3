#ifdef CYTOGRAD_CUDA

#include "cuda/conv2d/fusion.h"
#include "cytograd/core/cuda.h"
#include "inference/run.h"
#include "kernels/affine.h"

namespace cytograd::inference {
namespace {

// Filters, biases and maps lie on the device (Program::upload).
class CudaRun final : public Run<CudaContext> {
 public:
  using Run::Run;

 private:
  void conv(const Step& s, size_t i) const override {
    const bool in_place = s.residual >= 0 && program_.plan.same_memory(s.residual, s.output);
    kernels::Conv2dFusion fusion{.bias = s.bias, .relu = s.relu, .accumulate = in_place};
    if (s.residual >= 0 && !in_place) fusion.residual = view(s.residual);
    if (s.affine_input) {
      fusion.input_scale = s.scale;
      fusion.input_shift = s.shift;
    }
    kernels::conv2d_forward(ctx_, conv_shape(s), view(s.inputs[0]), program_.filters[i].data,
                            view(s.output), fusion);
  }
  void grouped_conv(const Step& s, size_t i) const override {
    const Tensor y = view(s.output);
    kernels::conv2d_forward(ctx_, conv_shape(s), view(s.inputs[0]), program_.filters[i].data,
                            s.bias, y);
    if (s.relu) kernels::unary(ctx_, kernels::UnaryFunctions::index<kernels::Relu>(), {}, y, y);
  }
  void affine(const Step& s) const override {
    kernels::affine(ctx_, view(s.inputs[0]), pitch(s.inputs[0]), s.scale, s.shift, s.relu,
                    view(s.output), pitch(s.output));
  }
  void wait() const override { synchronize(program_.device); }
};

}  // namespace

void run_steps(CudaContext ctx, const CompiledModel::Program& program, const Tensor& x,
               const Tensor& y, std::span<double> seconds) {
  std::unique_ptr<Workspace> workspace = program.borrow(x.size(0), ctx.stream);
  CudaRun(ctx, program, *workspace, x, y).steps(seconds);
  program.give_back(std::move(workspace));
}

}  // namespace cytograd::inference

#endif
