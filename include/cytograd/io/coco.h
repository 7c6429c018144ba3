#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cytograd/detection/coco_eval.h"

/// @file
/// Annotations and results in the format of COCO ("instances"): objects of images with boxes,
/// outlines and categories, in JSON. Boxes are left, top, width, height in pixels.

namespace cytograd {

/// An annotated object.
struct CocoAnnotation {
  int64_t id = 0;    ///< 0 where the file has none
  size_t image = 0;  ///< its place in `CocoFile::images`
  int64_t category = 0;
  detection::CocoBox box;
  double area = 0;     ///< as in the file; of the box where it has none
  bool crowd = false;  ///< a group of objects
  /// Outlines x, y, x, y, .. in pixels, of the parts that the object is seen in.
  std::vector<std::vector<double>> polygons;
  detection::Rle rle;  ///< instead of polygons; empty where the file has none
  /// The box has no area or lies wholly outside its image. Kept, for the caller to count and drop
  /// (`box.degenerate`).
  bool degenerate = false;

  bool has_mask() const { return !polygons.empty() || !rle.empty(); }
};

struct CocoFileImage {
  int64_t id = 0;
  std::string file_name;  ///< as in the file; never opened
  int64_t height = 0, width = 0;
};

struct CocoFile {
  std::vector<CocoFileImage> images;
  std::map<int64_t, std::string> categories;
  std::vector<CocoAnnotation> annotations;
};

/// Reads images, categories and annotations. Every annotation names an image and a category of the
/// file; ids are unique; polygons have at least three corners; runs are as many pixels as the image
/// has. @throws DataError `ann.coco` with the place, FileError
CocoFile read_coco(const std::string& path);
/// The same from memory. @param name for messages
CocoFile parse_coco(std::string_view text, const std::string& name);

/// The mask of an annotation; empty pixels where it has none.
detection::Rle mask_of(const CocoAnnotation& annotation, const CocoFileImage& image);

/// A detection with the id of its image.
struct CocoFileResult {
  int64_t image_id = 0;
  detection::CocoResult result;  ///< `mask` may be empty
};
/// Writes detections as COCO results, masks as compressed runs. Atomic. @throws FileError
void write_coco_results(const std::string& path, const std::vector<CocoFileResult>& results);

/// Writes a COCO file with images, categories and what was found: annotations with scores, masks as
/// compressed runs. Objects go to the file as they come.
class CocoWriter {
 public:
  /// @param categories  names by id   @throws FileError
  CocoWriter(const std::string& path, const std::map<int64_t, std::string>& categories);
  ~CocoWriter();
  void add_image(const CocoFileImage& image);
  /// @return the id of the annotation, from 1
  int64_t add_object(int64_t image_id, const detection::CocoResult& object, double area);
  /// Nothing appears under the name before. @throws FileError
  void commit();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cytograd
