#include "cytograd/guided/classifiers.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "cytograd/core/random.h"
#include "cytograd/io/text.h"
#include "cytograd/ops/cross_entropy.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/index.h"
#include "cytograd/ops/linear.h"
#include "cytograd/ops/reduce.h"
#include "cytograd/optim/adam.h"
#include "guided/classifier_kinds.h"

namespace cytograd {
namespace {

// Mean and standard deviation per component; 1 where it is constant.
struct Scaling {
  std::vector<double> mean, factor;

  explicit Scaling(const LabelledRows& rows)
      : mean(static_cast<size_t>(rows.width)), factor(static_cast<size_t>(rows.width)) {
    const auto n = static_cast<double>(rows.size());
    for (int64_t i = 0; i < rows.size(); ++i)
      for (size_t k = 0; k < mean.size(); ++k) mean[k] += rows.row(i)[k] / n;
    for (int64_t i = 0; i < rows.size(); ++i)
      for (size_t k = 0; k < mean.size(); ++k)
        factor[k] += std::pow(rows.row(i)[k] - mean[k], 2) / n;
    for (double& f : factor) f = f > 0 ? 1 / std::sqrt(f) : 1;
  }
  Scaling(const Tensor& mean_tensor, const Tensor& factor_tensor)
      : mean(mean_tensor.to_vector<double>()), factor(factor_tensor.to_vector<double>()) {}

  std::vector<double> apply(const std::vector<float>& values) const {
    std::vector<double> out(values.size());
    for (size_t i = 0; i < values.size(); ++i)
      out[i] = (values[i] - mean[i % mean.size()]) * factor[i % mean.size()];
    return out;
  }
  void store(TensorMap& state) const {
    state["mean"] = Tensor::from(mean);
    state["factor"] = Tensor::from(factor);
  }
};

void softmax_rows(std::vector<double>& values, size_t classes) {
  for (size_t begin = 0; begin < values.size(); begin += classes) {
    double* row = values.data() + begin;
    const double top = *std::max_element(row, row + classes);
    double sum = 0;
    for (size_t c = 0; c < classes; ++c) sum += row[c] = std::exp(row[c] - top);
    for (size_t c = 0; c < classes; ++c) row[c] /= sum;
  }
}

class SvmClassifier final : public Classifier {
 public:
  SvmClassifier(const ClassifierSpec& spec, const LabelledRows& rows, uint64_t seed)
      : spec_(spec), classes_(rows.classes), width_(rows.width), scaling_(rows) {
    const std::vector<double> x = scaling_.apply(rows.values);
    weights_.resize(static_cast<size_t>(classes_ * (width_ + 1)));
    parallel_for(classes_, 1, [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c) {
        std::vector<uint8_t> positive;
        for (const int64_t y : rows.labels) positive.push_back(y == c);
        const SvmSolution solution = solve_svm(x, width_, positive, spec.c, seed);
        std::copy(solution.weight.begin(), solution.weight.end(),
                  weights_.begin() + c * (width_ + 1));
      }
    });
  }
  SvmClassifier(const ClassifierSpec& spec, const TensorMap& state)
      : spec_(spec),
        classes_(state.at("weight").size(0)),
        width_(state.at("weight").size(1) - 1),
        scaling_(state.at("mean"), state.at("factor")),
        weights_(state.at("weight").to_vector<double>()) {}

  std::vector<double> scores(const std::vector<float>& values) const override {
    const std::vector<double> x = scaling_.apply(values);
    const int64_t rows = static_cast<int64_t>(values.size()) / width_;
    std::vector<double> out(static_cast<size_t>(rows * classes_));
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t c = 0; c < classes_; ++c) {
        const double* w = weights_.data() + c * (width_ + 1);
        double sum = w[width_];
        for (int64_t k = 0; k < width_; ++k) sum += w[k] * x[static_cast<size_t>(i * width_ + k)];
        out[static_cast<size_t>(i * classes_ + c)] = sum;
      }
    softmax_rows(out, static_cast<size_t>(classes_));
    return out;
  }
  ClassifierSpec spec() const override { return spec_; }
  int64_t classes() const override { return classes_; }
  int64_t width() const override { return width_; }
  TensorMap state() const override {
    TensorMap out;
    out["weight"] = Tensor::from(weights_, {classes_, width_ + 1});
    scaling_.store(out);
    return out;
  }

 private:
  ClassifierSpec spec_;
  int64_t classes_, width_;
  Scaling scaling_;
  std::vector<double> weights_;  // [classes, width + 1]
};

