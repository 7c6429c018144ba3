#pragma once

#include "cytograd/core/device.h"
#include "cytograd/train/run_folder.h"
#include "cytograd/train/task.h"

/// @file
/// What follows the last epoch.

namespace cytograd::cli {

/// Classifiers of the embeddings, scores on the held-back part, results.json, the report; of a
/// pretraining its weight file, and without labels that and the state after the last epoch alone.
/// @param quiet  the result is that of a stage, not of the command
void finish_training(const RunFolder& folder, const Task& task, Device device, bool quiet);

}  // namespace cytograd::cli
