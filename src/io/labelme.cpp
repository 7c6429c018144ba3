#include "cytograd/io/labelme.h"

#include <cmath>
#include <numbers>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "io/json.h"

namespace cytograd {
namespace {

using nlohmann::json;

constexpr double largest_coordinate = 16'777'216;  // beyond it float32 loses single pixels
constexpr int64_t largest_side = int64_t{1} << 20;

class LabelMeReader {
 public:
  LabelMeReader(std::string_view text, const std::string& name)
      : name_(name), root_(parse_json(text, {"ann.labelme", name, "", "", "", ""})) {}

  LabelMeFile read() {
    if (!root_.is_object()) fail("not an object", "a LabelMe annotation");
    LabelMeFile out;
    if (const auto path = root_.find("imagePath"); path != root_.end()) {
      if (!path->is_string()) fail("imagePath is " + shown(*path), "a text");
      out.image_path = path->get<std::string>();
    }
    out.height = side("imageHeight");
    out.width = side("imageWidth");
    const auto shapes = root_.find("shapes");
    if (shapes == root_.end() || !shapes->is_array()) fail("no list of shapes", "shapes");
    for (const json& shape : *shapes) {
      place_ = "shape " + std::to_string(out.shapes.size());
      out.shapes.push_back(read_shape(shape));
    }
    return out;
  }

 private:
  [[noreturn]] void fail(const std::string& found, const std::string& expected) const {
    throw DataError(
        {"ann.labelme", name_, place_, found, expected, "correct the annotation or leave it out"});
  }
  static std::string shown(const json& value) {
    return value.dump(-1, ' ', true, json::error_handler_t::replace).substr(0, 60);
  }

  int64_t side(const char* key) const {
    const auto it = root_.find(key);
    if (it == root_.end() || it->is_null()) return 0;
    if (!it->is_number_integer() || it->get<double>() < 0 ||
        it->get<double>() > static_cast<double>(largest_side))
      fail(std::string(key) + " is " + shown(*it), "0 to " + std::to_string(largest_side));
    return it->get<int64_t>();
  }

  LabelMeShape read_shape(const json& value) const {
    if (!value.is_object()) fail(shown(value), "an object");
    LabelMeShape out;
    const auto label = value.find("label"), points = value.find("points");
    if (label == value.end() || !label->is_string() || label->get_ref<const std::string&>().empty())
      fail("no label", "the name of a class");
    out.label = label->get<std::string>();
    const auto type = value.find("shape_type");
    out.type = type != value.end() && type->is_string() ? type->get<std::string>() : "polygon";
    if (points == value.end() || !points->is_array()) fail("no points", "a list of x and y");
    for (const json& point : *points) {
      if (!point.is_array() || point.size() != 2) fail("point is " + shown(point), "x and y");
      for (const json& v : point) {
        const double number = v.is_number() ? v.get<double>() : NAN;
        if (!(std::abs(number) <= largest_coordinate))
          fail("point has " + shown(v), "numbers of pixels");
        out.points.push_back(number);
      }
    }
    const auto group = value.find("group_id");
    if (group != value.end() && group->is_number_integer()) out.group = group->get<int64_t>();
    return out;
  }

  const std::string& name_;
  std::string place_ = "the file";
  json root_;
};

}  // namespace

LabelMeFile parse_labelme(std::string_view text, const std::string& name) {
  return LabelMeReader(text, name).read();
}

LabelMeFile read_labelme(const std::string& path) { return parse_labelme(read_file(path), path); }

std::vector<double> outline_of(const LabelMeShape& shape) {
  const std::vector<double>& p = shape.points;
  if (shape.type == "polygon") return p.size() >= 6 ? p : std::vector<double>{};
  if (p.size() < 4) return {};
  if (shape.type == "rectangle") return {p[0], p[1], p[2], p[1], p[2], p[3], p[0], p[3]};
  if (shape.type != "circle") return {};
  constexpr int corners = 64;
  const double radius = std::hypot(p[2] - p[0], p[3] - p[1]);
  std::vector<double> out;
  for (int k = 0; k < corners; ++k) {
    const double turn = 2 * std::numbers::pi * k / corners;
    out.push_back(p[0] + radius * std::cos(turn));
    out.push_back(p[1] + radius * std::sin(turn));
  }
  return out;
}

}  // namespace cytograd
