#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cytograd/train/method.h"

/// @file
/// Private: what methods without labels share. Each learns from two views of every image of a batch
/// (docs/pretraining.md).

namespace cytograd {

class ViewsMethod : public Method {
 public:
  /// Tells once if embeddings have collapsed.
  std::vector<std::string> remarks(const std::map<std::string, double>& means) override;
  std::vector<std::string> terms() const override;

 protected:
  /// @param term  name of the loss   @throws ConfigError for fewer than two training images
  ViewsMethod(const MethodContext& context, std::string term);

  /// Rows of view 0 and of view 1.
  struct Views {
    Tensor first, second;
  };
  static Views views_of(const Tensor& rows);
  /// The loss, and how the embeddings z of both views lie on the sphere, which is logged only.
  std::vector<LossTerm> terms_of(const Tensor& loss, const Tensor& z) const;

 private:
  std::string term_;
  int64_t epochs_ = 0;  // that were looked at
  bool told_ = false;
};

}  // namespace cytograd
