#include "cytograd/ops/conv2d.h"

#include <cmath>

#include "cytograd/ops/conv_transpose2d.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

struct Row {
  Shape x, weight;
  Conv2dOptions options;
};

std::string title(const char* op, const Row& r) {
  std::ostringstream out;
  out << op << ' ' << r.x << ' ' << r.weight << " stride " << r.options.stride << " padding "
      << r.options.padding << " dilation " << r.options.dilation << " groups " << r.options.groups;
  return out.str();
}

Ref convolve(const std::vector<Ref>& in, const Conv2dOptions& o) {
  const Ref &x = in[0], &w = in[1];
  const int64_t h = x.shape[1], width = x.shape[2], cout = w.shape[0], kh = w.shape[1],
                kw = w.shape[2], cg = w.shape[3];
  const int64_t oh = (h + 2 * o.padding.h - o.dilation.h * (kh - 1) - 1) / o.stride.h + 1;
  const int64_t ow = (width + 2 * o.padding.w - o.dilation.w * (kw - 1) - 1) / o.stride.w + 1;
  Ref y({x.shape[0], oh, ow, cout});
  for (int64_t n = 0; n < x.shape[0]; ++n)
    for (int64_t i = 0; i < oh; ++i)
      for (int64_t j = 0; j < ow; ++j)
        for (int64_t f = 0; f < cout; ++f) {
          double sum = in.size() > 2 ? in[2]({f}) : 0;
          for (int64_t a = 0; a < kh; ++a)
            for (int64_t b = 0; b < kw; ++b) {
              const int64_t r = i * o.stride.h - o.padding.h + a * o.dilation.h;
              const int64_t s = j * o.stride.w - o.padding.w + b * o.dilation.w;
              if (r < 0 || r >= h || s < 0 || s >= width) continue;
              for (int64_t c = 0; c < cg; ++c)
                sum += w({f, a, b, c}) * x({n, r, s, f / (cout / o.groups) * cg + c});
            }
          y({n, i, j, f}) = sum;
        }
  return y;
}

Ref transposed(const std::vector<Ref>& in, const ConvTranspose2dOptions& o) {
  const Ref &x = in[0], &w = in[1];
  const int64_t kh = w.shape[1], kw = w.shape[2], per_group = w.shape[3], cin = x.shape[3];
  const int64_t oh = (x.shape[1] - 1) * o.stride.h - 2 * o.padding.h + o.dilation.h * (kh - 1) +
                     o.output_padding.h + 1;
  const int64_t ow = (x.shape[2] - 1) * o.stride.w - 2 * o.padding.w + o.dilation.w * (kw - 1) +
                     o.output_padding.w + 1;
  Ref y({x.shape[0], oh, ow, per_group * o.groups});
  for (int64_t n = 0; n < x.shape[0]; ++n) {
    for (int64_t i = 0; i < x.shape[1]; ++i)
      for (int64_t j = 0; j < x.shape[2]; ++j)
        for (int64_t c = 0; c < cin; ++c)
          for (int64_t a = 0; a < kh; ++a)
            for (int64_t b = 0; b < kw; ++b) {
              const int64_t r = i * o.stride.h + a * o.dilation.h - o.padding.h;
              const int64_t s = j * o.stride.w + b * o.dilation.w - o.padding.w;
              if (r < 0 || r >= oh || s < 0 || s >= ow) continue;
              for (int64_t f = 0; f < per_group; ++f)
                y({n, r, s, c / (cin / o.groups) * per_group + f}) +=
                    x({n, i, j, c}) * w({c, a, b, f});
            }
    for (int64_t r = 0; r < oh; ++r)
      for (int64_t s = 0; s < ow; ++s)
        for (int64_t f = 0; f < y.shape[3]; ++f) y({n, r, s, f}) += in[2]({f});
  }
  return y;
}

}  // namespace

