#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cytograd {

/// Largest VOC file, and deepest nesting in it.
inline constexpr uint64_t max_voc_bytes = uint64_t{16} << 20;
inline constexpr int max_xml_depth = 64;

/// One object of a VOC annotation. Files count pixels from 1 with both ends included; here x2 and
/// y2 are exclusive, so width = x2 - x1: x1 = xmin - 1, x2 = xmax.
struct VocObject {
  std::string name;
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0;
  bool difficult = false, truncated = false;
  /// `xmax <= xmin`, `ymax <= ymin`, or wholly outside the image where its size is given. Kept, for
  /// the caller to count and drop (`box.degenerate`).
  bool degenerate = false;
};

struct VocAnnotation {
  std::string filename;           ///< as in the file; never opened
  int64_t width = 0, height = 0;  ///< 0 where the file has none
  std::vector<VocObject> objects;
};

/// Reads a PASCAL VOC annotation. No document type, entity or other file is ever followed: a file
/// with a document type is refused. @throws DataError `ann.xml` with the place, FileError
VocAnnotation read_voc(const std::string& path);
/// The same from memory. @param name for messages
VocAnnotation parse_voc(std::string_view text, const std::string& name);

}  // namespace cytograd
