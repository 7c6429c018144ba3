#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "cli/lab.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/image.h"
#include "cytograd/io/safetensors.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

// Two domains of discs with a file that names them.
struct World {
  World() {
    write_discs(folder / "north", {"large", "small"}, 10);
    write_discs(folder / "south", {"small", "tiny"}, 10, 26);
    write_file_atomically(folder / "d.toml",
                          "[[domain]]\nname = \"n\"\npath = \"north\"\nstain = \"Giemsa\"\n"
                          "microns_per_pixel = 0.5\n[[domain]]\nname = \"s\"\npath = \"south\"\n");
  }
  std::string operator/(const std::string& name) const { return folder / name; }
  TempFolder folder;
};

}  // namespace

TEST_CASE("cyto domains: table, labels, notes") {
  World world;
  const auto text = cyto({"domains", "--data", world / "d.toml"});
  CHECK(text.exit == 0);
  CHECK(text.out.find("large  10   -   10      1/2") != std::string::npos);
  CHECK(text.out.find("Giemsa") != std::string::npos);
  CHECK(text.out.find("[class.one_domain]") != std::string::npos);
  const auto json = cyto({"domains", world / "north", "--data", world / "south", "--json"});
  CHECK(json.exit == 0);
  const auto found = nlohmann::json::parse(json.out);
  CHECK(found["n"] == 40);
  CHECK(found["counts"]["small"]["north"] == 10);
  CHECK(found["counts"]["tiny"]["north"] == 0);
  CHECK(found["missing"].size() == 2);
  CHECK(found["domains"][0]["stain"].is_null());
  CHECK(found["domains"][0]["microns_per_pixel"]["unknown"] == 20);
  CHECK(found["domains"][1]["labels"][0]["class"] == "small");
}

TEST_CASE("cyto domains: a map that drops, its export, its faults") {
  World world;
  write_file_atomically(world / "map.csv",
                        "dataset,raw,harmonised\n*,large,big\n*,small,little\ns,tiny,\n");
  const auto json = cyto({"domains", world / "d.toml", "--harmonise", world / "map.csv", "--json"});
  CHECK(json.exit == 0);
  const auto found = nlohmann::json::parse(json.out);
  CHECK(found["classes"] == nlohmann::json({"big", "little"}));
  CHECK(found["domains"][1]["labels"][1]["class"].is_null());
  CHECK(found["domains"][1]["labels"][1]["images"] == 10);
  CHECK(cyto({"domains", world / "d.toml", "--harmonise", "13"}).exit == 3);
  CHECK(cyto({"domains", world / "d.toml", "--harmonise", "14"}).exit == 2);
  const auto exported = cyto({"domains", "--export-harmonise", "13"});
  CHECK(exported.exit == 0);
  CHECK(exported.out.starts_with("dataset,raw,harmonised\n"));
  CHECK(cyto({"domains", "--export-harmonise", "13", "-o", world / "13.csv"}).exit == 0);
  CHECK(read_file(world / "13.csv") == exported.out);
  CHECK(cyto({"domains", "--export-harmonise", "13", "-o", world / "13.csv"}).exit == 4);
  CHECK(cyto({"domains", "--export-harmonise", "12"}).exit == 2);
}

