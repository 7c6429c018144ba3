#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/random.h"
#include "cytograd/multimodal/run.h"
#include "cytograd/ops/elementwise.h"

/// @file
/// A run with untrained models and invented latents.

namespace cytograd::test {

/// Cells of class c lie around c * 1.5 along the first ten dimensions, and 1.5 - c * 1.5 along the
/// next ten.
inline multimodal::LatentCells invented_cells(const std::string& kind,
                                              const std::vector<std::string>& classes,
                                              const std::vector<double>& places, int64_t count,
                                              uint64_t seed) {
  multimodal::LatentCells out;
  out.classes = classes;
  Rng rng(seed, "invented");
  std::vector<float> z;
  for (size_t c = 0; c < places.size(); ++c)
    for (int64_t i = 0; i < count; ++i) {
      out.names.push_back(kind + "/" + classes[c] + std::to_string(i));
      out.labels.push_back(static_cast<int64_t>(c));
      out.split.push_back("train");
      for (int64_t k = 0; k < 50; ++k) {
        const double at = k < 10 ? places[c] : k < 20 ? 1 - places[c] : 0;
        z.push_back(static_cast<float>(1.5 * at + 0.3 * rng.normal()));
      }
    }
  out.mu = Tensor::from(z, {static_cast<int64_t>(out.names.size()), 50});
  return out;
}

/// Images of "early", "middle" and "late", and a class "empty" without cells; RNA of "stem" and
/// "mature". The class map calls late and mature "end". @param gain  of the last layer of the RNA
/// decoder: with 1 all genes are flat
inline multimodal::Run invented_run(int64_t genes = 40, double gain = 60, int64_t count = 20) {
  multimodal::Run run;
  run.path = "invented";
  run.image = std::make_shared<models::ImageVae>(3);
  run.rna = std::make_shared<models::RnaVae>(genes, 4);
  run.image->eval();
  run.rna->eval();
  const NoGrad no_grad;
  for (const auto& [name, tensor] : run.rna->named_parameters())
    if (name == "decoder.fc4.weight") tensor.copy_(tensor * gain);
  for (int64_t g = 0; g < genes; ++g) run.genes.push_back("GENE" + std::to_string(g));
  run.scale.deviation.assign(static_cast<size_t>(genes), 1.0);
  run.image_cells = invented_cells("slides", {"early", "middle", "late"}, {0, 0.5, 1}, count, 1);
  run.image_cells.classes.push_back("empty");
  run.rna_cells = invented_cells("cells", {"stem", "mature"}, {0, 1}, count, 2);
  run.map.pairs = {{"end", {"late"}, {"mature"}, {}}};
  run.image_quality = {.active_units = 50, .r2_mu = 0.9, .r2_z = 0.9};
  run.rna_quality = run.image_quality;
  return run;
}

inline bool noted(const std::vector<std::string>& notes, const std::string& part) {
  for (const std::string& note : notes)
    if (note.find(part) != std::string::npos) return true;
  return false;
}

}  // namespace cytograd::test
