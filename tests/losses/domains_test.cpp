#include <cmath>
#include <functional>
#include <vector>

#include "cytograd/autograd/gradcheck.h"
#include "cytograd/losses/adversary.h"
#include "cytograd/losses/boda.h"
#include "cytograd/losses/coral.h"
#include "cytograd/losses/focal.h"
#include "cytograd/losses/onehot_bce.h"
#include "cytograd/ops/cross_entropy.h"
#include "cytograd/ops/linear.h"
#include "cytograd/ops/reverse_gradient.h"
#include "cytograd/ops/shape.h"
#include "cytograd/optim/sgd.h"
#include "support/matrix.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::losses;

/// @file
/// Losses of domain generalization; expected numbers by hand and by central differences.

namespace {

using test::matrix;
using test::Rows;

void near(double actual, double expected, double tolerance = 1.5e-6) {
  CAPTURE(actual);
  CAPTURE(expected);
  CHECK_FALSE(!(std::abs(actual - expected) <= tolerance));
}
void near(const Tensor& actual, const Rows& expected, double tolerance = 1.5e-6) {
  const auto values = actual.to(Dtype::float64).to_vector<double>();
  size_t at = 0;
  for (const auto& row : expected)
    for (const double v : row) near(values.at(at++), v, tolerance);
  CHECK(at <= values.size());
}

const std::vector<DomainClass> four = {{0, 0, 20}, {0, 1, 5}, {1, 0, 4}, {1, 1, 10}};
const Rows centroids = {{0, 0}, {4, 0}, {0, 1}, {4, 1}};
const Rows features = {{.5, 0}, {3, 0}, {1, 1}, {4, 2}};
const std::vector<int64_t> domains = {0, 0, 1, 1}, labels = {0, 1, 0, 1};

std::vector<DomainClass> scaled(double by) {
  std::vector<DomainClass> out = four;
  for (DomainClass& p : out) p.count *= by;
  return out;
}

void check_gradient(const std::function<Tensor(const Tensors&)>& f, const Tensors& inputs) {
  const GradCheck found = gradcheck(f, inputs);
  INFO(found.place);
  CHECK(found.passed(1e-7));
}

double largest(const Tensor& t) {
  double out = 0;
  for (const double v : t.to_vector<double>()) out = std::max(out, std::abs(v));
  return out;
}

}  // namespace

TEST_CASE("boda: values and gradients") {
  for (const Dtype dtype : {Dtype::float64, Dtype::float32}) {
    const double tolerance = dtype == Dtype::float64 ? 1.5e-6 : 1e-5;
    const Tensor z = matrix(features, dtype), mu = matrix(centroids, dtype);
    const Tensor d = centroid_distance(z, mu);
    near(d,
         {{0.5, 3.5, 1.118034, 3.640055},
          {3, 1, 3.162278, 1.414214},
          {1.414214, 3.162278, 1, 3},
          {4.472136, 2, 4.123106, 1}},
         tolerance);
    const Tensor loss = boda(d, domains, labels, four);
    near(loss.item(), 0.935288, tolerance);
    loss.backward();
    near(z.grad(),
         {{0.006384, -0.002469},
          {-0.063446, -0.023012},
          {0.109701, 0.052795},
          {-0.013189, 0.005372}},
         tolerance);
    CHECK(!mu.grad().defined());
  }
}

