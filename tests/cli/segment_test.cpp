#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cytograd/io/coco.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/image.h"
#include "cytograd/io/label_image.h"
#include "io/python_agrees.h"
#include "io/raw_images.h"
#include "lab.h"

using namespace cytograd;
using test::cyto;
using test::Smears;
using test::Words;
namespace fs = std::filesystem;

namespace {

void check_predict(const Smears& lab) {
  const std::string found = lab.folder / "found";
  const Words predict = {
      "segment", "predict", "--run", lab.folder / "a", lab.folder / "data/JPEGImages", "-o",
      found,     "--score", "0.06"};
  const auto predicted = cyto(predict);
  REQUIRE_MESSAGE(predicted.exit == 0, predicted.err);
  CHECK(cyto(predict).exit == 4);  // not without --force
  const CocoFile coco = read_coco(found + "/cells.json");
  CHECK(coco.images.size() == 12);
  CHECK(coco.categories.size() == 2);
  const CsvTable table = read_csv(found + "/cells.csv");
  int64_t cells = 0;
  for (const CocoAnnotation& a : coco.annotations) {
    cells += coco.categories.at(a.category) != "nucleus";
    CHECK(a.rle.height == 96);
    CHECK(a.rle.width == 128);
  }
  CHECK(static_cast<int64_t>(table.rows()) == cells);
  const std::string first = fs::path(coco.images[0].file_name).stem().string();
  CHECK(read_label_png(found + "/labels/" + first + ".png").width == 128);
  CHECK(read_image(found + "/overlays/" + first + ".png").height == 96);
  // In tiles, with everything that can be left out left out.
  const auto tiled =
      cyto({"segment", "predict", "--run", lab.folder / "a", "-o", lab.folder / "tiled", "--tile",
            "64", "--no-overlays", "--no-labels", "--json", lab.folder / "data/JPEGImages"});
  REQUIRE_MESSAGE(tiled.exit == 0, tiled.err);
  CHECK(nlohmann::json::parse(tiled.out).size() == 12);
  CHECK(!fs::exists(lab.folder / "tiled/labels"));
}

// A picture of each cell, numbered as in the table.
void check_crops(const Smears& lab) {
  const std::string found = lab.folder / "cropped";
  const Words words = {"segment",        "predict",      "--run",
                       lab.folder / "a", "-o",           found,
                       "--score",        "0.06",         "--no-overlays",
                       "--no-labels",    "--crop-class", "WBC",
                       "--crops",        "40",           lab.folder / "data/JPEGImages"};
  const auto cropped = cyto(words);
  REQUIRE_MESSAGE(cropped.exit == 0, cropped.err);
  const CsvTable table = read_csv(found + "/cells.csv");
  REQUIRE(table.rows() > 0);
  int64_t crops = 0;
  for (size_t row = 0; row < table.rows(); ++row) {
    const std::string crop = found + "/crops/" + fs::path(table.at(row, 0)).stem().string() + "_" +
                             std::string(table.at(row, 1)) + ".png";
    const bool wanted = table.at(row, 2) == "WBC";
    CHECK(fs::exists(crop) == wanted);
    if (!wanted) continue;
    ++crops;
    const Image image = read_image(crop);
    CHECK(image.height == 40);
    CHECK(image.width == 40);
  }
  CHECK(crops > 0);
  const auto unknown =
      cyto({"segment", "predict", "--run", lab.folder / "a", "-o", lab.folder / "none", "--crops",
            "40", "--crop-class", "leaf", lab.folder / "data/JPEGImages"});
  CHECK(unknown.exit == 2);
  CHECK(unknown.err.find("WBC, nucleus") != std::string::npos);
  CHECK(!fs::exists(lab.folder / "none"));
}

void check_features(const Smears& lab) {
  const auto features =
      cyto({"segment", "features", "--run", lab.folder / "a", "-o", lab.folder / "cells.h5",
            "--target", "32", "--json", lab.folder / "data/JPEGImages"});
  REQUIRE_MESSAGE(features.exit == 0, features.err);
  CHECK(nlohmann::json::parse(features.out)["cells"] == 12);
  CHECK(python_agrees(lab.folder / "cells.h5", R"(
import sys, h5py, numpy as np
f = h5py.File(sys.argv[1])
assert f["h"].shape == (12, 14, 14, 16) and f["mask"].shape == (12, 32, 32)
assert f["crop"].shape == (12, 32, 32, 3) and f["h_range"].shape == (12, 2)
h = f["h"][:]
flat = f["flat_features"][:] != 0
assert np.abs(h).max() <= 1 + 1e-6
assert np.allclose(h[~flat].min(axis=(1, 2, 3)), -1) and np.allclose(h[~flat].max(axis=(1, 2, 3)), 1)
assert f["crop"][:].min() >= 0 and f["crop"][:].max() <= 1
assert len(f.attrs["weights_xxh3"]) == 32
assert set(f["cell_type"][:]) == {b""} and set(f["group"][:]) == {b""}
)"));
}

// Classes of the data set that crops lie in, or of a table.
void check_feature_classes(const Smears& lab) {
  fs::create_directories(lab.folder / "typed/band");
  fs::create_directories(lab.folder / "typed/blast");
  const std::vector<std::string> crops = {"typed/band/a.png", "typed/blast/b.png"};
  for (const std::string& name : crops) write_png(lab.folder / name, Image(48, 48, 3));
  const auto features = [&](const Words& more) {
    Words words = {"segment", "features", "--run", lab.folder / "a", "-o", lab.folder / "t.h5",
                   "--json",  "--target", "32",    "--force"};
    words.insert(words.end(), more.begin(), more.end());
    return cyto(words);
  };
  const auto classes = [&](const Words& more) {
    const auto done = features(more);
    REQUIRE_MESSAGE(done.exit == 0, done.err);
    return nlohmann::json::parse(done.out)["classes"].dump();
  };
  CHECK(classes({lab.folder / "typed"}) == R"({"band":1,"blast":1})");
  CHECK(classes({lab.folder / "typed", "--labels", "none"}) == "{}");
  CHECK(classes({lab.folder / "typed/band"}) == "{}");
  // The layout of PBC, whose file names tell finer classes.
  for (const char* name : {"basophil/BA_1", "eosinophil/EO_2", "ig/MMY_3", "ig/IG_4",
                           "neutrophil/BNE_5", "neutrophil/SNE_6", "neutrophil/NEUTROPHIL_7"}) {
    const fs::path path = lab.folder / ("pbc/" + std::string(name) + ".png");
    fs::create_directories(path.parent_path());
    write_png(path, Image(48, 48, 3));
  }
  CHECK(classes({lab.folder / "pbc"}) ==
        R"({"basophil":1,"eosinophil":1,"metamyelocyte":1,"neutrophil_band":1,)"
        R"("neutrophil_segmented":1})");
  CHECK(classes({lab.folder / "pbc", "--labels", "coarse"}) ==
        R"({"basophil":1,"eosinophil":1,"ig":2,"neutrophil":3})");
  write_file_atomically(lab.folder / "l.csv", "path,label,group\nblast/b.png,mono,p1\nz.png,x,\n");
  const std::string shown = lab.folder / "pictures";
  const auto told =
      features({lab.folder / "typed", "--labels", lab.folder / "l.csv", "--pictures", shown});
  REQUIRE_MESSAGE(told.exit == 0, told.err);
  CHECK(nlohmann::json::parse(told.out)["classes"].dump() == R"({"mono":1})");
  CHECK(told.err.find("1 rows of the labels without a cell") != std::string::npos);
  CHECK(told.err.find("1 cell without a row of the labels") != std::string::npos);
  // All cells as pictures, those with a class in the manifest.
  CHECK(read_image(shown + "/000001.png").width == 32);
  CHECK(read_file(shown + "/cells.csv") == "path,label,group,split\n000002.png,mono,p1,\n");
  write_file_atomically(lab.folder / "l.csv", "path,label\nz.png,x\n");
  CHECK(features({lab.folder / "typed", "--labels", lab.folder / "l.csv"}).exit == 3);
  CHECK(features({lab.folder / "typed", "--labels", lab.folder / "none.csv"}).exit == 4);
  CHECK(features({lab.folder / "typed", "--labels", "none", "--preset", "pbc"}).exit == 2);
  CHECK(features({lab.folder / "typed", "--preset", "pbc"}).exit == 3);
}

}  // namespace

TEST_CASE("segment: train, eval, predict and features") {
  const Smears lab;
  const auto trained = cyto(lab.train("a", {"--json"}));
  REQUIRE_MESSAGE(trained.exit == 0, trained.err);
  for (const char* name :
       {"config.toml", "splits.csv", "samples.csv", "environment.json", "metrics.csv",
        "metrics.jsonl", "results.json", "DONE", "checkpoints/last"})
    CHECK_MESSAGE(fs::exists(lab.folder / (std::string("a/") + name)), name);
  const auto evaluated = cyto({"segment", "eval", "--run", lab.folder / "a", "--json"});
  REQUIRE_MESSAGE(evaluated.exit == 0, evaluated.err);
  CHECK(evaluated.out == trained.out);
  const auto scores = nlohmann::json::parse(evaluated.out);
  CHECK(scores["split"] == "test");
  for (const char* kind : {"box", "mask"})
    for (const char* name : {"AP", "AP50", "AP75", "AR100"}) CHECK(scores[kind].contains(name));
  CHECK(scores["per_class"].contains("WBC"));
  CHECK(scores["per_class"].contains("nucleus"));
  // The same fields, named: the held-back part again. All of them, on request.
  const auto named = cyto({"segment", "eval", "--run", lab.folder / "a", "--data",
                           lab.folder / "data", "--preset", "voc", "--json"});
  CHECK(named.out == trained.out);
  // Its one domain, named: the message to a wrong name lists it.
  const std::string run = lab.folder / "a";
  const auto nowhere = cyto({"segment", "eval", "--run", run, "--domain", "nowhere"});
  CHECK(nowhere.exit == 2);
  const size_t begin = nowhere.err.find("expected one of ") + 16, end = nowhere.err.find(" [cli]");
  REQUIRE_MESSAGE((begin < end && end != std::string::npos), nowhere.err);
  const std::string domain = nowhere.err.substr(begin, end - begin);
  CHECK(cyto({"segment", "eval", "--run", run, "--domain", domain, "--json"}).out == trained.out);
  const auto all = cyto({"segment", "eval", "--run", lab.folder / "a", "--split", "all", "--json"});
  CHECK(nlohmann::json::parse(all.out)["fields"] == 12);
  CHECK(cyto({"segment", "eval", "--run", lab.folder / "a"}).out.find("mask AP") !=
        std::string::npos);
  check_predict(lab);
  check_crops(lab);
  check_features(lab);
  check_feature_classes(lab);
}

TEST_CASE("segment: a training that was stopped ends with the same bytes") {
  const Smears lab;
  REQUIRE(cyto(lab.train("whole", {"--epochs", "3"})).exit == 0);
  test::Program program(lab.train("stopped", {"--epochs", "3"}), lab.folder.path().string());
  test::wait_for_epoch(lab.folder / "stopped");
  program.send(SIGTERM);
  const auto stopped = program.wait();
  CHECK((stopped.exit == 143 || stopped.exit == 0));
  const auto resumed = cyto({"segment", "train", "--resume", lab.folder / "stopped"});
  REQUIRE_MESSAGE(resumed.exit == 0, resumed.err);
  for (const char* name : {"checkpoints/last", "metrics.csv", "metrics.jsonl", "results.json"})
    CHECK_MESSAGE(lab.file("whole", name) == lab.file("stopped", name), name);
}

TEST_CASE("segment: runs of detectors and of classifiers are told apart") {
  const Smears lab;
  const test::Lab discs;
  REQUIRE(cyto(discs.train("c", {"--epochs", "1"})).exit == 0);
  CHECK(cyto({"segment", "eval", "--run", discs.folder / "c"}).exit == 2);
  REQUIRE(cyto(lab.train("a", {"--epochs", "1", "--detector", "faster_rcnn"})).exit == 0);
  CHECK(cyto({"eval", "--run", lab.folder / "a"}).exit == 2);
  // Boxes alone: no masks to score, no features to write.
  const auto scores = cyto({"segment", "eval", "--run", lab.folder / "a", "--json"});
  CHECK(nlohmann::json::parse(scores.out)["mask"].is_null());
  CHECK(cyto({"segment", "features", "--run", lab.folder / "a", "-o", lab.folder / "f.h5",
              lab.folder / "data/JPEGImages"})
            .exit == 2);
  CHECK(cyto({"segment", "predict", "--run", lab.folder / "a", "-o", lab.folder / "p",
              lab.folder / "data/JPEGImages"})
            .exit == 0);
}

TEST_CASE("segment: settings and bad input") {
  const Smears lab;
  CHECK(cyto({"segment", "train", "--data", lab.folder / "data", "-o", lab.folder / "x",
              "--min-size", "800", "--max-size", "600"})
            .exit == 2);
  CHECK(cyto({"segment", "train", "--data", lab.folder / "data", "-o", lab.folder / "x",
              "--image-size", "64"})
            .exit == 2);
  const auto empty = cyto({"segment", "train", "--data", lab.folder.path().string(), "-o",
                           lab.folder / "x", "--preset", "labels"});
  CHECK(empty.exit == 3);
  CHECK(empty.err.find("[data.layout]") != std::string::npos);
  const auto shown = cyto({"config", "show", "--detector", "mask_rcnn"});
  CHECK(shown.exit == 0);
  CHECK(shown.out.find("segment.min_size = 320") != std::string::npos);
  const auto dry = cyto(lab.train("d", {"--dry-run", "--json"}));
  REQUIRE_MESSAGE(dry.exit == 0, dry.err);
  CHECK(nlohmann::json::parse(dry.out)["epochs"] == 2);
  CHECK(!fs::exists(lab.folder / "d"));
}

TEST_CASE("segment: a field without objects and one whose masks are empty train as they can") {
  const Smears lab;
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(lab.folder / "data/Annotations"))
    names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  write_file_atomically(lab.folder / ("data/Annotations/" + names[0] + ".xml"),
                        "<annotation><size><width>128</width><height>96</height></size>"
                        "</annotation>");
  for (size_t i = 0; i < 2; ++i)
    write_label_png(lab.folder / ("data/instances/" + names[i] + ".png"), LabelImage(96, 128));
  // Both are in the training part: the set holds its last fields back.
  const Words all = {"--epochs", "1", "--test-fraction", "0", "--val-fraction", "0"};
  const auto some = cyto(lab.train("some", all));
  REQUIRE_MESSAGE(some.exit == 0, some.err);
  // Not one mask in the whole set: boxes are learned, masks are scored as "nothing to find".
  for (const std::string& name : names)
    write_label_png(lab.folder / ("data/instances/" + name + ".png"), LabelImage(96, 128));
  Words boxes = all;
  boxes.push_back("--json");
  const auto none = cyto(lab.train("none", boxes));
  REQUIRE_MESSAGE(none.exit == 0, none.err);
  const auto scores = nlohmann::json::parse(none.out);
  CHECK(scores["box"]["AP"].is_number());
  CHECK((scores["mask"].is_null() || scores["mask"]["AP"].is_null()));
}

