#include "cytograd/ops/cross_entropy.h"

#include <cmath>

#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

const std::vector<double> weights = {0.5, 2.0, 0.0, 1.5, 1.0, 0.25, 3.0};

Ref reference(const Ref& z, const Ref& y, const CrossEntropyOptions& options) {
  const int64_t n = z.shape[0], classes = z.shape[1];
  const double e = options.label_smoothing;
  Ref losses({n});
  double total = 0, weight_sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    double normaliser = 0;
    for (int64_t c = 0; c < classes; ++c) normaliser += std::exp(z({i, c}));
    double loss = 0, weight = 1;
    for (int64_t c = 0; c < classes; ++c) {
      const double w = options.class_weight.defined() ? weights[static_cast<size_t>(c)] : 1;
      const bool own = c == static_cast<int64_t>(y({i}));
      const double target = (own ? 1 - e : 0) + e / static_cast<double>(classes);
      loss -= w * target * (z({i, c}) - std::log(normaliser));
      if (own) weight = w;
    }
    losses({i}) = loss;
    total += loss;
    weight_sum += weight;
  }
  if (options.reduction == Reduction::none) return losses;
  return Ref({}, options.reduction == Reduction::sum ? total : total / weight_sum);
}

}  // namespace

TEST_CASE("cross_entropy with every option") {
  for (const Reduction reduction : {Reduction::mean, Reduction::sum, Reduction::none}) {
    for (const double smoothing : {0.0, 0.1, 1.0}) {
      for (const bool weighted : {false, true}) {
        for (const int64_t n : {1, 13}) {
          CrossEntropyOptions options;
          options.label_smoothing = smoothing;
          options.reduction = reduction;
          if (weighted) options.class_weight = Tensor::from(weights);
          OpCase c;
          c.name = "cross_entropy";
          c.inputs = {{{n, 7}, -3, 3}, {{n}, 3, 6, {}, 0, Dtype::int64}};
          c.op = [options](const Tensors& in) {
            CrossEntropyOptions o = options;
            if (o.class_weight.defined())
              o.class_weight = o.class_weight.to(in[0].dtype()).to(in[0].device());
            return cross_entropy(in[0], in[1], o);
          };
          c.reference = [options](const std::vector<Ref>& in) {
            return reference(in[0], in[1], options);
          };
          c.float32_tolerance = 4e-6;
          check_op(c);
        }
      }
    }
  }
}

// torch 2: z = 3 * torch.sin(torch.arange(15.).double()).reshape(5, 3), y = [2, 0, 1, 1, 2],
// w = [0.5, 2, 0]; F.cross_entropy(z, y, weight=w, label_smoothing=e, reduction='mean') and
// z.grad[1].
TEST_CASE("cross_entropy agrees with torch") {
  std::vector<double> values;
  for (int i = 0; i < 15; ++i) values.push_back(3 * std::sin(static_cast<double>(i)));
  struct Expected {
    bool weighted;
    double smoothing, loss;
    std::vector<double> grad;
  };
  const std::vector<Expected> table = {
      {false,
       0.0,
       1.0341032701637398,
       {-0.01892323637537321, 0.0122454389822177, 0.006677797393155512}},
      {false,
       0.1,
       1.1376346940845625,
       {-0.005589903042039897, 0.00557877231555103, 1.1130726488843808e-05}},
      {true,
       0.0,
       1.9063799893685547,
       {-0.01051290909742956, 0.00680302165678761, 0.0037098874406419507}},
      {true,
       0.1,
       1.906620040539336,
       {0.0036010451108899433, -0.007558258380908031, 0.003957213270018081}}};
  for (const Expected& row : table) {
    const Tensor z = Tensor::from(values, {5, 3}), y = Tensor::from<int64_t>({2, 0, 1, 1, 2});
    z.set_requires_grad(true);
    CrossEntropyOptions options;
    options.label_smoothing = row.smoothing;
    if (row.weighted) options.class_weight = Tensor::from<double>({0.5, 2, 0});
    const Tensor loss = cross_entropy(z, y, options);
    CHECK(loss.item() == doctest::Approx(row.loss).epsilon(1e-12));
    loss.backward();
    const std::vector<double> grad = z.grad().to_vector<double>();
    for (size_t c = 0; c < 3; ++c) CHECK(std::abs(grad[3 + c] - row.grad[c]) < 1e-14);
  }
}

TEST_CASE("cross_entropy of extreme logits is exact") {
  const Tensor z = Tensor::from<float>({1000, -1000, -1000, 1000}, {2, 2});
  const Tensor y = Tensor::from<int64_t>({0, 0});
  CrossEntropyOptions none;
  none.reduction = Reduction::none;
  CHECK(cross_entropy(z, y, none).to_vector<float>() == std::vector<float>{0, 2000});
  CHECK(cross_entropy(Tensor::empty({0, 3}), Tensor::empty({0}, Dtype::int64), none).shape() ==
        Shape{0});
}

TEST_CASE("cross_entropy refuses what it cannot take") {
  const Tensor z = Tensor::zeros({2, 3});
  const auto labels = [](std::vector<int64_t> values) { return Tensor::from(values); };
  CrossEntropyOptions options;
  check_op_error<ValueError>(
      [&] {
        cross_entropy(z, labels({0, 3}));
      },
      "cross_entropy: label 3 at position 1 is not in 0..2");
  check_op_error<ValueError>(
      [&] {
        cross_entropy(z, labels({-1, 3}));
      },
      "cross_entropy: label -1 at position 0 is not in 0..2");
  check_op_error<ShapeError>([&] { cross_entropy(z, labels({0})); },
                             "cross_entropy: labels expect [2] for logits [2, 3], got [1]");
  check_op_error<DtypeError>([&] { cross_entropy(z, Tensor::zeros({2})); },
                             "cross_entropy: labels expect int64, got float32");
  check_op_error<ShapeError>([&] { cross_entropy(Tensor::zeros({3}), labels({0})); },
                             "cross_entropy: logits expect [N, C], got [3]");
  check_op_error<ValueError>(
      [&] {
        cross_entropy(Tensor::empty({0, 3}), Tensor::empty({0}, Dtype::int64));
      },
      "cross_entropy: the mean expects at least one sample");
  options.class_weight = Tensor::from<float>({0, 1, -2});
  check_op_error<ValueError>(
      [&] {
        cross_entropy(z, labels({0, 0}), options);
      },
      "cross_entropy: class_weight must be >= 0, got -2 for class 2");
  options.class_weight = Tensor::from<float>({0, 1, 1});
  check_op_error<ValueError>(
      [&] {
        cross_entropy(z, labels({0, 0}), options);
      },
      "cross_entropy: the weights of the targets sum to 0; the mean is not defined");
  options.class_weight = Tensor::ones({4});
  check_op_error<ShapeError>(
      [&] {
        cross_entropy(z, labels({0, 0}), options);
      },
      "cross_entropy: class_weight expects [3], got [4]");
  options = {};
  options.label_smoothing = 1.5;
  check_op_error<ValueError>(
      [&] {
        cross_entropy(z, labels({0, 0}), options);
      },
      "cross_entropy: label_smoothing must be in [0, 1], got 1.5");
}