TEST_CASE("boda: reductions, calibration, balance and scale") {
  const auto loss = [](const std::vector<DomainClass>& pairs, const BodaOptions& options) {
    const Tensor z = matrix(features);
    const Tensor value =
        boda(centroid_distance(z, matrix(centroids)), domains, labels, pairs, options);
    value.backward();
    return std::pair(value.item(), z.grad());
  };
  const auto mean = loss(four, {}), summed = loss(four, {.reduction = BodaReduction::sum});
  near(summed.first, 3.741153);
  near(largest(summed.second - mean.second * 4.0), 0, 1e-12);
  near(loss(four, {.nu = 0}).first, 0.925076);
  near(loss(four, {.nu = 1}).first, 1.034108);
  const auto plain = loss(four, {.nu = 0, .balanced = false});
  near(plain.first, 0.246888);
  near(plain.second, {{0.052614, -0.028222}});
  near(largest(mean.second), 0.1097, 1e-4);
  near(loss(scaled(10), {}).first, 1.080262);
  near(loss(scaled(100), {}).first, 1.096756);
  near(loss(scaled(1000), {}).first, 1.098426);
  near(largest(loss(scaled(10), {}).second), 1.198e-2, 1e-5);
  near(largest(loss(scaled(1000), {}).second), 1.209e-4, 1e-7);
  near(loss(scaled(1000), {.count_unit = 1000}).first, mean.first);
}

TEST_CASE("boda: a class of one domain only has no term of its own") {
  auto pairs = four;
  pairs.push_back({0, 2, 3});
  Rows mu = centroids, z = features;
  mu.push_back({9, 9});
  z.push_back({8, 9});
  auto d = domains, y = labels;
  d.push_back(0);
  y.push_back(2);
  const Tensor x = matrix(z);
  const Tensor loss = boda(centroid_distance(x, matrix(mu)), d, y, pairs);
  near(loss.item(), 1.107446);
  loss.backward();
  near(x.grad(), {{0.006260, -0.002251}});
  const auto gradient = x.grad().to_vector<double>();
  CHECK(gradient[8] == 0);
  CHECK(gradient[9] == 0);
  const Tensor again = matrix(z);
  near(boda(centroid_distance(again, matrix(mu)), d, y, pairs, {.reduction = BodaReduction::sum})
           .item(),
       4.429782);
  // Alone it is a batch without positives.
  const Tensor alone = matrix({{8, 9}});
  const Tensor nothing = boda(centroid_distance(alone, matrix(mu)), {0}, {2}, pairs);
  CHECK(nothing.item() == 0);
  nothing.backward();
  CHECK(largest(alone.grad()) == 0);
}

TEST_CASE("boda: invariances and what is refused") {
  const auto loss = [](const Rows& z, const Rows& mu, const BodaOptions& options = {}) {
    return boda(centroid_distance(matrix(z), matrix(mu)), domains, labels, four, options).item();
  };
  const double value = loss(features, centroids);
  Rows z = features, mu = centroids;
  for (Rows* rows : {&z, &mu})
    for (auto& row : *rows) row = {-row[1] + 3, row[0] - 7};
  near(loss(z, mu), value, 1e-12);
  for (Rows* rows : {&z, &mu})
    for (auto& row : *rows)
      for (double& v : row) v *= 2;
  near(loss(z, mu, {.temperature = 2}), value, 1e-12);
  const Tensor d = Tensor::zeros({1, 4}, Dtype::float64);
  CHECK_THROWS_AS(boda(d, {0}, {2}, four), ValueError);
  CHECK_THROWS_AS(boda(d, {2}, {0}, four), ValueError);
  CHECK_THROWS_AS(boda(d, {0, 0}, {0, 0}, four), ShapeError);
  CHECK_THROWS_AS(boda(Tensor::zeros({1, 1}), {0}, {0}, {{0, 0, 1}}), ValueError);
  CHECK_THROWS_AS(boda(d, {0}, {0}, four, {.nu = 1.5}), ValueError);
  CHECK_THROWS_AS(boda(d, {0}, {0}, four, {.temperature = 0}), ValueError);
}

TEST_CASE("boda: gradient by differences") {
  check_gradient(
      [](const Tensors& in) {
        return boda(centroid_distance(in[0], matrix(centroids)), domains, labels, four);
      },
      {matrix(features)});
}

