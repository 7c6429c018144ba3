#include <algorithm>
#include <cmath>
#include <functional>

#include <doctest/doctest.h>

#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "cytograd/core/random_scope.h"
#include "cytograd/ops/batch_norm.h"
#include "cytograd/ops/conv2d.h"
#include "cytograd/ops/conv_transpose2d.h"
#include "cytograd/ops/cross_entropy.h"
#include "cytograd/ops/dropout.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/group_norm.h"
#include "cytograd/ops/index.h"
#include "cytograd/ops/linear.h"
#include "cytograd/ops/matmul.h"
#include "cytograd/ops/pairwise_distance.h"
#include "cytograd/ops/pool2d.h"
#include "cytograd/ops/reduce.h"
#include "cytograd/ops/shape.h"
#include "cytograd/ops/softmax.h"
#include "cytograd/ops/squared_error.h"
#include "cytograd/ops/upsample.h"

// Operations on bfloat16 on the device give what they give in float32 for the same values, forward
// and backward, up to a few roundings.

using namespace cytograd;

namespace {

struct In {
  Shape shape;
  bool vector = false;  // float32 in both runs: parameters of norms
  double low = -2, high = 2;
};

struct Case {
  const char* name;
  std::vector<In> inputs;
  std::function<Tensor(const Tensors&)> op;
  Dtype result = Dtype::bfloat16;
};

Tensor drawn(const In& in, size_t index) {
  Rng rng(3, "input", index);
  std::vector<float> values(static_cast<size_t>(in.shape.numel()));
  for (float& v : values) v = static_cast<float>(rng.uniform(in.low, in.high));
  return Tensor::from(values, in.shape).to(Dtype::bfloat16).to(Dtype::float32);
}

struct Outcome {
  Dtype dtype;
  Tensors values;  // the result and the gradients, float32 on the CPU
};

Outcome run(const Case& c, Dtype dtype) {
  Tensors inputs;
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    const Tensor x = drawn(c.inputs[i], i).to(Device::cuda());
    inputs.push_back(c.inputs[i].vector ? x : x.to(dtype).detach());
    inputs.back().set_requires_grad(true);
  }
  const RandomScope scope(5, 0);
  const Tensor y = c.op(inputs);
  y.backward(drawn({y.shape()}, 99).to(Device::cuda()).to(y.dtype()));
  Outcome out{y.dtype(), {}};
  const auto add = [&](const Tensor& t) {
    out.values.push_back(t.detach().to(Device::cpu()).to(Dtype::float32));
  };
  add(y);
  for (const Tensor& x : inputs) {
    CHECK(x.grad().dtype() == x.dtype());
    add(x.grad());
  }
  return out;
}

void check_case(const Case& c) {
  CAPTURE(c.name);
  const Outcome rounded = run(c, Dtype::bfloat16), exact = run(c, Dtype::float32);
  CHECK(rounded.dtype == c.result);
  for (size_t i = 0; i < exact.values.size(); ++i) {
    const std::vector<float> a = rounded.values[i].to_vector<float>(),
                             b = exact.values[i].to_vector<float>();
    REQUIRE(a.size() == b.size());
    float largest = 0;
    for (const float v : b) largest = std::max(largest, std::abs(v));
    // A rounding is 2^-9 of its value; gradients have a few, of terms as large as the sum.
    const float bound = 0x1p-6f * std::max(largest, 0.25f);
    size_t worst = 0;
    for (size_t j = 0; j < a.size(); ++j)
      if (!(std::abs(a[j] - b[j]) <= std::abs(a[worst] - b[worst]))) worst = j;
    if (a.empty()) continue;
    INFO("value ", i, " at ", worst, ": ", a[worst], " for ", b[worst]);
    CHECK(std::abs(a[worst] - b[worst]) <= bound);
  }
}

const In image{{2, 6, 5, 16}}, odd_image{{2, 6, 5, 3}};

}  // namespace

TEST_CASE("bfloat16: elementwise operations keep it, steep ones give float32") {
  const In x{{3, 7, 8}}, positive{{3, 7, 8}, false, 0.5, 2}, row{{8}, false, 0.5, 2};
  for (const Case& c : std::vector<Case>{
           {"relu", {x}, [](const Tensors& t) { return relu(t[0]); }},
           {"leaky_relu", {x}, [](const Tensors& t) { return leaky_relu(t[0], 0.1); }},
           {"sigmoid", {x}, [](const Tensors& t) { return sigmoid(t[0]); }},
           {"tanh", {x}, [](const Tensors& t) { return tanh(t[0]); }},
           {"clamp", {x}, [](const Tensors& t) { return clamp(t[0], -1, 0.5); }},
           {"affine", {x}, [](const Tensors& t) { return 3 - t[0] * 0.5; }},
           {"odd size", {{{3, 7, 5}}}, [](const Tensors& t) { return relu(t[0]); }},
           {"add", {x, x}, [](const Tensors& t) { return t[0] + t[1]; }},
           {"add a row", {x, row}, [](const Tensors& t) { return t[0] + t[1]; }},
           {"sub a scalar", {x, {{}}}, [](const Tensors& t) { return t[0] - t[1]; }},
           {"mul", {x, row}, [](const Tensors& t) { return t[0] * t[1]; }},
           {"div", {x, positive}, [](const Tensors& t) { return t[0] / t[1]; }},
           {"maximum", {x, x}, [](const Tensors& t) { return maximum(t[0], t[1]); }},
           {"dropout", {x}, [](const Tensors& t) { return dropout(t[0], 0.4, true); }},
           {"both", {x, {{8}, true}}, [](const Tensors& t) { return t[0] * t[1]; }, Dtype::float32},
           {"exp", {x}, [](const Tensors& t) { return exp(t[0]); }, Dtype::float32},
           {"log", {positive}, [](const Tensors& t) { return log(t[0]); }, Dtype::float32},
           {"square", {x}, [](const Tensors& t) { return square(t[0]); }, Dtype::float32},
       })
    check_case(c);
}

