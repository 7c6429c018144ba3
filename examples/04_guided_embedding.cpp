// Trains a guided embedding with the library alone: drawn cells of five classes are placed in the
// plane by a guide, and neighbours tell the classes of cells that were never seen. Expected:
// accuracy of at least 0.8, seconds on one core.

#include <cytograd/autograd/record.h>
#include <cytograd/data/transform.h>
#include <cytograd/guided/classifiers.h>
#include <cytograd/guided/guide.h>
#include <cytograd/losses/guide.h>
#include <cytograd/models/resnet20.h>
#include <cytograd/ops/index.h>
#include <cytograd/optim/adam.h>
#include <cytograd/synth/cells.h>

#include <iostream>

using namespace cytograd;

namespace {

constexpr int64_t kSize = 32, kTrain = 40, kTest = 20;  // pictures per class

struct Cells {
  Tensor images;  // [N, 32, 32, 3], normalised
  Tensor labels;  // [N]
};

// Cells number `begin` to `end` of every class, classes interleaved.
Cells draw(const std::vector<std::string>& classes, uint64_t begin, uint64_t end) {
  const auto n = static_cast<int64_t>((end - begin) * classes.size());
  Cells cells{Tensor::empty({n, kSize, kSize, 3}), Tensor::empty({n}, Dtype::int64)};
  int64_t i = 0;
  for (uint64_t index = begin; index < end; ++index)
    for (size_t label = 0; label < classes.size(); ++label, ++i) {
      const auto picture = synth::draw_cell(
          {.cell = synth::cell_class(classes[label]), .seed = 1, .index = index, .size = kSize});
      prepare(picture.image, {}, {.size = kSize}, Augmentation::none(), Rng(0),
              cells.images.data<float>() + i * kSize * kSize * 3);
      cells.labels.data<int64_t>()[i] = static_cast<int64_t>(label);
    }
  return cells;
}

LabelledRows embed(models::SmallResNet& model, const Cells& cells, int64_t classes) {
  const NoGrad no_grad;
  model.eval();
  LabelledRows out;
  out.values = model.embed(cells.images).to_vector<float>();
  out.labels = cells.labels.to_vector<int64_t>();
  out.width = model.embedding_count();
  out.classes = classes;
  return out;
}

}  // namespace

int main() {
  // The guide says where classes belong: blast in the middle, maturation outwards.
  const std::vector<std::string> classes = {"blast", "segmented", "eosinophil", "lymphocyte",
                                            "ortho_erythroblast"};
  const MatchedGuide guide = match_guide(find_guide("hematopoiesis-15"), classes);
  const Tensor points = guide.tensor();

  const Cells train = draw(classes, 0, kTrain), test = draw(classes, kTrain, kTrain + kTest);
  models::SmallResNet model(models::resnet20, {.classes = 0, .embedding = 2, .seed = 7});
  optim::Adam adam(model.named_parameters(), {.lr = 2e-3});

  constexpr int64_t batch = 20;
  std::vector<int64_t> order(static_cast<size_t>(train.labels.numel()));
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  for (uint64_t epoch = 0; epoch < 12; ++epoch) {
    model.train();
    Rng(3, "order", epoch).shuffle(order);
    double total = 0;
    for (size_t begin = 0; begin < order.size(); begin += batch) {
      const Tensor picked =
          Tensor::from(std::vector<int64_t>(order.begin() + begin, order.begin() + begin + batch));
      const Tensor p = model.embed(index_select(train.images, 0, picked));
      const Tensor y = index_select(train.labels, 0, picked);
      const Tensor loss = losses::guide_distance(p, y, points) + losses::norm_term(p) * 0.001;
      adam.zero_grad();
      loss.backward();
      adam.step();
      total += loss.item() * batch;
    }
    std::cout << "epoch " << epoch + 1 << ": distance to the guide "
              << total / static_cast<double>(order.size()) << "\n";
  }

  // The best neighbourhood by inner cross-validation on the training cells.
  const auto n = static_cast<int64_t>(classes.size());
  const LabelledRows seen = embed(model, train, n), unseen = embed(model, test, n);
  const ClassifierGrid grid = ClassifierGrid::knn();
  const ClassifierSpec spec = grid.specs[search_grid(grid, seen, 1).best];
  const auto classifier = fit_classifier(spec, seen, 1);
  const std::vector<int64_t> predicted = classifier->predict(unseen.values);
  double right = 0;
  for (size_t i = 0; i < predicted.size(); ++i) right += predicted[i] == unseen.labels[i];
  const double accuracy = right / static_cast<double>(predicted.size());
  std::cout << spec.text() << ": accuracy " << accuracy << " on unseen cells\n";
  return accuracy >= 0.8 ? 0 : 1;
}