TEST_CASE("conv2d") {
  for (const Row& r : {
           Row{{2, 5, 7, 3}, {4, 3, 3, 3}, {.padding = 1}},
           Row{{1, 9, 8, 5}, {7, 3, 3, 5}, {.stride = 2, .padding = 1}},
           Row{{2, 6, 6, 8}, {19, 1, 1, 8}, {}},
           Row{{1, 7, 7, 6}, {3, 1, 1, 6}, {.stride = 2}},
           Row{{1, 11, 9, 3}, {5, 7, 7, 3}, {.stride = 2, .padding = 3}},
           Row{{1, 9, 9, 4},
               {6, 3, 2, 2},
               {.stride = {2, 1}, .padding = {1, 0}, .dilation = {2, 3}, .groups = 2}},
           Row{{2, 5, 5, 6}, {6, 3, 3, 1}, {.padding = 1, .groups = 6}},
           Row{{1, 1, 1, 1}, {1, 1, 1, 1}, {}},
           Row{{1, 3, 3, 17}, {33, 3, 3, 17}, {.padding = 1}},
           Row{{0, 5, 5, 3}, {4, 3, 3, 3}, {.padding = 1}},
           Row{{1, 2, 2, 3}, {4, 3, 3, 3}, {.padding = 2}},
           Row{{1, 5, 4, 3}, {6, 3, 3, 1}, {.stride = 2, .groups = 3}},
           Row{{2, 3, 5, 1}, {1, 3, 5, 1}, {}},
           Row{{1, 5, 5, 2}, {0, 3, 3, 2}, {}},
           Row{{1, 4, 4, 0}, {2, 3, 3, 0}, {}},
       })
    for (const bool bias : {true, false}) {
      std::vector<Input> inputs = {{.shape = r.x}, {.shape = r.weight}};
      if (bias) inputs.push_back({.shape = {r.weight[0]}});
      // Sums of up to k products of magnitude 4: a rounding each.
      const double terms = static_cast<double>(r.weight[1] * r.weight[2] * r.weight[3]);
      check_op({.name = title("conv2d", r) + (bias ? " bias" : ""),
                .inputs = inputs,
                .op =
                    [&r](const Tensors& in) {
                      return conv2d(in[0], in[1], in.size() > 2 ? in[2] : Tensor{}, r.options);
                    },
                .reference = [&r](const std::vector<Ref>& in) { return convolve(in, r.options); },
                .float32_tolerance = 1e-6 + 4e-7 * terms,
                .float32_grad_tolerance = 1e-4,
                .nan_may_spread = true});
    }
}

TEST_CASE("conv_transpose2d") {
  struct Case {
    Shape x, weight;
    ConvTranspose2dOptions options;
  };
  for (const Case& r : {
           Case{{1, 4, 3, 5}, {5, 2, 2, 3}, {.stride = 2}},
           Case{{2, 3, 5, 4}, {4, 3, 3, 2}, {.stride = 2, .padding = 1, .output_padding = 1}},
           Case{{1, 5, 4, 6},
                {6, 3, 3, 2},
                {.stride = {1, 2}, .padding = {1, 0}, .dilation = {2, 1}, .groups = 3}},
           Case{{1, 1, 1, 1}, {1, 1, 1, 1}, {}},
           Case{{1, 6, 6, 7}, {7, 4, 4, 5}, {.stride = 2, .padding = 1}},
           Case{{1, 3, 2, 5}, {5, 3, 3, 1}, {.padding = 1, .groups = 5}},
           Case{{2, 1, 1, 3}, {3, 3, 5, 2}, {}},
           Case{{0, 3, 3, 2}, {2, 3, 3, 3}, {}},
       }) {
    std::ostringstream name;
    name << "conv_transpose2d " << r.x << ' ' << r.weight << " stride " << r.options.stride;
    check_op(
        {.name = name.str(),
         .inputs = {{.shape = r.x},
                    {.shape = r.weight},
                    {.shape = {r.weight[3] * r.options.groups}}},
         .op = [&r](const Tensors& in) { return conv_transpose2d(in[0], in[1], in[2], r.options); },
         .reference = [&r](const std::vector<Ref>& in) { return transposed(in, r.options); },
         .float32_tolerance = 5e-5,
         .float32_grad_tolerance = 1e-4,
         .nan_may_spread = true});
  }
}

