#pragma once

#include <vector>

#include "data/change.h"

/// @file
/// Private: what the loader's workers make of each image where the rest is done elsewhere.

namespace cytograd {

/// The pixels of one image that are shown, and its change.
struct RawPart {
  Image pixels;
  kernels::ImageChange change;
};
RawPart raw_part(const Image& image, const Sample& sample, const Preprocess& preprocess,
                 const Augmentation& augmentation, Rng rng);
/// The batch, on the host.
RawImages join_parts(const std::vector<RawPart>& parts, const Preprocess& preprocess);

}  // namespace cytograd
