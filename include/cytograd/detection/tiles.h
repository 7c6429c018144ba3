#pragma once

#include <cstdint>
#include <vector>

#include "cytograd/detection/mask_piece.h"

/// @file
/// Large fields in tiles: where they lie, and which findings of several tiles are one object. On
/// the host.

namespace cytograd::detection {

/// A rectangle of whole pixels.
struct Tile {
  int64_t y = 0, x = 0, height = 0, width = 0;
  bool operator==(const Tile&) const = default;
};

struct TileOptions {
  int64_t side = 0;        ///< of the square tiles; 0: one tile, the whole field
  double overlap = 0.25;   ///< of neighbouring tiles, share of the side; objects should fit into it
  double same = 0.5;       ///< overlap from which two findings are one object
  double contained = 0.7;  ///< share of a cut finding that another one covers
};

/// Tiles that cover a field, row by row: equally far apart, neighbours overlapping by the share at
/// least, none leaving the field; a side that is not longer than the tile's has one.
/// @throws ValueError for an empty field, a negative side, or an overlap outside [0, 0.9]
std::vector<Tile> tile_grid(int64_t height, int64_t width, const TileOptions& options);

/// An object that was found, in pixels of the field.
struct FoundObject {
  int64_t label = 1;
  float score = 0;
  Box box;
  MaskPiece mask;    ///< empty: the model has no masks, or the mask no pixel
  bool cut = false;  ///< its box meets an edge of its tile that is not one of the field
};

/// Does a box come within a pixel of an edge of its tile that is inside the field?
bool is_cut(const Box& box, const Tile& tile, int64_t height, int64_t width);

/// Joins what the tiles of a field show; `found[i]` is of `tiles[i]`, in pixels of the field.
///
/// Findings are taken in turn: those that no tile cuts first, then by falling score, then by tile
/// and place. One is another finding of an object that is already taken if both have its class and
/// come from different tiles, and, of the part of the field that both tiles show, the pixels of
/// both are at least `same` of the pixels of either, or it is cut and at least `contained` of its
/// pixels there belong to the other. If both are cut, the object gets the pixels of both, the box
/// about both boxes and the better score; else the finding is dropped. Masks count; boxes where
/// one of the two has none.
/// @return in order of falling score   @throws ValueError unless there is one list for each tile
std::vector<FoundObject> merge_tiles(const std::vector<Tile>& tiles,
                                     const std::vector<std::vector<FoundObject>>& found,
                                     int64_t height, int64_t width, const TileOptions& options);

/// The number of the object that each pixel belongs to, from 1 in the order given, 0 for none;
/// where objects meet, the better score has the pixel. Objects without a mask fill their box.
std::vector<uint32_t> label_pixels(const std::vector<FoundObject>& objects, int64_t height,
                                   int64_t width);

}  // namespace cytograd::detection
