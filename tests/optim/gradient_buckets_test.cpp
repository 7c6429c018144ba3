#include "cytograd/optim/gradient_buckets.h"

#include <doctest/doctest.h>

#include <cmath>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "cytograd/models/registry.h"
#include "cytograd/ops/cross_entropy.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/reduce.h"
#include "cytograd/optim/adam.h"
#include "cytograd/optim/clip.h"

using namespace cytograd;
using namespace cytograd::optim;

namespace {

Tensor leaf(int64_t n, double value, Dtype dtype = Dtype::float32) {
  return Tensor::full({n}, value, dtype).set_requires_grad(true);
}
NamedTensors three() { return {{"a", leaf(8, 2)}, {"b", leaf(8, 3)}, {"c", leaf(8, 5)}}; }

// c (b (a x)): backward reaches c first and a last.
Tensor chain(const NamedTensors& p, double x) {
  Tensor y = Tensor::full({8}, x);
  for (const auto& [name, tensor] : p) y = y * tensor;
  return sum(y);
}

std::vector<float> values(const Tensor& x) { return x.to_vector<float>(); }

}  // namespace

TEST_CASE("buckets hold gradients in the reverse order of the parameters, up to their size") {
  NamedTensors p = three();
  p.insert(p.begin() + 1, {"wide", leaf(100, 1, Dtype::float64)});
  p.insert(p.begin(), {"frozen", Tensor::ones({4})});
  p.push_back({"odd", leaf(3, 1)});
  const GradientBuckets buckets(p, 3 * 64);
  REQUIRE(buckets.size() == 3);
  CHECK(buckets.names(0) == std::vector<std::string>{"odd", "c", "b"});
  CHECK(buckets.names(1) == std::vector<std::string>{"wide"});  // larger than a bucket, alone
  CHECK(buckets.names(2) == std::vector<std::string>{"a"});
  CHECK(buckets.flat(0).shape() == Shape{48});  // from multiples of 64 bytes
  CHECK(buckets.flat(1).dtype() == Dtype::float64);
  for (const auto& [name, tensor] : p) CHECK(!tensor.grad().defined());
  CHECK_THROWS_AS(GradientBuckets({p.back()}), StateError);
}

TEST_CASE("a bucket is ready once per pass, in order, while later gradients are missing") {
  const NamedTensors p = three();
  GradientBuckets buckets(p, 64);
  REQUIRE(buckets.size() == 3);
  std::vector<size_t> order;
  std::vector<int> there;
  std::vector<float> first;
  buckets.on_ready([&](size_t bucket, const Tensor& flat) {
    order.push_back(bucket);
    CHECK(!grad_enabled());
    int count = 0;
    for (const auto& [name, tensor] : p) count += tensor.grad().defined();
    there.push_back(count);
    first.push_back(values(flat)[0]);
  });
  chain(p, 1).backward();
  CHECK(order == std::vector<size_t>{0, 1, 2});
  CHECK(there == std::vector<int>{1, 2, 3});
  CHECK(first == std::vector<float>{6, 10, 15});
  for (size_t i = 0; i < 3; ++i) {
    const Tensor grad = p[2 - i].second.grad();
    CHECK(grad.storage() == buckets.flat(i).storage());
  }
  // An earlier layer that is complete first waits for its turn.
  for (const auto& [name, tensor] : p) tensor.zero_grad();
  order.clear();
  const NamedTensors turned = {p[2], p[1], p[0]};
  chain(turned, 1).backward();
  CHECK(order == std::vector<size_t>{0, 1, 2});
}

TEST_CASE("a gradient of several terms is complete after the last one") {
  const NamedTensors p = three();
  GradientBuckets buckets(p, 64);
  std::vector<float> seen;
  buckets.on_ready([&](size_t, const Tensor& flat) { seen.push_back(values(flat)[0]); });
  // c is used first and last: d/dc of c * (c b a) is 2 c b a.
  sum(p[2].second * (p[2].second * p[1].second * p[0].second)).backward();
  CHECK(seen == std::vector<float>{2 * 5 * 3 * 2, 25 * 2, 25 * 3});
}

