#include "cytograd/io/coco.h"

#include <cmath>
#include <set>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "io/json.h"

namespace cytograd {
namespace {

using nlohmann::json;

constexpr double largest_coordinate = 16'777'216;  // beyond it float32 loses single pixels
constexpr int64_t largest_side = int64_t{1} << 20;
constexpr int64_t largest_area = 0xffffffff;  // what runs can count

class CocoReader {
 public:
  CocoReader(std::string_view text, const std::string& name)
      : name_(name), root_(parse_json(text, {"ann.coco", name, "", "", "", ""})) {
    if (!root_.is_object()) fail("not an object", "a COCO annotation file");
  }

  CocoFile read() {
    for (const json& value : list("images")) add_image(value);
    for (const json& value : list("categories")) add_category(value);
    for (const json& value : list("annotations")) add_annotation(value);
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail(const std::string& found, const std::string& expected) const {
    throw DataError(
        {"ann.coco", name_, place_, found, expected, "correct the annotation or leave it out"});
  }

  const json& list(const char* key) {
    place_ = key;
    const auto it = root_.find(key);
    if (it == root_.end()) fail("missing", "a list");
    if (!it->is_array()) fail(std::string("a ") + it->type_name(), "a list");
    return *it;
  }

  const json& member(const json& object, const char* key) const {
    if (!object.is_object()) fail(std::string("a ") + object.type_name(), "an object");
    const auto it = object.find(key);
    if (it == object.end()) fail(std::string("no ") + key, "an object with it");
    return *it;
  }
  static std::string shown(const json& value) {
    return value.dump(-1, ' ', true, json::error_handler_t::replace).substr(0, 60);
  }
  int64_t integer(const json& object, const char* key) const {
    const json& value = member(object, key);
    if (value.is_number_integer() && !(value.is_number_unsigned() && value.get<uint64_t>() >> 63))
      return value.get<int64_t>();
    fail(std::string(key) + " is " + shown(value), "a whole number");
  }
  std::string text(const json& object, const char* key) const {
    const json& value = member(object, key);
    if (!value.is_string()) fail(std::string(key) + " is " + shown(value), "a text");
    return value.get<std::string>();
  }
  double number(const json& value, const char* what) const {
    const double v = value.is_number() ? value.get<double>() : NAN;
    if (!(std::abs(v) <= largest_coordinate))
      fail(std::string(what) + " has " + shown(value), "numbers of pixels");
    return v;
  }

  void add_image(const json& value) {
    place_ = "image " + std::to_string(out_.images.size());
    CocoFileImage image{integer(value, "id"), text(value, "file_name"), integer(value, "height"),
                        integer(value, "width")};
    if (image.height < 1 || image.width < 1 || image.height > largest_side ||
        image.width > largest_side || image.height * image.width > largest_area)
      fail(std::to_string(image.height) + " x " + std::to_string(image.width) + " pixels",
           "1 to " + std::to_string(largest_side) + " on each side, less than 2^32 in all");
    if (!places_.emplace(image.id, out_.images.size()).second)
      fail("id " + std::to_string(image.id) + " again", "an id of its own");
    out_.images.push_back(std::move(image));
  }

  void add_category(const json& value) {
    place_ = "category " + std::to_string(out_.categories.size());
    const int64_t id = integer(value, "id");
    const std::string name = text(value, "name");
    if (name.empty()) fail("no name", "a class name");
    if (!out_.categories.emplace(id, name).second)
      fail("id " + std::to_string(id) + " again", "an id of its own");
  }

  void add_annotation(const json& value) {
    place_ = "annotation " + std::to_string(out_.annotations.size());
    CocoAnnotation a;
    if (value.is_object() && value.contains("id")) {
      a.id = integer(value, "id");
      if (!ids_.insert(a.id).second) fail("id " + std::to_string(a.id) + " again", "its own id");
    }
    const auto image = places_.find(integer(value, "image_id"));
    if (image == places_.end())
      fail("image_id " + shown(member(value, "image_id")), "an image of this file");
    a.image = image->second;
    a.category = integer(value, "category_id");
    if (!out_.categories.contains(a.category))
      fail("category_id " + std::to_string(a.category), "a category of this file");
    a.crowd = value.contains("iscrowd") && integer(value, "iscrowd") != 0;
    const CocoFileImage& size = out_.images[a.image];
    a.box = box(member(value, "bbox"));
    const bool outside = a.box.x >= static_cast<double>(size.width) ||
                         a.box.y >= static_cast<double>(size.height) || a.box.x + a.box.w <= 0 ||
                         a.box.y + a.box.h <= 0;
    a.degenerate = !(a.box.w > 0 && a.box.h > 0) || outside;
    a.area = a.box.w * a.box.h;
    if (value.contains("area")) {
      const json& area = value["area"];
      if (!area.is_number() || !(area.get<double>() >= 0)) fail("area is " + shown(area), ">= 0");
      a.area = area.get<double>();
    }
    if (value.contains("segmentation")) add_mask(value["segmentation"], size, a);
    out_.annotations.push_back(std::move(a));
  }

  detection::CocoBox box(const json& value) const {
    if (!value.is_array() || value.size() != 4) fail("bbox is " + shown(value), "x, y, w, h");
    return {number(value[0], "bbox"), number(value[1], "bbox"), number(value[2], "bbox"),
            number(value[3], "bbox")};
  }

  void add_mask(const json& value, const CocoFileImage& image, CocoAnnotation& out) const {
    if (value.is_null()) return;
    if (value.is_object()) {
      out.rle = runs(value, image);
      return;
    }
    if (!value.is_array()) fail("segmentation is " + shown(value), "polygons or runs");
    for (const json& polygon : value) {
      if (!polygon.is_array() || polygon.size() < 6 || polygon.size() % 2 != 0)
        fail("polygon is " + shown(polygon), "x and y of at least three corners");
      std::vector<double>& corners = out.polygons.emplace_back();
      for (const json& v : polygon) corners.push_back(number(v, "polygon"));
    }
  }

  detection::Rle runs(const json& value, const CocoFileImage& image) const {
    const json &size = member(value, "size"), &counts = member(value, "counts");
    if (size != json::array({image.height, image.width}))
      fail("runs of size " + shown(size), "[" + std::to_string(image.height) + "," +
                                              std::to_string(image.width) + "], the image's");
    if (counts.is_string()) {
      try {
        return detection::rle_from_text(counts.get_ref<const std::string&>(), image.height,
                                        image.width);
      } catch (const ValueError& error) {
        fail(error.what(), "runs of the image's pixels");
      }
    }
    if (!counts.is_array()) fail("counts is " + shown(counts), "a list or a text");
    detection::Rle out{image.height, image.width, {}};
    int64_t left = image.height * image.width;
    for (const json& v : counts) {
      if (!v.is_number_unsigned() || v.get<uint64_t>() > static_cast<uint64_t>(left))
        fail("run " + shown(v), "0.." + std::to_string(left));
      left -= static_cast<int64_t>(v.get<uint64_t>());
      out.counts.push_back(v.get<uint32_t>());
    }
    if (left != 0) fail("runs " + std::to_string(left) + " pixels short", "the image's pixels");
    return out;
  }

  const std::string& name_;
  std::string place_;
  json root_;
  CocoFile out_;
  std::map<int64_t, size_t> places_;  // of images, by id
  std::set<int64_t> ids_;             // of annotations
};

}  // namespace

CocoFile parse_coco(std::string_view text, const std::string& name) {
  return CocoReader(text, name).read();
}

CocoFile read_coco(const std::string& path) { return parse_coco(read_file(path), path); }

detection::Rle mask_of(const CocoAnnotation& annotation, const CocoFileImage& image) {
  if (!annotation.rle.empty()) return annotation.rle;
  std::vector<detection::Rle> parts;
  for (const std::vector<double>& polygon : annotation.polygons)
    parts.push_back(detection::rle_from_polygon(polygon, image.height, image.width));
  if (parts.empty())
    return {image.height, image.width, {static_cast<uint32_t>(image.height * image.width)}};
  return parts.size() == 1 ? parts[0] : detection::union_of(parts);
}

void write_coco_results(const std::string& path, const std::vector<CocoFileResult>& results) {
  AtomicFile file(path);
  file.write("[");
  bool first = true;
  for (const auto& [image_id, r] : results) {
    json entry = {{"image_id", image_id},
                  {"category_id", r.category},
                  {"bbox", {r.box.x, r.box.y, r.box.w, r.box.h}},
                  {"score", r.score}};
    if (!r.mask.empty())
      entry["segmentation"] = {{"size", {r.mask.height, r.mask.width}},
                               {"counts", detection::rle_to_text(r.mask)}};
    file.write((first ? "\n" : ",\n") + entry.dump());
    first = false;
  }
  file.write("\n]\n");
  file.commit();
}

struct CocoWriter::State {
  explicit State(const std::string& path) : file(path) {}
  AtomicFile file;
  std::string images;
  int64_t objects = 0;
};

CocoWriter::CocoWriter(const std::string& path, const std::map<int64_t, std::string>& categories)
    : state_(std::make_unique<State>(path)) {
  json list = json::array();
  for (const auto& [id, name] : categories)
    list.push_back(json{{"id", id}, {"name", escape_control(name)}});
  state_->file.write("{\"categories\":" + list.dump() + ",\n\"annotations\":[");
}

CocoWriter::~CocoWriter() = default;

void CocoWriter::add_image(const CocoFileImage& image) {
  const json entry = {{"id", image.id},
                      {"file_name", escape_control(image.file_name)},
                      {"height", image.height},
                      {"width", image.width}};
  state_->images += (state_->images.empty() ? "\n" : ",\n") + entry.dump();
}

int64_t CocoWriter::add_object(int64_t image_id, const detection::CocoResult& r, double area) {
  json entry = {{"id", ++state_->objects},
                {"image_id", image_id},
                {"category_id", r.category},
                {"bbox", {r.box.x, r.box.y, r.box.w, r.box.h}},
                {"area", area},
                {"iscrowd", 0},
                {"score", r.score}};
  if (!r.mask.empty())
    entry["segmentation"] = {{"size", {r.mask.height, r.mask.width}},
                             {"counts", detection::rle_to_text(r.mask)}};
  state_->file.write((state_->objects == 1 ? "\n" : ",\n") + entry.dump());
  return state_->objects;
}

void CocoWriter::commit() {
  state_->file.write("\n],\n\"images\":[" + state_->images + "\n]}\n");
  state_->file.commit();
}

}  // namespace cytograd
