#include "cytograd/ops/channel_buffer.h"

#include <doctest/doctest.h>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/ops/batch_norm_conv2d.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/reduce.h"
#include "cytograd/ops/shape.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

Tensor grown(const Tensors& parts, int64_t spare) {
  int64_t channels = spare;
  for (const Tensor& part : parts) channels += part.size(-1);
  ChannelBuffer buffer(parts[0], channels);
  for (size_t i = 1; i < parts.size(); ++i) buffer.append(parts[i]);
  return buffer.channels();
}

OpCase append_case(const std::string& name, const std::vector<Shape>& shapes, int64_t spare) {
  OpCase c;
  c.name = "channel_buffer " + name;
  for (const Shape& shape : shapes) c.inputs.push_back({shape});
  c.op = [spare](const Tensors& in) { return grown(in, spare); };
  c.reference = [](const std::vector<Ref>& in) {
    Ref y;
    y.shape = in[0].shape;
    const int last = y.shape.ndim() - 1;
    const int64_t rows = y.shape.back() == 0 ? 0 : y.shape.numel() / y.shape.back();
    y.shape[last] = 0;
    for (const Ref& part : in) y.shape[last] += part.shape.back();
    for (int64_t r = 0; r < rows; ++r)
      for (const Ref& part : in)
        for (int64_t i = 0; i < part.shape.back(); ++i)
          y.values.push_back(part.values[static_cast<size_t>(r * part.shape.back() + i)]);
    return y;
  };
  c.float32_tolerance = 1e-7;  // rounding of the input
  return c;
}

// A small dense block: every layer normalises what is there and adds channels. The gradient of w by
// the product needs y itself, where it is 0 too.
Tensor dense_block(const Tensor& x, const Tensors& weights, bool buffer, bool recompute) {
  const BatchNormOptions options{.training = true, .relu = true, .recompute = recompute};
  if (buffer) {
    ChannelBuffer all(x, x.size(-1) + 3 * static_cast<int64_t>(weights.size()));
    for (const Tensor& w : weights) {
      const Tensor y = batch_norm(all.channels(), w, {}, {}, {}, options);
      all.append(slice(y * w, -1, 0, 3));
    }
    return all.channels();
  }
  Tensor all = x;
  for (const Tensor& w : weights) {
    const Tensor y = batch_norm(all, w, {}, {}, {}, options);
    all = concat({all, slice(y * w, -1, 0, 3)}, -1);
  }
  return all;
}

}  // namespace

TEST_CASE("channel_buffer equals concat") {
  check_op(append_case("images", {{2, 3, 5, 4}, {2, 3, 5, 7}, {2, 3, 5, 1}}, 0));
  check_op(append_case("with room left", {{3, 5}, {3, 2}}, 6));
  check_op(append_case("one part", {{2, 3}}, 2));
  check_op(append_case("vectors", {{17}, {33}}, 1));
}

TEST_CASE("a dense block on one buffer gives the bits of concatenation, recomputed or not") {
  const Tensor x = Tensor::empty({2, 5, 7, 6});
  for (int64_t i = 0; i < x.numel(); ++i)
    x.data<float>()[i] = static_cast<float>((i * 7919) % 1009) / 1009.0f - 0.5f;
  std::vector<std::vector<double>> results;
  for (const auto& [buffer, recompute] :
       {std::pair{false, false}, {true, false}, {true, true}, {false, true}}) {
    const Tensor leaf = x.detach();
    leaf.set_requires_grad(true);
    Tensors weights;
    for (int64_t l = 0; l < 4; ++l) {
      weights.push_back(Tensor::full({6 + 3 * l}, 1.25 - 0.1 * static_cast<double>(l)));
      weights.back().set_requires_grad(true);
    }
    const Tensor y = dense_block(leaf, weights, buffer, recompute);
    std::vector<double> out = y.to_vector<double>();
    sum(y * y).backward();
    for (const Tensor& t : {leaf, weights[0], weights[1], weights[2], weights[3]})
      for (const double g : t.grad().to_vector<double>()) out.push_back(g);
    results.push_back(out);
  }
  CHECK(results[1] == results[2]);
  CHECK(results[0] == results[3]);
  REQUIRE(results[0].size() == results[1].size());
  for (size_t i = 0; i < results[0].size(); ++i)
    CHECK(results[1][i] == doctest::Approx(results[0][i]).epsilon(1e-4));
}

TEST_CASE("appending is no change of what was saved; a change in place is") {
  const Tensor x = Tensor::full({4, 2}, 3, Dtype::float64);
  x.set_requires_grad(true);
  for (const bool change : {false, true}) {
    ChannelBuffer buffer(x, 6);
    const Tensor before = buffer.channels();
    const Tensor y = before * before;  // saves what is there
    buffer.append(y);
    if (change) {
      const NoGrad no_grad;
      before.detach().fill_(1);
    }
    const Tensor loss = sum(buffer.channels());
    if (change)
      CHECK_THROWS_AS(loss.backward(), StateError);
    else
      loss.backward();
  }
  CHECK(x.grad().to_vector<double>() == std::vector<double>(8, 7));  // 1 + 2 x
}

