#include "kernels/conv2d.h"

#include "bench/support/case.h"

/// @file
/// Convolutions of ResNet-50 and DenseNet-121 at 224 pixels: forward and both gradients.

namespace cytograd::bench {
namespace {

struct Layer {
  const char* name;
  int64_t images, size, c_in, c_out, filter, stride, padding;
};

constexpr Layer layers[] = {
    {"stem", 8, 224, 3, 64, 7, 2, 3},          {"res2_reduce", 8, 56, 256, 64, 1, 1, 0},
    {"res2_3x3", 8, 56, 64, 64, 3, 1, 1},      {"res2_expand", 8, 56, 64, 256, 1, 1, 0},
    {"res3_down", 8, 56, 256, 512, 1, 2, 0},   {"res3_3x3s2", 8, 56, 128, 128, 3, 2, 1},
    {"res3_reduce", 8, 28, 512, 128, 1, 1, 0}, {"res3_3x3", 8, 28, 128, 128, 3, 1, 1},
    {"res3_expand", 8, 28, 128, 512, 1, 1, 0}, {"res4_reduce", 8, 14, 1024, 256, 1, 1, 0},
    {"res4_3x3", 8, 14, 256, 256, 3, 1, 1},    {"res4_expand", 8, 14, 256, 1024, 1, 1, 0},
    {"res5_reduce", 8, 7, 2048, 512, 1, 1, 0}, {"res5_3x3", 8, 7, 512, 512, 3, 1, 1},
    {"res5_expand", 8, 7, 512, 2048, 1, 1, 0}, {"res5_3x3_one", 1, 7, 512, 512, 3, 1, 1},
    {"dense1_1x1", 8, 56, 128, 128, 1, 1, 0},  {"dense1_3x3", 8, 56, 128, 32, 3, 1, 1},
    {"dense2_1x1", 8, 28, 320, 128, 1, 1, 0},  {"dense2_3x3", 8, 28, 128, 32, 3, 1, 1},
    {"dense3_1x1", 8, 14, 640, 128, 1, 1, 0},  {"dense3_3x3", 8, 14, 128, 32, 3, 1, 1},
    {"dense4_1x1", 8, 7, 768, 128, 1, 1, 0},   {"dense4_3x3", 8, 7, 128, 32, 3, 1, 1},
};

struct Operands {
  Tensor x, weight, y;
};

Operands operands(const kernels::Conv2dShape& s) {
  return {random_tensor({s.n, s.h, s.w, s.c_in}), random_tensor({s.c_out, s.kh, s.kw, s.c_in}),
          random_tensor({s.n, s.out_h(), s.out_w(), s.c_out})};
}

Work forward(const kernels::Conv2dShape& s) {
  return {[s, o = operands(s)] {
    kernels::conv2d_forward(s, o.x.data<float>(), o.weight.data<float>(), o.y.data<float>());
  }};
}
Work backward_data(const kernels::Conv2dShape& s) {
  return {[s, o = operands(s)] {
    kernels::conv2d_backward_data(s, o.y.data<float>(), o.weight.data<float>(), o.x.data<float>());
  }};
}
Work backward_weight(const kernels::Conv2dShape& s) {
  return {[s, o = operands(s)] {
    kernels::conv2d_backward_weight(s, o.x.data<float>(), o.y.data<float>(),
                                    o.weight.data<float>());
  }};
}

std::vector<Case> cases() {
  struct Pass {
    const char* name;
    Work (*make)(const kernels::Conv2dShape&);
  };
  std::vector<Case> out;
  for (const Layer& l : layers) {
    const kernels::Conv2dShape s{.n = l.images,
                                 .h = l.size,
                                 .w = l.size,
                                 .c_in = l.c_in,
                                 .c_out = l.c_out,
                                 .kh = l.filter,
                                 .kw = l.filter,
                                 .stride_h = l.stride,
                                 .stride_w = l.stride,
                                 .pad_h = l.padding,
                                 .pad_w = l.padding};
    const int64_t pixels = s.n * s.out_h() * s.out_w(), weights = s.c_out * s.kh * s.kw * s.c_in;
    const int64_t values = s.n * s.h * s.w * s.c_in + weights + pixels * s.c_out;
    for (const Pass& pass : {Pass{"forward", forward}, Pass{"backward_data", backward_data},
                             Pass{"backward_weight", backward_weight}})
      out.push_back({.name = std::string("conv2d/") + l.name + "/" + pass.name,
                     .sizes = {{"n", s.n},
                               {"h", s.h},
                               {"w", s.w},
                               {"c_in", s.c_in},
                               {"c_out", s.c_out},
                               {"filter", s.kh},
                               {"stride", s.stride_h},
                               {"padding", s.pad_h}},
                     .flops = 2.0 * static_cast<double>(pixels) * static_cast<double>(weights),
                     .bytes = 4.0 * static_cast<double>(values),
                     .make = [s, make = pass.make] { return make(s); }});
  }
  return out;
}

const Family registered{"conv2d", cases};

}  // namespace
}  // namespace cytograd::bench
