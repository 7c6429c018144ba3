#pragma once

#include <array>
#include <string>
#include <vector>

#include "cytograd/core/random.h"
#include "cytograd/multimodal/trainer.h"
#include "support/temp_folder.h"

/// @file
/// Cells of both sides that are made up on the spot, and runs of moments on them.

namespace cytograd::test {

using namespace multimodal;

inline constexpr int64_t fake_genes = 30;

inline std::vector<std::string> fake_roles(int64_t cells) {
  std::vector<std::string> out;
  for (int64_t i = 0; i < cells; ++i)
    out.push_back(i % 8 == 6 ? "val" : i % 8 == 7 ? "test" : "train");
  return out;
}

inline void fill(CellSource& source, const std::vector<std::string>& classes, int64_t cells,
                 const std::string& name) {
  source.classes = classes;
  for (int64_t i = 0; i < cells; ++i) {
    source.names.push_back(name + std::to_string(i));
    source.labels.push_back(i % static_cast<int64_t>(classes.size()));
  }
  source.split = fake_roles(cells);
  source.hash = name;
}

/// A gene of a class is high, others are low; every cell differs.
inline RnaSource fake_rna(const std::vector<std::string>& classes, int64_t cells,
                          bool reference = false) {
  RnaSource out;
  fill(out, classes, cells, "rna-");
  for (int64_t g = 0; g < fake_genes; ++g) out.genes.push_back("G" + std::to_string(g));
  out.scale.deviation.assign(static_cast<size_t>(fake_genes), 2.0);
  out.scale.high = 5;
  const auto count = static_cast<int64_t>(classes.size());
  out.batch = [count](const std::vector<int64_t>& rows) {
    std::vector<float> x;
    for (const int64_t row : rows) {
      Rng rng(7, "fake rna", static_cast<uint64_t>(row));
      const double level = rng.uniform();
      for (int64_t g = 0; g < fake_genes; ++g)
        x.push_back(static_cast<float>((g % count == row % count ? 0.6 : 0.1) + 0.3 * level +
                                       0.05 * rng.uniform()));
    }
    return Tensor::from(x, {static_cast<int64_t>(rows.size()), fake_genes});
  };
  if (!reference) return out;
  std::vector<float> z;
  for (int64_t i = 0; i < cells; ++i) {
    Rng rng(7, "fake reference", static_cast<uint64_t>(i % count));
    for (int k = 0; k < 50; ++k) z.push_back(static_cast<float>(rng.normal()));
  }
  out.reference = Tensor::from(z, {cells, 50});
  return out;
}

/// A disc whose colour tells the class.
inline ImageSource fake_images(const std::vector<std::string>& classes, int64_t cells) {
  ImageSource out;
  fill(out, classes, cells, "image-");
  const auto count = static_cast<int64_t>(classes.size());
  out.batch = [count](const std::vector<int64_t>& rows) {
    const auto n = static_cast<int64_t>(rows.size());
    ImageBatch b{Tensor::empty({n, 14, 14, 256}), Tensor::empty({n, 128, 128, 3}),
                 Tensor::empty({n, 128, 128, 1})};
    auto *h = b.h.data<float>(), *image = b.image.data<float>(), *mask = b.mask.data<float>();
    for (const int64_t row : rows) {
      Rng rng(7, "fake image", static_cast<uint64_t>(row));
      const int64_t label = row % count;
      const double level = 0.2 * rng.uniform();
      for (int64_t k = 0; k < 14 * 14 * 256; ++k)
        *h++ = static_cast<float>((k % count == label ? 0.5 : -0.5) + level);
      for (int64_t k = 0; k < 128 * 128; ++k) {
        const int64_t y = k / 128 - 64, x = k % 128 - 64;
        const bool in = y * y + x * x <= 2500;
        *mask++ = in ? 1 : 0;
        for (int64_t c = 0; c < 3; ++c)
          *image++ = static_cast<float>(c == label % 3 ? 0.8 - level : 0.3);
      }
    }
    return b;
  };
  return out;
}

/// Settings of a run of moments.
inline RunConfig fake_config() {
  RunConfig out;
  out.training.seed = 3;
  out.training.rna.epochs = 3;
  out.training.rna.batch = 16;
  out.training.image.epochs = 2;
  out.training.image.batch = 16;
  out.training.min_per_class = 3;
  out.training.balanced_cells = 4;
  out.files.rna = "rna.h5ad";
  out.files.images = "cells.h5";
  return out;
}

inline ClassMap equal_map(const std::vector<std::string>& names) {
  ClassMap out;
  for (const std::string& name : names) out.pairs.push_back({name, {name}, {name}, {}});
  return out;
}

/// Trains in `path`, from the start or where it stopped. @return results.json
inline std::string train_in(const std::string& path, const RunConfig& config,
                            const TrainingData& data, const StageHooks& hooks = {}) {
  const bool begun = std::filesystem::exists(path + "/config.toml");
  const RunFolder folder = begun ? RunFolder::resume(path) : RunFolder::create(path, false);
  if (!begun) folder.prepare();
  return train_multimodal(folder, config, data, hooks);
}

}  // namespace cytograd::test
