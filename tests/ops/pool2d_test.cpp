#include "cytograd/ops/pool2d.h"

#include <cmath>

#include <doctest/doctest.h>

#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

enum class Kind { max, mean_with_padding, mean_without };

int64_t output_size(int64_t size, int64_t kernel, int64_t stride, int64_t padding, bool ceil_mode) {
  const double steps =
      static_cast<double>(size + 2 * padding - kernel) / static_cast<double>(stride);
  auto count = static_cast<int64_t>(ceil_mode ? std::ceil(steps) : std::floor(steps)) + 1;
  if (ceil_mode && (count - 1) * stride >= size + padding) --count;
  return count;
}

// The result of one window given as the half-open box of pixels; `divisor` 0 takes the maximum.
double of_window(const Ref& x, int64_t n, int64_t c, int64_t top, int64_t bottom, int64_t left,
                 int64_t right, int64_t divisor) {
  double sum = 0, largest = -INFINITY;
  for (int64_t h = top; h < bottom; ++h)
    for (int64_t w = left; w < right; ++w) {
      if (h < 0 || h >= x.shape[1] || w < 0 || w >= x.shape[2]) continue;
      const double value = x({n, h, w, c});
      sum += value;
      if (std::isnan(value) || value > largest) largest = value;
      if (std::isnan(largest)) return largest;
    }
  return divisor ? sum / static_cast<double>(divisor) : largest;
}

template <class F>
Ref for_each_output(const Shape& shape, F f) {
  Ref y(shape);
  for (int64_t n = 0; n < shape[0]; ++n)
    for (int64_t i = 0; i < shape[1]; ++i)
      for (int64_t j = 0; j < shape[2]; ++j)
        for (int64_t c = 0; c < shape[3]; ++c) y({n, i, j, c}) = f(n, i, j, c);
  return y;
}

Ref sliding(const Ref& x, const Pool2dOptions& o, const Pair& stride, Kind kind) {
  const int64_t rows = x.shape[1], columns = x.shape[2];
  return for_each_output(
      {x.shape[0], output_size(rows, o.kernel.h, stride.h, o.padding.h, o.ceil_mode),
       output_size(columns, o.kernel.w, stride.w, o.padding.w, o.ceil_mode), x.shape[3]},
      [&](int64_t n, int64_t i, int64_t j, int64_t c) {
        const int64_t top = i * stride.h - o.padding.h, left = j * stride.w - o.padding.w;
        int64_t padded = 0, inside = 0;
        for (int64_t h = top; h < top + o.kernel.h; ++h)
          for (int64_t w = left; w < left + o.kernel.w; ++w) {
            padded += h < rows + o.padding.h && w < columns + o.padding.w;
            inside += h >= 0 && w >= 0 && h < rows && w < columns;
          }
        const int64_t divisor = kind == Kind::max                 ? 0
                                : kind == Kind::mean_with_padding ? padded
                                                                  : inside;
        return of_window(x, n, c, top, top + o.kernel.h, left, left + o.kernel.w, divisor);
      });
}

Ref adaptive(const Ref& x, int64_t height, int64_t width, bool maximum) {
  const auto begin = [](int64_t i, int64_t size, int64_t count) {
    return static_cast<int64_t>(
        std::floor(static_cast<double>(i * size) / static_cast<double>(count)));
  };
  const auto end = [](int64_t i, int64_t size, int64_t count) {
    return static_cast<int64_t>(
        std::ceil(static_cast<double>((i + 1) * size) / static_cast<double>(count)));
  };
  return for_each_output(
      {x.shape[0], height, width, x.shape[3]}, [&](int64_t n, int64_t i, int64_t j, int64_t c) {
        const int64_t top = begin(i, x.shape[1], height), bottom = end(i, x.shape[1], height);
        const int64_t left = begin(j, x.shape[2], width), right = end(j, x.shape[2], width);
        return of_window(x, n, c, top, bottom, left, right,
                         maximum ? 0 : (bottom - top) * (right - left));
      });
}