TEST_CASE("parameters that a pass does not reach have zeros in their bucket and no gradient") {
  const NamedTensors p = three();
  GradientBuckets buckets(p, 128);  // c and b, then a
  int calls = 0;
  buckets.on_ready([&](size_t, const Tensor&) { ++calls; });
  chain(p, 1).backward();
  CHECK(calls == 2);
  for (const auto& [name, tensor] : p) tensor.zero_grad();
  chain({p[2]}, 1).backward();
  CHECK(calls == 4);
  CHECK(!p[0].second.grad().defined());
  CHECK(!p[1].second.grad().defined());
  for (size_t bucket : {size_t{0}, size_t{1}}) {
    const auto flat = values(buckets.flat(bucket));
    float rest = 0;
    for (size_t i = bucket == 0 ? 16 : 0; i < flat.size(); ++i) rest += std::abs(flat[i]);
    CHECK(rest == 0);
  }
  // And an optimiser leaves them alone.
  Adam adam(p, {.lr = 0.1});
  adam.step();
  CHECK(values(p[0].second)[0] == 2);
  CHECK(values(p[2].second)[0] != 5);
}

TEST_CASE("several passes add up; only an active one announces") {
  const NamedTensors p = three(), plain = three();
  GradientBuckets buckets(p, 64);
  int calls = 0;
  buckets.on_ready([&](size_t, const Tensor&) { ++calls; });
  for (const double x : {0.5, -2.0, 3.0}) {
    buckets.set_active(x == 3.0);
    chain(p, x).backward();
    chain(plain, x).backward();
  }
  CHECK(calls == 3);
  for (size_t i = 0; i < 3; ++i)
    CHECK(values(p[i].second.grad()) == values(plain[i].second.grad()));
}

TEST_CASE("gradients set from outside move in, and stay when the buckets go") {
  const NamedTensors p = three();
  p[0].second.set_grad(Tensor::full({8}, 7));
  Tensor grad;
  {
    const GradientBuckets buckets(p);
    CHECK(p[0].second.grad().storage() == buckets.flat(0).storage());
    CHECK(values(p[0].second.grad())[7] == 7);
    p[1].second.set_grad(Tensor::full({8}, 4));
    CHECK(p[1].second.grad().storage() == buckets.flat(0).storage());
    grad = buckets.flat(0);
  }
  CHECK(p[0].second.grad().storage() != grad.storage());
  CHECK(values(p[0].second.grad())[0] == 7);
  CHECK(values(p[1].second.grad())[0] == 4);
  chain(p, 1).backward();  // as without buckets
  CHECK(values(p[1].second.grad())[0] == 14);
  const GradientBuckets again(p);  // free for others
}

TEST_CASE("training in buckets gives the bits of ordinary training") {
  std::vector<std::vector<float>> results[2];
  for (const bool in_buckets : {false, true}) {
    models::ModelOptions options;
    options.classes = 3;
    const auto model = models::make_model("resnet20", options);
    const NamedTensors p = model->named_parameters();
    std::unique_ptr<GradientBuckets> buckets;
    if (in_buckets) buckets = std::make_unique<GradientBuckets>(p, 100000);
    if (in_buckets) CHECK(buckets->size() > 5);
    Adam adam(p, {.lr = 0.01});
    Rng rng(3, "images");
    for (int step = 0; step < 3; ++step) {
      std::vector<float> pixels(4 * 8 * 8 * 3);
      for (float& v : pixels) v = static_cast<float>(rng.normal());
      adam.zero_grad();
      cross_entropy(model->forward(Tensor::from(pixels, {4, 8, 8, 3})),
                    Tensor::from(std::vector<int64_t>{0, 1, 2, 1}))
          .backward();
      clip_grad_norm(p, 0.5);
      adam.step();
    }
    for (const auto& [name, tensor] : p) results[in_buckets].push_back(values(tensor));
  }
  CHECK(results[0] == results[1]);
}