TEST_CASE("coral: values, gradients, symmetry") {
  const Rows a = {{1, 2}, {3, 0}, {2, 1}}, b = {{0, 1}, {2, 5}};
  const Tensor z = matrix(a);
  const Tensor distance = coral_distance(z, matrix(b));
  near(distance.item(), 27.5);
  distance.backward();
  near(z.grad(), {{-1.666667, -1.666667}, {2.333333, 0.333333}, {0.333333, -0.666667}});
  near(coral_distance(matrix(a), matrix(b), CoralForm::covariance).item(), 6.25);
  near(coral_distance(matrix(b), matrix(a)).item(), 27.5);
  CHECK(coral_distance(matrix(a), matrix(a)).item() == 0);
  Rows moved = a;
  for (auto& row : moved) row = {row[0] + 5, row[1] - 3};
  near(coral_distance(matrix(moved), matrix(b), CoralForm::covariance).item(), 6.25);
  near(coral({matrix(a), matrix(b), matrix(b)}).item(), 2 * 27.5 / 3);
  CHECK(coral({matrix(a)}).item() == 0);
  check_gradient([&](const Tensors& in) { return coral({in[0], in[1]}); }, {matrix(a), matrix(b)});
  CHECK_THROWS_AS(coral_distance(matrix({{1, 2}}), matrix(b)), ValueError);
  CHECK_THROWS_AS(coral_distance(matrix(a), matrix({{1, 2, 3}, {1, 2, 4}})), ShapeError);
  CHECK_THROWS_AS(coral({}), ValueError);
}

TEST_CASE("reverse_gradient passes values and turns gradients") {
  const Rows rows = {{1, .5}, {-.5, 2}, {0, -1}};
  const Tensor w = matrix({{1, -1}, {.5, .25}}), plain = matrix(rows), turned = matrix(rows);
  const Tensor y = Tensor::from(std::vector<int64_t>{0, 1, 1});
  const Tensor loss = cross_entropy(linear(plain, w, {}), y);
  near(loss.item(), 0.773832);
  loss.backward();
  near(w.grad(), {{-0.187084, -0.307577}, {0.187084, 0.307577}});
  near(plain.grad(), {{-0.088535, 0.221337}, {0.010014, -0.025036}, {0.129550, -0.323875}});
  const auto gradient = w.grad().to_vector<double>();
  w.zero_grad();
  const Tensor same = reverse_gradient(turned, 0.5);
  CHECK(same.to_vector<double>() == turned.to_vector<double>());
  cross_entropy(linear(same, w, {}), y).backward();
  near(turned.grad(), {{0.044267, -0.110669}, {-0.005007, 0.012518}, {-0.064775, 0.161937}});
  CHECK(w.grad().to_vector<double>() == gradient);
}

TEST_CASE("onehot_bce beside softmax cross-entropy") {
  const Rows rows = {{2, .5, -1}, {.1, .2, .3}};
  const Tensor y = Tensor::from(std::vector<int64_t>{0, 2});
  near(cross_entropy(matrix(rows), y).item(), 0.621627);
  near(onehot_bce(matrix(rows), y).item(), 1.755579);
  const Tensor far = matrix({{1000, -1000, 0}});
  near(onehot_bce(far, Tensor::from(std::vector<int64_t>{0})).item(), std::log(2.0));
  check_gradient([&](const Tensors& in) { return onehot_bce(in[0], y); }, {matrix(rows)});
}

TEST_CASE("the loss of a domain classifier is the plain cross-entropy (G1)") {
  const Tensor logits = matrix({{1, -1}, {.5, 0}, {-2, 1}});
  const Tensor loss = cross_entropy(logits, Tensor::from(std::vector<int64_t>{0, 1, 1}));
  near(loss.item(), 0.383197);
  loss.backward();
  near(logits.grad(), {{-0.039734, 0.039734}, {0.207486, -0.207486}, {0.015809, -0.015809}});
}