void check_pool(const std::string& name, const Shape& x, const Pool2dOptions& o) {
  const Pair stride = o.stride == Pair(0) ? o.kernel : o.stride;
  for (const Kind kind : {Kind::max, Kind::mean_with_padding, Kind::mean_without}) {
    OpCase c;
    c.name = "pool2d " + name + " kind " + std::to_string(static_cast<int>(kind));
    c.inputs = {{x}};
    c.op = [=](const Tensors& in) {
      return kind == Kind::max ? max_pool2d(in[0], o)
                               : avg_pool2d(in[0], o, kind == Kind::mean_with_padding);
    };
    c.reference = [=](const std::vector<Ref>& in) { return sliding(in[0], o, stride, kind); };
    check_op(c);
  }
}

void check_adaptive(const std::string& name, const Shape& x, int64_t height, int64_t width) {
  for (const bool maximum : {false, true}) {
    OpCase c;
    c.name = "adaptive pool " + name + (maximum ? " max" : " mean");
    c.inputs = {{x}};
    c.op = [=](const Tensors& in) {
      return maximum ? adaptive_max_pool2d(in[0], height, width)
                     : adaptive_avg_pool2d(in[0], height, width);
    };
    c.reference = [=](const std::vector<Ref>& in) {
      return adaptive(in[0], height, width, maximum);
    };
    check_op(c);
  }
}

}  // namespace

TEST_CASE("max_pool2d and avg_pool2d") {
  check_pool("2x2", {2, 6, 4, 3}, {.kernel = 2});
  check_pool("stem", {2, 7, 8, 5}, {.kernel = 3, .stride = 2, .padding = 1});
  check_pool("overlapping", {1, 7, 5, 2}, {.kernel = 3, .stride = 1, .padding = 1});
  check_pool("gaps", {1, 9, 8, 2}, {.kernel = 2, .stride = 3});
  check_pool("by axis", {1, 7, 9, 3}, {.kernel = {2, 5}, .stride = {3, 2}, .padding = {1, 2}});
  check_pool("ceil", {1, 8, 7, 2}, {.kernel = 3, .stride = 2, .ceil_mode = true});
  check_pool("ceil padded", {1, 6, 5, 2},
             {.kernel = 3, .stride = 2, .padding = 1, .ceil_mode = true});
  check_pool("ceil drops a window", {1, 4, 5, 1},
             {.kernel = 2, .stride = 3, .padding = 1, .ceil_mode = true});
  check_pool("one pixel", {2, 1, 1, 3}, {.kernel = 1});
  check_pool("more channels than a strip", {1, 3, 3, 131}, {.kernel = 2, .stride = 1});
  check_pool("window beyond a byte", {1, 17, 17, 1}, {.kernel = 17});
  check_pool("no image", {0, 4, 4, 2}, {.kernel = 2});
  check_pool("no channel", {1, 4, 4, 0}, {.kernel = 2});
}

TEST_CASE("adaptive pooling") {
  check_adaptive("global", {2, 5, 7, 3}, 1, 1);
  check_adaptive("even", {1, 6, 4, 2}, 3, 2);
  check_adaptive("overlapping windows", {2, 7, 5, 3}, 3, 4);
  check_adaptive("larger than the input", {1, 3, 2, 2}, 7, 5);
  check_adaptive("window beyond a byte", {1, 19, 17, 2}, 1, 1);
  check_adaptive("no image", {0, 3, 3, 2}, 1, 1);
}

TEST_CASE("max_pool2d backward over many blocks of rows") {
  // 150 rows of 512 elements are cut into blocks; windows of 3 cross every cut.
  const int64_t height = 150, width = 8, channels = 64;
  const Tensor x = Tensor::empty({1, height, width, channels});
  for (int64_t i = 0; i < x.numel(); ++i)
    x.data<float>()[i] = static_cast<float>(std::sin(static_cast<double>(i * i % 9973)));
  x.set_requires_grad(true);
  const Tensor y = max_pool2d(x, {.kernel = 3, .stride = 1});
  y.backward(Tensor::ones(y.shape()));
  double total = 0;
  for (const double value : x.grad().to_vector<double>()) total += value;
  CHECK(total == static_cast<double>(y.numel()));
}