class KnnClassifier final : public Classifier {
 public:
  KnnClassifier(const ClassifierSpec& spec, LabelledRows rows)
      : spec_(spec), rows_(std::move(rows)) {}
  KnnClassifier(const ClassifierSpec& spec, const TensorMap& state) : spec_(spec) {
    rows_.values = state.at("values").to_vector<float>();
    rows_.labels = state.at("labels").to_vector<int64_t>();
    rows_.width = state.at("values").size(1);
    rows_.classes = static_cast<int64_t>(state.at("classes").item());
  }

  std::vector<double> scores(const std::vector<float>& values) const override {
    return neighbour_votes(nearest_rows(rows_, values, spec_.k), rows_.labels, rows_.classes,
                           spec_.k, spec_.by_distance);
  }
  ClassifierSpec spec() const override { return spec_; }
  int64_t classes() const override { return rows_.classes; }
  int64_t width() const override { return rows_.width; }
  TensorMap state() const override {
    TensorMap out;
    out["values"] = Tensor::from(rows_.values, {rows_.size(), rows_.width});
    out["labels"] = Tensor::from(rows_.labels);
    out["classes"] = Tensor::from(std::vector<int64_t>{rows_.classes});
    return out;
  }

 private:
  ClassifierSpec spec_;
  LabelledRows rows_;
};

// Hidden layers with ReLU, softmax cross-entropy + 1e-4/2 |W|^2 / n, Adam.
class MlpClassifier final : public Classifier {
 public:
  MlpClassifier(const ClassifierSpec& spec, const LabelledRows& rows, uint64_t seed)
      : spec_(spec), classes_(rows.classes), width_(rows.width), scaling_(rows) {
    int64_t in = width_;
    for (int64_t l = 0; l <= spec.layers; ++l) {
      const int64_t out = l == spec.layers ? classes_ : spec.neurons;
      // Glorot uniform.
      const double bound = std::sqrt(6.0 / static_cast<double>(in + out));
      Rng rng(seed, "mlp", static_cast<uint64_t>(l));
      std::vector<float> w(static_cast<size_t>(in * out));
      for (float& v : w) v = static_cast<float>(rng.uniform(-bound, bound));
      layers_.push_back({Tensor::from(w, {out, in}), Tensor::zeros({out})});
      in = out;
    }
    train(rows, seed);
  }
  MlpClassifier(const ClassifierSpec& spec, const TensorMap& state)
      : spec_(spec), scaling_(state.at("mean"), state.at("factor")) {
    for (int64_t l = 0; l <= spec.layers; ++l)
      layers_.push_back(
          {state.at("weight." + std::to_string(l)), state.at("bias." + std::to_string(l))});
    width_ = layers_.front().weight.size(1);
    classes_ = layers_.back().weight.size(0);
  }

  std::vector<double> scores(const std::vector<float>& values) const override {
    const NoGrad no_grad;
    std::vector<double> out = logits(input(values)).to_vector<double>();
    softmax_rows(out, static_cast<size_t>(classes_));
    return out;
  }
  ClassifierSpec spec() const override { return spec_; }
  int64_t classes() const override { return classes_; }
  int64_t width() const override { return width_; }
  TensorMap state() const override {
    TensorMap out;
    for (size_t l = 0; l < layers_.size(); ++l) {
      out["weight." + std::to_string(l)] = layers_[l].weight.detach();
      out["bias." + std::to_string(l)] = layers_[l].bias.detach();
    }
    scaling_.store(out);
    return out;
  }

 private:
  struct Layer {
    Tensor weight, bias;
  };

  Tensor input(const std::vector<float>& values) const {
    return Tensor::from(scaling_.apply(values),
                        {static_cast<int64_t>(values.size()) / width_, width_})
        .to(Dtype::float32);
  }
  Tensor logits(Tensor x) const {
    for (size_t l = 0; l < layers_.size(); ++l) {
      x = linear(x, layers_[l].weight, layers_[l].bias);
      if (l + 1 < layers_.size()) x = relu(x);
    }
    return x;
  }

