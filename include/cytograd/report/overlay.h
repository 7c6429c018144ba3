#pragma once

#include <cstdint>
#include <vector>

#include "cytograd/detection/tiles.h"
#include "cytograd/io/image.h"

namespace cytograd {

/// A field with what was found drawn over it: the outline of each mask, two pixels wide, in the
/// colour of its class; the box of objects without a mask. The best score is drawn last.
/// @throws ValueError unless the image has three channels
Image draw_objects(const Image& image, const std::vector<detection::FoundObject>& objects);

}  // namespace cytograd
