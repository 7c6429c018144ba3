#include "cytograd/data/scan.h"

#include "cytograd/core/parallel.h"
#include "cytograd/io/csv.h"
#include "data/support.h"

using namespace cytograd;

namespace {

Dataset load(const std::string& path) {
  DatasetOptions o;
  o.path = path;
  return load_dataset(o);
}

void cut(const std::string& path, double share) {
  const std::string bytes = read_file(path);
  const double length = static_cast<double>(bytes.size()) * share;
  write_file_atomically(path, bytes.substr(0, static_cast<size_t>(length)));
}

}  // namespace

TEST_CASE("img.truncated") {
  for (const double share : {0.0, 0.01, 0.5, 0.99}) {
    TempFolder folder;
    for (int i = 0; i < 200; ++i) put_image(folder, "a/" + std::to_string(i) + ".png", i, 16, 16);
    cut(folder / "a/77.png", share);
    Dataset d = load(folder.path().string());
    ScanOptions options;
    ScanReport report = scan(d, options);
    REQUIRE(report.faults.size() == 1);
    CHECK(report.faults[0].file.ends_with("77.png"));
    CHECK(report.bad == 1);
    CHECK_THROWS_WITH_AS(apply_scan(d, report, options), doctest::Contains("--on-bad-image skip"),
                         DataError);
    write_samples(folder / "samples.csv", d, report);
    const CsvTable table = read_csv(folder / "samples.csv");
    CHECK(table.rows() == 200);
    int64_t unused = 0;
    for (size_t r = 0; r < table.rows(); ++r) unused += table.at(r, table.column("used")) == "no";
    CHECK(unused == 1);
    options.on_bad_image = BadImagePolicy::skip;
    options.max_bad = 0.004;
    CHECK_THROWS_WITH_AS(apply_scan(d, report, options), doctest::Contains("1 of 200"), DataError);
    options.max_bad = 0.01;
    apply_scan(d, report, options);
    CHECK(d.size() == 199);
    CHECK(note_count(d.notes, "img.skipped") == 1);
  }
}

TEST_CASE("img.type") {
  TempFolder folder;
  put_image(folder, "a/1.png", 1);
  put_text(folder, "a/2.jpg", "<!DOCTYPE html><html></html>");
  put_text(folder, "a/3.jpg", "");
  put_text(folder, "a/4.jpg", "GIF89a..........");
  const ScanReport report = scan(load(folder.path().string()));
  CHECK(report.faults.size() == 3);
  CHECK(report.bad == 3);
}

TEST_CASE("mask.size, mask.values, mask.empty") {
  TempFolder folder;
  for (int i = 1; i <= 4; ++i) put_image(folder, std::to_string(i) + ".png", i);
  write_png(folder / "m1.png", Image(8, 9, 1, 255));
  Image odd(8, 8, 1, 255);
  odd.pixels[3] = 77;
  write_png(folder / "m2.png", odd);
  write_png(folder / "m3.png", Image(8, 8, 1, 0));
  write_png(folder / "m4.png", Image(8, 8, 1, 255));
  put_text(folder, "set.csv",
           "path,label,mask\n1.png,a,m1.png\n2.png,a,m2.png\n3.png,a,m3.png\n4.png,a,m4.png\n");
  Dataset d = load(folder / "set.csv");
  const ScanReport report = scan(d);
  REQUIRE(report.faults.size() == 2);
  CHECK(report.faults[0].id == "mask.size");
  CHECK(report.faults[0].found == "9x8");
  CHECK(report.faults[1].id == "mask.values");
  CHECK(report.faults[1].found == "77 (1 pixels)");
  CHECK(note_count(report.notes, "mask.empty") == 1);
  d.mask_rules[0].tolerate_stray = true;
  CHECK(scan(d).faults.size() == 1);
}

