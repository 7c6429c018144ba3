#include "cytograd/inference/compile.h"

#include <doctest/doctest.h>

#include <cmath>
#include <thread>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/parallel.h"
#include "cytograd/core/random.h"
#include "cytograd/models/registry.h"
#include "cytograd/ops/batch_norm.h"
#include "cytograd/ops/conv2d.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/linear.h"
#include "cytograd/ops/pool2d.h"
#include "cytograd/ops/shape.h"
#include "cytograd/ops/softmax.h"
#include "cytograd/ops/upsample.h"

using namespace cytograd;
using inference::compile;
using inference::CompiledModel;

namespace {

Tensor random(const Shape& shape, uint64_t seed, double low = -1, double high = 1) {
  Tensor t = Tensor::empty(shape, Dtype::float64);
  Rng rng(seed, "compile test");
  for (int64_t i = 0; i < t.numel(); ++i) t.data<double>()[i] = rng.uniform(low, high);
  return t;
}

// Largest difference by the largest value.
double relative_error(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  const auto x = a.to_vector<double>(), y = b.to_vector<double>();
  double error = 0, size = 1e-30;
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i]) || std::isnan(y[i])) return INFINITY;
    error = std::max(error, std::abs(x[i] - y[i]));
    size = std::max(size, std::abs(y[i]));
  }
  return error / size;
}

// Running statistics and batch norm weights away from 0 and 1, so that folding has work to do.
void disturb(const models::ImageModel& model) {
  uint64_t seed = 1;
  for (auto& [name, t] : model.state_dict()) {
    if (t.ndim() != 1 || !is_floating(t.dtype())) continue;
    const bool variance = name.find("running_var") != name.npos;
    t.detach().copy_(random(t.shape(), ++seed, variance ? 0.5 : -0.5, 1.5).to(t.dtype()));
  }
}

using Function = std::function<Tensor(const Tensor&)>;

// Compiled and plain results of f in float64 for several batches.
void check_same(const Function& f, const Shape& image) {
  const CompiledModel compiled = compile(f, image, {.dtype = Dtype::float64});
  const NoGrad no_grad;
  for (const int64_t n : {1, 11, 2}) {
    Shape shape{n};
    for (const int64_t size : image) shape.push_back(size);
    const Tensor x = random(shape, static_cast<uint64_t>(n));
    CHECK(relative_error(compiled(x), f(x)) < 1e-12);
  }
}

}  // namespace

TEST_CASE("compiled models give the models' results") {
  for (const char* name : {"resnet18", "resnet50", "densenet121", "resnet20"}) {
    CAPTURE(name);
    const auto model = models::make_model(name, {.classes = 7, .embedding = 5, .seed = 3});
    model->to(Dtype::float64);
    disturb(*model);
    model->eval();
    check_same([&](const Tensor& x) { return model->forward(x); }, {65, 47, 3});
  }
}

TEST_CASE("compiling leaves the model as it was and keeps its own weights") {
  const auto model = models::make_model("resnet18", {.in_channels = 1, .classes = 4});
  disturb(*model);
  model->train();
  const CompiledModel compiled = compile(*model, {40, 40, 1});
  CHECK(model->training());
  CHECK(compiled.input_shape() == Shape{40, 40, 1});
  CHECK(compiled.output_shape() == Shape{4});
  CHECK(compiled.dtype() == Dtype::float32);
  const Tensor x = random({3, 40, 40, 1}, 1).to(Dtype::float32);
  const Tensor before = compiled(x);
  {
    const NoGrad no_grad;
    model->eval();
    CHECK(relative_error(before, model->forward(x)) < 1e-4);
  }
  disturb(*model);
  for (auto& [name, t] : model->named_parameters()) t.detach().copy_(Tensor::zeros_like(t));
  CHECK(compiled(x).to_vector<float>() == before.to_vector<float>());
}

