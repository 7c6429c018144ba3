#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <memory>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "cytograd/optim/adam.h"
#include "cytograd/optim/clip.h"
#include "cytograd/optim/ema.h"
#include "cytograd/optim/sgd.h"
#include "support/kernel_case.h"

using namespace cytograd;
using namespace cytograd::optim;

namespace {

using Make = std::function<std::unique_ptr<Optimizer>(NamedTensors)>;

template <class O, class Options>
Make maker(Options options) {
  return
      [=](NamedTensors parameters) { return std::make_unique<O>(std::move(parameters), options); };
}

Tensor start() { return Tensor::from<double>({0.5, -1.0, 2.0, 0.0, 1e-3}).set_requires_grad(true); }

// The gradient of tests/reference/torch_optim.py.
void set_gradient(const Tensor& weight, int step) {
  std::vector<double> slope = weight.to_vector<double>();
  for (size_t i = 0; i < slope.size(); ++i)
    slope[i] = std::sin(static_cast<double>(i) + 1 + 0.7 * step) + 0.3 * slope[i];
  weight.set_grad(Tensor::from(slope).to(weight.dtype()));
}

struct Case {
  const char* name;
  std::vector<double> expected;
  Make make;
};

// Weights after 20 steps, printed by tests/reference/torch_optim.py (PyTorch 2, float64).
const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"sgd",
       {0.28969079871716874, -0.80711453427580415, 1.4846928352899553, 0.074915548600474197,
        0.075273255146020943},
       maker<Sgd>(SgdOptions{.lr = 0.05})},
      {"sgd weight decay",
       {0.25763648847800774, -0.7359482162064741, 1.3375346575883829, 0.070845857577574015,
        0.074905254314299202},
       maker<Sgd>(SgdOptions{.lr = 0.05, .weight_decay = 0.1})},
      {"sgd momentum",
       {-0.1090001853160861, 0.14476966225064411, -0.24763378210833253, 0.040612772682914758,
        0.0047924282181084311},
       maker<Sgd>(SgdOptions{.lr = 0.05, .momentum = 0.9, .weight_decay = 0.01})},
      {"sgd nesterov",
       {-0.11953047587918077, 0.03559546181727697, -0.25248112183051125, 0.053969507199046189,
        0.081408580317429369},
       maker<Sgd>(SgdOptions{.lr = 0.05, .momentum = 0.9, .weight_decay = 0.01, .nesterov = true})},
      {"adam",
       {0.29883894641407116, -0.83888693697395855, 1.6581439031324177, 0.11929150126247066,
        0.048491489661642774},
       maker<Adam>(AdamOptions{.lr = 0.03})},
      {"adam weight decay",
       {0.30749380459267917, -0.79275524436708489, 1.5662243572291192, 0.082105312023604424,
        0.040488403625436514},
       maker<Adam>(
           AdamOptions{.lr = 0.03, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-3, .weight_decay = 0.1})},
      {"adamw",
       {0.27927136586601342, -0.78675469458802949, 1.5553127789927443, 0.11321364961248259,
        0.045727718724638253},
       maker<AdamW>(AdamOptions{.lr = 0.03, .weight_decay = 0.1})},
  };
  return all;
}

void check_near(const std::vector<double>& actual, const std::vector<double>& expected,
                double tolerance) {
  REQUIRE(actual.size() == expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(i);
    CHECK_FALSE(!(std::abs(actual[i] - expected[i]) <= tolerance));
  }
}

}  // namespace

TEST_CASE("optimisers take PyTorch's steps") {
  for (const Case& c : cases()) {
    CAPTURE(c.name);
    for (const Dtype dtype : {Dtype::float64, Dtype::float32}) {
      const Tensor weight = start().detach().to(dtype).clone().set_requires_grad(true);
      const auto optimizer = c.make({{"w", weight}});
      for (int step = 0; step < 20; ++step) {
        set_gradient(weight, step);
        optimizer->step();
      }
      CHECK(optimizer->step_count() == 20);
      // 20 steps of a few roundings each, of numbers up to 2.
      check_near(weight.to_vector<double>(), c.expected, dtype == Dtype::float64 ? 1e-14 : 3e-6);
    }
  }
}

TEST_CASE("optimisers resume exactly") {
  for (const Case& c : cases()) {
    CAPTURE(c.name);
    const Tensor whole = start(), first = start();
    const auto a = c.make({{"w", whole}}), b = c.make({{"w", first}});
    for (int step = 0; step < 10; ++step)
      for (const auto& [weight, optimizer] : {std::pair{whole, a.get()}, {first, b.get()}}) {
        set_gradient(weight, step);
        optimizer->step();
      }
    const Tensor second = first.detach().clone().set_requires_grad(true);
    const auto resumed = c.make({{"w", second}});
    resumed->load_state_dict(b->state_dict());
    CHECK(resumed->step_count() == 10);
    for (int step = 10; step < 20; ++step)
      for (const auto& [weight, optimizer] : {std::pair{whole, a.get()}, {second, resumed.get()}}) {
        set_gradient(weight, step);
        optimizer->step();
      }
    CHECK(second.to_vector<double>() == whole.to_vector<double>());
  }
}

