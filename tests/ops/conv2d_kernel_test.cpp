#include "kernels/conv2d.h"

#include <doctest/doctest.h>

#include <cmath>

#include "support/kernel_case.h"

using namespace cytograd;
using namespace cytograd::test;
using kernels::Conv2dShape;

namespace {

const Conv2dShape shapes[] = {
    {.n = 1, .h = 1, .w = 1, .c_in = 1, .c_out = 1, .kh = 1, .kw = 1},
    {.n = 0, .h = 5, .w = 5, .c_in = 3, .c_out = 4, .kh = 3, .kw = 3},
    {.n = 2, .h = 7, .w = 5, .c_in = 3, .c_out = 5, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1},
    {.n = 3, .h = 7, .w = 7, .c_in = 17, .c_out = 33, .kh = 1, .kw = 1},
    {.n = 2,
     .h = 9,
     .w = 8,
     .c_in = 16,
     .c_out = 7,
     .kh = 1,
     .kw = 1,
     .stride_h = 2,
     .stride_w = 2},
    {.n = 2,
     .h = 23,
     .w = 19,
     .c_in = 3,
     .c_out = 8,
     .kh = 7,
     .kw = 7,
     .stride_h = 2,
     .stride_w = 2,
     .pad_h = 3,
     .pad_w = 3},
    {.n = 1,
     .h = 13,
     .w = 11,
     .c_in = 4,
     .c_out = 6,
     .kh = 3,
     .kw = 2,
     .stride_h = 3,
     .stride_w = 2,
     .pad_h = 2,
     .pad_w = 0,
     .dilation_h = 2,
     .dilation_w = 3},
    {.n = 1,
     .h = 12,
     .w = 12,
     .c_in = 6,
     .c_out = 9,
     .kh = 3,
     .kw = 3,
     .stride_h = 4,
     .stride_w = 2,
     .pad_h = 1,
     .pad_w = 2,
     .dilation_h = 2,
     .dilation_w = 2,
     .groups = 3},
    {.n = 2,
     .h = 6,
     .w = 10,
     .c_in = 8,
     .c_out = 4,
     .kh = 3,
     .kw = 5,
     .pad_h = 1,
     .pad_w = 2,
     .groups = 2},
    {.n = 2,
     .h = 9,
     .w = 9,
     .c_in = 19,
     .c_out = 19,
     .kh = 3,
     .kw = 3,
     .stride_h = 2,
     .stride_w = 1,
     .pad_h = 1,
     .pad_w = 1,
     .groups = 19},
    {.n = 1,
     .h = 5,
     .w = 5,
     .c_in = 3,
     .c_out = 6,
     .kh = 3,
     .kw = 3,
     .pad_h = 1,
     .pad_w = 1,
     .groups = 3},
    {.n = 2,
     .h = 15,
     .w = 17,
     .c_in = 4,
     .c_out = 5,
     .kh = 3,
     .kw = 3,
     .stride_w = 2,
     .pad_h = 2,
     .pad_w = 3,
     .dilation_h = 2,
     .dilation_w = 3},
    {.n = 1, .h = 2, .w = 3, .c_in = 40, .c_out = 20, .kh = 5, .kw = 5, .pad_h = 4, .pad_w = 4},
    {.n = 2, .h = 14, .w = 14, .c_in = 65, .c_out = 35, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1},
    // By Winograd in float32 as the one above: tiles cut at every side, several blocks of depth and
    // chunks of tiles, one pixel per image, no padding and the widest.
    {.n = 3, .h = 19, .w = 23, .c_in = 16, .c_out = 50, .kh = 3, .kw = 3},
    {.n = 5, .h = 34, .w = 33, .c_in = 24, .c_out = 17, .kh = 3, .kw = 3, .pad_h = 2, .pad_w = 1},
    {.n = 30, .h = 1, .w = 1, .c_in = 40, .c_out = 16, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1},
    {.n = 8, .h = 7, .w = 6, .c_in = 300, .c_out = 31, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 2},
    {.n = 8, .h = 8, .w = 9, .c_in = 18, .c_out = 270, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1},
};

size_t index(int64_t i) { return static_cast<size_t>(i); }

// Calls f(x index, weight index, y index) for every product that the convolution sums.
template <class F>
void for_each_product(const Conv2dShape& s, const F& f) {
  const int64_t gi = s.c_in / s.groups, go = s.c_out / s.groups;
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t i = 0; i < s.out_h(); ++i)
      for (int64_t j = 0; j < s.out_w(); ++j)
        for (int64_t o = 0; o < s.c_out; ++o)
          for (int64_t a = 0; a < s.kh; ++a)
            for (int64_t b = 0; b < s.kw; ++b) {
              const int64_t y = i * s.stride_h - s.pad_h + a * s.dilation_h;
              const int64_t x = j * s.stride_w - s.pad_w + b * s.dilation_w;
              if (y < 0 || y >= s.h || x < 0 || x >= s.w) continue;
              for (int64_t c = 0; c < gi; ++c)
                f(index(((n * s.h + y) * s.w + x) * s.c_in + o / go * gi + c),
                  index(((o * s.kh + a) * s.kw + b) * gi + c),
                  index(((n * s.out_h() + i) * s.out_w() + j) * s.c_out + o));
            }
}

template <class T>
struct Operands {
  explicit Operands(const Conv2dShape& s)
      : x(random_values<T>("x", s.n * s.h * s.w * s.c_in)),
        weight(random_values<T>("weight", s.c_out * s.kh * s.kw * s.c_in / s.groups)),
        y(random_values<T>("y", s.n * s.out_h() * s.out_w() * s.c_out)),
        bias(random_values<T>("bias", s.c_out)) {}
  std::vector<T> x, weight, y, bias;
};

