#include "cytograd/ops/matmul.h"

#include "cytograd/ops/linear.h"
#include "cytograd/ops/shape.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

// Row-major position of batch `flat` of `shape` in a tensor whose batch axes broadcast to it.
int64_t batch_of(const Shape& x, const Shape& shape, int64_t flat) {
  int64_t at = 0, stride = 1;
  for (int d = shape.ndim() - 3, e = x.ndim() - 3; e >= 0; --d, --e) {
    at += x[e] == 1 ? 0 : flat % shape[d] * stride;
    stride *= x[e];
    flat /= shape[d];
  }
  return at;
}

void check_matmul(const Shape& a, const Shape& b, const Shape& y) {
  OpCase c;
  c.name = "matmul";
  c.inputs = {{a}, {b}};
  c.op = [](const Tensors& in) { return matmul(in[0], in[1]); };
  c.reference = [y](const std::vector<Ref>& in) {
    Ref out(y);
    const int64_t m = y[y.ndim() - 2], n = y.back(), k = in[0].shape.back();
    for (int64_t g = 0; g < static_cast<int64_t>(out.values.size()) / std::max<int64_t>(1, m * n);
         ++g) {
      const int64_t ga = batch_of(in[0].shape, y, g), gb = batch_of(in[1].shape, y, g);
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j)
          for (int64_t r = 0; r < k; ++r)
            out.values[static_cast<size_t>((g * m + i) * n + j)] +=
                in[0].values[static_cast<size_t>((ga * m + i) * k + r)] *
                in[1].values[static_cast<size_t>((gb * k + r) * n + j)];
    }
    return out;
  };
  c.float32_tolerance = 1e-5;  // up to 67 products of size 4
  c.float32_grad_tolerance = 1e-4;
  check_op(c);
}

}  // namespace

TEST_CASE("matmul") {
  check_matmul({3, 5}, {5, 7}, {3, 7});
  check_matmul({17, 67}, {67, 9}, {17, 9});
  check_matmul({1, 1}, {1, 1}, {1, 1});
  check_matmul({0, 3}, {3, 2}, {0, 2});
  check_matmul({3, 0}, {0, 2}, {3, 2});
  check_matmul({2, 3, 4}, {4, 5}, {2, 3, 5});
  check_matmul({3, 4}, {2, 4, 5}, {2, 3, 5});
  check_matmul({2, 1, 3, 4}, {3, 4, 2}, {2, 3, 3, 2});
}

TEST_CASE("matmul of repeated rows and columns, which no leading dimension describes") {
  const Tensor row = Tensor::from<double>({1, 2, 3}, {1, 3});
  const Tensor b = Tensor::from<double>({1, 2, 3, 4, 5, 6}, {3, 2});
  const std::vector<double> want{22, 28, 22, 28, 22, 28, 22, 28};
  CHECK(matmul(expand(row, {4, 3}), b).to_vector<double>() == want);
  const Tensor column = expand(transpose(row, 0, 1), {3, 4});
  CHECK(matmul(transpose(b, 0, 1), column).to_vector<double>() ==
        std::vector<double>{22, 22, 22, 22, 28, 28, 28, 28});
}

TEST_CASE("linear") {
  for (const bool with_bias : {true, false}) {
    for (const Shape& batch : {Shape{}, Shape{5}, Shape{2, 3}, Shape{0}}) {
      Shape in = batch, out = batch;
      in.push_back(7);
      out.push_back(3);
      OpCase c;
      c.name = "linear";
      c.inputs = {{in}, {{3, 7}}};
      if (with_bias) c.inputs.push_back({{3}});
      c.op = [](const Tensors& t) { return linear(t[0], t[1], t.size() > 2 ? t[2] : Tensor{}); };
      c.reference = [out](const std::vector<Ref>& r) {
        Ref y(out);
        for (int64_t n = 0; n < static_cast<int64_t>(y.values.size()) / 3; ++n)
          for (int64_t o = 0; o < 3; ++o) {
            double total = r.size() > 2 ? r[2]({o}) : 0;
            for (int64_t i = 0; i < 7; ++i)
              total += r[0].values[static_cast<size_t>(n * 7 + i)] * r[1]({o, i});
            y.values[static_cast<size_t>(n * 3 + o)] = total;
          }
        return y;
      };
      c.float32_tolerance = 4e-6;
      check_op(c);
    }
  }
}

TEST_CASE("matmul and linear refuse what they cannot take") {
  const Tensor a = Tensor::zeros({2, 3});
  check_op_error<ShapeError>([&] { matmul(a, a); },
                             "matmul: the inner sizes of [2, 3] and [2, 3] differ");
  check_op_error<ShapeError>([&] { matmul(a, Tensor::zeros({3})); },
                             "matmul: expects two axes or more, got [2, 3] and [3]");
  check_op_error<ShapeError>(
      [&] {
        matmul(Tensor::zeros({2, 2, 3}), Tensor::zeros({4, 3, 2}));
      },
      "matmul: shapes [2] and [4] do not broadcast");
  check_op_error<DtypeError>(
      [&] {
        matmul(a, Tensor::zeros({3, 1}, Dtype::float64));
      },
      "matmul: both operands expect one dtype, got float32 and float64");
  check_op_error<ShapeError>(
      [&] {
        linear(a, Tensor::zeros({4, 5}));
      },
      "linear: input expects [..., 5] for weight [4, 5], got [2, 3]");
  check_op_error<ShapeError>(
      [&] {
        linear(a, Tensor::zeros({4, 3}), a);
      },
      "linear: bias expects [4] for weight [4, 3], got [2, 3]");
  check_op_error<ShapeError>([&] { linear(a, Tensor::zeros({3})); },
                             "linear: weight expects [out, in], got [3]");
}
