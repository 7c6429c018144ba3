#pragma once

#include <array>

#include "data/resample.h"

/// @file
/// Private: changes of colour on planes of float values 0..255. Each ends within 0..255.

namespace cytograd::colour {

using resample::Planes;

/// Multiplies all values.
void brightness(Planes& p, float factor);
/// Blends with the mean grey value of the image: factor 0 is flat grey, 1 is unchanged.
void contrast(Planes& p, float factor);
/// Blends each pixel with its grey value.
void saturation(Planes& p, float factor);
/// Turns the hue of HSV by `turns` (1 is a full circle).
void hue(Planes& p, float turns);
/// Grey values 0.299 R + 0.587 G + 0.114 B in all planes.
void gray(Planes& p);
/// What separates optical density into haematoxylin, eosin and a third stain (Ruifrok and Johnston
/// 2001), multiplies each by `scale`, adds `bias`, and goes back: density d becomes matrix d +
/// offset, the matrix [9] with a row per output, the offset [3].
void stain_matrix(const std::array<float, 3>& scale, const std::array<float, 3>& bias,
                  float* matrix, float* offset);
void stain(Planes& p, const float* matrix, const float* offset);
/// Affine change of the logarithms of cone responses, as pixel::cones.
void cones(Planes& p, const float* matrix, const float* offset);
/// Weights of distance 0 to the radius in a Gaussian blur. @return the radius, ceil(3 sigma)
int blur_weights(float sigma, float* weight);
/// Blur by such weights, border by reflection.
void blur(Planes& p, const float* weight, int64_t radius);

}  // namespace cytograd::colour
