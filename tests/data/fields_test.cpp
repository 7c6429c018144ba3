#include "cytograd/data/fields.h"

#include <algorithm>
#include <numeric>

#include "cytograd/io/label_image.h"
#include "cytograd/synth/smears.h"
#include "support.h"

using namespace cytograd;

namespace {

std::vector<int64_t> everything(const FieldSet& set) {
  std::vector<int64_t> out(static_cast<size_t>(set.size()));
  std::iota(out.begin(), out.end(), int64_t{0});
  return out;
}

int64_t objects_of(const FieldSet& set, const std::string& name) {
  const auto at = std::find(set.classes.begin(), set.classes.end(), name);
  if (at == set.classes.end()) return 0;
  return set.object_counts(everything(set))[static_cast<size_t>(at - set.classes.begin())];
}

int64_t masks_of(const FieldSet& set, const std::string& name) {
  const auto at = std::find(set.classes.begin(), set.classes.end(), name);
  if (at == set.classes.end()) return 0;
  return set.mask_counts(everything(set))[static_cast<size_t>(at - set.classes.begin())];
}

int64_t notes_of(const FieldSet& set, const std::string& id) {
  return note_count(set.index.notes, id);
}

synth::SmearSet write_smears(const TempFolder& folder, int64_t count, int domains = 1) {
  synth::SmearSetOptions options;
  options.output = folder / "smears";
  options.count = count;
  options.domains = domains;
  options.field.width = 160;
  options.field.height = 128;
  options.field.microns_per_pixel = 0.4;
  options.format = "png";
  return synth::write_smears(options);
}

FieldOptions options_of(const std::string& path, const std::string& preset = "auto") {
  FieldOptions out;
  out.path = path;
  out.preset = preset;
  return out;
}

const char* const coco_text = R"({
"images":[{"id":7,"file_name":"a.png","height":40,"width":50},
          {"id":8,"file_name":"b.png","height":40,"width":50}],
"categories":[{"id":5,"name":"lymphocyte"},{"id":90,"name":"neutrophil"}],
"annotations":[
 {"id":1,"image_id":7,"category_id":90,"bbox":[10,5,20,10],"iscrowd":0,
  "segmentation":[[10,5,30,5,30,15,10,15]]},
 {"id":2,"image_id":7,"category_id":5,"bbox":[30,20,10,12],"iscrowd":0},
 {"id":3,"image_id":7,"category_id":5,"bbox":[30,20,10,12],"iscrowd":0},
 {"id":4,"image_id":7,"category_id":5,"bbox":[30,20,0,12],"iscrowd":0},
 {"id":5,"image_id":7,"category_id":5,"bbox":[45,30,20,20],"iscrowd":0},
 {"id":6,"image_id":7,"category_id":5,"bbox":[1,1,2,2],"iscrowd":0},
 {"id":7,"image_id":7,"category_id":90,"bbox":[0,20,20,20],"iscrowd":1}]})";

}  // namespace

TEST_CASE("fields: drawn smears in the VOC layout, with masks of white cells") {
  const TempFolder folder;
  const synth::SmearSet written = write_smears(folder, 8);
  FieldOptions options = options_of(folder / "smears");
  const FieldSet white = load_fields(options);
  CHECK(white.index.faults.empty());
  CHECK(white.size() == 8);
  CHECK(white.classes == std::vector<std::string>{"WBC"});
  CHECK(objects_of(white, "WBC") + notes_of(white, "box.small") == written.white_cells);
  CHECK(masks_of(white, "WBC") == objects_of(white, "WBC"));
  for (const Field& field : white.fields)
    for (const FieldObject& o : field.objects) {
      CHECK(field.height == 128);
      // Cells of which only a part is visible behind others may have smaller masks.
      CHECK(detection::overlap(o.box, detection::bounds(o.mask)) >= 0.5f);
    }
  // The split is that of ImageSets.
  int64_t train = 0;
  for (const Sample& s : white.index.samples) train += s.split == "train";
  CHECK(train >= 4);
  options.objects = "all";
  options.nucleus = true;
  const FieldSet all = load_fields(options);
  CHECK(objects_of(all, "RBC") > 0);
  CHECK(masks_of(all, "RBC") == 0);
  CHECK(objects_of(all, "nucleus") > 0);
  CHECK(objects_of(all, "nucleus") <= objects_of(all, "WBC"));
  CHECK(masks_of(all, "nucleus") == objects_of(all, "nucleus"));
  CHECK(all.annotation_hash() != white.annotation_hash());
  CHECK(load_fields(options).annotation_hash() == all.annotation_hash());
}

