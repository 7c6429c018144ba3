#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "cli/lab.h"
#include "cytograd/core/random.h"
#include "cytograd/io/cell_feature_file.h"
#include "cytograd/synth/rna.h"

/// @file
/// Cells of both kinds for `cyto multimodal`.

namespace cytograd::test {

inline const std::vector<std::string> kinds = {"myelocyte", "band", "segmented"};

/// Invented features: a kind of cell is a pattern in the channels, a disc of its own size and grey.
inline void write_features(const std::string& path, int64_t per_kind) {
  CellFeatureLayout layout;
  layout.count = per_kind * static_cast<int64_t>(kinds.size());
  layout.attributes = {{"format", "cytograd cell features 1"}, {"classes", "WBC"}};
  CellFeatureWriter writer(path, layout);
  for (int64_t i = 0; i < layout.count; ++i) {
    const auto kind = static_cast<size_t>(i / per_kind);
    Rng rng(1, "features", static_cast<uint64_t>(i));
    std::vector<float> h(14 * 14 * 256), mask(128 * 128), crop(128 * 128 * 3);
    const auto shift = static_cast<float>(0.3 * rng.normal());
    for (size_t k = 0; k < h.size(); ++k) {
      const double wave = std::sin(0.1 * static_cast<double>((kind + 1) * (k % 256)) + shift);
      h[k] = static_cast<float>(std::clamp(0.8 * wave + 0.1 * rng.normal(), -1.0, 1.0));
    }
    const double radius = 30 + 8 * static_cast<double>(kind) + 3 * rng.uniform();
    for (size_t p = 0; p < mask.size(); ++p) {
      const double y = static_cast<double>(p / 128) - 63.5, x = static_cast<double>(p % 128) - 63.5;
      const double r = std::sqrt(x * x + y * y);
      mask[p] = r < radius ? 1 : 0;
      for (size_t c = 0; c < 3; ++c)
        crop[3 * p + c] = r < radius / 2 ? 0.3F : r < radius ? 0.6F + 0.1F * shift : 0.9F;
    }
    CellFeatureRow row;
    row.h = &h, row.mask = &mask, row.crop = &crop;
    row.h_min = -1, row.h_max = 1, row.score = 0.9F;
    row.box[2] = row.box[3] = 128;
    row.label = 1;
    row.name = "crops/" + kinds[kind] + "/" + std::to_string(i) + ".png";
    writer.add(row);
  }
  writer.commit();
}

/// Files to train on, and the command line of a run of a few seconds.
class World : public RunsFolder {
 public:
  World() {
    constexpr int64_t per_kind = 20;
    write_features(folder / "cells.h5", per_kind);
    std::string labels = "path,label\n";
    for (size_t i = 0; i < per_kind * kinds.size(); ++i)
      labels +=
          kinds[i / per_kind] + "/" + std::to_string(i) + ".png," + kinds[i / per_kind] + "\n";
    write_file_atomically(folder / "labels.csv", labels);
    synth::RnaOptions rna{.cells = 240, .genes = 60, .drivers = 3, .seed = 2};
    rna.lineages = {synth::Branch::neutrophil};
    rna.from = 0.55;
    synth::write_rna(synth::make_rna(rna), folder / "rna.h5ad");
    write_file_atomically(folder / "map.toml",
                          "[myelocyte]\nimage = [\"myelocyte\"]\nrna = [\"myelocyte\"]\n"
                          "[neutrophil]\nimage = [\"band\", \"segmented\"]\n"
                          "rna = [\"band\", \"segmented\"]\nweight = 1\n");
  }
  Words train(const std::string& run, const Words& more = {}) const {
    Words out = {"multimodal",
                 "train",
                 "--rna",
                 folder / "rna.h5ad",
                 "--images",
                 folder / "cells.h5",
                 "--image-labels",
                 folder / "labels.csv",
                 "--map",
                 folder / "map.toml",
                 "--preset",
                 "joint",
                 "--rna-epochs",
                 "6",
                 "--rna-batch",
                 "32",
                 "--image-epochs",
                 "2",
                 "--image-batch",
                 "24",
                 "--seed",
                 "3",
                 "--balanced-cells",
                 "8",
                 "-o",
                 folder / run};
    // What is given again replaces what is there.
    for (size_t i = 0; i < more.size(); i += 2) {
      const auto at = std::find(out.begin(), out.end(), more[i]);
      if (at != out.end() && i + 1 < more.size())
        *(at + 1) = more[i + 1];
      else
        out.insert(out.end(), more.begin() + static_cast<std::ptrdiff_t>(i),
                   more.begin() + static_cast<std::ptrdiff_t>(std::min(i + 2, more.size())));
    }
    return out;
  }
  Words path(const std::string& run, const std::string& to, const Words& more = {}) const {
    Words out = {"multimodal", "trajectory", "--run",
                 folder / run, "--through",  "myelocyte,band,segmented",
                 "-o",         folder / to};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
};

}  // namespace cytograd::test
