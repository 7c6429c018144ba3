#pragma once

#include "cytograd/data/transform.h"
#include "data/resample.h"
#include "kernels/augment.h"

/// @file
/// Private: the two halves of `prepare` (data/transform.h): what is drawn, and what is computed.

namespace cytograd {

/// What happens to one image: the region of it that is shown (with the rim that turning needs), and
/// its change.
struct PlannedChange {
  Region region;
  kernels::ImageChange change;
};

/// Draws from `rng` only for the changes that are switched on.
PlannedChange plan_change(const Image& image, const Sample& sample, const Preprocess& preprocess,
                          const Augmentation& augmentation, Rng& rng);

/// The part of it that changes colours.
void plan_colours(const Augmentation& augmentation, Rng& rng, kernels::ImageChange& out);
void change_colours(const kernels::ImageChange& change, resample::Planes& planes);

/// What the output of `preprocess` is like; nothing yet of the images.
kernels::AugmentSizes augment_sizes(const Preprocess& preprocess);

/// The square of side `size` after everything but the walk over it.
void make_planes(const Image& image, const Region& region, const kernels::ImageChange& change,
                 int64_t size, resample::Planes& out);

/// out [size, size, 3] = what the walk over the planes meets, value * scale + shift per channel.
void write_normalised(const resample::Planes& planes, const kernels::ImageChange& change,
                      const float* scale, const float* shift, float* out);

}  // namespace cytograd
