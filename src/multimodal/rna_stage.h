#pragma once

#include "cytograd/models/rna_vae.h"
#include "multimodal/stage.h"

/// @file
/// Training of the RNA VAE.

namespace cytograd::multimodal {

/// Measures of an RNA VAE on some cells, again and again.
class RnaMonitor {
 public:
  /// @param rows  at most `options.monitor_cells` of them are looked at
  RnaMonitor(const RnaSource& source, const TrainingOptions& options, std::vector<int64_t> rows,
             Device device);
  /// "val_loss" first. The model is in evaluation mode.
  Values measure(const models::RnaVae& model);

 private:
  const RnaSource& source_;
  const TrainingOptions& options_;
  std::vector<int64_t> rows_;
  Device device_;
  double spread_ = -1;  // of the expression, known after the first time
};

class RnaStage : public Stage {
 public:
  RnaStage(StageSetup setup, models::RnaVae& model, const RnaSource& source,
           const TrainingOptions& options);

 protected:
  Batches batches(int64_t epoch) const override;
  StageBatch load(const std::vector<int64_t>& rows) const override;
  StageLoss loss(const StageBatch& batch, double beta, int64_t step) override;
  Values monitors() override { return monitor_.measure(model_); }

 private:
  const models::RnaVae& model_;
  const RnaSource& source_;
  const TrainingOptions& options_;
  std::vector<int64_t> train_;
  RnaMonitor monitor_;
};

/// Rows of a matrix of float32 on the host.
Tensor rows_of(const Tensor& matrix, const std::vector<int64_t>& rows);

}  // namespace cytograd::multimodal
