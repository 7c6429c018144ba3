#pragma once

#include <functional>

#include "cli/train_options.h"
#include "cytograd/train/checkpoint.h"
#include "cytograd/train/run_folder.h"
#include "cytograd/train/task.h"

/// @file
/// A training from its first image to its report, in a run folder that is held. `cyto train` runs
/// one, as does `cyto pretrain`, `cyto crossval` many.

namespace cytograd::cli {

/// Where the data of a run come from; the default reads and splits them.
using TaskSource = std::function<Task(const TrainConfig&)>;
Task read_task(const TrainConfig& config);

/// A new run. Earlier results in the folder are replaced once nothing but training can fail.
void begin_training(const RunFolder& folder, const TrainConfig& config,
                    const TaskSource& source = read_task);
/// Goes on with a run; nothing happens if it is finished. @param fall_back from the newest good
/// checkpoint if the last one is damaged
void resume_training(const RunFolder& folder, const TrainConfig& config, bool fall_back,
                     const TaskSource& source = read_task);

/// The settings of a new run from its options.
using ConfigSource = std::function<ResolvedConfig(const TrainOptions&)>;
/// What `cyto train` and `cyto pretrain` do with their options: begin a run, try a step
/// (--dry-run), or go on (--resume).
void run_training(const TrainOptions& options, const ConfigSource& resolve);

/// Runs `begin` in the new folder of --output, stop signals caught; releases it if that fails.
void in_new_folder(const TrainOptions& options, const std::function<void(RunFolder&)>& begin);

/// Where a run that was stopped stands.
struct Standing {
  bool begun = false;     ///< false: killed before its first checkpoint, that of step 0, was linked
  bool finished = false;  ///< nothing to do; this has been said
  Checkpoint checkpoint;
  std::string path;    ///< of the checkpoint
  TrainConfig config;  ///< with the split as written, not drawn again
};
/// @param fall_back from the newest good checkpoint if the last one is damaged, with a warning
Standing standing_of(const RunFolder& folder, const TrainConfig& config, bool fall_back);
void say_going_on(const Checkpoint& checkpoint);

/// What the data set holds, on standard error.
void say_data(const Task& task);

}  // namespace cytograd::cli
