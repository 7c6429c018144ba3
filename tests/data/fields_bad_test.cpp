#include <algorithm>

#include "cytograd/core/random.h"
#include "cytograd/data/fields.h"
#include "cytograd/io/label_image.h"
#include "support.h"

using namespace cytograd;

namespace {

FieldSet load(const std::string& path, const std::string& preset = "auto",
              const std::string& objects = "wbc") {
  FieldOptions options;
  options.path = path;
  options.preset = preset;
  options.objects = objects;
  return load_fields(options);
}

int64_t notes_of(const FieldSet& set, const std::string& id) {
  return note_count(set.index.notes, id);
}

std::string voc_object(const std::string& name, int x1, int y1, int x2, int y2) {
  return "<object><name>" + name + "</name><bndbox><xmin>" + std::to_string(x1) + "</xmin><ymin>" +
         std::to_string(y1) + "</ymin><xmax>" + std::to_string(x2) + "</xmax><ymax>" +
         std::to_string(y2) + "</ymax></bndbox></object>";
}

std::string voc_file(const std::string& objects, int width = 50, int height = 40) {
  return "<annotation><size><width>" + std::to_string(width) + "</width><height>" +
         std::to_string(height) + "</height></size>" + objects + "</annotation>";
}

// One field of the BCCD layout with a white cell at columns 10..29, rows 5..24.
void put_bccd(const TempFolder& folder) {
  put_image(folder, "BCCD_Dataset/BCCD/JPEGImages/BloodImage_00001.png", 200, 40, 50);
  put_text(folder, "BCCD_Dataset/BCCD/Annotations/BloodImage_00001.xml",
           voc_file(voc_object("WBC", 11, 6, 30, 25) + voc_object("RBC", 35, 6, 45, 20)));
}

// What `values` says of each pixel, as the red, green and blue of a mask.
template <class Values>
void put_mask(const TempFolder& folder, int64_t height, int64_t width, Values values) {
  Image mask(height, width, 3);
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c) mask.at(y, x)[c] = static_cast<uint8_t>(values(y, x));
  std::filesystem::create_directories(folder / "BCCD_WBC_masks");
  write_png(folder / "BCCD_WBC_masks/BloodImage_Mask_00001.png", mask);
}

bool in_cell(int64_t y, int64_t x) { return y >= 5 && y < 25 && x >= 10 && x < 30; }

std::string coco(const std::string& annotations, const std::string& second = "b.png") {
  return R"({"images":[{"id":1,"file_name":"a.png","height":40,"width":50},
{"id":2,"file_name":")" +
         second + R"(","height":40,"width":50}],"categories":[{"id":1,"name":"cell"}],
"annotations":[)" +
         annotations + "]}";
}

}  // namespace

TEST_CASE("fields: boxes inverted, outside, of no area and across the border") {
  const TempFolder folder;
  put_image(folder, "set/JPEGImages/a.png", 10, 40, 50);
  put_image(folder, "set/JPEGImages/b.png", 20, 40, 50);
  put_text(folder, "set/Annotations/a.xml",
           voc_file(voc_object("WBC", 30, 30, 10, 35) + voc_object("WBC", 60, 5, 80, 20) +
                    voc_object("WBC", 12, 12, 12, 35) + voc_object("WBC", 40, 30, 70, 60) +
                    voc_object("WBC", 1, 1, 20, 20)));
  put_text(folder, "set/Annotations/b.xml", voc_file(""));
  const FieldSet set = load(folder / "set");
  CHECK(set.index.faults.empty());
  CHECK(notes_of(set, "box.degenerate") == 3);
  CHECK(notes_of(set, "box.clipped") == 1);
  REQUIRE(set.size() == 2);
  REQUIRE(set.fields[0].objects.size() == 2);
  CHECK(set.fields[0].objects[0].box == detection::Box{39, 29, 50, 40});
  CHECK(set.fields[0].objects[1].box == detection::Box{0, 0, 20, 20});
  // A field without objects stays: nothing may be found in it.
  CHECK(set.fields[1].objects.empty());
  CHECK(notes_of(set, "mask.missing") == 0);
  std::filesystem::create_directory(folder / "set/instances");
  CHECK(notes_of(load(folder / "set"), "mask.missing") == 5);
  put_text(folder, "set/Annotations/b.xml", voc_file("", 51));
  CHECK(has_fault(load(folder / "set").index.faults, "ann.xml"));
}

