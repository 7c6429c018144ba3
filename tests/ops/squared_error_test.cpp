#include "cytograd/ops/squared_error.h"

#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

Ref reference(const std::vector<Ref>& in, const std::vector<double>& weight) {
  const int64_t channels = in[0].shape.empty() ? 1 : in[0].shape.back();
  double sum = 0;
  for (size_t i = 0; i < in[0].values.size(); ++i) {
    const double w = weight.empty() ? 1 : weight[i / static_cast<size_t>(channels)];
    const double d = w * in[0].values[i] - w * in[1].values[i];
    sum += d * d;
  }
  return Ref({}, sum);
}

}  // namespace

TEST_CASE("squared_error without and with a weight per row") {
  // The last two are larger than one chunk.
  for (const Shape& shape : {Shape{}, Shape{5}, Shape{0, 3}, Shape{2, 3, 3, 1}, Shape{2, 5, 7, 3},
                             Shape{97, 181}, Shape{17001}}) {
    for (const bool weighted : {false, true}) {
      if (weighted && shape.empty()) continue;
      std::vector<double> weight;
      Shape rows = shape;
      if (weighted) {
        rows[rows.ndim() - 1] = 1;
        for (int64_t i = 0; i < rows.numel(); ++i)
          weight.push_back(0.25 * static_cast<double>(i % 5));
      }
      // Central differences at each of 17,000 elements would take minutes.
      const bool small = shape.numel() < 1000;
      OpCase c;
      c.name = "squared_error";
      c.inputs = {{shape}, {shape}};
      c.op = [=](const Tensors& in) {
        const Tensor w =
            weighted ? Tensor::from(weight, rows).to(in[0].dtype()).to(in[0].device()) : Tensor{};
        return squared_error(in[0], in[1], w);
      };
      c.reference = [=](const std::vector<Ref>& in) { return reference(in, weight); };
      c.differentiable = small;
      check_op(c);
    }
  }
}

TEST_CASE("squared_error: the gradient counts half a mask as a quarter") {
  const Tensor x = Tensor::from<double>({3, 5}, {2, 1}), y = Tensor::from<double>({1, 1}, {2, 1});
  x.set_requires_grad(true);
  squared_error(x, y, Tensor::from<double>({0.5, 0}, {2, 1})).backward();
  CHECK(x.grad().to_vector<double>() == std::vector<double>{1, 0});
}

TEST_CASE("squared_error rejects what does not fit") {
  const Tensor x = Tensor::zeros({2, 3, 4});
  check_op_error<ShapeError>(
      [&] {
        squared_error(x, Tensor::zeros({2, 3, 1}));
      },
      "squared_error: target expects the shape of the prediction, "
      "[2, 3, 4], got [2, 3, 1]");
  check_op_error<ShapeError>(
      [&] {
        squared_error(x, x, Tensor::zeros({2, 3}));
      },
      "squared_error: weight expects [2, 3, 1] for values [2, 3, 4], got [2, 3]");
  check_op_error<DtypeError>([&] { squared_error(x, x.to(Dtype::float64)); },
                             "squared_error: target expects float32, got float64");
  Tensor weight = Tensor::ones({2, 3, 1});
  weight.set_requires_grad(true);
  check_op_error<StateError>([&] { squared_error(x, x, weight); },
                             "squared_error: weight takes no gradient; detach it first");
}
