#pragma once

#include <map>
#include <string>

#include "cytograd/guided/readout.h"
#include "cytograd/train/task.h"

namespace cytograd {

/// A readout, and what the search for it found.
struct FittedReadout {
  Readout readout;
  /// Best classifier of each kind that was searched, "svm", "knn", "mlp": inner macro-F1, spec.
  struct Best {
    double score = 0;
    ClassifierSpec spec;
  };
  std::map<std::string, Best> best;
};

/// Fits classifiers to the training embeddings of a trained model, by the grid that its settings
/// name, and takes the best by inner cross-validation. Nothing outside the training part
/// is seen, but that the temperature of the distances' confidence is fitted to the validation part.
FittedReadout fit_readout(const TrainedModel& trained, const Task& task,
                          const ProgressCallback& progress = {});

}  // namespace cytograd
