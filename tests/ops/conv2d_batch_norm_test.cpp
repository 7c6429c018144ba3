#include <cstring>

#include <doctest/doctest.h>

#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "cytograd/ops/batch_norm_conv2d.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/reduce.h"
#include "cytograd/ops/shape.h"

// The joined operations against conv2d and batch_norm one after the other: the same bits.

using namespace cytograd;

namespace {

Tensor draw(const Shape& shape, const char* name, double low = -1, double high = 1) {
  Rng rng(2, name);
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  for (float& v : values) v = static_cast<float>(rng.uniform(low, high));
  Tensor x = Tensor::from(values, shape);
  x.set_requires_grad(true);
  return x;
}

BatchNormLayer norm_of(int64_t channels, const char* name, const BatchNormOptions& options) {
  Tensor mean = draw({channels}, "running mean").detach(),
         var = draw({channels}, "running var", 0.5, 2).detach();
  return {draw({channels}, name, 0.5, 1.5), draw({channels}, "bias"), mean, var, options};
}

Tensor apply(const BatchNormLayer& n, const Tensor& x, const Tensor& residual = {}) {
  return batch_norm(x, n.weight, n.bias, n.running_mean, n.running_var, n.options, residual);
}

struct Setup {
  Tensor x = draw({3, 6, 5, 7}, "x"), residual;
  Conv2dLayer conv;
  BatchNormLayer before, after;
  Setup(int64_t kernel, bool training, bool with_residual, bool recompute = false)
      : conv{draw({9, kernel, kernel, 7}, "filters"), {}, {.padding = kernel / 2}},
        before(norm_of(7, "before", {.training = training, .relu = true, .recompute = recompute})),
        after(norm_of(9, "after", {.training = training, .relu = true})) {
    if (with_residual) residual = draw({3, 6, 5, 9}, "residual");
  }
  // What a step changes or makes.
  std::vector<std::vector<float>> step(const Tensor& y) const {
    y.backward(draw(y.shape(), "dy").detach());
    std::vector<std::vector<float>> out{y.to_vector<float>()};
    for (const Tensor& t : {x, residual, conv.weight, conv.bias, before.weight, before.bias,
                            after.weight, after.bias})
      if (t.defined() && t.grad().defined()) out.push_back(t.grad().to_vector<float>());
    for (const Tensor& t :
         {before.running_mean, before.running_var, after.running_mean, after.running_var})
      out.push_back(t.to_vector<float>());
    return out;
  }
};

}  // namespace

TEST_CASE("conv2d_batch_norm is conv2d and batch_norm") {
  for (const bool training : {true, false})
    for (const bool with_residual : {false, true}) {
      CAPTURE(training);
      CAPTURE(with_residual);
      const Setup joined(3, training, with_residual), apart(3, training, with_residual);
      const auto a =
          joined.step(conv2d_batch_norm(joined.x, joined.conv, joined.after, joined.residual));
      const auto b = apart.step(apply(
          apart.after, conv2d(apart.x, apart.conv.weight, {}, apart.conv.options), apart.residual));
      CHECK(a == b);
    }
}

TEST_CASE("batch_norm_conv2d is batch_norm, conv2d and batch_norm") {
  for (const int64_t kernel : {1, 3})
    for (const bool training : {true, false})
      for (const bool recompute : {false, true}) {
        CAPTURE(kernel);
        CAPTURE(training);
        CAPTURE(recompute);
        const Setup joined(kernel, training, false, recompute), apart(kernel, training, false);
        const auto a =
            joined.step(batch_norm_conv2d(joined.x, joined.before, joined.conv, joined.after));
        const auto b =
            apart.step(apply(apart.after, conv2d(apply(apart.before, apart.x), apart.conv.weight,
                                                 {}, apart.conv.options)));
        CHECK(a == b);
      }
}

TEST_CASE("batch_norm_conv2d reads channel slices and adds to what their gradient holds") {
  const auto run = [](bool joined) {
    const Setup s(1, true, false);
    const Tensor wide = draw({3, 6, 5, 12}, "wide"), part = slice(wide, 3, 0, 7);
    const Tensor y = joined ? batch_norm_conv2d(part, s.before, s.conv, s.after)
                            : apply(s.after, conv2d(apply(s.before, part), s.conv.weight));
    (sum(part) + sum(y * y)).backward();
    return std::pair(wide.grad().to_vector<float>(), s.conv.weight.grad().to_vector<float>());
  };
  CHECK(run(true) == run(false));
}

TEST_CASE("conv2d_batch_norm: what does not fit is an error before anything runs") {
  Setup s(3, true, false);
  const std::vector<float> running = s.after.running_mean.to_vector<float>();
  CHECK_THROWS_AS(conv2d_batch_norm(s.x, s.conv, s.before), ShapeError);
  CHECK_THROWS_AS(batch_norm_conv2d(s.x, s.after, s.conv, s.after), ShapeError);
  s.conv.weight = Tensor::ones({9, 1, 1, 6});
  CHECK_THROWS_AS(conv2d_batch_norm(s.x, s.conv, s.after), ShapeError);
  CHECK_THROWS_AS(batch_norm_conv2d(s.x, s.before, s.conv, s.after), ShapeError);
  CHECK(s.after.running_mean.to_vector<float>() == running);
}