TEST_CASE("mask.values: thresholds and maps resolve them") {
  TempFolder folder;
  for (int i = 1; i <= 3; ++i) put_image(folder, std::to_string(i) + ".png", i);
  Image soft(8, 8, 1, 0), index(8, 8, 1, 0), colour(8, 8, 3, 0);
  soft.pixels[1] = 77, soft.pixels[2] = 200;
  index.pixels[1] = 1, index.pixels[2] = 2;
  colour.pixels[0] = 255;  // one red pixel
  write_png(folder / "m1.png", soft);
  write_png(folder / "m2.png", index);
  write_png(folder / "m3.png", colour);
  put_text(folder, "set.csv", "path,label,mask\n1.png,a,m1.png\n2.png,a,m2.png\n3.png,a,m3.png\n");
  const auto faults = [&](const std::string& threshold, const std::string& map) {
    DatasetOptions options;
    options.path = folder / "set.csv";
    options.mask_threshold = threshold;
    options.mask_map = map;
    return scan(load_dataset(options)).faults;
  };
  const std::vector<Fault> plain = faults("", "");
  REQUIRE(plain.size() == 3);
  CHECK(plain[0].found == "77 (1 pixels), 200 (1 pixels)");
  CHECK(plain[1].found == "1 (1 pixels), 2 (1 pixels)");
  CHECK(plain[2].found == "85 (1 pixels); 1 coloured pixels");
  CHECK(plain[0].hint.find("--mask-map") != std::string::npos);
  CHECK(faults("65", "").empty());
  CHECK(faults("65,192", "").empty());
  const std::vector<Fault> mapped = faults("", "0=background, 1=cell, 2=nucleus");
  REQUIRE(mapped.size() == 2);  // the index mask is right now
  CHECK(mapped[0].file.ends_with("m1.png"));
  CHECK(mapped[0].expected == "only the values 0, 1, 2");
  for (const auto& [threshold, map] :
       std::vector<std::pair<std::string, std::string>>{{"0", ""},
                                                        {"200,100", ""},
                                                        {"1,2,3", ""},
                                                        {"x", ""},
                                                        {"", "1"},
                                                        {"", "1=cel"},
                                                        {"", "1=cell,1=nucleus"},
                                                        {"", "256=cell"},
                                                        {"65", "1=cell"}})
    CHECK_THROWS_AS(faults(threshold, map), ConfigError);
}

TEST_CASE("csv.leak: equal bytes in two splits or classes") {
  TempFolder folder;
  put_image(folder, "train/a/1.png", 1);
  put_image(folder, "train/b/2.png", 1);
  put_image(folder, "test/a/3.png", 1);
  put_image(folder, "test/a/4.png", 1);
  const ScanReport report = scan(load(folder.path().string()));
  CHECK(has_fault(report.faults, "csv.leak"));
  CHECK(has_fault(report.faults, "csv.conflict"));
  CHECK(note_count(report.notes, "img.duplicate") == 1);
}

TEST_CASE("equal bytes of images that cannot be used say nothing about classes") {
  TempFolder folder;
  for (int i = 0; i < 8; ++i)
    put_image(folder, (i % 2 ? "a/" : "b/") + std::to_string(i) + ".png", i);
  put_text(folder, "a/x.jpg", "");
  put_text(folder, "b/y.jpg", "");
  Dataset d = load(folder.path().string());
  ScanOptions options;
  options.on_bad_image = BadImagePolicy::skip;
  options.max_bad = 0.5;
  ScanReport report = scan(d, options);
  CHECK(!has_fault(report.faults, "csv.conflict"));
  apply_scan(d, report, options);
  CHECK(d.size() == 8);
}

TEST_CASE("csv.leak: two cells of one image in two splits") {
  TempFolder folder;
  put_image(folder, "1.png", 1);
  put_text(folder, "set.csv",
           "path,label,split,x1,y1,x2,y2\n1.png,a,train,0,0,4,4\n1.png,b,test,4,4,8,8\n");
  CHECK(has_fault(scan(load(folder / "set.csv")).faults, "csv.leak"));
  put_text(folder, "set.csv",
           "path,label,split,x1,y1,x2,y2\n1.png,a,train,0,0,4,4\n1.png,b,train,4,4,8,8\n");
  CHECK(scan(load(folder / "set.csv")).faults.empty());
}