TEST_CASE("everything that is joined has gone from the list of steps") {
  const auto count = [](const char* name) {
    const auto model = models::make_model(name, {.classes = 3});
    return compile(*model, {64, 64, 3}).steps();
  };
  const auto resnet = count("resnet50");
  CHECK(resnet.size() == 53 + 3);  // convolutions; two pools, the classifier
  for (const auto& step : resnet) CHECK(step.name.find("affine") == std::string::npos);
  size_t sums = 0, maps = 0, concats = 0;
  for (const auto& step : resnet) sums += step.name.find("residual") != std::string::npos;
  CHECK(sums == 16);
  const auto densenet = count("densenet121");
  for (const auto& step : densenet) maps += step.name.starts_with("affine");
  for (const auto& step : densenet) concats += step.name.starts_with("concat");
  CHECK(maps == 3 + 1);  // in front of the pools of three transitions and of the classifier
  CHECK(concats == 58);  // which copy nothing but the first of each block
  double flops = 0;
  for (const auto& step : compile(*models::make_model("resnet50"), {224, 224, 3}).steps())
    flops += step.flops;
  CHECK(flops == doctest::Approx(8.178e9).epsilon(0.001));
}

TEST_CASE("operations in every order") {
  const Tensor w = random({6, 3, 3, 4}, 1), w1 = random({6, 1, 1, 6}, 2), b = random({6}, 3),
               grouped = random({6, 3, 3, 2}, 4), a = random({6}, 5), m = random({6}, 6),
               v = random({6}, 7, 0.5, 2), full = random({10, 6 * 4 * 5}, 8),
               last = random({10, 6}, 9);
  const auto conv = [=](const Tensor& x) { return conv2d(x, w, b, {.padding = 1}); };
  const auto norm = [=](const Tensor& x) { return batch_norm(x, a, b, m, v, {}); };
  const auto mix = [=](const Tensor& x) { return conv2d(x, w1, {}, {}); };
  const Shape image{8, 10, 4};

  check_same([&](const Tensor& x) { return relu(norm(conv(x))); }, image);
  check_same([&](const Tensor& x) { return norm(relu(conv(x))); }, image);
  check_same([&](const Tensor& x) { return x; }, image);
  check_same([&](const Tensor& x) { return flatten(adaptive_avg_pool2d(conv(x), 1, 1), 1); },
             image);
  check_same([&](const Tensor& x) { return sigmoid(conv(x)) + tanh(conv(x)); }, image);
  SUBCASE("sums") {
    // Both summands are read again; the same summand twice; a convolution that reads its summand.
    check_same(
        [&](const Tensor& x) {
          const Tensor y = conv(x), z = mix(y);
          return relu(y + z) + z + mix(y + y);
        },
        image);
    check_same(
        [&](const Tensor& x) {
          const Tensor y = conv(x);
          return relu(mix(y) + y);
        },
        image);
    check_same([&](const Tensor& x) { return leaky_relu(norm(mix(conv(x))) + conv(x), 0.1); },
               image);
  }
  SUBCASE("concatenations") {
    check_same(
        [&](const Tensor& x) {
          const Tensor y = conv(x), z = mix(relu(norm(y)));
          const Tensor both = concat({y, z}, -1), all = concat({both, x, y, y}, -1);
          return concat({max_pool2d(all, {.kernel = 2}), avg_pool2d(all, {.kernel = 2})}, -1);
        },
        image);
    check_same(
        [&](const Tensor& x) {
          const Tensor y = conv(x), both = concat({y, mix(y)}, -1);
          return concat(
              {conv2d(both, Tensor::ones({3, 3, 3, 12}, Dtype::float64), {}, {.padding = 1}), both},
              -1);
        },
        image);
  }
  SUBCASE("pools, sizes, groups") {
    check_same(
        [&](const Tensor& x) {
          const Tensor y = avg_pool2d(mix(conv(x)), {.kernel = 2});  // the pool comes first
          const Tensor z = upsample_bilinear(y, 8, 10) + upsample_nearest(y, 8, 10);
          return conv2d(relu(norm(z)), grouped, {}, {.padding = 1, .groups = 3});
        },
        image);
    check_same(
        [&](const Tensor& x) {
          return avg_pool2d(mix(conv(x)), {.kernel = 3, .stride = 2, .padding = 1});
        },
        image);
    check_same(
        [&](const Tensor& x) {
          return linear(flatten(max_pool2d(conv(x), {.kernel = 2}), 1), full, {});
        },
        image);
    check_same([&](const Tensor& x) { return linear(conv(x), last, {}); }, Shape{8, 1, 4});
  }
}

