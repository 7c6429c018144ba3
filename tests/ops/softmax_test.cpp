#include "cytograd/ops/softmax.h"

#include <cmath>

#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

void check_softmax(const Shape& shape, int dim, bool logarithm) {
  OpCase c;
  c.name = logarithm ? "log_softmax" : "softmax";
  c.inputs = {{shape, -5, 5}};
  c.op = [dim, logarithm](const Tensors& in) {
    return logarithm ? log_softmax(in[0], dim) : softmax(in[0], dim);
  };
  c.reference = [dim, logarithm](const std::vector<Ref>& in) {
    Ref out(in[0].shape);
    int64_t stride = 1;
    for (int d = dim + 1; d < out.shape.ndim(); ++d) stride *= out.shape[d];
    const int64_t n = out.shape[dim];
    for (int64_t k = 0; k < static_cast<int64_t>(out.values.size()); ++k) {
      const int64_t first = k - k / stride % n * stride;
      double total = 0;
      for (int64_t i = 0; i < n; ++i)
        total += std::exp(in[0].values[static_cast<size_t>(first + i * stride)]);
      const double x = in[0].values[static_cast<size_t>(k)];
      out.values[static_cast<size_t>(k)] = logarithm ? x - std::log(total) : std::exp(x) / total;
    }
    return out;
  };
  check_op(c);
}

}  // namespace

TEST_CASE("softmax and log_softmax") {
  for (const bool logarithm : {false, true}) {
    for (const Shape& shape :
         {Shape{7}, Shape{3, 19}, Shape{2, 5, 3}, Shape{0, 4}, Shape{3, 0}, Shape{4, 1}}) {
      for (int dim = 0; dim < shape.ndim(); ++dim) check_softmax(shape, dim, logarithm);
    }
  }
}

TEST_CASE("softmax of large, small and infinite values") {
  const float inf = INFINITY;
  CHECK(softmax(Tensor::from<float>({1000, 1000, -1000}), 0).to_vector<float>() ==
        std::vector<float>{0.5, 0.5, 0});
  CHECK(softmax(Tensor::from<float>({-inf, 0}), 0).to_vector<float>() == std::vector<float>{0, 1});
  CHECK(log_softmax(Tensor::from<float>({-300, 0}), 0).to_vector<float>() ==
        std::vector<float>{-300, 0});
  for (const float bad : {inf, NAN})
    for (const float y : softmax(Tensor::from<float>({bad, 0, 1}), 0).to_vector<float>())
      CHECK(std::isnan(y));
  for (const float y : softmax(Tensor::from<float>({-inf, -inf}), 0).to_vector<float>())
    CHECK(std::isnan(y));
}

TEST_CASE("softmax refuses what it cannot take") {
  check_op_error<ShapeError>([] { softmax(Tensor::zeros({2}), 1); },
                             "softmax: dim expects a value in [-1, 0], got 1");
  check_op_error<DtypeError>([] { log_softmax(Tensor::zeros({2}, Dtype::int64), 0); },
                             "log_softmax: expects float32 or float64, got int64");
}