TEST_CASE("segment: images of one pixel, of too many, and files that are none") {
  const Smears lab;
  REQUIRE(cyto(lab.train("a", {"--epochs", "1"})).exit == 0);
  fs::create_directories(lab.folder / "odd");
  write_png(lab.folder / "odd/a-pixel.png", Image(1, 1, 3, 90));
  write_file_atomically(lab.folder / "odd/b-huge.png", raw::png(20'000, 20'000, 8, 2, ""));
  write_file_atomically(lab.folder / "odd/c-text.png", "no image");
  const Words words = {"segment",           "predict",          "--run",
                       lab.folder / "a",    lab.folder / "odd", "-o",
                       lab.folder / "found"};
  const auto with = [&words](Words more) {
    more.insert(more.begin(), words.begin(), words.end());
    return cyto(more);
  };
  const auto failed = with({"--json"});
  CHECK(failed.exit == 3);
  const auto rows = nlohmann::json::parse(failed.out);
  REQUIRE(rows.size() == 3);
  CHECK(rows[0]["objects"].contains("WBC"));
  CHECK(rows[1]["error"]["id"] == "img.bomb");
  CHECK(rows[2]["error"]["id"] == "img.type");
  // What could be read is there.
  CHECK(read_coco(lab.folder / "found/cells.json").images.size() == 1);
  CHECK(read_image(lab.folder / "found/overlays/a-pixel.png").width == 1);
  const auto skipped = with({"--on-bad-image", "skip", "--force"});
  CHECK(skipped.exit == 0);
  CHECK(skipped.err.find("2 of 3 images cannot be read") != std::string::npos);
  // Crops that show nothing are described as such.
  const auto features = cyto({"segment", "features", "--run", lab.folder / "a", "-o",
                              lab.folder / "f.h5", "--json", lab.folder / "odd/a-pixel.png"});
  REQUIRE_MESSAGE(features.exit == 0, features.err);
  CHECK(nlohmann::json::parse(features.out)["undetected"] == 1);
}