TEST_CASE("fields: masks in three noisy channels, empty ones, and of another size") {
  const TempFolder folder;
  put_bccd(folder);
  Rng rng(2, "noise");
  put_mask(folder, 40, 50,
           [&rng](int64_t y, int64_t x) { return (in_cell(y, x) ? 155 : 4) + rng.below(9); });
  const FieldSet noisy = load(folder.path().string(), "bccd", "all");
  CHECK(noisy.index.faults.empty());
  REQUIRE(noisy.fields[0].objects.size() == 2);
  CHECK(detection::area(noisy.fields[0].objects[0].mask) == 400);
  CHECK(noisy.fields[0].objects[0].box == detection::Box{10, 5, 30, 25});
  CHECK(!noisy.fields[0].objects[1].has_mask());

  put_mask(folder, 40, 50, [](int64_t, int64_t) { return 0; });
  const FieldSet empty = load(folder.path().string(), "bccd");
  CHECK(empty.index.faults.empty());
  REQUIRE(empty.fields[0].objects.size() == 1);
  CHECK(!empty.fields[0].objects[0].has_mask());  // its box is still learned
  CHECK(notes_of(empty, "mask.missing") == 1);

  put_mask(folder, 40, 49, [](int64_t y, int64_t x) { return in_cell(y, x) ? 255 : 0; });
  CHECK(has_fault(load(folder.path().string(), "bccd").index.faults, "mask.size"));
}

TEST_CASE("fields: touching cells share a part of a mask") {
  const TempFolder folder;
  put_bccd(folder);
  put_text(folder, "BCCD_Dataset/BCCD/Annotations/BloodImage_00001.xml",
           voc_file(voc_object("WBC", 11, 6, 20, 25) + voc_object("WBC", 21, 6, 30, 25)));
  put_mask(folder, 40, 50, [](int64_t y, int64_t x) { return in_cell(y, x) ? 155 : 0; });
  const FieldSet set = load(folder.path().string(), "bccd");
  CHECK(notes_of(set, "mask.shared") == 1);
  REQUIRE(set.fields[0].objects.size() == 2);
  for (const FieldObject& o : set.fields[0].objects) {
    CHECK(detection::area(o.mask) == 200);
    CHECK(detection::bounds(o.mask) == o.box);
  }
}

TEST_CASE("fields from COCO: empty masks, ids and names that come twice") {
  const TempFolder folder;
  put_image(folder, "a.png", 10, 40, 50);
  put_image(folder, "b.png", 20, 40, 50);
  const std::string empty = R"({"id":1,"image_id":1,"category_id":1,"bbox":[5,5,20,20],
"iscrowd":0,"segmentation":{"size":[40,50],"counts":[2000]}})";
  put_text(folder, "annotations.json", coco(empty));
  const FieldSet set = load(folder.path().string());
  CHECK(notes_of(set, "mask.empty") == 1);
  REQUIRE(set.fields[0].objects.size() == 1);
  CHECK(!set.fields[0].objects[0].has_mask());
  put_text(folder, "annotations.json", coco(empty + "," + empty));
  CHECK_THROWS_AS(load(folder.path().string()), DataError);
  put_text(folder, "annotations.json", coco(empty, "a.png"));
  CHECK_THROWS_AS(load(folder.path().string()), DataError);
}

TEST_CASE("fields: more than 65,536 objects in one field") {
  const TempFolder folder;
  constexpr int64_t across = 270, side = 4 * across;
  put_image(folder, "images/a.png", 10, side, side);
  LabelImage labels(side, side);
  for (int64_t y = 0; y < side; ++y)
    for (int64_t x = 0; x < side; ++x)
      labels.labels[static_cast<size_t>(y * side + x)] =
          static_cast<uint32_t>(y / 4 * across + x / 4 + 1);
  std::filesystem::create_directories(folder / "labels");
  CHECK(write_labels(folder / "labels/a", labels).ends_with(".tif"));
  const FieldSet set = load(folder.path().string(), "labels");
  REQUIRE(set.size() == 1);
  REQUIRE(set.fields[0].objects.size() == across * across);
  CHECK(set.fields[0].objects.back().box == detection::Box{side - 4, side - 4, side, side});
}
