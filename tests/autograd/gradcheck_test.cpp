#include "cytograd/autograd/gradcheck.h"

#include <cmath>

#include "cytograd/autograd/record.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

// x^2 elementwise; `slope` scales the backward rule, so that 2 is right and anything else is a
// planted fault.
Tensor squared(const Tensor& x, double slope) {
  const Tensor xc = x.contiguous();
  Tensor y = Tensor::empty_like(xc);
  const auto forward = [&]<class T>() {
    for (int64_t i = 0; i < y.numel(); ++i) y.data<T>()[i] = xc.data<T>()[i] * xc.data<T>()[i];
  };
  x.dtype() == Dtype::float32 ? forward.operator()<float>() : forward.operator()<double>();
  return record(
      "squared", {x}, y, Saved{x}, slope, [](const auto& back, const Tensor& dy) -> Grads {
        const Tensor xc = back.saved[0].contiguous(), dyc = dy.contiguous();
        Tensor dx = Tensor::empty_like(xc);
        const auto backward = [&]<class T>() {
          for (int64_t i = 0; i < dx.numel(); ++i)
            dx.data<T>()[i] = static_cast<T>(back.params) * xc.data<T>()[i] * dyc.data<T>()[i];
        };
        dx.dtype() == Dtype::float32 ? backward.template operator()<float>()
                                     : backward.template operator()<double>();
        return {dx};
      });
}

}  // namespace

TEST_CASE("gradcheck accepts a right rule and names the element of a wrong one") {
  const Tensor x = Tensor::from<double>({1.0, -2.0, 3.0});
  CHECK(gradcheck([](const Tensors& in) { return squared(in[0], 2); }, {x}).passed(1e-6));
  const GradCheck wrong = gradcheck([](const Tensors& in) { return squared(in[0], 2.001); }, {x});
  CHECK(!wrong.passed(1e-5));
  CHECK(wrong.place.starts_with("input 0, element "));
  const double nan = std::nan("");
  CHECK(!gradcheck([=](const Tensors& in) { return squared(in[0], nan); }, {x}).passed(1e-5));
}

TEST_CASE("the op case suite passes on a right operation") {
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{0, 3}, Shape{7, 13}, Shape{2, 3, 5, 4}})
    check_op({.name = "squared",
              .inputs = {{.shape = shape}},
              .op = [](const Tensors& in) { return squared(in[0], 2); },
              .reference =
                  [](const std::vector<Ref>& in) {
                    Ref y(in[0].shape);
                    for (size_t i = 0; i < y.values.size(); ++i)
                      y.values[i] = in[0].values[i] * in[0].values[i];
                    return y;
                  },
              .on_cuda = false});
}
