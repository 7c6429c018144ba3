#include "cytograd/data/dataset.h"

#include "data/support.h"

using namespace cytograd;

namespace {
DatasetOptions at(const std::string& path) {
  DatasetOptions o;
  o.path = path;
  return o;
}
}  // namespace

TEST_CASE("image folders: class is the folder") {
  TempFolder folder;
  put_image(folder, "b/2.png", 1);
  put_image(folder, "b/sub/1.PNG", 2);
  put_image(folder, "a/1.png", 3);
  put_text(folder, "a/notes.txt", "x");
  put_text(folder, "a/.DS_1.jpg", "x");
  std::filesystem::create_directory(folder / "empty");
  const Dataset d = load_dataset(at(folder.path().string()));
  CHECK(d.classes == std::vector<std::string>{"a", "b"});
  REQUIRE(d.size() == 3);
  CHECK(d.samples[0].id == "a/1.png");
  CHECK(d.samples[2].id == "b/sub/1.PNG");
  CHECK(note_count(d.notes, "file.hidden") == 1);
  CHECK(note_count(d.notes, "file.other") == 1);
  CHECK(note_count(d.notes, "class.empty") == 1);
}

TEST_CASE("image folders with train, val and test above the classes") {
  TempFolder folder;
  put_image(folder, "train/a/1.png", 1);
  put_image(folder, "valid/a/2.png", 2);
  put_image(folder, "test/b/3.png", 3);
  const Dataset d = load_dataset(at(folder.path().string()));
  REQUIRE(d.size() == 3);
  CHECK(d.classes.size() == 2);
  CHECK(d.samples[0].split == "test");
  CHECK(d.samples[2].split == "val");
}

TEST_CASE("paths: link loops and missing folders") {
  TempFolder folder;
  put_image(folder, "a/1.png", 1);
  std::filesystem::create_directory_symlink(folder / "a", folder / "a/again");
  std::filesystem::create_directory_symlink(folder / "loop", folder / "loop");
  const Dataset d = load_dataset(at(folder.path().string()));
  CHECK(d.size() == 1);
  CHECK(note_count(d.notes, "file.link") == 1);
  CHECK_THROWS_AS(load_dataset(at(folder / "nothing")), FileError);
  TempFolder bare;
  CHECK_THROWS_AS(load_dataset(at(bare.path().string())), DataError);
}

TEST_CASE("options with a typing error name the nearest choice") {
  TempFolder folder;
  put_image(folder, "a/1.png", 1);
  DatasetOptions o = at(folder.path().string());
  o.preset = "folders";
  CHECK_THROWS_WITH_AS(load_dataset(o), doctest::Contains("did you mean folder?"), ConfigError);
  o.preset = "folder";
  o.labels = "fin";
  CHECK_THROWS_WITH_AS(load_dataset(o), doctest::Contains("did you mean fine?"), ConfigError);
  const Dataset d = load_dataset(at(folder.path().string()));
  CHECK_THROWS_AS(d.class_index("b"), ConfigError);
}

TEST_CASE("manifest: all columns") {
  TempFolder folder;
  put_image(folder, "img/1.png", 1);
  put_image(folder, "img/2.png", 2);
  put_image(folder, "m/2.png", 255);
  put_text(folder, "set.csv",
           "\xEF\xBB\xBFpath,label,domain,group,split,mask,x1,y1,x2,y2,microns_per_pixel\r\n"
           "img/1.png,\"cell, big\",,,,,,,,,\r\n"
           "img/2.png,a,d2,p1,test,m/2.png,1,2,5,6.5,0.1\r\n"
           "img/2.png,b,d2,p1,test,m/2.png,0,0,3,3,0.1\r\n");
  DatasetOptions o = at(folder / "set.csv");
  o.multi_label = "first";
  const Dataset d = load_dataset(o);
  CHECK(d.faults.empty());
  REQUIRE(d.size() == 3);
  CHECK(d.classes == std::vector<std::string>{"a", "b", "cell"});
  CHECK(d.domains == std::vector<std::string>{"set", "d2"});
  CHECK(d.samples[1].id == "img/2.png#0");
  CHECK(d.samples[2].id == "img/2.png#1");
  CHECK((d.samples[1].box == Box{1, 2, 5, 6.5}));
  CHECK(d.samples[1].split == "test");
  CHECK(d.samples[1].group == "p1");
  CHECK(*d.samples[1].microns_per_pixel == 0.1);
  CHECK(note_count(d.notes, "csv.unlisted") == 0);
}