TEST_CASE("3x3 convolutions in float32, most of them by Winograd") {
  struct Case {
    int64_t h, w, c_in, c_out, padding;
  };
  // Whole and cut tiles, tails of vectors and panels, more than one block of the depth.
  for (const Case& c : {Case{16, 16, 16, 32, 1}, Case{15, 9, 19, 37, 1}, Case{12, 13, 300, 20, 0},
                        Case{7, 7, 64, 64, 2}, Case{6, 30, 33, 17, 1}, Case{3, 3, 16, 16, 0}}) {
    CAPTURE(c.h);
    CAPTURE(c.c_in);
    const Tensor w = random({c.c_out, 3, 3, c.c_in}, 1), b = random({c.c_out}, 2),
                 w2 = random({c.c_out, 1, 1, c.c_out}, 3);
    const auto f = [&](Dtype dtype) {
      const Tensor w_ = w.to(dtype), b_ = b.to(dtype), w2_ = w2.to(dtype);
      const Conv2dOptions options{.padding = c.padding};
      return [=](const Tensor& x) {
        const Tensor y = conv2d(x, w_, b_, options), z = conv2d(y, w2_, {}, {});
        return concat({relu(conv2d(x, w_, {}, options) + z), conv2d(x, w_, {}, options)}, -1);
      };
    };
    const Shape image{c.h, c.w, c.c_in};
    const CompiledModel compiled = compile(f(Dtype::float32), image, {.batch = 16});
    for (const int64_t n : {1, 9}) {
      const Tensor x = random({n, c.h, c.w, c.c_in}, 4);
      const NoGrad no_grad;
      const Tensor y = compiled(x.to(Dtype::float32));
      CHECK(relative_error(y.to(Dtype::float64), f(Dtype::float64)(x)) < 2e-5);
      const int threads = num_threads();
      set_num_threads(threads == 1 ? 3 : 1);
      CHECK(compiled(x.to(Dtype::float32)).to_vector<float>() == y.to_vector<float>());
      set_num_threads(threads);
    }
    Tensor bad = random({1, c.h, c.w, c.c_in}, 4).to(Dtype::float32);
    bad.data<float>()[0] = NAN;
    bool nan = false;
    for (const float v : compiled(bad).to_vector<float>()) nan |= std::isnan(v);
    CHECK(nan);
  }
}

TEST_CASE("repeated runs allocate nothing") {
  const auto model = models::make_model("densenet121", {.classes = 3});
  const CompiledModel compiled = compile(*model, {64, 64, 3});
  const Tensor x = random({4, 64, 64, 3}, 1).to(Dtype::float32);
  const Tensor y = Tensor::empty({4, 3});
  compiled.run(x, y);
  const auto first = y.to_vector<float>();
  const MemoryStats before = memory_stats();
  reset_peak_memory();
  for (int i = 0; i < 3; ++i) compiled.run(x, y);
  const MemoryStats after = memory_stats();
  CHECK(after.allocations == before.allocations);
  CHECK(after.in_use == before.in_use);
  CHECK(after.peak == before.in_use);
  CHECK(y.to_vector<float>() == first);
}

TEST_CASE("a model that is given up is never in memory twice") {
  const Shape image{64, 64, 3};
  const Tensor x = random({2, 64, 64, 3}, 1).to(Dtype::float32);
  auto model = models::make_model("resnet18");
  size_t weights = 0;
  for (const auto& [name, weight] : model->named_parameters()) weights += weight.bytes();
  const auto more_at_most = [](const auto& make) {
    reset_peak_memory();
    const size_t before = memory_stats().peak;
    const CompiledModel compiled = make();
    return std::pair(memory_stats().peak - before, compiled);
  };
  const auto [twice, kept] = more_at_most([&] { return compile(*model, image); });
  const auto expected = kept(x).to_vector<float>();
  const auto [once, owner] = more_at_most([&] { return compile(std::move(model), image); });
  CHECK(twice > weights);
  CHECK(4 * once < 3 * weights);
  CHECK(owner(x).to_vector<float>() == expected);
}