TEST_CASE("bfloat16: shapes, pooling, resizing and norms keep it") {
  const In vector{{16}, true, 0.5, 1.5};
  for (const Case& c : std::vector<Case>{
           {"transpose", {image}, [](const Tensors& t) { return transpose(t[0], 1, 3) * 2; }},
           {"slice", {image}, [](const Tensors& t) { return slice(t[0], 3, 2, 9) + 2.0; }},
           {"concat", {image, odd_image}, [](const Tensors& t) { return concat(t, 3); }},
           {"expand",
            {{{1, 5}}},
            [](const Tensors& t) {
              return expand(t[0], {4, 5});
            }},
           {"max_pool2d",
            {image},
            [](const Tensors& t) {
              return max_pool2d(t[0], {.kernel = 3, .stride = 2, .padding = 1});
            }},
           {"avg_pool2d",
            {odd_image},
            [](const Tensors& t) { return avg_pool2d(t[0], {.kernel = 2}); }},
           {"global", {image}, [](const Tensors& t) { return adaptive_avg_pool2d(t[0], 1, 1); }},
           {"nearest", {image}, [](const Tensors& t) { return upsample_nearest(t[0], 9, 10); }},
           {"bilinear", {image}, [](const Tensors& t) { return upsample_bilinear(t[0], 9, 8); }},
           {"batch_norm",
            {image, vector, vector, image},
            [](const Tensors& t) {
              return batch_norm(t[0], t[1], t[2], {}, {}, {.training = true, .relu = true}, t[3]);
            }},
           {"batch_norm alone",
            {odd_image},
            [](const Tensors& t) { return batch_norm(t[0], {}, {}, {}, {}, {.training = true}); }},
           {"group_norm",
            {image, vector, vector},
            [](const Tensors& t) { return group_norm(t[0], 4, t[1], t[2]); }},
       })
    check_case(c);
}

TEST_CASE("bfloat16: products keep it") {
  for (const Case& c : std::vector<Case>{
           {"matmul", {{{9, 20}}, {{20, 7}}}, [](const Tensors& t) { return matmul(t[0], t[1]); }},
           {"matmul with a batch",
            {{{2, 3, 8}}, {{8, 8}}},
            [](const Tensors& t) { return matmul(t[0], t[1]); }},
           {"linear",
            {{{9, 16}}, {{8, 16}}, {{8}}},
            [](const Tensors& t) { return linear(t[0], t[1], t[2]); }},
           {"conv2d",
            {image, {{8, 3, 3, 16}}, {{8}}},
            [](const Tensors& t) { return conv2d(t[0], t[1], t[2], {.padding = 1}); }},
           {"conv_transpose2d",
            {odd_image, {{3, 2, 2, 8}}, {{8}}},
            [](const Tensors& t) { return conv_transpose2d(t[0], t[1], t[2], {.stride = 2}); }},
       })
    check_case(c);
}

TEST_CASE("bfloat16: sums, losses and gathers take float32") {
  const In rows{{6, 9}};
  const Tensor labels =
      Tensor::from(std::vector<int64_t>{0, 8, 3, 3, 1, 5}, {6}).to(Device::cuda());
  for (const Case& c : std::vector<Case>{
           {"sum", {rows}, [](const Tensors& t) { return sum(t[0], {1}); }, Dtype::float32},
           {"mean", {rows}, [](const Tensors& t) { return mean(t[0]); }, Dtype::float32},
           {"max", {rows}, [](const Tensors& t) { return max(t[0], 0); }, Dtype::float32},
           {"norm", {rows}, [](const Tensors& t) { return norm(t[0], 1); }, Dtype::float32},
           {"softmax", {rows}, [](const Tensors& t) { return softmax(t[0], 1); }, Dtype::float32},
           {"log_softmax",
            {rows},
            [](const Tensors& t) { return log_softmax(t[0], 0); },
            Dtype::float32},
           {"cross_entropy",
            {rows},
            [&](const Tensors& t) { return cross_entropy(t[0], labels); },
            Dtype::float32},
           {"squared_error",
            {rows, {{6, 9}, true}},
            [](const Tensors& t) { return squared_error(t[0], t[1]); },
            Dtype::float32},
           {"pairwise_distance",
            {rows},
            [](const Tensors& t) { return pairwise_distance(t[0], t[0]); },
            Dtype::float32},
           {"index_select",
            {rows},
            [&](const Tensors& t) { return index_select(t[0], 1, labels); },
            Dtype::float32},
       })
    check_case(c);
}

TEST_CASE("bfloat16 is not computed on the CPU") {
  const Tensor x = Tensor::ones({2, 3, 3, 8}).to(Dtype::bfloat16), v = Tensor::ones({8});
  CHECK_THROWS_WITH_AS(relu(x), "relu: expects float32 or float64, got bfloat16", DtypeError);
  CHECK_THROWS_WITH_AS(add(x, x), "add: expects float32 or float64, got bfloat16", DtypeError);
  CHECK_THROWS_WITH_AS(sum(x), "sum: expects float32 or float64, got bfloat16", DtypeError);
  CHECK_THROWS_WITH_AS(batch_norm(x, v, v, {}, {}, {.training = true}),
                       "batch_norm: expects float32 or float64, got bfloat16", DtypeError);
}