TEST_CASE("a folder with a manifest is read by it") {
  TempFolder folder;
  put_image(folder, "stain1/a/1.png", 1);
  put_image(folder, "stain1/b/2.png", 2);
  put_image(folder, "masks/1.png", 3);
  DatasetOptions options;
  options.path = folder.path().string();
  CHECK(load_dataset(options).classes == std::vector<std::string>{"masks", "stain1"});
  // Something else of that name.
  put_text(folder, "manifest.csv", "file,size\nx,3\n");
  CHECK(load_dataset(options).classes.size() == 2);
  put_text(folder, "manifest.csv", "\"never closed");
  CHECK(load_dataset(options).classes[0] == "masks");
  options.preset = "manifest";
  CHECK_THROWS_WITH_AS(load_dataset(options), doctest::Contains("no manifest in this folder"),
                       DataError);
  options.preset = "auto";
  put_text(folder, "cells.csv", "path,label\nstain1/a/1.png,a\nstain1/b/2.png,b\n");
  CHECK(load_dataset(options).classes == std::vector<std::string>{"a", "b"});
  options.preset = "folder";
  CHECK(load_dataset(options).classes[0] == "masks");
  options.path = "/dev/null";
  CHECK_THROWS_WITH_AS(load_dataset(options), doctest::Contains("a device"), FileError);
}

TEST_CASE("csv.form") {
  TempFolder folder;
  for (const char* n : {"1", "2", "3", "4"}) put_image(folder, std::string(n) + ".png", n[0]);
  put_text(folder, "set.csv",
           "path,label,gruop,x1,y1,x2,y2\n"
           "1.png,a,,,,,\n"       // 2
           "1.png,a,,,,,\n"       // 3 repeated
           "1.png,b,,,,,\n"       // 4 another class
           "2.png,,,,,,\n"        // 5 blank
           "absent.png,a,,,,,\n"  // 6
           "3.png,a,,1,2,,\n"     // 7 half a box
           "3.png,a,,5,5,5,9\n"   // 8 no area
           "3.png,a,,x,5,5,9\n"   // 9 not a number
           ",a,,,,,\n"            // 10
           "3.png,\"a,b\",,,,,\n");
  const Dataset d = load_dataset(at(folder / "set.csv"));
  CHECK(d.size() == 1);
  CHECK(d.faults.size() == 5);
  CHECK(has_fault(d.faults, "csv.conflict"));
  CHECK(has_fault(d.faults, "csv.absent"));
  CHECK(d.faults[0].message().find("4") != std::string::npos);
  CHECK(note_count(d.notes, "csv.duplicate") == 1);
  CHECK(note_count(d.notes, "label.blank") == 1);
  CHECK(note_count(d.notes, "box.degenerate") == 1);
  CHECK(note_count(d.notes, "csv.multi") == 1);
  CHECK(note_count(d.notes, "csv.column") == 1);
  CHECK(note_count(d.notes, "csv.unlisted") == 1);  // 4.png
  CHECK_THROWS_WITH_AS(d.require_clean(), doctest::Contains("4 more"), DataError);

  DatasetOptions strict = at(folder / "set.csv");
  strict.strict = true;
  strict.multi_label = "error";
  CHECK(load_dataset(strict).faults.size() == 8);

  put_text(folder, "bad.csv", "path,lable\n1.png,a\n");
  CHECK_THROWS_AS(load_dataset(at(folder / "bad.csv")), DataError);
}

TEST_CASE("combine keeps ids, groups and equal domain names apart") {
  TempFolder one, two;
  put_image(one, "set/a/1.png", 1);
  put_image(two, "set/a/1.png", 2);
  put_image(two, "set/b/1.png", 3);
  const Dataset d = load_datasets({at(one / "set"), at(two / "set")});
  CHECK(d.domains == std::vector<std::string>{"set", "set-2"});
  REQUIRE(d.size() == 3);
  CHECK(d.samples[0].id == "set:a/1.png");
  CHECK(d.samples[1].id == "set-2:a/1.png");
  CHECK(d.samples[1].domain == 1);
}

TEST_CASE("images: any folder, without labels") {
  TempFolder folder;
  put_image(folder, "1.png", 1);
  put_image(folder, "deep/er/2.png", 2);
  put_image(folder, "deep/3.png", 3);
  put_text(folder, "notes.txt", "x");
  DatasetOptions o = at(folder.path().string());
  o.preset = "images";
  const Dataset d = load_dataset(o);
  CHECK(d.classes == std::vector<std::string>{"unlabelled"});
  REQUIRE(d.size() == 3);
  CHECK(d.samples[0].id == "1.png");
  CHECK(d.samples[1].id == "deep/3.png");
  CHECK(d.samples[2].id == "deep/er/2.png");
  CHECK(note_count(d.notes, "file.other") == 1);
  // `auto` sees class folders, unless nobody needs labels and images lie loose.
  o.preset = "auto";
  CHECK(load_dataset(o).classes == std::vector<std::string>{"deep"});
  o.need_labels = false;
  CHECK(load_dataset(o).classes == std::vector<std::string>{"unlabelled"});
  std::filesystem::remove(folder / "1.png");
  CHECK(load_dataset(o).classes == std::vector<std::string>{"deep"});
  // Several join: they share the class.
  TempFolder other;
  put_image(other, "a.png", 4);
  DatasetOptions second = at(other.path().string());
  o.preset = second.preset = "images";
  CHECK(load_datasets({o, second}).size() == 3);
  TempFolder empty;
  o.path = empty.path().string();
  CHECK_THROWS_WITH_AS(load_dataset(o), doctest::Contains("data.empty"), DataError);
}
