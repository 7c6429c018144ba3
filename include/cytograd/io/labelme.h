#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// @file
/// Annotations as the program LabelMe writes them: one JSON file per image with named shapes.

namespace cytograd {

/// One shape. Corners are in pixel edges of the image.
struct LabelMeShape {
  std::string label;
  std::string type;              ///< "polygon", "rectangle", "circle", ... as in the file
  std::vector<double> points;    ///< x, y, x, y, ..
  std::optional<int64_t> group;  ///< shapes of one label and group are parts of one object
};

struct LabelMeFile {
  std::string image_path;         ///< as in the file; never opened
  int64_t height = 0, width = 0;  ///< 0 where the file has none
  std::vector<LabelMeShape> shapes;
};

/// Reads a LabelMe file; an image inside it is passed over. @throws DataError `ann.labelme` with
/// the place, FileError
LabelMeFile read_labelme(const std::string& path);
/// The same from memory. @param name for messages
LabelMeFile parse_labelme(std::string_view text, const std::string& name);

/// The outline of a polygon, a rectangle (two corners) or a circle (centre and a point of the rim:
/// 64 corners). Nothing for other types, or too few points.
std::vector<double> outline_of(const LabelMeShape& shape);

}  // namespace cytograd
