#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cytograd/detection/tiles.h"
#include "cytograd/models/mask_rcnn/mask_rcnn.h"

/// @file
/// Detection in fields that are too large for one pass, or larger than those that were trained on.

namespace cytograd::models {

/// The pixels of a tile: [height, width, C] in 0..1 (batch_images). What is not held in memory as a
/// whole can be read tile by tile.
using TilePixels = std::function<Tensor(const detection::Tile&)>;

/// Detects in every tile of a field and joins what several of them show (detection/tiles.h). With
/// one tile the result is that of MaskRcnn::detect. One tile is in memory at a time. Objects of
/// classes whose masks were not trained (MaskRcnnOptions::outlined) have none.
/// @param name  for messages   @param not_finite  counts candidates left out; may be null
inline std::vector<detection::FoundObject> detect_in_tiles(
    const MaskRcnn& model, const TilePixels& pixels, int64_t height, int64_t width,
    const detection::TileOptions& options = {}, const std::string& name = {},
    int64_t* not_finite = nullptr) {
  const std::vector<detection::Tile> tiles = detection::tile_grid(height, width, options);
  std::vector<std::vector<detection::FoundObject>> found(tiles.size());
  for (size_t t = 0; t < tiles.size(); ++t) {
    const detection::Tile& tile = tiles[t];
    const Detections here = std::move(model.detect({pixels(tile)}, {name}).front());
    if (not_finite) *not_finite += here.not_finite;
    const auto x = static_cast<float>(tile.x), y = static_cast<float>(tile.y);
    for (size_t i = 0; i < here.size(); ++i) {
      detection::FoundObject object{here.labels[i], here.scores[i], here.boxes[i], {}, false};
      object.box = {object.box.x1 + x, object.box.y1 + y, object.box.x2 + x, object.box.y2 + y};
      if (model.options().has_outline(object.label)) {
        object.mask = detection::piece_of(here.mask(i));
        object.mask.x += tile.x;
        object.mask.y += tile.y;
      }
      found[t].push_back(std::move(object));
    }
  }
  if (tiles.size() == 1) return found[0];
  return detection::merge_tiles(tiles, found, height, width, options);
}

}  // namespace cytograd::models
