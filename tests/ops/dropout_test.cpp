#include "cytograd/ops/dropout.h"

#include <cmath>

#include "cytograd/core/random.h"
#include "cytograd/core/random_scope.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::test;

TEST_CASE("dropout") {
  for (const Shape& shape : {Shape{3, 7}, Shape{70'001}, Shape{}, Shape{0, 2}}) {
    OpCase c;
    c.name = "dropout";
    c.inputs = {{shape}};
    c.op = [](const Tensors& in) {
      const RandomScope scope(5, 11);
      return dropout(in[0], 0.25, true);
    };
    c.reference = [](const std::vector<Ref>& in) {
      Ref out = in[0];
      // The stream is that of an Rng with the same name: one 32-bit word per element.
      Rng rng(5, "dropout", 11, 0);
      for (double& x : out.values) x *= rng.next_u32() >= (1u << 30) ? 1 / 0.75 : 0;
      return out;
    };
    // Central differences of 70,001 elements would take minutes and show nothing new.
    c.differentiable = shape.numel() < 100;
    check_op(c);
  }
}

TEST_CASE("dropout keeps about 1 - p of the elements and the mean") {
  const RandomScope scope(1, 0);
  const std::vector<float> y = dropout(Tensor::ones({100'000}), 0.3, true).to_vector<float>();
  double kept = 0;
  for (const float v : y) kept += v != 0;
  CHECK(std::abs(kept / 1e5 - 0.7) < 4 * std::sqrt(0.21 / 1e5));
}

TEST_CASE("each call in a scope draws anew, and a scope repeats") {
  const Tensor x = Tensor::ones({64});
  std::vector<float> first, second, again, inner;
  {
    const RandomScope scope(1, 2);
    first = dropout(x, 0.5, true).to_vector<float>();
    {
      const RandomScope nested(1, 3);
      inner = dropout(x, 0.5, true).to_vector<float>();
    }
    second = dropout(x, 0.5, true).to_vector<float>();
  }
  {
    const RandomScope scope(1, 2);
    again = dropout(x, 0.5, true).to_vector<float>();
  }
  CHECK(first == again);
  CHECK(first != second);
  CHECK(first != inner);
}

TEST_CASE("dropout outside training is the identity; bad calls are refused") {
  const Tensor x = Tensor::ones({4});
  CHECK(dropout(x, 0.5, false).storage() == x.storage());
  CHECK(dropout(x, 0, true).storage() == x.storage());
  check_op_error<StateError>(
      [&] { dropout(x, 0.5, true); },
      "dropout: draws random numbers, but no RandomScope is open on this thread");
  check_op_error<ValueError>([&] { dropout(x, 1, true); }, "dropout: p must be in [0, 1), got 1");
  check_op_error<DtypeError>([&] { dropout(Tensor::zeros({2}, Dtype::int64), 0.5, true); },
                             "dropout: expects float32 or float64, got int64");
}
