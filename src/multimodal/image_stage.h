#pragma once

#include "cytograd/losses/alignment.h"
#include "cytograd/models/image_vae.h"
#include "multimodal/stage.h"

/// @file
/// Training of the image VAE, whose latents are moved onto those of the RNA VAE.

namespace cytograd::multimodal {

/// A pair of the class map as the image VAE sees it.
struct AlignedPair {
  std::string name;
  losses::AlignedClass target;  ///< labels of images, delta, moments of the RNA latents
  models::Posterior rna;        ///< of the pair's training cells, [n, 50], for mmd
};

/// Measures of an image VAE on some cells, again and again.
class ImageMonitor {
 public:
  ImageMonitor(const ImageSource& source, const TrainingOptions& options, std::vector<int64_t> rows,
               Device device);
  /// "val_loss" first, which is without alignment. The model is in evaluation mode.
  Values measure(const models::ImageVae& model);

 private:
  const ImageSource& source_;
  const TrainingOptions& options_;
  std::vector<int64_t> rows_;
  Device device_;
  double feature_spread_ = -1, image_spread_ = -1;
};

class ImageStage : public Stage {
 public:
  ImageStage(StageSetup setup, models::ImageVae& model, const ImageSource& source,
             const TrainingOptions& options, std::vector<AlignedPair> pairs);

 protected:
  Batches batches(int64_t epoch) const override;
  StageBatch load(const std::vector<int64_t>& rows) const override;
  StageLoss loss(const StageBatch& batch, double beta, int64_t step) override;
  Values monitors() override { return monitor_.measure(model_); }
  std::vector<std::string> part_names() const override;

 private:
  void align_moments(const Tensor& z, const std::vector<int64_t>& labels, StageLoss& out) const;
  void align_mmd(const Tensor& z, const std::vector<int64_t>& labels, int64_t step,
                 StageLoss& out) const;

  const models::ImageVae& model_;
  const ImageSource& source_;
  const TrainingOptions& options_;
  std::vector<AlignedPair> pairs_;
  std::vector<int64_t> train_;
  std::vector<std::vector<int64_t>> groups_;  // training cells of each pair
  ImageMonitor monitor_;
};

losses::ImageReduction image_reduction(const std::string& name);

}  // namespace cytograd::multimodal