TEST_CASE("fields of several domains have names of their own") {
  const TempFolder folder;
  write_smears(folder, 3, 2);
  const FieldSet set = load_fields(options_of(folder / "smears"));
  CHECK(set.size() == 6);
  CHECK(set.index.domains.size() == 2);
  CHECK(set.index.samples[0].id != set.index.samples[3].id);
  const FieldSet twice =
      load_field_sets({options_of(folder / "smears"), options_of(folder / "smears")});
  CHECK(twice.size() == 12);
  CHECK(twice.index.domains.size() == 4);
  CHECK(twice.classes == set.classes);
}

TEST_CASE("fields from COCO: what is dropped is counted") {
  const TempFolder folder;
  put_image(folder, "a.png", 10, 40, 50);
  put_image(folder, "b.png", 20, 40, 50);
  put_text(folder, "annotations.json", coco_text);
  const FieldSet set = load_fields(options_of(folder / "annotations.json"));
  CHECK(set.index.faults.empty());
  REQUIRE(set.size() == 2);
  CHECK(set.classes == std::vector<std::string>{"neutrophil", "lymphocyte"});
  REQUIRE(set.fields[0].objects.size() == 4);
  CHECK(detection::area(set.fields[0].objects[0].mask) == 200);
  CHECK(!set.fields[0].objects[1].has_mask());
  CHECK(set.fields[0].objects[2].box == detection::Box{45, 30, 50, 40});
  CHECK(set.fields[0].objects[3].crowd);
  CHECK(set.fields[1].objects.empty());
  for (const char* id :
       {"box.degenerate", "box.clipped", "box.small", "box.duplicate", "ann.crowd"})
    CHECK_MESSAGE(notes_of(set, id) == 1, id);
  CHECK(set.index.classes[static_cast<size_t>(set.index.samples[1].label)] == "nothing");
  // Objects without a mask are neither right nor wrong where masks are scored.
  const auto masks = coco_objects(set.fields[0], detection::CocoKind::mask);
  CHECK(!masks[0].crowd);
  CHECK(masks[1].crowd);
  CHECK(detection::area(masks[1].mask) == 120);
  CHECK(!coco_objects(set.fields[0], detection::CocoKind::box)[1].crowd);
  FieldOptions strict = options_of(folder.path().string());
  strict.strict = true;
  CHECK(has_fault(load_fields(strict).index.faults, "box.degenerate"));
}

TEST_CASE("fields: classes of a model") {
  const TempFolder folder;
  put_image(folder, "a.png", 10, 40, 50);
  put_image(folder, "b.png", 20, 40, 50);
  put_text(folder, "annotations.json", coco_text);
  FieldSet set = load_fields(options_of(folder.path().string()));
  CHECK_THROWS_AS(map_field_classes(set, {"lymphocyte"}, false), DataError);
  CHECK_THROWS_AS(map_field_classes(set, {"basophil"}, true), DataError);
  CHECK(map_field_classes(set, {"monocyte", "lymphocyte"}, true) == 2);
  CHECK(set.classes == std::vector<std::string>{"monocyte", "lymphocyte"});
  for (const FieldObject& o : set.fields[0].objects) CHECK(o.label == 1);
}

TEST_CASE("fields from COCO: images of another size, names that leave the folder") {
  const TempFolder folder;
  put_image(folder, "a.png", 10, 41, 50);
  put_image(folder, "b.png", 20, 40, 50);
  put_text(folder, "annotations.json", coco_text);
  CHECK(has_fault(load_fields(options_of(folder.path().string())).index.faults, "ann.coco"));
  std::string text = coco_text;
  text.replace(text.find("a.png"), 5, "../a.png");
  put_text(folder, "annotations.json", text);
  CHECK_THROWS_AS(load_fields(options_of(folder.path().string())), DataError);
}

