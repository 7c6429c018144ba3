#include "cytograd/io/coco.h"

#include <doctest/doctest.h>

#include <string>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "expect_fault.h"
#include "io/json.h"
#include "support/temp_folder.h"

using namespace cytograd;
using namespace cytograd::detection;

namespace {

std::string file(const std::string& annotations) {
  return R"({"info":{},"images":[{"id":7,"file_name":"a.png","height":8,"width":10},)"
         R"({"id":-2,"file_name":"b.png","height":4,"width":4}],)"
         R"("categories":[{"id":1,"name":"WBC"},{"id":3,"name":"RBC"}],"annotations":[)" +
         annotations + "]}";
}

std::string annotation(const std::string& rest) {
  return R"({"id":5,"image_id":7,"category_id":3,"bbox":[3,2,6,3])" + rest + "}";
}

void expect(const std::string& text, const std::string& part) {
  const std::string message =
      expect_fault<DataError>("ann.coco", [&] { parse_coco(text, "a.json"); });
  CHECK_MESSAGE(message.find(part) != std::string::npos, message);
}

}  // namespace

TEST_CASE("COCO annotations") {
  const CocoFile f =
      parse_coco(file(annotation(R"(,"area":18,"iscrowd":0,"segmentation":[[3,2,9,2,9,5,3,5]])") +
                      R"(,{"image_id":-2,"category_id":1,"bbox":[0,0,2,2],"iscrowd":1,)"
                      R"("segmentation":{"size":[4,4],"counts":[4,4,8]}},)"
                      R"({"image_id":-2,"category_id":1,"bbox":[1,1,0,2]},)"
                      R"({"image_id":-2,"category_id":1,"bbox":[4,1,2,2],"segmentation":[]})"),
                 "a.json");
  REQUIRE(f.images.size() == 2);
  CHECK(f.images[1].file_name == "b.png");
  CHECK(f.categories.at(3) == "RBC");
  REQUIRE(f.annotations.size() == 4);
  const CocoAnnotation& first = f.annotations[0];
  CHECK(first.image == 0);
  CHECK(first.id == 5);
  CHECK(first.category == 3);
  CHECK(first.area == 18);
  CHECK_FALSE(first.degenerate);
  CHECK(area(mask_of(first, f.images[0])) == 18);
  const CocoAnnotation& crowd = f.annotations[1];
  CHECK(crowd.crowd);
  CHECK(crowd.area == 4);  // of its box
  CHECK(area(mask_of(crowd, f.images[1])) == 4);
  CHECK(f.annotations[2].degenerate);
  CHECK(f.annotations[3].degenerate);  // outside
  CHECK_FALSE(f.annotations[3].has_mask());
  CHECK(area(mask_of(f.annotations[3], f.images[1])) == 0);
}

TEST_CASE("COCO objects in parts, and runs as text") {
  const CocoFile f =
      parse_coco(file(annotation(R"(,"segmentation":[[0,0,2,0,2,2,0,2],[5,5,7,5,7,6,5,6]])") +
                      R"(,{"image_id":-2,"category_id":1,"bbox":[0,0,2,2],)"
                      R"("segmentation":{"size":[4,4],"counts":")" +
                      rle_to_text({4, 4, {4, 4, 8}}) + "\"}}"),
                 "a.json");
  CHECK(area(mask_of(f.annotations[0], f.images[0])) == 6);
  CHECK(mask_of(f.annotations[1], f.images[1]) == Rle{4, 4, {4, 4, 8}});
}

TEST_CASE("ann.coco") {
  expect("{", "not valid JSON");
  expect("[]", "not an object");
  expect("{}", "images: missing");
  expect(R"({"images":{}})", "images: a object");
  expect(R"({"images":[{"id":1,"file_name":"a","height":0,"width":4}]})", "0 x 4 pixels");
  expect(R"({"images":[{"id":1.5,"file_name":"a","height":1,"width":4}]})", "id is 1.5");
  expect(R"({"images":[{"id":1,"file_name":"a","height":1,"width":4},)"
         R"({"id":1,"file_name":"b","height":1,"width":4}]})",
         "id 1 again");
  expect(file("3"), "annotation 0");
  expect(file(R"({"image_id":9,"category_id":3,"bbox":[0,0,1,1]})"), "image_id 9");
  expect(file(R"({"image_id":7,"category_id":2,"bbox":[0,0,1,1]})"), "category_id 2");
  expect(file(R"({"image_id":7,"category_id":3,"bbox":[0,0,1]})"), "bbox is [0,0,1]");
  expect(file(R"({"image_id":7,"category_id":3,"bbox":[0,0,1,"x"]})"), "bbox has");
  expect(file(R"({"image_id":7,"category_id":3,"bbox":[0,0,1,1e9]})"), "bbox has");
  expect(file(annotation("") + "," + annotation("")), "id 5 again");
  expect(file(annotation(R"(,"area":-1)")), "area is -1");
  expect(file(annotation(R"(,"segmentation":"x")")), "segmentation is");
  expect(file(annotation(R"(,"segmentation":[[1,2,3,4]])")), "three corners");
  expect(file(annotation(R"(,"segmentation":[[1,2,3,4,5]])")), "three corners");
  expect(file(annotation(R"(,"segmentation":{"size":[8,9],"counts":[72]})")), "runs of size");
  expect(file(annotation(R"(,"segmentation":{"size":[8,10],"counts":[79]})")), "1 pixels short");
  expect(file(annotation(R"(,"segmentation":{"size":[8,10],"counts":[81]})")), "run 81");
  expect(file(annotation(R"(,"segmentation":{"size":[8,10],"counts":[-1]})")), "run -1");
  expect(file(annotation(R"(,"segmentation":{"size":[8,10],"counts":"1"})")), "rle_from_text");
}

TEST_CASE("COCO results") {
  const TempFolder folder;
  const std::string path = folder / "results.json";
  write_coco_results(path,
                     {{7, {3, {1, 2, 3, 4}, 0.5, {2, 2, {1, 2, 1}}}}, {8, {1, {}, 0.25, {}}}});
  const nlohmann::json root = read_json(path, "ann.coco");
  REQUIRE(root.size() == 2);
  CHECK(root[0]["image_id"] == 7);
  CHECK(root[0]["bbox"] == nlohmann::json::array({1, 2, 3, 4}));
  CHECK(root[0]["segmentation"]["counts"] == rle_to_text({2, 2, {1, 2, 1}}));
  CHECK_FALSE(root[1].contains("segmentation"));
  write_coco_results(path, {});
  CHECK(read_json(path, "ann.coco").empty());
}
