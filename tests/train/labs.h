#pragma once

#include <map>
#include <string>
#include <vector>

#include "cytograd/io/file.h"
#include "cytograd/train/trainer.h"
#include "support/run_values.h"
#include "support/stained_cells.h"
#include "support/temp_folder.h"

/// @file
/// Drawn laboratories and trainings of moments on them.

namespace cytograd::test {

using Tensors64 = std::map<std::string, std::vector<double>>;

inline Tensors64 values_of(const std::string& checkpoint, const std::string& part = "") {
  Tensors64 out;
  for (const auto& [name, tensor] : read_checkpoint(checkpoint).part(part))
    out[name] = tensor.to_vector<double>();
  return out;
}

// Laboratories and short runs on them. The third one has no eosinophils, the first one monocyte.
class Labs {
 public:
  explicit Labs(const std::vector<std::vector<int>>& counts = {
                    {8, 6, 4, 1}, {6, 6, 6, 4}, {4, 8, 0, 5}}) {
    data = write_labs(folder.path().string(), counts);
    base.data = data;
    base.model = "resnet20";
    base.image_size = 16;
    base.test_fraction = 0;
    base.val_fraction = 0;
    base.batch = 3;
    base.steps_per_epoch = 4;
    base.epochs = 2;
    base.order = "domains";
    base.optimizer = "adam";
    base.weight_decay = 0;
    base.schedule = "constant";
    base.boda_start = 3;
    base.feat_freq = 3;
  }
  TrainConfig with(const std::string& method) const {
    TrainConfig c = base;
    c.method = method;
    return c;
  }
  std::string path(const std::string& run) const { return folder / run; }
  std::string last(const std::string& run) const {
    return CheckpointStore(path(run)).resolve("last");
  }
  std::vector<double> column(const std::string& run, const std::string& name) const {
    return test::metrics_column(path(run), name);
  }
  void train(const std::string& run, const TrainConfig& config, const TrainHooks& hooks = {},
             const std::string& first_stage = "") const {
    check_config(config);
    const Task task = load_task(config, {});
    Trainer trainer(config, task);
    if (!first_stage.empty()) trainer.load_first_stage(first_stage);
    const RunFolder made = RunFolder::create(path(run), true);
    made.prepare();
    trainer.run(made, hooks);
  }
  void go_on(const std::string& run, const TrainConfig& config) const {
    const Task task = load_task(config, {});
    Trainer trainer(config, task);
    write_file_atomically(path(run) + "/config.toml", config_toml(config));
    const RunFolder made = RunFolder::resume(path(run));
    trainer.restore(read_checkpoint(last(run)), last(run));
    trainer.run(made, {});
  }

  TempFolder folder;
  std::vector<std::string> data;
  TrainConfig base;
};

}  // namespace cytograd::test
