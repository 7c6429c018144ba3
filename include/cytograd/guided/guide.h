#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cytograd/core/tensor.h"
#include "cytograd/io/image.h"

/// @file
/// A guide: a point of the plane for every class, which says how classes lie to each other (blast
/// in the middle, lineages as rays, maturation outwards). It is data: CSV with the columns class,
/// x, y and, if wanted, lineage, stage, color; or JSON {"name", "classes": [{"class", "x", "y",
/// ...}]}. docs/guided.md.

namespace cytograd {

using Point2 = std::array<double, 2>;

struct GuideClass {
  std::string name;
  double x = 0, y = 0;
  std::string lineage = "none";
  std::optional<int64_t> stage;  ///< of maturation along the lineage
  std::string color;             ///< "#rrggbb", or empty
  Point2 point() const { return {x, y}; }
};

struct Guide {
  std::string name;
  std::string file;  ///< where it was read; empty for those that come with the library
  std::vector<GuideClass> classes;

  const GuideClass* find(const std::string& class_name) const;
};

/// Distance below which two classes count as one point.
inline constexpr double guide_coincidence = 1e-6;

/// Guides that come with the library: hematopoiesis-15, blood-11 (public blood data sets), blood-10
/// (the fine labels of pbc), blood-5.
const std::vector<Guide>& standard_guides();

/// Reads `.csv` or `.json`. @throws FileError; ConfigError `guide` naming class and line for a
/// number that is not finite, a class twice, a colour that is none, no classes
Guide read_guide(const std::string& path);
/// A standard guide by name, or else a file. @throws as read_guide, naming the standard ones
Guide find_guide(const std::string& name_or_path);

/// A guide's rows in the order of a data set's classes.
struct MatchedGuide {
  std::vector<GuideClass> classes;
  std::vector<std::string> unused;  ///< classes of the guide that the data lack

  std::vector<Point2> points() const;
  /// [C, 2]
  Tensor tensor(Dtype dtype = Dtype::float32) const;
};

/// @throws ConfigError `guide` listing classes without a row, or naming two classes of the data
/// closer than `guide_coincidence`
MatchedGuide match_guide(const Guide& guide, const std::vector<std::string>& classes);

/// The points mapped to [0, 10] along each axis, 10 (v - min) / (max - min) over the points given.
/// @throws ConfigError `guide` if an axis is constant
std::vector<Point2> unit_box(const std::vector<Point2>& points);

std::string guide_csv(const Guide& guide);
std::string guide_json(const Guide& guide);
/// A picture: classes as discs in their colours, lines along lineages by stage.
std::string guide_svg(const Guide& guide);
/// The same as pixels. @param side of the longer edge
Image guide_image(const Guide& guide, int64_t side = 900);

/// Colour of a class, chosen by its place if the guide gives none.
std::array<uint8_t, 3> class_color(const GuideClass& row, size_t place);
/// Pairs of classes joined by a line: the next stage of the same lineage, or the root (lineage
/// "none") and the first of each.
std::vector<std::array<size_t, 2>> lineage_edges(const std::vector<GuideClass>& classes);

}  // namespace cytograd
