#include "cytograd/ops/upsample.h"

#include <cmath>

#include <doctest/doctest.h>

#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

// The triangle of interpolation: pixel p's weight at position `at`, borders extended outwards.
double pixel_weight(int64_t p, double at, int64_t size) {
  if (at < 0) at = 0;
  if (at > static_cast<double>(size - 1)) at = static_cast<double>(size - 1);
  return std::max(0.0, 1 - std::abs(at - static_cast<double>(p)));
}

double position(int64_t i, int64_t in, int64_t out, bool align_corners) {
  const double index = static_cast<double>(i), from = static_cast<double>(in),
               to = static_cast<double>(out);
  if (align_corners) return out == 1 ? 0 : index * ((from - 1) / (to - 1));
  return (index + 0.5) * (from / to) - 0.5;
}

Ref bilinear(const Ref& x, int64_t height, int64_t width, bool align_corners) {
  const Shape& s = x.shape;
  Ref y({s[0], height, width, s[3]});
  for (int64_t n = 0; n < s[0]; ++n)
    for (int64_t i = 0; i < height; ++i)
      for (int64_t j = 0; j < width; ++j)
        for (int64_t c = 0; c < s[3]; ++c)
          for (int64_t h = 0; h < s[1]; ++h)
            for (int64_t w = 0; w < s[2]; ++w)
              y({n, i, j, c}) += x({n, h, w, c}) *
                                 pixel_weight(h, position(i, s[1], height, align_corners), s[1]) *
                                 pixel_weight(w, position(j, s[2], width, align_corners), s[2]);
  return y;
}

Ref nearest(const Ref& x, int64_t height, int64_t width) {
  const Shape& s = x.shape;
  Ref y({s[0], height, width, s[3]});
  for (int64_t n = 0; n < s[0]; ++n)
    for (int64_t i = 0; i < height; ++i)
      for (int64_t j = 0; j < width; ++j)
        for (int64_t c = 0; c < s[3]; ++c)
          y({n, i, j, c}) = x({n, i * s[1] / height, j * s[2] / width, c});
  return y;
}

void check_upsample(const std::string& name, const Shape& shape, int64_t height, int64_t width) {
  OpCase c;
  c.name = "upsample_nearest " + name;
  c.inputs = {{shape}};
  c.op = [=](const Tensors& in) { return upsample_nearest(in[0], height, width); };
  c.reference = [=](const std::vector<Ref>& in) { return nearest(in[0], height, width); };
  check_op(c);
  for (const bool align_corners : {false, true}) {
    c.name = "upsample_bilinear " + name + (align_corners ? " corners" : " centres");
    c.op = [=](const Tensors& in) {
      return upsample_bilinear(in[0], height, width, align_corners);
    };
    c.reference = [=](const std::vector<Ref>& in) {
      return bilinear(in[0], height, width, align_corners);
    };
    c.check_nan = false;  // the reference multiplies every pixel by its weight, most are zero
    check_op(c);
  }
}

}  // namespace

TEST_CASE("upsample_nearest and upsample_bilinear") {
  check_upsample("twice", {2, 3, 5, 3}, 6, 10);
  check_upsample("to odd sizes", {1, 3, 4, 2}, 7, 11);
  check_upsample("same size", {1, 4, 3, 2}, 4, 3);
  check_upsample("smaller", {1, 7, 9, 2}, 3, 4);
  check_upsample("one pixel in", {2, 1, 1, 3}, 3, 2);
  check_upsample("one pixel out", {1, 5, 4, 1}, 1, 1);
  check_upsample("no image", {0, 3, 3, 2}, 6, 6);
  check_upsample("no channel", {1, 3, 3, 0}, 6, 6);
}

TEST_CASE("upsample_bilinear interpolates a line and keeps NaN near its pixel") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor line = Tensor::from<double>({0, 4}, {1, 1, 2, 1});
  CHECK(upsample_bilinear(line, 1, 4).to_vector<double>() == std::vector<double>{0, 1, 3, 4});
  CHECK(upsample_bilinear(line, 1, 5, true).to_vector<double>() ==
        std::vector<double>{0, 1, 2, 3, 4});
  const Tensor hole = Tensor::from<double>({1, 1, 1, nan}, {1, 1, 4, 1});
  const std::vector<double> y = upsample_bilinear(hole, 1, 8).to_vector<double>();
  for (size_t i = 0; i < y.size(); ++i) CHECK(std::isnan(y[i]) == (i >= 5));
}

TEST_CASE("upsampling refuses bad arguments") {
  const Tensor x = Tensor::zeros({1, 4, 5, 2});
  check_op_error<ShapeError>(
      [&] {
        upsample_nearest(Tensor::zeros({4, 5, 2}), 2, 2);
      },
      "upsample_nearest: input expects [N, H, W, C], got [4, 5, 2]");
  check_op_error<ShapeError>(
      [&] {
        upsample_bilinear(Tensor::zeros({1, 0, 5, 2}), 2, 2);
      },
      "upsample_bilinear: input expects at least one pixel, got [1, 0, 5, 2]");
  check_op_error<ValueError>([&] { upsample_nearest(x, 2, 0); },
                             "upsample_nearest: output size must be >= 1, got [2, 0]");
  check_op_error<DtypeError>([&] { upsample_bilinear(x.to(Dtype::uint8), 2, 2); },
                             "upsample_bilinear: input expects a floating dtype, got uint8");
}