TEST_CASE("domain classifier: gradient penalty (G2b)") {
  DomainClassifier linear_one(2, 2, 1, 1);
  linear_one.to(Dtype::float64);
  {
    const NoGrad no_grad;
    for (const auto& [name, tensor] : linear_one.named_parameters())
      name == "linear1.bias" ? tensor.fill_(0) : tensor.copy_(matrix({{1, -1}, {.5, .25}}));
  }
  const Tensor z = matrix({{1, .5}, {-.5, 2}, {0, -1}}),
               y = Tensor::from(std::vector<int64_t>{0, 1, 1});
  near(cross_entropy(linear_one.forward(z), y).item(), 0.773832);
  near(linear_one.gradient_penalty(z, y).item(), 0.537702);
}

TEST_CASE("domain classifier: the penalty is of the true gradient and has one itself") {
  DomainClassifier net(3, 2, 5, 3);
  net.initialize(4);
  net.to(Dtype::float64);
  const Tensor z = matrix({{1, .5, -.2}, {-.5, 2, .3}, {.1, -1, .7}, {.9, .8, -.4}}),
               y = Tensor::from(std::vector<int64_t>{0, 1, 1, 0});
  cross_entropy(net.forward(z), y, {.reduction = Reduction::sum}).backward();
  near(net.gradient_penalty(z, y).item(), sum(square(z.grad())).item() / 4, 1e-12);
  // Weights by central differences: none of the ReLUs is near its kink.
  net.zero_grad();
  net.gradient_penalty(z, y).backward();
  const NoGrad no_grad;
  for (const auto& entry : net.named_parameters()) {
    const std::string& name = entry.first;
    const Tensor& tensor = entry.second;
    CAPTURE(name);
    const Tensor gradient = tensor.grad();
    for (int64_t i = 0; i < tensor.numel(); ++i) {
      double* value = tensor.data<double>() + i;
      const double before = *value, step = 1e-6;
      *value = before + step;
      const double above = net.gradient_penalty(z, y).item();
      *value = before - step;
      const double below = net.gradient_penalty(z, y).item();
      *value = before;
      const double found = gradient.defined() ? gradient.data<double>()[i] : 0;
      near(found, (above - below) / (2 * step), 1e-7);
    }
  }
}

TEST_CASE("steps of a domain classifier and of a network take turns (G3)") {
  const auto pattern = [](int64_t s) {
    std::string out;
    for (int64_t t = 1; t <= 12; ++t) out += is_adversary_step(t, s) ? 'D' : 'G';
    return out;
  };
  CHECK(pattern(1) == "GDGDGDGDGDGD");
  CHECK(pattern(2) == "DGDDGDDGDDGD");
  CHECK(pattern(3) == "DDGDDDGDDDGD");
  const std::vector<std::pair<double, double>> strengths = {
      {0, 0}, {.1, .462117}, {.25, .848284}, {.5, .986614}, {.75, .998894}, {1, .999909}};
  for (const auto& [p, strength] : strengths) near(reversal_strength(p), strength);
}

TEST_CASE("cross-entropy: shifted logits, a fresh head of zeros (E0)") {
  const Rows rows = {{2, .5, -1}, {.1, .2, .3}};
  Rows far = rows;
  for (auto& row : far)
    for (double& v : row) v += 1000;
  const Tensor y = Tensor::from(std::vector<int64_t>{0, 2});
  const Tensor a = matrix(rows), b = matrix(far);
  const Tensor loss = cross_entropy(a, y);
  loss.backward();
  near(a.grad(), {{-0.107201, 0.087645, 0.019556}, {0.150305, 0.166112, -0.316417}});
  const Tensor shifted = cross_entropy(b, y);
  shifted.backward();
  near(shifted.item(), loss.item(), 1e-12);
  near(largest(b.grad() - a.grad()), 0, 1e-12);
  near(cross_entropy(Tensor::zeros({2, 13}, Dtype::float64), y).item(), 2.564949);
}

