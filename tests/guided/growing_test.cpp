#include "cytograd/guided/growing.h"

#include <doctest/doctest.h>

#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/guided/guide.h"
#include "cytograd/losses/guide.h"
#include "cytograd/models/resnet20.h"
#include "cytograd/ops/linear.h"
#include "cytograd/optim/adam.h"
#include "cytograd/train/guide_update.h"

using namespace cytograd;

namespace {

void near(double actual, double expected, double tolerance = 1e-6) {
  CAPTURE(actual);
  CAPTURE(expected);
  CHECK_FALSE(!(std::abs(actual - expected) <= tolerance));
}

void near(const Tensor& actual, const std::vector<double>& expected, double tolerance = 1e-6) {
  const auto values = actual.to_vector<double>();
  REQUIRE(values.size() == expected.size());
  for (size_t i = 0; i < values.size(); ++i) near(values[i], expected[i], tolerance);
}

// A linear embedding with a mask, as ImageModel::embed.
struct Embedding {
  Tensor weight, bias;
  Embedding(const std::vector<double>& w, const std::vector<double>& b)
      : weight(Tensor::from(
            w, {static_cast<int64_t>(b.size()), static_cast<int64_t>(w.size() / b.size())})),
        bias(Tensor::from(b)) {
    weight.set_requires_grad(true);
    bias.set_requires_grad(true);
  }
  Tensor masked(const Tensor& x, int64_t n) const {
    const Tensor mask = Tensor::zeros_like(bias.detach());
    slice(mask, 0, 0, n).fill_(1);
    return linear(x, weight * unsqueeze(mask, 1), bias * mask);
  }
};

// Data set B of the specification: 15 classes of 40 samples around the points of the guide.
class DataB {
 public:
  std::vector<double> values;
  std::vector<int64_t> labels;

  explicit DataB(const Guide& guide) {
    for (size_t c = 0; c < guide.classes.size(); ++c)
      for (int i = 0; i < 40; ++i) {
        labels.push_back(static_cast<int64_t>(c));
        for (int k = 0; k < 16; ++k) {
          const double center = k == 0 ? guide.classes[c].x : k == 1 ? guide.classes[c].y : 0;
          values.push_back(static_cast<float>(center + 0.35 * normal()));
        }
      }
  }