TEST_CASE("segment: class lists that differ between run and data") {
  const Smears lab;
  REQUIRE(cyto(lab.train("a", {"--epochs", "1"})).exit == 0);
  // Red cells and platelets, which the run was not trained on.
  const Words words = {"segment",        "eval",      "--run",
                       lab.folder / "a", "--data",    lab.folder / "data",
                       "--json",         "--objects", "all"};
  const auto refused = cyto(words);
  CHECK(refused.exit == 3);
  CHECK(refused.out.find("class.unknown") != std::string::npos);
  // A run over all of them outlines those that have masks: red cells have boxes alone.
  REQUIRE(cyto(lab.train("b", {"--epochs", "1", "--objects", "all"})).exit == 0);
  REQUIRE(cyto({"segment", "predict", "--run", lab.folder / "b", "-o", lab.folder / "p", "--score",
                "0", lab.folder / "data/JPEGImages"})
              .exit == 0);
  const CocoFile coco = read_coco(lab.folder / "p/cells.json");
  for (const CocoAnnotation& a : coco.annotations)
    CHECK(a.has_mask() ==
          (coco.categories.at(a.category) == "WBC" || coco.categories.at(a.category) == "nucleus"));
  Words dropping = words;
  dropping.insert(dropping.end(), {"--unknown-classes", "drop"});
  const auto scored = cyto(dropping);
  REQUIRE_MESSAGE(scored.exit == 0, scored.err);
  CHECK(nlohmann::json::parse(scored.out)["per_class"].size() == 2);
  CHECK(scored.err.find("left out") != std::string::npos);
}
