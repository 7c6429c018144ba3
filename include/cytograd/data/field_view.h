#pragma once

#include <cstdint>
#include <vector>

#include "cytograd/core/random.h"
#include "cytograd/data/fields.h"
#include "cytograd/data/transform.h"
#include "cytograd/io/image.h"

/// @file
/// Changes of a field for training: boxes and masks move with the image.

namespace cytograd {

/// A field as the detector is shown it.
struct FieldView {
  Image image;
  std::vector<FieldObject> objects;
};

/// Random changes of fields. Of `pixels` flips, quarter turns and changes of colour count; cells
/// have no orientation, but a size, which stays.
struct FieldAugmentation {
  Augmentation pixels;
  double crop = 0;      ///< probability of a window
  double crop_min = 1;  ///< with sides of this share of the field's at least
  /// Fields with a longer side show a window of at most this size; 0: whole fields.
  int64_t tile = 0;
};

FieldView flip_horizontal(const FieldView& view);
FieldView flip_vertical(const FieldView& view);
/// Counter-clockwise quarter turns.
FieldView rotate_90(const FieldView& view, int64_t turns);

/// The window alone. Objects of which less than 0.3 of the box is seen, or less than 16 square
/// pixels, are left out; boxes of the others are clipped, or, where the window cuts one with a
/// mask, become those of what is left of it. @throws ValueError unless the window lies in the image
FieldView crop(const FieldView& view, const Region& window);

/// A window as `augmentation` asks for: of ten draws the first that shows an object by at least
/// 0.7 and cuts no object with a mask; without one the last draw of a tile, else the whole field.
/// Four tiles of five are drawn about an object.
Region draw_window(const FieldView& view, const FieldAugmentation& augmentation, Rng& rng);

/// All changes: window, flips, quarter turns, colours. Depends on the view and `rng` alone.
FieldView augment(const FieldView& view, const FieldAugmentation& augmentation, Rng rng);

}  // namespace cytograd