TEST_CASE("the mean over a batch is that over domains of their means if they are equal (E3)") {
  const Tensor logits = matrix({{2, .5, -1}, {.1, .2, .3}, {0, 1, 0}, {3, 1, -2}});
  const Tensor y = Tensor::from(std::vector<int64_t>{0, 2, 1, 1});
  const auto part = [&](int64_t begin, int64_t end) {
    return cross_entropy(slice(logits, 0, begin, end), slice(y, 0, begin, end)).item();
  };
  const double whole = cross_entropy(logits, y).item();
  near((part(0, 2) + part(2, 4)) / 2, whole, 1e-12);
  CHECK(std::abs((part(0, 1) + part(1, 4)) / 2 - whole) > 1e-3);
}

TEST_CASE("focal loss") {
  const Tensor y = Tensor::from(std::vector<int64_t>{0, 2});
  const Rows rows = {{2, .5, -1}, {.1, .2, .3}};
  near(focal(matrix(rows), y, 0).item(), 0.621627);
  const double p0 = std::exp(2.0) / (std::exp(2.0) + std::exp(.5) + std::exp(-1.0));
  const double p1 = std::exp(.3) / (std::exp(.1) + std::exp(.2) + std::exp(.3));
  const auto term = [](double p, double gamma) { return -std::pow(1 - p, gamma) * std::log(p); };
  near(focal(matrix(rows), y, 2).item(), (term(p0, 2) + term(p1, 2)) / 2, 1e-12);
  const Tensor weight = Tensor::from(std::vector<double>{3, 1, 5});
  near(focal(matrix(rows), y, 2, weight).item(), (3 * term(p0, 2) + 5 * term(p1, 2)) / 8, 1e-12);
  check_gradient([&](const Tensors& in) { return focal(in[0], y, 2); }, {matrix(rows)});
  check_gradient([&](const Tensors& in) { return focal(in[0], y, 0.5, weight); }, {matrix(rows)});
  // Certain and right: no loss, a slope that is a number.
  const Tensor sure = matrix({{1000, 0, 0}});
  const Tensor nothing = focal(sure, Tensor::from(std::vector<int64_t>{0}), 0.5);
  nothing.backward();
  CHECK(nothing.item() == 0);
  CHECK(largest(sure.grad()) == 0);
  CHECK_THROWS_AS(focal(matrix(rows), y, -1), ValueError);
}

// Without information a head learns how often it sees each class.
TEST_CASE("a bias alone learns the frequencies of plain and of balanced draws (R2)") {
  const std::vector<int64_t> labels = {0, 0, 0, 0, 0, 0, 1, 1, 1, 2};
  const auto optimum = [&](const std::vector<double>& weights) {
    const Tensor bias = matrix({{0, 0, 0}}), w = Tensor::from(weights);
    optim::Sgd sgd({{"bias", bias}}, optim::SgdOptions{.lr = 1});
    for (int i = 0; i < 3000; ++i) {
      sgd.zero_grad();
      const Tensor logits = Tensor::zeros({10, 3}, Dtype::float64) + bias;
      const Tensor each =
          cross_entropy(logits, Tensor::from(labels), {.reduction = Reduction::none});
      sum(each * w).backward();
      sgd.step();
    }
    const auto b = bias.to_vector<double>();
    return std::vector{b[1] - b[0], b[2] - b[0]};
  };
  const auto plain = optimum(std::vector<double>(10, 0.1));
  near(plain[0], -0.693147, 1e-5);
  near(plain[1], -1.791759, 1e-5);
  std::vector<double> balanced;
  for (const int64_t y : labels) balanced.push_back(y == 0 ? 1. / 18 : y == 1 ? 1. / 9 : 1. / 3);
  near(balanced[0], 0.055556);
  const auto even = optimum(balanced);
  near(even[0], 0, 1e-5);
  near(even[1], 0, 1e-5);
}