TEST_CASE("conv2d skips gradients that nobody wants") {
  const Tensor x = Tensor::ones({1, 3, 3, 1}), weight = Tensor::ones({1, 3, 3, 1});
  weight.set_requires_grad(true);
  conv2d(x, weight).backward(Tensor::full({1, 1, 1, 1}, 2));
  CHECK(weight.grad().to_vector<float>() == std::vector<float>(9, 2));
  CHECK(!x.grad().defined());
}

TEST_CASE("conv2d and conv_transpose2d refuse") {
  const auto image = [](const Shape& s) { return Tensor::zeros(s); };
  check_op_error<ShapeError>(
      [&] {
        conv2d(image({8, 56, 56, 64}), image({128, 3, 3, 32}));
      },
      "conv2d: weight expects 64 input channels for input [8, 56, 56, 64], got "
      "[128, 3, 3, 32]; groups is 1");
  check_op_error<ShapeError>(
      [&] {
        conv2d(image({1, 2, 2, 1}), image({1, 3, 3, 1}));
      },
      "conv2d: the filter [1, 3, 3, 1] with dilation [1, 1] is larger than the input "
      "[1, 2, 2, 1] with padding [0, 0]");
  check_op_error<ValueError>(
      [&] {
        conv2d(image({1, 2, 2, 1}), image({1, 1, 1, 1}), {}, {.stride = 0});
      },
      "conv2d: stride must be >= 1, got [0, 0]");
  check_op_error<ShapeError>(
      [&] {
        conv2d(image({1, 2, 2, 3}), image({4, 1, 1, 1}), {}, {.groups = 2});
      },
      "conv2d: groups 2 must divide the 3 input and 4 output channels");
  check_op_error<ShapeError>(
      [&] {
        conv2d(image({1, 2, 2, 3}), image({4, 1, 1, 3}), image({3}));
      },
      "conv2d: bias expects [4], got [3]");
  check_op_error<ValueError>(
      [&] {
        conv_transpose2d(image({1, 2, 2, 3}), image({3, 2, 2, 1}), {},
                         {.stride = 2, .output_padding = 2});
      },
      "conv_transpose2d: output_padding must be in 0..stride-1, got [2, 2] for stride [2, 2]");
}

TEST_CASE("the gradient of a bias over many pixels keeps its digits") {
  const Tensor x = Tensor::ones({2, 211, 301, 1}), w = Tensor::ones({3, 1, 1, 1});
  const Tensor bias = Tensor::zeros({3});
  bias.set_requires_grad(true);
  const Tensor y = conv2d(x, w, bias);
  y.backward(Tensor::full(y.shape(), 0.1));
  const double exact = 2. * 211 * 301 * static_cast<double>(0.1f);
  for (const double db : bias.grad().to_vector<double>())
    CHECK(std::abs(db / exact - 1) <= 1e-6);  // 64 roundings of 6e-8 that do not all agree
}

TEST_CASE("options of convolutions stay where sizes cannot overflow") {
  const Tensor x = Tensor::zeros({1, 4, 4, 1}), w = Tensor::zeros({1, 3, 3, 1});
  check_op_error<ValueError>([&] { conv2d(x, w, {}, {.padding = int64_t{1} << 62}); },
                             "conv2d: padding must be <= 1073741824, got "
                             "[4611686018427387904, 4611686018427387904]");
  check_op_error<ValueError>([&] { conv_transpose2d(x, w, {}, {.dilation = int64_t{1} << 62}); },
                             "conv_transpose2d: dilation must be <= 1073741824, got "
                             "[4611686018427387904, 4611686018427387904]");
}
