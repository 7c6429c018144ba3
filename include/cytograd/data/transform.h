#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "cytograd/core/random.h"
#include "cytograd/core/tensor.h"
#include "cytograd/data/dataset.h"
#include "cytograd/data/stain.h"
#include "cytograd/io/image.h"

/// @file
/// From decoded pixels to network input. Everything random is drawn from the Rng given, in a fixed
/// order, so a sample looks the same in any thread and after any restart.

namespace cytograd {

/// How a rectangle becomes a square: `pad` by reflection keeps every pixel and the aspect, `crop`
/// takes the centre, `stretch` gives the aspect up.
enum class Fit { pad, crop, stretch };

struct Preprocess {
  int64_t size = 224;  ///< side of the output in pixels
  Fit fit = Fit::pad;
  /// Side of the field in micrometres that fills the output; 0: the whole image or box. Needs
  /// microns_per_pixel of every sample.
  double field_um = 0;
  /// Added on each side of a box, as a share of its longer side.
  double box_margin = 0.1;
  std::array<float, 3> mean = {0.485f, 0.456f, 0.406f};  ///< of pixels in 0..1, RGB
  std::array<float, 3> std = {0.229f, 0.224f, 0.225f};
  /// Every image, as this shows it, is moved to the stain of the target.
  StainMethod stain = StainMethod::none;
  StainStats stain_target = {};
};

/// Random changes for training. Zero everywhere: none.
struct Augmentation {
  double flip_horizontal = 0, flip_vertical = 0;  ///< probabilities
  bool rotate_90 = false;                         ///< by a random quarter turn
  double rotate = 0;                              ///< by up to this many degrees, either way
  double area_min = 1, area_max = 1;              ///< random resized crop: share of the area
  double aspect_max = 1;  ///< and aspect in 1/aspect_max..aspect_max, log-uniform
  double brightness = 0, contrast = 0, saturation = 0;  ///< factors in 1 - v..1 + v
  double hue = 0;                                       ///< shift in -v..v turns
  double stain = 0;       ///< each stain's optical density times 1 - v..1 + v
  double stain_bias = 0;  ///< and plus -v..v
  double blur = 0;        ///< probability of a Gaussian blur
  double blur_sigma = 1;  ///< with sigma in 0.1..blur_sigma pixels of the output
  double gray = 0;        ///< probability of grey values

  static Augmentation none() { return {}; }
  /// Flips, quarter turns, crops of 80..100 %, mild brightness and contrast.
  static Augmentation light();
  /// light with free rotation, stronger crops, colour and stain jitter, blur.
  static Augmentation full();
  /// Of training over domains: crops of 70..100 %, strong jitter of all colours, grey one time in
  /// ten, horizontal flips (DomainBed, Gulrajani and Lopez-Paz 2021).
  static Augmentation domains();
  /// Of two views that a network shall recognise as one image (Chen et al. 2020, with what cells
  /// allow): crops of 20..100 %, flips, quarter turns, strong jitter of colours and stain, blur,
  /// grey one time in five.
  static Augmentation views();
  /// @throws ConfigError for a name other than none, light, full, domains, views
  static Augmentation named(const std::string& name);
  bool operator==(const Augmentation&) const = default;
};

/// A rectangle of source pixels; may reach outside the image, where it is continued by reflection.
struct Region {
  int64_t y = 0, x = 0, height = 0, width = 0;
  bool operator==(const Region&) const = default;
};

/// The part of an image that `preprocess` shows of this sample, before augmentation: the box with
/// its margin made square and moved inside the image, the field of view, or the whole image.
/// @throws DataError data.resolution if field_um is set and the pixel size unknown
Region source_region(int64_t height, int64_t width, const Sample& sample,
                     const Preprocess& preprocess);
/// The pixels of a region, continued by reflection.
Image crop(const Image& image, const Region& region);
/// Bilinear with antialiasing: a triangle filter widened by the scale, half-pixel centres, weights
/// renormalised at the border; rounds to nearest.
Image resize(const Image& image, int64_t height, int64_t width);
Image flip_horizontal(const Image& image);
Image flip_vertical(const Image& image);
/// Counter-clockwise quarter turns.
Image rotate_90(const Image& image, int64_t turns);

/// Writes [size, size, 3] normalised float32 values to `out`; a grey image fills three channels.
/// @param rng drawn from only for the changes that are switched on
void prepare(const Image& image, const Sample& sample, const Preprocess& preprocess,
             const Augmentation& augmentation, Rng rng, float* out);
/// The same without normalisation, as an 8-bit image, for pictures of what the network sees.
Image preview(const Image& image, const Sample& sample, const Preprocess& preprocess,
              const Augmentation& augmentation, Rng rng);

/// A batch before that work: the pixels that are shown, and what was drawn for each image.
/// `prepare` does the rest on any device: the same images, on CUDA up to rounding. Made by
/// `LoaderOptions::raw`.
struct RawImages {
  Tensor pixels;      ///< uint8 [bytes]: the parts of the images one after the other, HWC
  Tensor changes;     ///< uint8 [bytes]: what becomes of each, for the kernel
  int64_t count = 0;  ///< N
  Preprocess preprocess;
  int64_t widest = 0, taps = 0;  ///< scratch memory that the kernel needs
  bool defined() const { return pixels.defined(); }
};
/// out [N, size, size, 3] float32, on the device of `raw`.
void prepare(const RawImages& raw, const Tensor& out);

}  // namespace cytograd
