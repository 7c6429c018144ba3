#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cytograd/guided/guide.h"
#include "cytograd/io/image.h"

/// @file
/// An interactive page of embeddings: one HTML file that loads nothing from anywhere. Hovering a
/// point shows the cell; points are coloured by class, prediction, whether it is right, and by
/// groups such as fold and domain; zoom, pan, a legend that hides classes; everything also by
/// keyboard.

namespace cytograd {

/// Most points of a page, and most bytes of its pictures.
inline constexpr int64_t page_points = 20'000;
inline constexpr int64_t page_picture_bytes = int64_t{16} << 20;

/// A way of laying out the same cells: one run's embedding.
struct PageMap {
  std::string name, x_label, y_label;
  std::vector<Point2> places;      ///< one per cell; cells that are not finite are not drawn
  std::vector<int64_t> predicted;  ///< class per cell, -1: none
  std::vector<double> confidence;  ///< per cell, NaN: none; or empty
  std::vector<std::string> parts;  ///< "train", "val", "test" per cell, or empty
};

/// A further way of colouring.
struct PageGroup {
  std::string name;                 ///< "fold", "domain"
  std::vector<std::string> values;  ///< of the legend
  std::vector<int64_t> codes;       ///< per cell a place in `values`, -1: none
};

struct EmbeddingPage {
  std::string title, subtitle;
  std::vector<std::string> names;  ///< one per cell
  std::vector<std::string> classes;
  std::vector<std::array<uint8_t, 3>> colors;  ///< one per class
  std::vector<size_t> order;                   ///< of the legend; empty: as classes
  std::vector<int64_t> labels;                 ///< class per cell
  std::vector<PageGroup> groups;
  std::vector<PageMap> maps;      ///< at least one
  std::vector<Image> thumbnails;  ///< one per cell, squares of one side, RGB; or empty
};

/// Side of the thumbnails of a page with so many cells: 96, 64, 48 or 32 pixels.
int64_t thumbnail_side(int64_t cells);

/// Thumbnails are joined to JPEG sheets; the quality falls from 80 to 40 until they take at most
/// `limit` bytes, and beyond that they are left out, which the page says.
/// @throws ShapeError where lengths differ; ValueError for more than `page_points` cells
std::string embedding_page_html(const EmbeddingPage& page, int64_t limit = page_picture_bytes);

}  // namespace cytograd
