#pragma once

#include <map>
#include <string>
#include <vector>

#include "cytograd/data/loader.h"
#include "cytograd/inference/compile.h"
#include "cytograd/models/image_model.h"

namespace cytograd {

/// Embeddings of batches by a model in evaluation mode, compiled at the first batch. Where
/// normalisation knows domains, every image is normalised by the statistics of its own, and by the
/// common ones if the model does not know its domain.
class Embedder {
 public:
  /// @param known  names of the model's domains, in its order   @param here  the data set's
  Embedder(const models::ImageModel& model, const std::vector<std::string>& known,
           const std::vector<std::string>& here);
  /// [N, embedding]
  Tensor operator()(const Batch& batch);

 private:
  Tensor run(const Tensor& images, int64_t domain);
  const models::ImageModel& model_;
  Device device_;
  std::vector<int64_t> numbers_;  // of the model's domain for each of the data set; -1: unknown
  std::map<int64_t, inference::CompiledModel> compiled_;
};

}  // namespace cytograd
