#include "cytograd/multimodal/image_cells.h"

#include <sys/stat.h>

#include <barrier>
#include <cmath>
#include <filesystem>
#include <limits>
#include <thread>

#include <doctest/doctest.h>

#include "cytograd/io/cell_feature_file.h"
#include "cytograd/io/file.h"
#include "cytograd/multimodal/run.h"
#include "io/expect_fault.h"
#include "support/data.h"
#include "support/temp_folder.h"

using namespace cytograd;
using namespace cytograd::multimodal;

namespace {

using Texts = std::vector<std::string>;

struct Cell {
  std::string name, type = "", group = "";
  bool undetected = false, empty = false;
  float h = 0.5f, crop = 0.25f, mask = 1;
};

// Values differ by place, so that mixed up axes and cells show.
std::vector<float> ramp(size_t n, float top) {
  std::vector<float> out(n);
  for (size_t i = 0; i < n; ++i) out[i] = top * static_cast<float>(i % 64) / 64;
  out.back() = top;
  return out;
}

std::string write(const TempFolder& folder, const std::vector<Cell>& cells,
                  CellFeatureLayout layout = {}) {
  layout.count = static_cast<int64_t>(cells.size());
  const auto side = static_cast<size_t>(layout.cells), target = static_cast<size_t>(layout.target);
  const std::string path = folder / "cells.h5";
  CellFeatureWriter writer(path, layout);
  for (const Cell& cell : cells) {
    const auto h = ramp(side * side * static_cast<size_t>(layout.channels), cell.h),
               crop = ramp(target * target * 3, cell.crop), mask = ramp(target * target, cell.mask);
    CellFeatureRow row;
    row.h = &h;
    row.crop = &crop;
    row.mask = &mask;
    row.name = cell.name;
    row.cell_type = cell.type;
    row.group = cell.group;
    row.undetected = cell.undetected;
    row.empty_mask = cell.empty;
    writer.add(row);
  }
  writer.commit();
  return path;
}

const std::vector<Cell> four = {{"set/neutrophil/a.png", "segmented", "d1"},
                                {"set/ig/b.png", "myelocyte", "d2", false, false, 0.75f},
                                {"set/ig/c.png", "myelocyte", "d2", true},
                                {"set/ig/d.png", "", "", false, true}};

std::string refusal(const std::string& path, const std::string& id = "cells.form") {
  return expect_fault<DataError>(id, [&] { ImageCells cells(path); });
}

bool has(const std::string& text, const std::string& part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

bool has(const Texts& notes, const std::string& part) {
  std::string all;
  for (const std::string& note : notes) all += note + "\n";
  return has(all, part);
}

std::string table(const TempFolder& folder, const std::string& text) {
  write_file_atomically(folder / "labels.csv", text);
  return folder / "labels.csv";
}

}  // namespace

TEST_CASE("image cells: what the writer wrote, whole or in half precision") {
  for (const bool half : {false, true}) {
    const TempFolder folder;
    CellFeatureLayout layout;
    layout.half = half;
    const ImageCells cells(write(folder, four, layout));
    CHECK(cells.size() == 2);
    CHECK(cells.channels() == 256);
    CHECK(cells.names() == Texts{"set/neutrophil/a.png", "set/ig/b.png"});
    CHECK(cells.classes() == Texts{"myelocyte", "segmented"});
    CHECK(cells.labels() == std::vector<int64_t>{1, 0});
    CHECK(cells.groups() == Texts{"d1", "d2"});
    CHECK(cells.splits().empty());
    CHECK(has(cells.notes(), "1 cell without a detection left out"));
    CHECK(has(cells.notes(), "1 cell with an empty mask left out"));
    const ImageBatch batch = cells.batch({1, 0, 1});
    CHECK(batch.h.shape() == Shape{3, 14, 14, 256});
    CHECK(batch.image.shape() == Shape{3, 128, 128, 3});
    CHECK(batch.mask.shape() == Shape{3, 128, 128, 1});
    const auto h = batch.h.to_vector<float>();
    const size_t n = 14 * 14 * 256;
    CHECK(std::vector<float>(h.begin(), h.begin() + n) == ramp(n, 0.75f));
    CHECK(std::vector<float>(h.begin() + n, h.begin() + 2 * n) == ramp(n, 0.5f));
    CHECK(std::vector<float>(h.begin() + 2 * n, h.end()) == ramp(n, 0.75f));
    const auto mask = batch.mask.to_vector<float>();
    CHECK(std::vector<float>(mask.begin(), mask.begin() + 128 * 128) == ramp(128 * 128, 1));
    const auto image = batch.image.to_vector<float>();
    CHECK(std::vector<float>(image.begin(), image.begin() + 128 * 128 * 3) ==
          ramp(128 * 128 * 3, 0.25f));
    CHECK(cells.batch({1, 0, 1}).h.to_vector<float>() == h);  // from memory
    CHECK_THROWS_AS(cells.batch({2}), ValueError);
    CHECK_THROWS_AS(cells.batch({-1}), ValueError);
  }
}

TEST_CASE("image cells: undetected ones and empty masks on request, several threads") {
  const TempFolder folder;
  const ImageCells cells(write(folder, four), {.keep_undetected = true, .keep_empty = true});
  CHECK(cells.size() == 4);
  CHECK(cells.labels() == std::vector<int64_t>{1, 0, 0, -1});
  CHECK(cells.groups() == Texts{"d1", "d2", "d2", ""});
  CHECK(has(cells.notes(), "1 cell of unknown class"));
  // No thread allocates while another one forks to read, which clang 14's checking allocator does
  // not survive: all begin and end together, and keep what they got.
  std::vector<ImageBatch> seen(4);
  std::barrier together(static_cast<std::ptrdiff_t>(seen.size()));
  std::vector<std::thread> threads;
  for (size_t t = 0; t < seen.size(); ++t)
    threads.emplace_back([&, t] {
      const std::vector<int64_t> rows = {0, 3, 1};
      together.arrive_and_wait();
      seen[t] = cells.batch(rows);
      together.arrive_and_wait();
    });
  for (std::thread& thread : threads) thread.join();
  for (const ImageBatch& batch : seen)
    CHECK(batch.h.to_vector<float>() == seen[0].h.to_vector<float>());
}

TEST_CASE("image cells: equal files have equal hashes") {
  const TempFolder a, b, c, d;
  std::vector<Cell> other = four, renamed = four;
  other[1].h = 0.5f;
  renamed[0].type = "band";
  const std::string hash = ImageCells(write(a, four)).hash();
  CHECK(ImageCells(write(b, four)).hash() == hash);
  const Texts digests =
      ImageCells(write(b, {{"a"}, {"b"}, {"c", "x", "", false, false, 0.25f}})).digests();
  REQUIRE(digests.size() == 3);
  CHECK(digests[0] == digests[1]);
  CHECK(digests[0] != digests[2]);
  CHECK(ImageCells(write(c, other)).hash() != hash);
  CHECK(ImageCells(write(d, renamed)).hash() != hash);
}

TEST_CASE("image cells: labels of a table") {
  const TempFolder folder;
  const std::string path = write(folder, four);
  const ImageCells cells(path,
                         {.labels = table(folder,
                                          "path,label,group,split\nneutrophil/a.png,band,p7,val\n"
                                          "none.png,x,,\nset/ig/c.png,y,p1,train\n"),
                          .keep_empty = true});
  CHECK(cells.classes() == Texts{"band"});
  CHECK(cells.labels() == std::vector<int64_t>{0, -1, -1});
  CHECK(cells.groups() == Texts{"p7", "", ""});
  CHECK(cells.splits() == Texts{"val", "", ""});
  CHECK(has(cells.notes(), "1 rows of the labels without a cell, the first none.png"));
  CHECK(has(cells.notes(), "2 cells without a row of the labels"));
  const auto refused = [&](const std::string& id, const std::string& text) {
    return expect_fault<DataError>(id,
                                   [&] { ImageCells bad(path, {.labels = table(folder, text)}); });
  };
  CHECK(has(refused("csv.absent", "path,label\nz.png,band\n"), "no row belongs to one of 4 cells"));
  CHECK(has(refused("csv.absent", "name,label\nc.png,band\n"), "no row for a cell that is used"));
  CHECK(has(refused("csv.form", "path,class\na.png,band\n"), "label"));
  CHECK(has(refused("csv.form", "path,label\n,band\n"), "a blank path"));
  CHECK(has(refused("csv.form", "path,label,split\na.png,band,dev\n"), "train, val or test"));
  CHECK(has(refused("csv.conflict", "path,label\na.png,band\n./a.png,myelocyte\n"), "line 2"));
  expect_fault<FileError>("file.missing", [&] { ImageCells bad(path, {.labels = "/no.csv"}); });
  // A part of a name is no path.
  CHECK(has(refused("csv.absent", "path,label\n.png,band\nrophil/a.png,band\n"), "no row belongs"));
}

TEST_CASE("image cells: one row for two cells is an error, for one cell told twice is none") {
  const TempFolder folder;
  const std::string path = write(folder, {{"x/1.png"}, {"y/1.png"}, {"y/1.png"}});
  CHECK(
      has(expect_fault<DataError>(
              "csv.conflict",
              [&] { ImageCells bad(path, {.labels = table(folder, "path,label\n1.png,band\n")}); }),
          "x/1.png and y/1.png"));
  const ImageCells cells(path,
                         {.labels = table(folder, "path,label\n1.png,band\nx/1.png,monocyte\n")});
  CHECK(cells.labels() == std::vector<int64_t>{1, 0, 0});
}

TEST_CASE("image cells: values that no detector writes") {
  const TempFolder folder;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto refused = [&](float h, float crop, float mask) {
    return refusal(write(folder, {{"a"}, {"bad/b", "", "", false, false, h, crop, mask}}));
  };
  CHECK(has(refused(nan, 1, 1), "/h, cell bad/b: the value nan"));
  CHECK(has(refused(-std::numeric_limits<float>::infinity(), 1, 1), "/h, cell bad/b"));
  CHECK(has(refused(2, 1, 1), "finite values of -1 to 1"));
  CHECK(has(refused(1, 255, 1), "/crop, cell bad/b"));
  CHECK(has(refused(1, 1, -0.5f), "/mask, cell bad/b"));
  // What is left out is not looked at.
  CHECK(ImageCells(write(folder, {{"a"}, {"b", "", "", true, false, nan}})).size() == 1);
  CHECK(has(refusal(write(folder, {{"a", "", "", true}}), "data.empty"), "no cell"));
}

TEST_CASE("image cells: features of a narrower detector") {
  const TempFolder folder;
  CellFeatureLayout layout;
  layout.channels = 16;
  const ImageCells cells(write(folder, four, layout));
  CHECK(cells.channels() == 16);
  const ImageBatch batch = cells.batch({1, 0});
  CHECK(batch.h.shape() == Shape{2, 14, 14, 16});
  CHECK(batch.h.to_vector<float>()[14 * 14 * 16 - 1] == 0.75f);
  CHECK(batch.image.to_vector<float>()[63] == 0.25f * 63 / 64);
}

TEST_CASE("image cells: other shapes, damaged and foreign files") {
  const TempFolder folder;
  CellFeatureLayout layout;
  layout.cells = 7;
  CHECK(has(refusal(write(folder, four, layout)),
            "/h: [4, 7, 7, 256]; expected [cells, 14, 14, channels]"));
  layout = {};
  layout.target = 32;
  CHECK(has(refusal(write(folder, four, layout)), "/crop: [4, 32, 32, 3]"));
  const std::string path = write(folder, four), bytes = read_file(path);
  for (const size_t size : {size_t{0}, size_t{100}, bytes.size() / 2, bytes.size() - 1}) {
    write_file_atomically(folder / "short.h5", bytes.substr(0, size));
    CHECK_THROWS_AS(ImageCells(folder / "short.h5"), DataError);
  }
  write_file_atomically(folder / "text.h5", "no cells");
  CHECK(has(refusal(folder / "text.h5"), "expected a file of `cyto segment features`"));
  expect_fault<FileError>("file.missing", [&] { ImageCells none(folder / "none.h5"); });
  expect_fault<FileError>("file.kind", [&] { ImageCells none(folder.path().string()); });
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  expect_fault<FileError>("file.kind", [&] { ImageCells none(folder / "pipe"); });
  // The file becomes another one while it is in use.
  const ImageCells cells(path);
  write(folder, {four[0], four[1]});
  expect_fault<DataError>("change", [&] { cells.batch({0}); });
  std::filesystem::remove(path);
  expect_fault<FileError>("file.missing", [&] { cells.batch({0}); });
}

TEST_CASE("image cells: malformed HDF5 is an error, never a crash") {
  const auto data = shared_data();
  if (!data) {
    MESSAGE("skipped: no shared data");
    return;
  }
  for (const auto& entry : std::filesystem::directory_iterator(*data / "hdf5_malformed"))
    if (entry.is_regular_file()) CHECK_THROWS_AS(ImageCells(entry.path()), DataError);
}

TEST_CASE("features of another detector are refused") {
  const TempFolder folder;
  CellFeatureLayout layout;
  layout.attributes = {{"weights_xxh3", "aa"}, {"h_level", "p4"}, {"mask_mode", "soft"}};
  const std::string path = write(folder, {{.name = "a"}, {.name = "b"}}, layout);
  const std::string detector = ImageCells(path).detector();
  CHECK(detector == "weights_xxh3 aa, h_level p4, mask_mode soft");
  Run run;
  run.path = "runs/joint";
  run.require_detector(detector, path);  // of a run that does not know its own
  run.detector = detector;
  run.require_detector(detector, path);
  run.require_detector("", path);
  run.detector = "weights_xxh3 bb, h_level p4, mask_mode soft";
  const std::string text =
      expect_fault<DataError>("features.detector", [&] { run.require_detector(detector, path); });
  CHECK(text.find(path + ": features of " + detector) != std::string::npos);
}
