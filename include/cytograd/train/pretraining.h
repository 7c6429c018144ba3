#pragma once

#include <cstdint>
#include <string>

#include "cytograd/train/config.h"
#include "cytograd/train/task.h"

/// @file
/// Runs whose result is the network's body: a weight file that other trainings start from
/// (docs/pretraining.md).

namespace cytograd {

/// Is it a run of that kind: without labels, or on drawn cells?
bool is_pretraining(const TrainConfig& config);

/// Writes all of the model but classifier and embedding layer as safetensors, under torchvision's
/// names and in its layout: what `--weights` and PyTorch read. Statistics by domain stay out;
/// averaged weights stand for the others where the run keeps them. The metadata name model, method
/// and epoch. @return tensors written   @throws FileError
int64_t write_backbone(const std::string& path, const TrainedModel& trained);

/// Draws the cells that `data.synthetic` asks for, each under a stain of its own, into the folder
/// of the manifest that `data.path` names, which holds nothing else; if the manifest, written last,
/// is there, nothing happens. The same bytes for the same number, seed and image size.
/// @param progress  may throw to stop   @throws FileError, also for a folder with other
/// files
void draw_world(const TrainConfig& config, const ProgressCallback& progress = {});
/// Side of the drawn pictures: larger than the input, so that crops keep their detail.
int64_t world_image_size(const TrainConfig& config);

}  // namespace cytograd