TEST_CASE("recomputed results are not kept, and changed inputs are noticed") {
  const Tensor x = Tensor::empty({2, 8, 16, 64}), filter = Tensor::ones({1, 1, 1, 64}),
               w = Tensor::ones({64});
  for (int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = static_cast<float>(i % 17);
  w.set_requires_grad(true);
  size_t held[2];
  for (const bool recompute : {false, true}) {
    const size_t before = memory_stats().in_use;
    filter.set_requires_grad(true);
    Tensor y = conv2d(
        batch_norm(x, w, {}, {}, {}, {.training = true, .relu = true, .recompute = recompute}),
        filter, {});
    held[recompute] = memory_stats().in_use - before;
    if (!recompute) continue;
    const NoGrad no_grad;
    w.detach().fill_(2);  // what the result is made of
    CHECK_THROWS_AS(y.backward(Tensor::ones({2, 8, 16, 1})), StateError);
  }
  CHECK(held[0] - held[1] >= x.bytes() / 2);
}

TEST_CASE("channel_buffer refuses bad arguments") {
  const Tensor x = Tensor::zeros({2, 3});
  check_op_error<ShapeError>([] { ChannelBuffer(Tensor::scalar(1), 2); },
                             "channel_buffer: expects [..., C], got a scalar");
  check_op_error<ValueError>([&] { ChannelBuffer(x, 2); },
                             "channel_buffer: capacity expects at least 3 channels, got 2");
  ChannelBuffer buffer(x, 5);
  check_op_error<ShapeError>(
      [&] {
        buffer.append(Tensor::zeros({2, 3}));
      },
      "append: expects the shape [2, 3] except for at most 2 channels, got [2, 3]");
  check_op_error<ShapeError>(
      [&] {
        buffer.append(Tensor::zeros({3, 1}));
      },
      "append: expects the shape [2, 3] except for at most 2 channels, got [3, 1]");
  check_op_error<DtypeError>(
      [&] {
        buffer.append(Tensor::zeros({2, 1}, Dtype::float64));
      },
      "append: expects float32, got float64");
  check_op_error<ValueError>(
      [&] { batch_norm(x, {}, {}, {}, {}, {.training = true, .recompute = true}, x); },
      "batch_norm: recompute is not possible with a residual");
}

TEST_CASE("channel_buffer knows the moments of its channels where they are wanted") {
  Tensor a = Tensor::empty({2, 5, 3}, Dtype::float64), b = Tensor::empty({2, 5, 4}, Dtype::float64);
  for (int64_t i = 0; i < a.numel(); ++i) a.data<double>()[i] = static_cast<double>(i * i % 17);
  for (int64_t i = 0; i < b.numel(); ++i) b.data<double>()[i] = static_cast<double>(i * i % 23);
  ChannelBuffer buffer(a, 9, true);
  CHECK(buffer.moments().mean.to_vector<double>() == channel_moments(a).mean.to_vector<double>());
  const Tensor& all = buffer.append(b);
  const ChannelMoments got = buffer.moments(), want = channel_moments(all);
  CHECK(got.mean.shape() == Shape{7});
  for (const auto& [x, y] :
       {std::pair(got.mean, want.mean), std::pair(got.variance, want.variance)})
    for (int64_t c = 0; c < 7; ++c)
      CHECK(x.data<double>()[c] == doctest::Approx(y.data<double>()[c]).epsilon(1e-13));
  // A norm that is given them sums nothing, and is the same norm.
  BatchNormLayer norm{{}, {}, {}, {}, {.training = true, .relu = true}};
  const Conv2dLayer filter{Tensor::ones({2, 1, 1, 7}, Dtype::float64), {}, {}};
  const Tensor image = reshape(all, {2, 5, 1, 7});
  const auto y = batch_norm_conv2d(image, norm, filter, norm).to_vector<double>();
  norm.moments = got;
  BatchNormLayer after = norm;
  after.moments = {};
  const auto z = batch_norm_conv2d(image, norm, filter, after).to_vector<double>();
  for (size_t i = 0; i < y.size(); ++i) CHECK(z[i] == doctest::Approx(y[i]).epsilon(1e-10));
  CHECK(!ChannelBuffer(a, 3).moments().mean.defined());
  norm.moments.mean = Tensor::ones({6}, Dtype::float64);
  check_op_error<ShapeError>([&] { batch_norm_conv2d(image, norm, filter, after); },
                             "batch_norm: moments expect [7], got [6]");
}