TEST_CASE("the times of the steps are added up, and change no result") {
  const auto model = models::make_model("resnet18", {.classes = 3});
  const CompiledModel compiled = compile(*model, {40, 40, 3});
  const Tensor x = random({9, 40, 40, 3}, 1).to(Dtype::float32);  // runs in two parts
  const Tensor y = Tensor::empty({9, 3});
  std::vector<double> seconds(compiled.steps().size(), 1.0);
  compiled.run(x, y, seconds);
  for (const double s : seconds) CHECK((s >= 1 && s < 2));
  CHECK(*std::max_element(seconds.begin(), seconds.end()) > 1);
  CHECK(y.to_vector<float>() == compiled(x).to_vector<float>());
  seconds.pop_back();
  CHECK_THROWS_AS(compiled.run(x, y, seconds), ValueError);
}

TEST_CASE("threads share a compiled model; any number of kernel threads gives the same bits") {
  const auto model = models::make_model("resnet18", {.classes = 3});
  const CompiledModel compiled = compile(*model, {48, 48, 3});
  const Tensor x = random({5, 48, 48, 3}, 1).to(Dtype::float32);
  const auto expected = compiled(x).to_vector<float>();
  const int threads = num_threads();
  for (const int count : {1, 3, 7}) {
    set_num_threads(count);
    CHECK(compiled(x).to_vector<float>() == expected);
  }
  set_num_threads(threads);
  std::vector<std::vector<float>> results(4);
  std::vector<std::thread> workers;
  for (auto& result : results)
    workers.emplace_back([&] {
      for (int i = 0; i < 3; ++i) result = compiled(x).to_vector<float>();
    });
  for (std::thread& worker : workers) worker.join();
  for (const auto& result : results) CHECK(result == expected);
}

TEST_CASE("what cannot be compiled is refused by name") {
  const Tensor w = random({6, 3, 3, 4}, 1), v = random({6}, 2);
  const Shape image{8, 8, 4};
  const auto conv = [&](const Tensor& x) { return conv2d(x, w, {}, {}); };
  const auto f64 = Dtype::float64;
  CHECK_THROWS_WITH_AS(
      compile([&](const Tensor& x) { return softmax(conv(x), -1); }, image, {.dtype = f64}),
      "compile: the operation softmax has no inference form; run the model itself", ValueError);
  CHECK_THROWS_AS(compile([&](const Tensor& x) { return conv(x) * v; }, image, {.dtype = f64}),
                  ValueError);
  CHECK_THROWS_AS(compile([&](const Tensor&) { return v; }, image, {.dtype = f64}), ValueError);
  CHECK_THROWS_AS(compile(
                      [&](const Tensor& x) {
                        return reshape(x, {-1, 4});
                      },
                      image, {.dtype = f64}),
                  ValueError);
  CHECK_THROWS_WITH_AS(
      compile([&](const Tensor& x) { return batch_norm(conv(x), v, v, v, v, {.training = true}); },
              image, {.dtype = f64}),
      "compile: batch norm is in training mode; call eval() on the model", StateError);
  const CompiledModel compiled = compile(conv, image, {.dtype = f64});
  CHECK_THROWS_AS(compiled(random({1, 8, 9, 4}, 1)), ShapeError);
  CHECK_THROWS_AS(compiled(random({1, 8, 8, 4}, 1).to(Dtype::float32)), DtypeError);
  CHECK(compiled(random({0, 8, 8, 4}, 1)).shape() == Shape{0, 6, 6, 6});
  CHECK_THROWS_AS(compile(conv, Shape{8, 0, 4}, {.dtype = f64}), ShapeError);
}
