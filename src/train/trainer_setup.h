#pragma once

#include <memory>
#include <vector>

#include "cytograd/data/loader.h"
#include "cytograd/models/image_model.h"
#include "cytograd/optim/optimizer.h"
#include "cytograd/optim/schedule.h"
#include "cytograd/train/config.h"

/// @file
/// What a Trainer is made of, by the configuration.

namespace cytograd {

std::unique_ptr<optim::Optimizer> make_optimizer(const TrainConfig& config,
                                                 const nn::NamedTensors& parameters,
                                                 int64_t batches, int64_t stages);
optim::Schedule make_schedule(const TrainConfig& config, int64_t batches);

/// For passes without training: in the order given, unchanged images.
LoaderOptions loader_options(const TrainConfig& config, const models::ImageModel& model);
/// For training on `samples` images. @param on_host  where it trains
LoaderOptions training_options(const TrainConfig& config, const models::ImageModel& model,
                               int64_t samples, bool on_host);

/// Takes what is not trained out of training: frozen stages, statistics of normalisation, or all
/// but the classifier. @throws ConfigError for more stages than there are
void freeze_parts(models::ImageModel& model, const TrainConfig& config);

}  // namespace cytograd
