#pragma once

#include <cstdint>
#include <vector>

#include "cytograd/detection/instance.h"

/// @file
/// Measures of a binary shape. Outside the image is background.

namespace cytograd::multimodal {

/// Takes out parts (that hang together by sides or corners) of fewer than `least` pixels.
void remove_small_parts(detection::BinaryMask& mask, double least);

/// Of every pixel: squared Euclidean distance of its centre to the nearest centre of background
/// (Felzenszwalb and Huttenlocher, "Distance Transforms of Sampled Functions", Theory of Computing
/// 2012); 0 in the background. Exact.
std::vector<double> squared_distance(const detection::BinaryMask& mask);

/// Peaks of the distance map, smoothed by a Gaussian of `sigma` pixels, that stand out by more than
/// `share` of the highest from the pass to a higher one: the maxima of its h-maxima transform,
/// h = share * highest. 0 for an empty mask.
int64_t count_lobes(const detection::BinaryMask& mask, double sigma, double share);

/// Pixels whose centre is in the convex hull of the centres of the mask's pixels; no fewer than the
/// mask has, and just as many where it is all pixels with their centre in some convex figure.
int64_t hull_pixels(const detection::BinaryMask& mask);

/// Grey opening with a disk (dx^2 + dy^2 <= radius^2) that sees the pixels of `domain` only: the
/// largest, over disks about a pixel of the domain that cover this one, of the least value in the
/// disk. Elsewhere 0.
std::vector<double> opened(const std::vector<double>& values, const detection::BinaryMask& domain,
                           int64_t radius);

}  // namespace cytograd::multimodal