TEST_CASE("max_pool2d sends the gradient to the first of equal values, to the last NaN") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor x = Tensor::from<double>({3, 3, nan, 1, nan, 2}, {1, 1, 6, 1});
  x.set_requires_grad(true);
  const Tensor y = max_pool2d(x, {.kernel = {1, 2}});
  CHECK(y.to_vector<double>()[0] == 3);
  CHECK(std::isnan(y.to_vector<double>()[1]));
  y.backward(Tensor::ones(y.shape(), Dtype::float64));
  CHECK(x.grad().to_vector<double>() == std::vector<double>{1, 0, 1, 0, 1, 0});
  // Channels enough for whole vectors and a rest.
  const Tensor level = Tensor::full({1, 2, 2, 37}, 4.0);
  level.set_requires_grad(true);
  max_pool2d(level, {.kernel = 2}).backward(Tensor::ones({1, 1, 1, 37}));
  std::vector<float> first(4 * 37, 0.0f);
  std::fill_n(first.begin(), 37, 1.0f);
  CHECK(level.grad().to_vector<float>() == first);
  const Tensor low = Tensor::full({1, 2, 2, 1}, -INFINITY);
  low.set_requires_grad(true);
  const Tensor lowest = max_pool2d(low, {.kernel = 2});
  CHECK(lowest.item() == -INFINITY);
  lowest.backward(Tensor::ones(lowest.shape()));
  CHECK(low.grad().to_vector<float>() == std::vector<float>{1, 0, 0, 0});
}

TEST_CASE("pooling refuses bad arguments") {
  const Tensor x = Tensor::zeros({1, 4, 5, 2});
  check_op_error<ShapeError>(
      [&] {
        max_pool2d(Tensor::zeros({4, 5, 2}), {.kernel = 2});
      },
      "max_pool2d: input expects [N, H, W, C], got [4, 5, 2]");
  check_op_error<DtypeError>([&] { max_pool2d(x.to(Dtype::int64), {.kernel = 2}); },
                             "max_pool2d: input expects a floating dtype, got int64");
  check_op_error<ValueError>(
      [&] {
        max_pool2d(x, {.kernel = {0, 2}, .stride = 1});
      },
      "max_pool2d: kernel must be >= 1, got [0, 2]");
  check_op_error<ValueError>(
      [&] {
        avg_pool2d(x, {.kernel = 2, .stride = {2, 0}});
      },
      "avg_pool2d: stride must be >= 1, got [2, 0]");
  check_op_error<ValueError>(
      [&] { avg_pool2d(x, {.kernel = 3, .padding = 2}); },
      "avg_pool2d: padding must be in 0..kernel/2, got [2, 2] for kernel [3, 3]");
  check_op_error<ShapeError>(
      [&] { max_pool2d(x, {.kernel = 5}); },
      "max_pool2d: kernel [5, 5] is larger than the padded input [1, 4, 5, 2]; "
      "padding is [0, 0]");
  check_op_error<ValueError>([&] { adaptive_avg_pool2d(x, 0, 1); },
                             "adaptive_avg_pool2d: output size must be >= 1, got [0, 1]");
  check_op_error<ShapeError>(
      [&] {
        adaptive_max_pool2d(Tensor::zeros({1, 0, 5, 2}), 1, 1);
      },
      "adaptive_max_pool2d: input expects at least one pixel, got [1, 0, 5, 2]");
}

TEST_CASE("the mean of a very long row keeps its digits") {
  const Tensor x = Tensor::full({1, 1, 1'000'000, 3}, 0.1);
  for (const float mean : adaptive_avg_pool2d(x, 1, 1).to_vector<float>())
    CHECK(std::abs(mean - 0.1f) <= 1e-7f);  // 16 roundings of 6e-8 relative
}