TEST_CASE("cyto domains: pictures and page; wrong options") {
  World world;
  CHECK(cyto({"domains", world / "d.toml", "-o", world / "sheet.png", "--pictures", "3",
              "--image-size", "16"})
            .exit == 0);
  const Image sheet = read_image(world / "sheet.png");
  CHECK(sheet.width == 2 * 3 * 16 + 3 * 6);
  CHECK(sheet.height == 3 * 16 + 4 * 6);
  CHECK(cyto({"domains", world / "d.toml", "-o", world / "page.html", "--stain", "reinhard",
              "--stain-target", "domain:n"})
            .exit == 0);
  const std::string page = read_file(world / "page.html");
  CHECK(page.find("<h2>Labels</h2>") != std::string::npos);
  CHECK(page.find("http") == page.find("http://www.w3.org"));
  CHECK(cyto({"domains"}).exit == 2);
  CHECK(cyto({"domains", world / "d.toml", "-o", world / "x.txt"}).exit == 2);
  CHECK(cyto({"domains", world / "d.toml", "--stain", "makenko"}).exit == 2);
  CHECK(cyto({"domains", world / "d.toml", "--stain", "macenko", "--stain-target", "domain:x"})
            .exit == 2);
  const auto none = cyto({"domains", world / "d.toml", "--field-um", "5", "-o", world / "y.png"});
  CHECK(none.exit == 2);
  CHECK(none.err.find("data.resolution") != std::string::npos);
  CHECK(cyto({"domains", world / "nothing"}).exit == 4);
}

TEST_CASE("a run keeps the stain it was trained with, and says what it lacks") {
  World world;
  const Words base = {"train",
                      "--data",
                      world / "d.toml",
                      "--image-size",
                      "16",
                      "--epochs",
                      "1",
                      "--batch",
                      "8",
                      "--model",
                      "resnet20",
                      "--augment",
                      "domains",
                      "--stain-augment",
                      "0.1"};
  const auto train = [&](const std::string& run, const Words& more) {
    Words words = base;
    words.insert(words.end(), {"--output", world / run});
    words.insert(words.end(), more.begin(), more.end());
    return cyto(words);
  };
  const auto trained = train("a", {"--stain", "reinhard", "--stain-target", "domain:n"});
  REQUIRE_MESSAGE(trained.exit == 0, trained.err);
  const SafeTensors file = read_safetensors(world / "a/checkpoints/last");
  CHECK(file.metadata.contains("cytograd.stain_target"));
  const std::string image = world / "north/large/0.png";
  const auto predicted = cyto({"predict", "--run", world / "a", image, "--json"});
  CHECK(predicted.exit == 0);
  // The same network without it sees other pixels.
  const std::string config = read_file(world / "a/config.toml");
  const size_t at = config.find("stain = \"reinhard\"");
  REQUIRE(at != std::string::npos);
  std::string plain = config;
  plain.replace(at, 18, "stain = \"none\"");
  write_file_atomically(world / "a/config.toml", plain);
  CHECK(cyto({"predict", "--run", world / "a", image, "--json"}).out != predicted.out);

  CHECK(train("b", {"--stain", "reinhard", "--stain-target", "domain:x"}).exit == 2);
  CHECK(train("b", {"--stain-target", "domain:n"}).exit == 2);
  CHECK(train("b", {"--stain", "macenko", "--stain-target", world / "absent.png"}).exit == 4);
  const auto scale = train("b", {"--field-um", "10"});
  CHECK(scale.exit == 2);
  CHECK(scale.err.find("s (20 of 20 images)") != std::string::npos);
}

TEST_CASE("a run with a field of view asks predict for the pixel size") {
  World world;
  write_file_atomically(
      world / "d.toml",
      "[[domain]]\nname = \"n\"\npath = \"north\"\nmicrons_per_pixel = 0.5\n[[domain]]\nname = "
      "\"s\"\npath = \"south\"\nmicrons_per_pixel = 0.4\n");
  const auto trained =
      cyto({"train", "--data", world / "d.toml", "--image-size", "16", "--epochs", "1", "--batch",
            "8", "--model", "resnet20", "--field-um", "9", "--output", world / "a"});
  REQUIRE_MESSAGE(trained.exit == 0, trained.err);
  const std::string image = world / "north/large/0.png";
  CHECK(cyto({"predict", "--run", world / "a", image}).exit == 2);
  CHECK(cyto({"predict", "--run", world / "a", image, "--microns-per-pixel", "0.5"}).exit == 0);
  CHECK(cyto({"predict", "--run", world / "a", image, "--microns-per-pixel", "0"}).exit == 2);
}