TEST_CASE("a large tensor gets the same bits from any number of threads") {
  const int before = num_threads();
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 3}) {
    set_num_threads(threads);
    const Tensor weight = Tensor::full({100'003}, 0.5).set_requires_grad(true);
    Adam adam(NamedTensors{{"w", weight}}, AdamOptions{});
    std::vector<float> slope(100'003);
    for (size_t i = 0; i < slope.size(); ++i) slope[i] = std::sin(static_cast<float>(i));
    weight.set_grad(Tensor::from(slope));
    const double norm = clip_grad_norm({{"w", weight}}, 1.0);
    CHECK(norm == doctest::Approx(std::sqrt(100'003 / 2.0)).epsilon(1e-4));
    adam.step();
    results.push_back(weight.to_vector<float>());
  }
  set_num_threads(before);
  CHECK(results[0] == results[1]);
}

TEST_CASE_TEMPLATE("Adam gives the same bits with every instruction set", T, float, double) {
  for (const bool decoupled : {false, true}) {
    std::vector<T> expected;
    test::for_each_isa([&](const std::string& isa) {
      const Tensor weight = Tensor::from(test::random_values<T>("weight", 1031));
      weight.set_requires_grad(true);
      Adam adam(NamedTensors{{"w", weight}},
                {.lr = 0.01, .weight_decay = 0.1, .decoupled = decoupled});
      for (int step = 0; step < 3; ++step) {
        weight.set_grad(Tensor::from(test::random_values<T>(std::to_string(step), 1031)));
        adam.step();
      }
      const std::vector<T> got = weight.to_vector<T>();
      if (expected.empty()) expected = got;
      INFO(isa);
      CHECK(got == expected);
    });
  }
}

TEST_CASE("groups scale learning rate and decay; frozen parameters stay") {
  const Tensor a = start(), b = start(), frozen = start(), plain = start();
  Sgd grouped(
      std::vector<ParameterGroup>{{{{"a", a}}, 0.1, 1}, {{{"b", b}}, 1, 0}, {{{"c", frozen}}}},
      SgdOptions{.lr = 0.5, .weight_decay = 0.2});
  for (const Tensor& w : {a, b, frozen}) set_gradient(w, 0);
  frozen.set_requires_grad(false);
  grouped.step();
  Sgd small(NamedTensors{{"w", plain}}, SgdOptions{.lr = 0.05, .weight_decay = 0.2});
  set_gradient(plain, 0);
  small.step();
  check_near(a.to_vector<double>(), plain.to_vector<double>(), 1e-15);
  const Tensor bare = start();
  Sgd undecayed(NamedTensors{{"w", bare}}, SgdOptions{.lr = 0.5});
  set_gradient(bare, 0);
  undecayed.step();
  check_near(b.to_vector<double>(), bare.to_vector<double>(), 1e-15);
  CHECK(frozen.to_vector<double>() == start().to_vector<double>());
}

TEST_CASE("optimisers refuse what makes no sense") {
  const NamedTensors w{{"w", start()}};
  CHECK_THROWS_AS(Sgd(w, SgdOptions{.nesterov = true}), ValueError);
  CHECK_THROWS_AS(Sgd(w, SgdOptions{.lr = -1}), ValueError);
  CHECK_THROWS_AS(Adam(w, AdamOptions{.beta1 = 1}), ValueError);
  CHECK_THROWS_AS(Sgd(NamedTensors{{"w", start()}, {"w", start()}}, SgdOptions{}), ValueError);
  Adam adam(w, AdamOptions{});
  CHECK_THROWS_AS(adam.set_lr(std::numeric_limits<double>::quiet_NaN()), ValueError);
  CHECK_THROWS_WITH_AS(adam.load_state_dict({{"x.m", Tensor::zeros({5})}}),
                       "optimizer: the state of x belongs to no parameter", ValueError);
  CHECK_THROWS_WITH_AS(adam.load_state_dict({{"w.m", Tensor::zeros({5})}}),
                       "optimizer: w.m expects float64 [5], got float32 [5]", ValueError);
}

TEST_CASE("clipping scales to the norm, and leaves short and broken gradients") {
  const Tensor a = Tensor::zeros({2}).set_requires_grad(true);
  const Tensor b = Tensor::zeros({1}).set_requires_grad(true);
  const NamedTensors both{{"a", a}, {"b", b}, {"none", start()}};
  a.set_grad(Tensor::from<float>({2, 4}));
  b.set_grad(Tensor::from<float>({4}));
  CHECK(clip_grad_norm(both, 10) == 6.0);
  CHECK(a.grad().to_vector<float>() == std::vector<float>{2, 4});
  CHECK(clip_grad_norm(both, 3) == 6.0);
  CHECK(grad_norm(both) == doctest::Approx(3));
  b.set_grad(Tensor::from<float>({std::numeric_limits<float>::infinity()}));
  CHECK(std::isinf(clip_grad_norm(both, 1)));
  CHECK(a.grad().to_vector<float>()[0] == doctest::Approx(1));
}

TEST_CASE("the average follows the weights, swaps in and resumes") {
  const Tensor w = Tensor::from<double>({1, 2});
  const Tensor count = Tensor::from<int64_t>({0});
  Ema ema({{"w", w}, {"count", count}}, 0.5);
  w.fill_(3);
  count.fill_(7);
  ema.update();  // decay 2/11
  const double expected = 1 + (1 - 2.0 / 11) * 2;
  CHECK(ema.averages()[0].second.to_vector<double>()[0] == doctest::Approx(expected));
  CHECK(ema.averages()[1].second.to_vector<int64_t>()[0] == 7);
  ema.swap();
  CHECK(w.to_vector<double>()[0] == doctest::Approx(expected));
  ema.swap();
  CHECK(w.to_vector<double>()[0] == 3);
  Ema other({{"w", w}, {"count", count}}, 0.5);
  other.load_state_dict(ema.state_dict());
  w.fill_(-1);
  ema.update();
  other.update();
  CHECK(other.averages()[0].second.to_vector<double>() ==
        ema.averages()[0].second.to_vector<double>());
  CHECK_THROWS_AS(other.load_state_dict({}), ValueError);
}
