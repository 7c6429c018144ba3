#pragma once

#include "bench/models/model_work.h"

/// @file
/// The classifiers of models/registry.h.

namespace cytograd::bench {

std::vector<std::string> classifier_names();
Work classifier_work(const ModelSetting& setting);
std::vector<StepTime> classifier_steps(const ModelSetting& setting, int64_t repeats,
                                       int64_t warmup);

}  // namespace cytograd::bench