template <class T>
std::vector<T> forward(const Conv2dShape& s, const Operands<T>& in,
                       const kernels::Epilogue<T>& epilogue = {}) {
  std::vector<T> y(in.y.size(), T{-7});
  kernels::conv2d_forward(s, in.x.data(), in.weight.data(), y.data(), epilogue);
  return y;
}
template <class T>
std::vector<T> backward_data(const Conv2dShape& s, const Operands<T>& in) {
  std::vector<T> dx(in.x.size(), T{-7});
  kernels::conv2d_backward_data(s, in.y.data(), in.weight.data(), dx.data());
  return dx;
}
template <class T>
std::vector<T> backward_weight(const Conv2dShape& s, const Operands<T>& in) {
  std::vector<T> dw(in.weight.size(), T{-7});
  kernels::conv2d_backward_weight(s, in.x.data(), in.y.data(), dw.data());
  return dw;
}

template <class T>
int64_t count_wrong(const std::vector<Sum>& expected, const std::vector<T>& got) {
  int64_t wrong = 0;
  for (size_t i = 0; i < got.size(); ++i) wrong += !expected[i].close_to(got[i]);
  return wrong;
}

// `close_to` counts terms inside the image only; padding adds exact zeros.
template <class T>
void compare(const Conv2dShape& s) {
  const Operands<T> in(s);
  std::vector<Sum> y(in.y.size()), dx(in.x.size()), dw(in.weight.size());
  for_each_product(s, [&](size_t xi, size_t wi, size_t yi) {
    const double x = in.x[xi], w = in.weight[wi], g = in.y[yi];
    y[yi].add(x * w);
    dx[xi].add(g * w);
    dw[wi].add(g * x);
  });
  INFO(isa_name(), " h ", s.h, " w ", s.w, " c_in ", s.c_in, " c_out ", s.c_out, " kh ", s.kh,
       " stride ", s.stride_h, " groups ", s.groups, " element bytes ", sizeof(T));
  CHECK(count_wrong(y, forward(s, in)) == 0);
  CHECK(count_wrong(dx, backward_data(s, in)) == 0);
  CHECK(count_wrong(dw, backward_weight(s, in)) == 0);

  for (size_t i = 0; i < y.size(); ++i) {
    y[i].add(static_cast<double>(in.bias[i % index(s.c_out)]));
    if (y[i].value < 0) y[i].value = 0;
  }
  CHECK(count_wrong(y, forward<T>(s, in, {.bias = in.bias.data(), .relu = true})) == 0);
}

}  // namespace

TEST_CASE("conv2d kernels equal naive loops in every instruction set") {
  for_each_isa([](const std::string&) {
    for (const Conv2dShape& s : shapes) {
      compare<float>(s);
      compare<double>(s);
    }
  });
}

TEST_CASE("conv2d kernels give the same bits for any number of threads") {
  for (const Conv2dShape& s : shapes) {
    const Operands<float> in(s);
    CHECK(same_for_any_threads([&] { return forward(s, in); }));
    CHECK(same_for_any_threads([&] { return backward_data(s, in); }));
    CHECK(same_for_any_threads([&] { return backward_weight(s, in); }));
  }
  // Few filters, many pixels: the sum over pixels is split.
  const Conv2dShape s{.n = 3, .h = 61, .w = 59, .c_in = 8, .c_out = 8, .kh = 3, .kw = 3};
  const Operands<float> in(s);
  CHECK(same_for_any_threads([&] { return backward_weight(s, in); }));
  compare<float>(s);
}

TEST_CASE("conv2d kernels pass NaN through zero filters and zero gradients") {
  for_each_isa([](const std::string&) {
    const Conv2dShape s{
        .n = 1, .h = 5, .w = 5, .c_in = 3, .c_out = 4, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1};
    Operands<float> in(s);
    std::fill(in.weight.begin(), in.weight.end(), 0.0f);
    in.x[index((2 * 5 + 2) * 3)] = NAN;
    const auto y = forward<float>(s, in, {.relu = true});
    CHECK(std::isnan(y[index((2 * 5 + 2) * 4)]));
    CHECK(std::isnan(y[index((1 * 5 + 3) * 4 + 3)]));
    CHECK(y[0] == 0.0f);
    std::fill(in.y.begin(), in.y.end(), 0.0f);
    CHECK(std::isnan(backward_weight(s, in)[0]));
    CHECK(backward_weight(s, in)[1] == 0.0f);
  });
}

TEST_CASE("conv2d by Winograd spreads NaN within a tile and no further") {
  for_each_isa([](const std::string&) {
    const Conv2dShape s{.n = 2,
                        .h = 16,
                        .w = 16,
                        .c_in = 16,
                        .c_out = 16,
                        .kh = 3,
                        .kw = 3,
                        .pad_h = 1,
                        .pad_w = 1};
    Operands<float> in(s);
    std::fill(in.weight.begin(), in.weight.end(), 0.0f);
    std::fill(in.y.begin(), in.y.end(), 0.0f);
    in.x[index((6 * 16 + 6) * 16)] = NAN;
    const auto y = forward<float>(s, in);
    for (int64_t i = 0; i < 2 * 16 * 16; ++i) {
      const int64_t row = i / 16, col = i % 16;
      const bool tile = row >= 4 && row < 8 && col >= 4 && col < 8;
      const bool sees = row >= 5 && row < 8 && col >= 5 && col < 8;
      INFO("row ", row, " column ", col);
      if (sees) CHECK(std::isnan(y[index(i * 16)]));
      if (!tile) CHECK(y[index(i * 16)] == 0.0f);
    }
    const auto dw = backward_weight(s, in);
    CHECK(std::isnan(dw[0]));
    CHECK(dw[1] == 0.0f);  // another input channel
  });
}
