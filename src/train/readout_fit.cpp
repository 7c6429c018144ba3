#include "cytograd/train/readout_fit.h"

#include "cytograd/core/random.h"
#include "cytograd/guided/confidence.h"

namespace cytograd {
namespace {

std::string kind_of(const ClassifierSpec& spec) {
  const std::string text = spec.text();
  return text.substr(0, text.find(' '));
}

ClassifierGrid grid_of(const std::string& name) {
  if (name == "svm") return ClassifierGrid::svm();
  if (name == "knn") return ClassifierGrid::knn();
  if (name == "mlp") return ClassifierGrid::mlp();
  return ClassifierGrid::all();
}

}  // namespace

FittedReadout fit_readout(const TrainedModel& trained, const Task& task,
                          const ProgressCallback& progress) {
  LoaderOptions loader;
  loader.batch_size = trained.config.batch;
  loader.preprocess = trained.preprocess;
  loader.max_pixels = trained.config.max_pixels;
  FittedReadout out;
  Readout& readout = out.readout;
  readout.reference = rows_of(predict(*trained.model, task.dataset, task.split.train, loader, true,
                                      progress, trained.domains),
                              trained.active, static_cast<int64_t>(trained.classes.size()));
  const ClassifierGrid grid = grid_of(trained.config.classifier);
  const uint64_t seed = stream_key(static_cast<uint64_t>(trained.config.seed), "readout");
  const GridSearch search = search_grid(grid, readout.reference, seed);
  for (size_t s = 0; s < grid.specs.size(); ++s) {
    const auto [at, added] = out.best.try_emplace(
        kind_of(grid.specs[s]), FittedReadout::Best{search.scores[s], grid.specs[s]});
    if (!added && search.scores[s] > at->second.score + 1e-12)
      at->second = {search.scores[s], grid.specs[s]};
  }
  readout.classifier = fit_classifier(grid.specs[search.best], readout.reference, seed);
  readout.anchors = anchors_of(trained.anchors, readout.reference);
  if (!trained.config.guide.empty())
    readout.rows = match_guide(find_guide(trained.config.guide), trained.classes).classes;
  if (!task.split.val.empty()) {
    const LabelledRows val = rows_of(
        predict(*trained.model, task.dataset, task.split.val, loader, true, {}, trained.domains),
        trained.active, readout.reference.classes);
    readout.temperature =
        fit_temperature(anchor_distances(val.values, readout.anchors), val.classes, val.labels);
  }
  readout.epoch = trained.epoch;
  return out;
}

}  // namespace cytograd
