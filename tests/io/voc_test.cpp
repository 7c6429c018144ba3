#include "cytograd/io/voc.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "cytograd/core/error.h"
#include "expect_fault.h"
#include "io/json.h"
#include "support/data.h"

using namespace cytograd;

namespace {

std::string box(const std::string& x1, const std::string& y1, const std::string& x2,
                const std::string& y2) {
  return "<object><name>RBC</name><bndbox><xmin>" + x1 + "</xmin><ymin>" + y1 + "</ymin><xmax>" +
         x2 + "</xmax><ymax>" + y2 + "</ymax></bndbox></object>";
}

std::string annotation(const std::string& objects) {
  return "<annotation><filename>a.jpg</filename><size><width>64</width><height>48</height></size>" +
         objects + "</annotation>";
}

void expect(const std::string& text, const std::string& part) {
  const std::string message = expect_fault<DataError>("ann.xml", [&] { parse_voc(text, "a.xml"); });
  CHECK_MESSAGE(message.find(part) != std::string::npos, message);
}

std::string repeat(const std::string& s, int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += s;
  return out;
}

}  // namespace

TEST_CASE("voc boxes start at 0 and end before their last pixel") {
  const VocAnnotation a = parse_voc(
      annotation(
          box("1", "2", "64", " 48.0 ") +
          "<object><name>W&lt;B&#67;</name><difficult>1</difficult>"
          "<bndbox><ymax>4</ymax><xmin>1</xmin><xmax>2</xmax><ymin>3</ymin></bndbox></object>"),
      "a.xml");
  CHECK(a.filename == "a.jpg");
  CHECK(a.width == 64);
  REQUIRE(a.objects.size() == 2);
  CHECK(a.objects[0].x1 == 0);
  CHECK(a.objects[0].y1 == 1);
  CHECK(a.objects[0].x2 == 64);
  CHECK(a.objects[0].y2 == 48);
  CHECK_FALSE(a.objects[0].degenerate);
  CHECK(a.objects[1].name == "W<BC");
  CHECK(a.objects[1].difficult);
}

TEST_CASE("box.degenerate") {
  const VocAnnotation a =
      parse_voc(annotation(box("5", "5", "5", "9") + box("5", "5", "9", "5") +
                           box("9", "5", "5", "9") + box("65", "5", "70", "9") +
                           box("-9", "5", "0", "9") + box("60", "40", "70", "50")),
                "a.xml");
  REQUIRE(a.objects.size() == 6);
  for (int i = 0; i < 5; ++i) CHECK(a.objects[i].degenerate);
  CHECK_FALSE(a.objects[5].degenerate);
  const auto data = shared_data();
  if (!data) {
    MESSAGE("skipped: no shared data");
    return;
  }
  int boxes = 0, degenerate = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(*data / "BCCD_Dataset/BCCD/Annotations"))
    for (const VocObject& o : read_voc(entry.path().string()).objects)
      ++boxes, degenerate += o.degenerate;
  CHECK(boxes == 3098 + 280 + 265);
  CHECK(degenerate == 1);  // image 00338
}

TEST_CASE("ann.xml") {
  expect("<!DOCTYPE a [<!ENTITY x \"lol\"><!ENTITY y \"&x;&x;\">]>" + annotation(""),
         "document type");
  expect("<!DOCTYPE a SYSTEM \"file:///etc/passwd\">" + annotation(""), "document type");
  expect(repeat("<a>", 10'000) + repeat("</a>", 10'000), "deeper than 64");
  expect("<annotation>" + repeat("<a>", 64) + repeat("</a>", 64) + "</annotation>",
         "deeper than 64");
  const std::string deep = repeat("<a>", 60) + repeat("</a>", 60);
  CHECK(parse_voc("<annotation>" + deep + deep + "</annotation>", "a").objects.empty());
}

TEST_CASE("ann.xml: wrong annotations") {
  expect("", "not valid XML");
  expect("<annotation>", "not valid XML");
  expect("<html></html>", "no <annotation>");
  expect(annotation("<object><bndbox/></object>"), "object 1: no name");
  expect(annotation("<object><name>RBC</name></object>"), "no bndbox");
  expect(annotation(box("1", "2", "3", "4") + box("1", "", "3", "4")), "object 2: ymin is \"\"");
  expect(annotation(box("1", "nan", "3", "4")), "ymin is \"nan\"");
  expect(annotation(box("1", "1e30", "3", "4")), "ymin");
  expect(annotation(box("1", "&x;", "3", "4")), "ymin is \"&x;\"");
  expect(annotation(std::string(17 << 20, ' ')), "annotation of");
}

TEST_CASE("json: depth, duplicate keys, encoding") {
  const auto fails = [](const std::string& text, const std::string& part) {
    const std::string message = expect_fault<DataError>("ann.ids", [&] {
      parse_json(text, {"ann.ids", "a.json", "", "", "", ""});
    });
    CHECK_MESSAGE(message.find(part) != std::string::npos, message);
  };
  CHECK(parse_json("{\"a\": [1, 2.5, null]}", {})["a"][1] == 2.5);
  CHECK(parse_json(repeat("[", 64) + repeat("]", 64), {}).size() == 1);
  fails(repeat("[", 65) + repeat("]", 65), "deeper than 64");
  fails(repeat("[", 1'000'000), "deeper than 64");
  fails("{\"a\":1,\"a\":2}", "key \"a\" appears twice");
  fails("[{\"a\":1,\"b\":{\"c\":1,\"c\":2}}]", "key \"c\" appears twice");
  fails("{\"a\":\"\xff\"}", "not valid JSON");
  fails("[1,]", "byte 4: not valid JSON");
  fails("// x\n[]", "not valid JSON");
  fails("[1e999]", "not valid JSON");
  fails("", "not valid JSON");
}