TEST_CASE("fields from LabelMe") {
  const TempFolder folder;
  put_image(folder, "set/x.png", 10, 40, 50);
  put_image(folder, "set/y.png", 11, 40, 50);
  put_text(folder, "set/x.json", R"({"imagePath":"x.png","imageHeight":40,"imageWidth":50,"shapes":[
{"label":"cell","points":[[2,2],[12,2],[12,12],[2,12]],"shape_type":"polygon","group_id":1},
{"label":"cell","points":[[14,2],[18,2],[18,12],[14,12]],"shape_type":"polygon","group_id":1},
{"label":"cell","points":[[20,20],[30,35]],"shape_type":"rectangle","group_id":null},
{"label":"cell","points":[[40,20],[45,20]],"shape_type":"circle"},
{"label":"cell","points":[[1,1]],"shape_type":"point"}]})");
  const FieldSet set = load_fields(options_of(folder / "set"));
  REQUIRE(set.size() == 1);
  REQUIRE(set.fields[0].objects.size() == 3);
  CHECK(set.fields[0].objects[0].box == detection::Box{2, 2, 18, 12});
  CHECK(detection::area(set.fields[0].objects[0].mask) == 100 + 40);
  CHECK(!set.fields[0].objects[1].has_mask());
  const auto circle = static_cast<double>(detection::area(set.fields[0].objects[2].mask));
  CHECK(circle == doctest::Approx(78.5).epsilon(0.1));
  CHECK(notes_of(set, "ann.shape") == 1);
  CHECK(notes_of(set, "ann.missing") == 1);
  put_text(folder, "set/y.json", R"({"imageHeight":40,"imageWidth":50,"shapes":[{"points":[]}]})");
  CHECK(has_fault(load_fields(options_of(folder / "set")).index.faults, "ann.labelme"));
}

TEST_CASE("fields from label images, 70,000 numbers too") {
  const TempFolder folder;
  put_image(folder, "images/a.png", 10, 600, 600);
  std::filesystem::create_directories(folder / "labels");
  LabelImage labels(600, 600);
  for (int64_t y = 0; y < 20; ++y)
    for (int64_t x = 0; x < 20; ++x) {
      labels.labels[static_cast<size_t>(y * 600 + x)] = 70'000;
      labels.labels[static_cast<size_t>((y + 300) * 600 + x + 200)] = 3;
    }
  write_labels(folder / "labels/a", labels);
  const FieldSet set = load_fields(options_of(folder.path().string()));
  REQUIRE(set.size() == 1);
  REQUIRE(set.fields[0].objects.size() == 2);
  CHECK(set.fields[0].objects[0].box == detection::Box{200, 300, 220, 320});
  CHECK(set.fields[0].objects[1].box == detection::Box{0, 0, 20, 20});
  // A mask of another size is a fault, never resized.
  write_labels(folder / "labels/a", LabelImage(600, 599, 1));
  std::filesystem::remove(folder / "labels/a.tif");
  CHECK_THROWS_AS(load_fields(options_of(folder.path().string())).index.require_clean(), DataError);
}

TEST_CASE("fields: no layout, no objects, unknown presets") {
  const TempFolder folder;
  CHECK_THROWS_AS(load_fields(options_of(folder.path().string())), DataError);
  CHECK_THROWS_AS(load_fields(options_of(folder / "absent")), FileError);
  CHECK_THROWS_AS(load_fields(options_of(folder.path().string(), "pbc")), ConfigError);
  put_image(folder, "images/a.png", 10, 60, 60);
  std::filesystem::create_directories(folder / "labels");
  write_labels(folder / "labels/a", LabelImage(60, 60));
  CHECK_THROWS_AS(load_fields(options_of(folder.path().string())), DataError);
}

TEST_CASE("fields of BCCD with the masks of its white cells") {
  const auto data = shared_data();
  if (!data) return;
  const std::string root = data->string();
  FieldOptions options = options_of(root + "/BCCD_Dataset", "bccd");
  const FieldSet white = load_fields(options);
  CHECK(white.index.faults.empty());
  CHECK(white.size() == 273);
  // 280 boxes, and the cells that have a mask and no box.
  CHECK(objects_of(white, "WBC") == 280 + notes_of(white, "box.from_mask"));
  CHECK(notes_of(white, "box.from_mask") >= 3);
  CHECK(notes_of(white, "box.from_mask") <= 8);
  CHECK(masks_of(white, "WBC") >= 275);
  options.objects = "all";
  const FieldSet all = load_fields(options);
  CHECK(notes_of(all, "box.degenerate") == 1);
  CHECK(objects_of(all, "RBC") >= 3050);
  CHECK(objects_of(all, "Platelets") >= 255);
}

TEST_CASE("fields of segmentation_WBC: one cell per image") {
  const auto data = shared_data();
  if (!data) return;
  const std::string root = data->string();
  FieldOptions options = options_of(root + "/segmentation_WBC", "wbc-seg");
  options.nucleus = true;
  const FieldSet set = load_fields(options);
  CHECK(set.index.faults.empty());
  CHECK(set.size() == 300);
  CHECK(objects_of(set, "WBC") == 300);
  CHECK(masks_of(set, "WBC") == 300);
  CHECK(objects_of(set, "nucleus") >= 295);
}