  void train(const LabelledRows& rows, uint64_t seed) {
    constexpr int64_t max_epochs = 200, patience = 10;
    constexpr double least_gain = 1e-4, decay = 1e-4;
    optim::NamedTensors parameters;
    for (size_t l = 0; l < layers_.size(); ++l) {
      layers_[l].weight.set_requires_grad(true);
      layers_[l].bias.set_requires_grad(true);
      parameters.emplace_back("weight." + std::to_string(l), layers_[l].weight);
      parameters.emplace_back("bias." + std::to_string(l), layers_[l].bias);
    }
    optim::Adam adam(parameters, {.lr = 1e-3});
    const Tensor x = input(rows.values), y = Tensor::from(rows.labels);
    const int64_t n = rows.size(), batch = std::min<int64_t>(200, n);
    double best = std::numeric_limits<double>::infinity();
    for (int64_t epoch = 0, tired = 0; epoch < max_epochs && tired < patience; ++epoch) {
      std::vector<int64_t> order(static_cast<size_t>(n));
      for (int64_t i = 0; i < n; ++i) order[static_cast<size_t>(i)] = i;
      Rng(seed, "mlp order", static_cast<uint64_t>(epoch)).shuffle(order);
      double total = 0;
      for (int64_t begin = 0; begin < n; begin += batch) {
        const int64_t count = std::min(batch, n - begin);
        const Tensor picked = Tensor::from(
            std::vector<int64_t>(order.begin() + begin, order.begin() + begin + count));
        adam.zero_grad();
        Tensor loss = cross_entropy(logits(index_select(x, 0, picked)), index_select(y, 0, picked));
        for (const Layer& layer : layers_)
          loss = loss + sum(square(layer.weight)) * (decay / 2 / static_cast<double>(count));
        loss.backward();
        adam.step();
        total += loss.item() * static_cast<double>(count);
      }
      total /= static_cast<double>(n);
      tired = total > best - least_gain ? tired + 1 : 0;
      best = std::min(best, total);
    }
    for (const Layer& layer : layers_) {
      layer.weight.zero_grad();
      layer.bias.zero_grad();
      layer.weight.set_requires_grad(false);
      layer.bias.set_requires_grad(false);
    }
  }

  ClassifierSpec spec_;
  int64_t classes_ = 0, width_ = 0;
  Scaling scaling_;
  std::vector<Layer> layers_;
};

}  // namespace

LabelledRows LabelledRows::subset(const std::vector<int64_t>& indices) const {
  LabelledRows out;
  out.width = width;
  out.classes = classes;
  for (const int64_t i : indices) {
    out.values.insert(out.values.end(), row(i), row(i) + width);
    out.labels.push_back(labels[static_cast<size_t>(i)]);
  }
  return out;
}

std::string ClassifierSpec::text() const {
  if (kind == Kind::svm) return "svm C=" + format_double(c);
  if (kind == Kind::knn)
    return "knn k=" + std::to_string(k) + (by_distance ? " distance" : " uniform");
  return "mlp " + std::to_string(layers) + "x" + std::to_string(neurons);
}

std::vector<int64_t> Classifier::predict(const std::vector<float>& values) const {
  const std::vector<double> all = scores(values);
  std::vector<int64_t> out;
  const auto n = static_cast<size_t>(classes());
  for (size_t begin = 0; begin < all.size(); begin += n) {
    const double* row = all.data() + begin;
    out.push_back(std::max_element(row, row + n) - row);
  }
  return out;
}

std::unique_ptr<Classifier> fit_classifier(const ClassifierSpec& spec, const LabelledRows& rows,
                                           uint64_t seed) {
  if (rows.size() == 0)
    throw DataError(Fault{"fold.empty", "", "", "no embeddings to fit a classifier to",
                          "training samples", ""});
  for (size_t i = 0; i < rows.values.size(); ++i)
    if (!std::isfinite(rows.values[i]))
      throw DataError(Fault{"model.nan", "",
                            "row " + std::to_string(i / static_cast<size_t>(rows.width)),
                            "an embedding that is not finite", "finite embeddings", ""});
  check<ValueError>(spec.c > 0 && spec.k >= 1 && spec.layers >= 1 && spec.neurons >= 1,
                    "fit_classifier", "expects C > 0, k, layers and neurons >= 1, got ",
                    spec.text());
  if (spec.kind == ClassifierSpec::Kind::svm)
    return std::make_unique<SvmClassifier>(spec, rows, seed);
  if (spec.kind == ClassifierSpec::Kind::knn) return std::make_unique<KnnClassifier>(spec, rows);
  return std::make_unique<MlpClassifier>(spec, rows, seed);
}

std::unique_ptr<Classifier> classifier_of(const ClassifierSpec& spec, const TensorMap& state) {
  if (spec.kind == ClassifierSpec::Kind::svm) return std::make_unique<SvmClassifier>(spec, state);
  if (spec.kind == ClassifierSpec::Kind::knn) return std::make_unique<KnnClassifier>(spec, state);
  return std::make_unique<MlpClassifier>(spec, state);
}

}  // namespace cytograd