 private:
  double uniform() {
    state_ += 0x9E3779B97F4A7C15ull;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return (static_cast<double>((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
  }
  double normal() {
    const double u1 = uniform(), u2 = uniform();
    return std::sqrt(-2 * std::log(u1)) * std::cos(2 * 3.14159265358979323846 * u2);
  }
  uint64_t state_ = 42;
};

}  // namespace

TEST_CASE("growth: active components by epoch") {
  const Growth fast{1024, 4}, slow{64, 1};
  const int64_t expected[][2] = {{0, 2},     {1, 2},      {2, 2},      {3, 6},
                                 {4, 10},    {5, 14},     {63, 246},   {100, 394},
                                 {222, 882}, {257, 1022}, {258, 1024}, {999, 1024}};
  for (const auto& [epoch, n] : expected) CHECK(fast.active(epoch) == n);
  CHECK(slow.active(63) == 63);
  CHECK(slow.active(64) == 64);
  CHECK(slow.active(3) == 3);
  for (const Growth& g : {fast, slow})
    for (int64_t k = 0; k < g.longest; ++k) {
      const int64_t first = g.first_epoch(k);
      CHECK(g.active(first) > k);
      if (first > 0) CHECK(g.active(first - 1) <= k);
    }
  CHECK(Growth::default_factor(1024) == 4);
  CHECK(Growth::default_factor(256) == 1);
  CHECK_THROWS_AS(check_growth({1, 1}), ConfigError);
  CHECK_THROWS_AS(check_growth({64, 0}), ConfigError);
}

TEST_CASE("L4c: masked components are 0 and learn nothing") {
  const Embedding layer({1, 2, .5, -1, 3, 1}, {.1, .2, .3});
  const Tensor x = Tensor::from<double>({1, -1, 2, .5}, {2, 2});
  const Tensor guide = Tensor::from<double>({0, 1, 4, 0}, {2, 2});
  const Tensor p = layer.masked(x, 2);
  near(p, {-.9, 1.7, 0, 3.1, .7, 0});
  const Tensor loss = losses::guide_distance(p, Tensor::from<int64_t>({0, 1}), guide) +
                      losses::norm_term(p) * 0.001;
  near(loss.item(), 1.602551);
  loss.backward();
  near(layer.weight.grad(), {-1.499259, .250478, 1.500662, -.250387, 0, 0});
  near(layer.bias.grad(), {-.999746, 1.000552, 0});
  CHECK(layer.weight.grad().to_vector<double>()[4] == 0);
}

TEST_CASE("L5: masked and sliced embeddings are equal to the bit") {
  std::vector<double> w, b, xs;
  for (int i = 0; i < 7 * 5; ++i) w.push_back(std::sin(3.1 * i));
  for (int i = 0; i < 7; ++i) b.push_back(std::cos(1.3 * i));
  for (int i = 0; i < 4 * 5; ++i) xs.push_back(std::sin(0.7 * i * i));
  const Tensor x = Tensor::from(xs, {4, 5}), y = Tensor::from<int64_t>({0, 1, 1, 0});
  const Tensor guide = Tensor::from<double>({0, 1, 4, 0}, {2, 2});
  for (const int64_t n : {2, 3, 7}) {
    const Embedding masked(w, b), sliced(w, b);
    const Tensor p = slice(masked.masked(x, n), 1, 0, n);
    const Tensor q = linear(x, slice(sliced.weight, 0, 0, n), slice(sliced.bias, 0, 0, n));
    CHECK(p.to_vector<double>() == q.to_vector<double>());
    for (const Tensor& e : {p, q})
      (losses::guide_distance(e, y, guide) + losses::norm_term(e) * 0.001).backward();
    CHECK(masked.weight.grad().to_vector<double>() == sliced.weight.grad().to_vector<double>());
    CHECK(masked.bias.grad().to_vector<double>() == sliced.bias.grad().to_vector<double>());
  }
}

TEST_CASE("a network masks its embedding") {
  models::SmallResNet net(models::resnet20, {.classes = 3, .embedding = 6, .seed = 4});
  net.eval();
  const Tensor x = Tensor::full({2, 16, 16, 3}, 0.5);
  const auto all = net.embed(x).to_vector<float>();
  net.set_active(2);
  CHECK(net.active() == 2);
  const Tensor p = net.embed(x);
  const auto some = p.to_vector<float>();
  for (size_t i = 0; i < some.size(); ++i) CHECK(some[i] == (i % 6 < 2 ? all[i] : 0));
  sum(net.classify(p)).backward();
  for (const auto& [name, tensor] : net.named_parameters()) {
    const Tensor g = tensor.grad();
    if (name == "linear.weight")  // [3, 6]: columns of masked components
      for (size_t i = 0; i < 18; ++i) CHECK((g.to_vector<float>()[i] != 0) == (i % 6 < 2));
    if (name == "embedding.weight")
      for (size_t i = 2 * 64; i < 6 * 64; ++i) CHECK(g.to_vector<float>()[i] == 0);
  }
  net.set_active(0);
  CHECK(net.embed(x).to_vector<float>() == all);
  CHECK_THROWS_AS(net.set_active(7), ValueError);
  models::SmallResNet plain(models::resnet20, {.classes = 3});
  CHECK_THROWS_AS(plain.set_active(2), StateError);
}

TEST_CASE("Adam: rows that join late, with shared and with own steps") {
  // First step of a row that joins at step t, in units of the learning rate.
  const std::pair<int64_t, double> shared[] = {
      {1, 1.0}, {10, 0.484426}, {100, 0.975771}, {1000, 2.514565}};
  for (const auto& [t, size] : shared)
    for (const bool own : {false, true}) {
      Tensor w = Tensor::zeros({2, 1}, Dtype::float64);
      w.set_requires_grad(true);
      optim::Adam adam(optim::NamedTensors{{"w", w}}, {.lr = 1});
      const int64_t joins = t;
      if (own) adam.set_row_starts("w", [joins](int64_t row) { return row == 0 ? 0 : joins - 1; });
      for (int64_t step = 1; step <= t; ++step) {
        w.set_grad(Tensor::from<double>({1, step == t ? 1.0 : 0.0}, {2, 1}));
        adam.step();
      }
      near(-w.to_vector<double>()[1], own ? 1 : size, 1e-5);
    }
  Tensor w = Tensor::zeros({2});
  optim::Adam adam(optim::NamedTensors{{"w", w}}, {});
  CHECK_THROWS_AS(adam.set_row_starts("v", [](int64_t) { return 0; }), ValueError);
}

TEST_CASE("L6: a linear layer on data set B") {
  const Guide fifteen = find_guide("hematopoiesis-15");
  const DataB data(fifteen);
  near(data.values[0], 0.145152);
  near(data.values[1], -0.312160);
  const Tensor x = Tensor::from(data.values, {600, 16}), y = Tensor::from(data.labels);
  std::vector<std::string> names;
  for (const GuideClass& c : fifteen.classes) names.push_back(c.name);
  const Tensor guide = match_guide(fifteen, names).tensor(Dtype::float64);
  Tensor w = Tensor::zeros({8, 16}, Dtype::float64), b = Tensor::zeros({8}, Dtype::float64);
  w.set_requires_grad(true);
  b.set_requires_grad(true);
  optim::Adam adam(optim::NamedTensors{{"w", w}, {"b", b}}, {.lr = 0.01});
  const std::pair<int, double> expected[] = {
      {0, 3.061867}, {1, 3.053818}, {9, 2.798998}, {99, 0.551542}, {500, 0.532137}};
  Tensor p;
  for (int step = 0; step <= 500; ++step) {
    p = linear(x, w, b);
    const Tensor loss = losses::guide_distance(p, y, guide);
    for (const auto& [at, value] : expected)
      if (at == step) near(loss.item(), value, step < 500 ? 1e-5 : 1e-3);
    if (step == 500) break;
    adam.zero_grad();
    (loss + losses::norm_term(p) * 0.001).backward();
    adam.step();
  }
  near(losses::norm_term(p).item(), 2.875079, 5e-3);
  near(w.to_vector<double>()[0], 0.970568, 5e-3);
  near(w.to_vector<double>()[17], 0.971747, 5e-3);
  const auto values = p.to_vector<double>();
  for (size_t i = 0; i < values.size(); ++i)
    if (i % 8 >= 2) CHECK(values[i] == 0);
}

TEST_CASE("guide update: how far maps of data set B drift, and what that does to the guide") {
  const Guide fifteen = find_guide("hematopoiesis-15");
  const DataB data(fifteen);
  LabelledRows rows;
  rows.values.assign(data.values.begin(), data.values.end());
  rows.labels = data.labels;
  rows.width = 16;
  rows.classes = 15;
  std::vector<Point2> points;
  for (const GuideClass& c : fifteen.classes) points.push_back(c.point());
  const Tensor means = class_means(rows), e = Tensor::zeros({15, 16}, Dtype::float64);
  const std::vector<bool> present(15, true);
  // Epochs and learning rate of the map; bands of drift and of the distance from u to the class
  // means, asked at the guide and at the map's centres: those of the table in docs/guided.md.
  struct Row {
    int64_t epochs;
    double lr, drift[2], at_guide[2], at_centers[2];
  };
  const Row table[] = {{500, 1, {5.5, 15}, {1.8, 3.2}, {0.35, 0.65}},
                       {200, 1, {4, 10}, {1.6, 2.8}, {0.35, 0.65}},
                       {50, 1, {2, 6.5}, {1.3, 2.6}, {0.4, 0.8}},
                       {50, 0.1, {0.6, 2.4}, {0.5, 1.4}, {0.35, 0.65}},
                       {20, 0.1, {0.3, 1.4}, {0.5, 1.2}, {0.35, 0.65}}};
  for (const Row& row : table) {
    double drift = 0, at_guide = 0, at_centers = 0;
    constexpr int seeds = 3;
    for (uint64_t seed = 0; seed < seeds; ++seed)
      for (const bool from_map : {false, true}) {
        TrainConfig config;
        config.guide_update = from_map ? "umap-centroid" : "umap";
        config.umap_epochs = row.epochs;
        config.umap_lr = row.lr;
        const GuideStep step = guide_update_of(config)({config, rows, points, e, seed, 3});
        (from_map ? at_centers : at_guide) += mean_distance(step.u, means, present) / seeds;
        if (!from_map) drift += step.drift / seeds;
      }
    CAPTURE(row.epochs);
    CAPTURE(row.lr);
    INFO("drift ", drift, ", at the guide ", at_guide, ", at the centres ", at_centers);
    const auto within = [](double v, const double(&band)[2]) {
      CHECK(v > band[0]);
      CHECK(v < band[1]);
    };
    within(drift, row.drift);
    within(at_guide, row.at_guide);
    within(at_centers, row.at_centers);
  }
  TrainConfig means_only;
  means_only.guide_update = "class-mean";
  const GuideStep step = guide_update_of(means_only)({means_only, rows, points, e, 0, 3});
  CHECK(mean_distance(step.u, means, present) == 0);
  CHECK(std::isnan(step.drift));
}

TEST_CASE("guide update: low-pass, class means, classes without samples") {
  const Tensor e = Tensor::from<double>({2, 3, 0}, {1, 3});
  const Tensor u = Tensor::from<double>({1, 4, .5}, {1, 3});
  const Tensor once = low_pass(e, u, 0.6, {true});
  near(once, {1.6, 3.4, .2});
  near(low_pass(once, u, 0.6, {true}), {1.36, 3.64, .32});
  const LabelledRows rows{{1, 2, 3, 4, 5, 7}, {0, 0, 2}, 2, 3};
  const Tensor means = class_means(rows);
  const auto values = means.to_vector<double>();
  CHECK(values[0] == 2);
  CHECK(values[1] == 3);
  CHECK(std::isnan(values[2]));
  CHECK(values[4] == 5);
  const Tensor before = Tensor::zeros({3, 2}, Dtype::float64);
  near(low_pass(before, means, 0.5, {true, false, true}), {1, 1.5, 0, 0, 2.5, 3.5});
  CHECK_THROWS_AS(low_pass(before, means, 0.5, {true, true, true}), DivergedError);
  CHECK_THROWS_AS(low_pass(before, u, 0.5, {true}), ShapeError);
}