TEST_CASE("change: the hash of a data set covers boxes and pixel sizes") {
  TempFolder folder;
  put_image(folder, "1.png", 1);
  const std::string header = "path,label,x1,y1,x2,y2,microns_per_pixel\n";
  const auto hash = [&](const std::string& row) {
    put_text(folder, "set.csv", header + row);
    return scan(load(folder / "set.csv")).hash;
  };
  const std::string first = hash("1.png,a,0,0,4,4,0.5\n");
  CHECK(hash("1.png,a,0,0,4,4,0.50\n") == first);
  CHECK(hash("1.png,a,0,0,4,5,0.5\n") != first);
  CHECK(hash("1.png,a,0,0,4,4,0.25\n") != first);
}

TEST_CASE("class.missing: table of class, domain and split") {
  TempFolder folder;
  put_image(folder, "train/a/1.png", 1);
  put_image(folder, "train/b/2.png", 2);
  put_image(folder, "test/a/3.png", 3);
  const Dataset d = load(folder.path().string());
  const ClassTable table = class_table(d);
  CHECK(table.splits == std::vector<std::string>{"train", "test"});
  CHECK(table.at(0, 0, 1) == 1);
  CHECK(table.at(1, 0, 1) == 0);
  CHECK(table.missing().at(0).examples.at(0) == "test/b");
  CHECK(table.text().find("all") != std::string::npos);
}

TEST_CASE("samples in no part of a split are not counted as training samples") {
  TempFolder folder;
  for (int i = 0; i < 3; ++i) put_image(folder, "a/" + std::to_string(i) + ".png", i);
  const Dataset d = load(folder.path().string());
  const ClassTable table = class_table(d, {"train", "", "test"});
  CHECK(table.splits == std::vector<std::string>{"train", "test", "unused"});
  CHECK(table.at(0, 0, 0) == 1);
  CHECK(table.at(0, 0, 2) == 1);
  CHECK(class_table(d, {"", "", ""}).splits == std::vector<std::string>{"all"});
  put_image(folder, "b/3.png", 3);
  const auto missing = class_table(load(folder.path().string()), {"train", "", "test", "train"});
  REQUIRE(missing.missing().size() == 1);
  CHECK(missing.missing()[0].examples == std::vector<std::string>{"test/b"});
}

TEST_CASE("img.form: mixed forms of a class are noted") {
  TempFolder folder;
  put_image(folder, "a/1.png", 1);
  write_png(folder / "a/2.png", Image(8, 8, 1, 3));
  const ScanReport report = scan(load(folder.path().string()));
  CHECK(note_count(report.notes, "img.form") == 1);
}

TEST_CASE("scan does not depend on the number of threads") {
  TempFolder folder;
  for (int i = 0; i < 20; ++i) put_image(folder, "a/" + std::to_string(i) + ".png", i);
  put_text(folder, "a/x.jpg", "no");
  put_text(folder, "a/y.jpg", "no");
  const Dataset d = load(folder.path().string());
  const int before = num_threads();
  std::string text;
  for (const int threads : {1, 2, 7}) {
    set_num_threads(threads);
    const ScanReport report = scan(d);
    const std::string now = report.hash + summarise_faults(report.faults);
    if (text.empty()) text = now;
    CHECK(now == text);
  }
  set_num_threads(before);
}

TEST_CASE("summarise_faults shows the first of a kind and the total") {
  std::vector<Fault> faults(7, Fault{"img.type", "f", "", "x", "y", ""});
  faults.push_back({"csv.leak", "g", "", "x", "y", ""});
  const std::string text = summarise_faults(faults);
  CHECK(text.find("2 more [img.type], 7 in all") != std::string::npos);
  CHECK(text.find("csv.leak") != std::string::npos);
}
