#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cytograd/core/tensor.h"
#include "cytograd/models/image_vae.h"
#include "cytograd/models/rna_vae.h"
#include "cytograd/multimodal/class_map.h"
#include "cytograd/rna/expression.h"

/// @file
/// A trained pair of VAEs with the latents of the cells it was trained on: the folder that `cyto
/// multimodal train` writes.

namespace cytograd::multimodal {

/// Cells of one modality in the latent space.
struct LatentCells {
  std::vector<std::string> names;    ///< one per cell
  std::vector<std::string> classes;  ///< of this modality
  std::vector<int64_t> labels;       ///< one per cell, -1 unknown
  std::vector<std::string> split;    ///< "train", "val" or "test", one per cell
  Tensor mu;                         ///< [cells, 50] float32
  /// Rows of these classes, rising. @throws DataError class.unknown, listing what there is
  std::vector<int64_t> rows_of(const std::vector<std::string>& names) const;
};

/// One of the two models' state at the end, for reports; NaN where it was not measured.
struct ModelQuality {
  int64_t active_units = 0;    ///< latent dimensions whose mu varies by more than 0.01 over cells
  double r2_mu = 0, r2_z = 0;  ///< of the reconstruction from mu, from a sampled z
  double psnr = 0;             ///< image: masked, decibels
  double cosine = 0;           ///< RNA: to the reference
  bool collapsed = false;      ///< active_units < 10, or r2_mu < 0.9 r2_z
};

struct Run {
  std::string path;
  uint64_t seed = 0;
  std::shared_ptr<models::ImageVae> image;  ///< evaluation mode
  std::shared_ptr<models::RnaVae> rna;      ///< evaluation mode
  std::vector<std::string> genes;
  rna::ExpressionScale scale;
  ClassMap map;
  LatentCells image_cells, rna_cells;
  ModelQuality image_quality, rna_quality;
  std::vector<std::string> warnings;  ///< of the training: collapse, classes often skipped
  std::string images_file, rna_file;  ///< that it was trained on, as given
  std::string detector;               ///< whose features the image VAE knows; "" if unknown

  /// Features of another detector would be encoded into nonsense. @param of_cells
  /// ImageCells::detector() of the cells in `path`; "" passes, as does a run that does not know its
  /// own. @throws DataError features.detector
  void require_detector(const std::string& of_cells, const std::string& path) const;

  /// Images [n, 128, 128, 3] in 0..1 from latents [n, 50], float32, without graph.
  Tensor decode_images(const Tensor& z) const;
  /// Logarithms of normalised expression [n, genes] float64 from latents [n, 50].
  Tensor decode_genes(const Tensor& z) const;
};

/// @throws FileError run.missing; DataError run.checkpoint for a damaged or unfinished run
Run load_run(const std::string& path, Device device = {});

}  // namespace cytograd::multimodal
