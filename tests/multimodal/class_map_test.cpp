#include "cytograd/multimodal/class_map.h"

#include <doctest/doctest.h>

#include "cytograd/io/file.h"
#include "io/expect_fault.h"
#include "support/temp_folder.h"

using namespace cytograd;
using namespace cytograd::multimodal;

namespace {

const std::vector<std::string> images = {"band", "monocyte", "segmented"};
const std::vector<std::string> cells = {"Mono", "Neutrophils", "T cells"};

ClassMap read(const std::string& text) {
  const TempFolder folder;
  write_file_atomically(folder / "map.toml", text);
  return read_class_map(folder / "map.toml");
}

std::string refusal(const std::string& text) {
  return expect_fault<ConfigError>("cfg", [&] { read(text); });
}

bool has(const std::string& text, const std::string& part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("class map: pairs in the order of the file, and as text again") {
  const ClassMap map = read(
      "[neutrophil]\nimage = [\"segmented\", \"band\"]\nrna = [\"Neutrophils\"]\nweight = 0.15\n"
      "[\"a \\\"mono\\\"\"]\nimage = [\"monocyte\"]\nrna = [\"Mono\"]\n");
  REQUIRE(map.pairs.size() == 2);
  CHECK(map.pairs[0].name == "neutrophil");
  CHECK(map.pairs[0].image == std::vector<std::string>{"segmented", "band"});
  CHECK(map.pairs[0].rna == std::vector<std::string>{"Neutrophils"});
  CHECK(map.pairs[0].weight == 0.15);
  CHECK(map.pairs[1].name == "a \"mono\"");
  CHECK(!map.pairs[1].weight);
  CHECK_NOTHROW(check_class_map(map, images, cells));
  const ClassMap again = read(class_map_text(map));
  CHECK(class_map_text(again) == class_map_text(map));
  REQUIRE(again.pairs.size() == 2);
  CHECK(again.pairs[1].name == map.pairs[1].name);
  CHECK(again.pairs[0].weight == 0.15);
  CHECK(read("[a]\nimage = [\"x\"]\nrna = [\"y\"]\nweight = 10\n").pairs[0].weight == 10);
  const ClassMap odd = read("[\"it's\\n\\u007f\"]\nimage = [\"x\"]\nrna = [\"y\"]\n");
  CHECK(read(class_map_text(odd)).pairs[0].name == "it's\n\x7f");
}

TEST_CASE("class map: equal names") {
  const ClassMap map = pair_equal_names({"b", "a", "c"}, {"c", "d", "b"});
  REQUIRE(map.pairs.size() == 2);
  CHECK(map.pairs[0].name == "b");
  CHECK(map.pairs[1].rna == std::vector<std::string>{"c"});
  CHECK(has(expect_fault<DataError>(
                "class.disjoint",
                [] { check_class_map(pair_equal_names(images, cells), images, cells); }),
            "images: band, monocyte, segmented; RNA: Mono, Neutrophils, T cells"));
}

TEST_CASE("class map: what is no map") {
  CHECK(has(refusal(""), "no pair of classes"));
  CHECK(has(refusal("[a\n"), "map.toml:1:"));
  CHECK(has(refusal("a = 1\n"), "a is no table"));
  CHECK(has(refusal("[a]\nrna = [\"x\"]\n"), "[a] has no image"));
  CHECK(has(refusal("[a]\nimage = [\"x\"]\n"), "[a] has no rna"));
  CHECK(has(refusal("[a]\nimage = \"x\"\nrna = [\"x\"]\n"), "map.toml:2:1"));
  CHECK(has(refusal("[a]\nimage = []\nrna = [\"x\"]\n"), "image is no list of names"));
  CHECK(has(refusal("[a]\nimage = [3]\nrna = [\"x\"]\n"), "image holds what is no name"));
  CHECK(has(refusal("[a]\nimage = [\"x\"]\nrna = [\"x\"]\nwieght = 1\n"), "did you mean weight?"));
  for (const char* bad : {"-1", "nan", "inf", "\"1\"", "true"})
    CHECK(has(refusal(std::string("[a]\nimage = [\"x\"]\nrna = [\"x\"]\nweight = ") + bad + "\n"),
              "a finite number of at least 0"));
  CHECK(has(refusal("[a]\nimage = [\"\xff\"]\n"), "not UTF-8"));
  expect_fault<FileError>("file.missing", [] { read_class_map("/no/such/map.toml"); });
}

TEST_CASE("class map: names that there are not, and names in two pairs") {
  const auto refused = [](const ClassMap& map) {
    return expect_fault<DataError>("class.unmapped", [&] { check_class_map(map, images, cells); });
  };
  const std::string image = refused({{{"m", {"monocytes"}, {"Mono"}, {}}}});
  CHECK(has(image, "no image class \"monocytes\""));
  CHECK(has(image, "band, monocyte, segmented"));
  CHECK(has(image, "did you mean monocyte?"));
  const std::string rna = refused({{{"m", {"monocyte"}, {"Monocyte"}, {}}}});
  CHECK(has(rna, "no RNA class \"Monocyte\""));
  CHECK(has(rna, "Mono, Neutrophils, T cells"));
  CHECK(has(refused({{{"m", {"band"}, {"Mono"}, {}}, {"n", {"band"}, {"T cells"}, {}}}}),
            "image class \"band\" is in pair m already"));
  CHECK(has(refused({{{"m", {"band"}, {"Mono"}, {}}, {"n", {"segmented"}, {"Mono"}, {}}}}),
            "RNA class \"Mono\" is in pair m already"));
  CHECK(has(refused({{{"m", {}, {"Mono"}, {}}}}), "a side without classes"));
}
