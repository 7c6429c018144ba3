#include "cytograd/io/image.h"

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <limits>
#include <string>

#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "cytograd/io/file.h"
#include "cytograd/io/label_image.h"
#include "expect_fault.h"
#include "python_agrees.h"
#include "raw_images.h"
#include "support/data.h"
#include "support/temp_folder.h"

using namespace cytograd;
using namespace std::string_literals;
namespace fs = std::filesystem;

namespace {

Image noise(int64_t height, int64_t width, int64_t channels) {
  Image image(height, width, channels);
  Rng rng(3, "image test");
  for (auto& p : image.pixels) p = static_cast<uint8_t>(rng.below(256));
  return image;
}

Image smooth(int64_t height, int64_t width) {
  Image image(height, width, 3);
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < 3; ++c)
        image.at(y, x)[c] =
            static_cast<uint8_t>(40 + 150 * (c == 1 ? y : x) / std::max(height, width));
  return image;
}

std::vector<uint8_t> pixels(const std::string& bytes, PixelForm form = PixelForm::rgb) {
  return decode_image(bytes, "t", {.form = form}).pixels;
}

using Bytes = std::vector<uint8_t>;

std::string fixture(const std::string& name) {
  return read_file(CYTOGRAD_SOURCE_DIR "/tests/io/fixtures/" + name);
}

// Each file gives an image or a DataError.
bool survives(const std::string& bytes) {
  try {
    const Image image = decode_image(bytes, "t");
    return image.pixels.size() == static_cast<size_t>(image.height * image.width * image.channels);
  } catch (const DataError&) {
    return true;
  }
}

std::string with_orientation(const std::string& jpeg, int value) {
  const std::string tiff = "II*\0"s + raw::little(8, 4) + raw::little(1, 2) +
                           raw::little(0x0112, 2) + raw::little(3, 2) + raw::little(1, 4) +
                           raw::little(static_cast<uint32_t>(value), 4) + raw::little(0, 4);
  const std::string data = "Exif\0\0"s + tiff;
  const auto length = static_cast<uint32_t>(data.size() + 2);
  return jpeg.substr(0, 2) + "\xff\xe1" + static_cast<char>(length >> 8) +
         static_cast<char>(length & 255) + data + jpeg.substr(2);
}

}  // namespace

TEST_CASE("an image of values is cut at 0 and 1; what is no number is black") {
  const float none = std::numeric_limits<float>::quiet_NaN();
  const float rgb[] = {0, 1, 0.5f, -3, 7, none};
  CHECK(image_of(rgb, nullptr, 1, 2).pixels == std::vector<uint8_t>{0, 255, 128, 0, 255, 0});
  const float mask[] = {0.5f, 0};
  CHECK(image_of(rgb, mask, 1, 2).pixels == std::vector<uint8_t>{0, 128, 64, 0, 0, 0});
}

TEST_CASE("png and bmp keep every pixel") {
  for (const int64_t channels : {1, 3, 4}) {
    const Image image = noise(7, 13, channels);
    const PixelForm form = channels == 1   ? PixelForm::keep
                           : channels == 3 ? PixelForm::rgb
                                           : PixelForm::rgba;
    CHECK(decode_image(encode_png(image), "t", {.form = form}) == image);
  }
  TempFolder folder;
  const Image image = noise(5, 4, 3);
  write_png(folder / "a.jpg", image);  // the name does not matter
  CHECK(read_image(folder / "a.jpg") == image);
  CHECK(probe_image(read_file(folder / "a.jpg"), "a").format == ImageFormat::png);

  std::string rows;
  for (int64_t y = 4; y >= 0; --y)
    for (int64_t x = 0; x < 4; ++x)
      for (int c = 2; c >= 0; --c) rows += static_cast<char>(image.at(y, x)[c]);
  const std::string bmp = "BM" + raw::little(54 + 60, 4) + raw::little(0, 4) + raw::little(54, 4) +
                          raw::little(40, 4) + raw::little(4, 4) + raw::little(5, 4) +
                          raw::little(1, 2) + raw::little(24, 2) + std::string(24, '\0') + rows;
  CHECK(decode_image(bmp, "t") == image);
  for (size_t cut = 0; cut < bmp.size(); ++cut)
    CHECK_THROWS_AS(decode_image(bmp.substr(0, cut), "t"), DataError);
}

TEST_CASE("jpeg stays close at high quality") {
  const Image image = smooth(37, 50);
  const std::string bytes = encode_jpeg(image, 95);
  const Image back = decode_image(bytes, "t");
  REQUIRE(back.pixels.size() == image.pixels.size());
  int worst = 0;
  for (size_t i = 0; i < image.pixels.size(); ++i)
    worst = std::max(worst, std::abs(int{image.pixels[i]} - int{back.pixels[i]}));
  CHECK(worst <= 6);
  CHECK(encode_jpeg(image, 50).size() < bytes.size());
  CHECK_THROWS_AS(encode_jpeg(image, 0), ValueError);
  const Image grey = decode_image(encode_jpeg(Image(9, 9, 1, 77)), "t", {.form = PixelForm::keep});
  CHECK(grey == Image(9, 9, 1, 77));
}

TEST_CASE("jpeg is decoded smaller where only that is needed") {
  const std::string bytes = encode_jpeg(smooth(400, 320), 95);
  const auto sides = [&](int64_t min_side) {
    const Image image = decode_image(bytes, "t", {.min_side = min_side});
    return std::pair(image.height, image.width);
  };
  CHECK(sides(0) == std::pair<int64_t, int64_t>(400, 320));
  CHECK(sides(161) == std::pair<int64_t, int64_t>(400, 320));
  CHECK(sides(160) == std::pair<int64_t, int64_t>(200, 160));
  CHECK(sides(80) == std::pair<int64_t, int64_t>(100, 80));
  CHECK(sides(1) == std::pair<int64_t, int64_t>(50, 40));
}

TEST_CASE("img.form: exif orientation") {
  // Left half dark, upper right bright: each orientation puts them elsewhere.
  Image image(16, 32, 1, 0);
  for (int64_t y = 0; y < 16; ++y)
    for (int64_t x = 16; x < 32; ++x) *image.at(y, x) = y < 8 ? 200 : 100;
  const std::string jpeg = encode_jpeg(image, 100);
  struct Row {
    int orientation;
    int corners[4];  // top left, top right, bottom left, bottom right as displayed
  };
  const Row rows[] = {{1, {0, 200, 0, 100}}, {2, {200, 0, 100, 0}}, {3, {100, 0, 200, 0}},
                      {4, {0, 100, 0, 200}}, {5, {0, 0, 200, 100}}, {6, {0, 0, 100, 200}},
                      {7, {100, 200, 0, 0}}, {8, {200, 100, 0, 0}}};
  for (const Row& row : rows) {
    CAPTURE(row.orientation);
    const std::string bytes = with_orientation(jpeg, row.orientation);
    const Image out = decode_image(bytes, "t", {.form = PixelForm::keep});
    const ImageInfo info = probe_image(bytes, "t");
    CHECK(info.orientation == row.orientation);
    CHECK(info.height == (row.orientation < 5 ? 16 : 32));
    REQUIRE(out.height == info.height);
    REQUIRE(out.width == info.width);
    const int found[4] = {*out.at(2, 2), *out.at(2, out.width - 3), *out.at(out.height - 3, 2),
                          *out.at(out.height - 3, out.width - 3)};
    for (int k = 0; k < 4; ++k) CHECK(std::abs(found[k] - row.corners[k]) <= 3);
  }
  CHECK(probe_image(with_orientation(jpeg, 9), "t").orientation == 1);
}

TEST_CASE("img.form: png kinds") {
  // 16-bit grey 0x0080 and 0xffff; rounding, not truncation, makes 128/257 a 0 and 129/257 a 1.
  CHECK(pixels(raw::png(3, 1, 16, 0, "\0\x00\x80\x00\x81\xff\xff"s), PixelForm::keep) ==
        Bytes{0, 1, 255});
  CHECK(pixels(raw::png(8, 1, 1, 0, "\0\xA1"s), PixelForm::keep) ==
        Bytes{255, 0, 255, 0, 0, 0, 0, 255});
  CHECK(pixels(raw::png(2, 1, 2, 0, "\0\x60"s), PixelForm::keep) == Bytes{85, 170});
  const std::string palette = raw::png_chunk("PLTE", "\x01\x02\x03\xf0\xf1\xf2");
  CHECK(pixels(raw::png(2, 1, 8, 3, "\0\1\0"s, palette)) == Bytes{240, 241, 242, 1, 2, 3});
  CHECK_THROWS_AS(pixels(raw::png(2, 1, 8, 3, "\0\1\0"s)), DataError);
  CHECK_THROWS_AS(pixels(raw::png(2, 1, 8, 3, "\0\7\0"s)), DataError);
  // Grey and alpha: half transparent black on white.
  const std::string grey_alpha = raw::png(1, 1, 8, 4, "\0\0\x80"s);
  CHECK(pixels(grey_alpha) == Bytes{127, 127, 127});
  CHECK(pixels(grey_alpha, PixelForm::keep) == Bytes{127});
  CHECK(pixels(grey_alpha, PixelForm::rgba) == Bytes{0, 0, 0, 128});
  const std::string rgba = raw::png(1, 1, 8, 6, "\0\x0a\x14\x1e\x00"s);
  CHECK(pixels(rgba) == Bytes{255, 255, 255});
  CHECK(pixels(rgba, PixelForm::rgba) == Bytes{10, 20, 30, 0});
  CHECK(pixels(raw::png(1, 1, 8, 0, "\0\x2a"s), PixelForm::rgba) == Bytes{42, 42, 42, 255});
  const ImageInfo info = probe_image(raw::png(3, 1, 16, 0, "\0\x00\x80\x00\x81\xff\xff"s), "t");
  CHECK(info.bits == 16);
  CHECK(info.channels == 1);
}

TEST_CASE("img.form: tiff, pnm and cmyk") {
  using Fields = std::vector<std::pair<int, uint32_t>>;
  const auto tiff = [](uint32_t photometric, uint32_t samples, uint32_t bits,
                       const std::string& data, const std::string& palette = "") {
    return raw::tiff(Fields{{256, 2},
                            {257, 1},
                            {258, bits},
                            {259, 1},
                            {262, photometric},
                            {277, samples},
                            {278, 1},
                            {284, 1}},
                     data, palette);
  };
  CHECK(pixels(tiff(2, 3, 8, "abcdef")) == Bytes{'a', 'b', 'c', 'd', 'e', 'f'});
  CHECK(pixels(tiff(1, 1, 8, "\x05\x06"), PixelForm::keep) == Bytes{5, 6});
  CHECK(pixels(tiff(0, 1, 8, "\x05\x06"), PixelForm::keep) == Bytes{250, 249});
  CHECK(pixels(tiff(1, 1, 16, "\x81\x00\xff\xff"s), PixelForm::keep) == Bytes{1, 255});
  CHECK(pixels(tiff(1, 1, 1, "\x40"), PixelForm::keep) == Bytes{0, 255});
  CHECK(pixels(tiff(2, 4, 8, "abcdefg\xff"), PixelForm::rgba) ==
        Bytes{'a', 'b', 'c', 'd', 'e', 'f', 'g', 255});
  std::string palette(1536, '\0');
  palette[2 * 3 + 1] = '\xff';  // red of entry 3: 0xff00
  CHECK(pixels(tiff(3, 1, 8, "\x03\x00"s, palette)) == Bytes{254, 0, 0, 0, 0, 0});
  expect_fault<DataError>("img.form", [&] { pixels(tiff(5, 4, 8, "abcdefgh")); });
  expect_fault<DataError>("img.form", [&] { pixels(tiff(1, 1, 32, "abcdefgh")); });
  expect_fault<DataError>("img.truncated", [&] {
    pixels(raw::tiff(Fields{{256, 2}, {257, 1}, {258, 8}, {262, 1}, {273, 5000}, {277, 1}}, "ab"));
  });
  CHECK(pixels("P5 # two pixels\n2 1\n255\nab", PixelForm::keep) == Bytes{'a', 'b'});
  CHECK(pixels("P5 1 1 65535 \x00\x81"s, PixelForm::keep) == Bytes{1});
  CHECK(pixels("P6\n1 1\n255\nabc") == Bytes{'a', 'b', 'c'});
  expect_fault<DataError>("img.form", [] { pixels("P5 1 1 100 a"); });
  expect_fault<DataError>("img.truncated", [] { pixels("P5 2 1 255 a"); });
  const std::string message =
      expect_fault<DataError>("img.form", [] { decode_image(fixture("cmyk.jpg"), "cmyk.jpg"); });
  CHECK(message.find("CMYK") != std::string::npos);
  CHECK(decode_image(fixture("progressive.jpg"), "p").width == 48);
}

TEST_CASE("img.truncated") {
  const std::string whole[] = {encode_jpeg(smooth(64, 64)), encode_png(noise(20, 20, 3)),
                               fixture("progressive.jpg")};
  for (const std::string& bytes : whole) {
    for (const size_t cut :
         {bytes.size() / 100 + 12, bytes.size() / 2, bytes.size() * 99 / 100, bytes.size() - 1}) {
      CAPTURE(cut);
      expect_fault<DataError>("img.truncated", [&] { decode_image(bytes.substr(0, cut), "t"); });
    }
    for (size_t cut = 0; cut < bytes.size(); ++cut)
      CHECK_THROWS_AS(decode_image(bytes.substr(0, cut), "t"), DataError);
  }
}

TEST_CASE("img.corrupt") {
  const std::string png = encode_png(noise(20, 20, 3));
  for (size_t i = 8; i < png.size(); ++i) {
    std::string bad = png;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    CHECK_THROWS_AS(decode_image(bad, "t"), DataError);
  }
  const std::string jpeg = encode_jpeg(noise(64, 64, 3), 90);
  int found = 0, tried = 0;
  for (size_t i = 700; i < jpeg.size() - 2; i += 7, ++tried) {
    std::string bad = jpeg;
    bad[i] = static_cast<char>(~bad[i]);
    try {
      decode_image(bad, "t");
    } catch (const DataError&) {
      ++found;
    }
  }
  // Some changes give another valid stream: JPEG has no checksum. Most lose the synchronisation.
  CHECK(found > tried / 2);
}

TEST_CASE("img.bomb") {
  const auto bomb = [](const std::string& bytes) {
    expect_fault<DataError>("img.bomb", [&] { decode_image(bytes, "t"); });
    expect_fault<DataError>("img.bomb", [&] { probe_image(bytes, "t"); });
  };
  bomb(raw::png(60'000, 60'000, 8, 2, std::string(50'000, '\0')));
  bomb(raw::png(0x7fffffff, 0x7fffffff, 16, 6, ""));
  bomb("P6 60000 60000 255 x");
  bomb("P6 99999999999999999999 60000 255 x");
  bomb("BM" + raw::little(0, 8) + raw::little(54, 4) + raw::little(40, 4) + raw::little(60'000, 4) +
       raw::little(60'000, 4) + raw::little(1, 2) + raw::little(24, 2) + std::string(24, '\0'));
  bomb(raw::tiff({{256, 60'000}, {257, 60'000}, {258, 8}, {262, 1}, {277, 1}, {278, 1}}, "abc"));
  bomb(raw::tiff({{256, 1}, {257, 0x80000000u}, {258, 8}, {262, 1}, {277, 1}, {278, 1}}, "abc"));
  // Within the limit, but more than the data can hold.
  expect_fault<DataError>("img.bomb", [] { pixels(raw::png(8000, 8000, 8, 2, "")); });
  expect_fault<DataError>("img.bomb", [] {
    pixels(raw::tiff({{256, 1}, {257, 60'000'000}, {258, 8}, {262, 1}, {277, 1}, {278, 1}}, "abc"));
  });
  std::string jpeg = encode_jpeg(smooth(16, 16));
  const size_t frame = jpeg.find("\xff\xc0");
  for (const size_t i : {frame + 5, frame + 7}) jpeg[i] = '\x1f';
  expect_fault<DataError>("img.bomb", [&] { pixels(jpeg); });
  for (const size_t i : {frame + 5, frame + 7}) jpeg[i] = '\xff';
  bomb(jpeg);
}

TEST_CASE("img.type") {
  const auto says = [](const std::string& bytes, const std::string& part) {
    const std::string message =
        expect_fault<DataError>("img.type", [&] { decode_image(bytes, "cell.jpg"); });
    CHECK_MESSAGE(message.find(part) != std::string::npos, message);
  };
  says("", "an empty file");
  says("GIF89a...", "a GIF image");
  says("  <!DOCTYPE HTML><html>", "an HTML page");
  says("hello, world\n", "file is text");
  says("RIFF\x10\x20\x30\x40WEBP", "a WebP image");
  says("\x00\x01\x02\x03\x04\x05\x06\x07"s, "unknown type");
  says("P3 1 1 255 1 2 3", "PNM image in a variant");
}

TEST_CASE("labels of up to 16 bits come back unchanged") {
  TempFolder folder;
  LabelImage labels(3, 5);
  for (size_t i = 0; i < labels.labels.size(); ++i)
    labels.labels[i] = static_cast<uint32_t>(i * 4681);
  labels.labels[0] = 65535;
  write_label_png(folder / "l.png", labels);
  CHECK(read_label_png(folder / "l.png") == labels);
  labels.labels[0] = 65536;
  CHECK_THROWS_AS(encode_label_png(labels), ValueError);
  CHECK(decode_label_png(raw::png(8, 1, 1, 0, "\0\xA1"s), "t").labels ==
        std::vector<uint32_t>{1, 0, 1, 0, 0, 0, 0, 1});
  const std::string palette = raw::png_chunk("PLTE", "\x01\x02\x03\xf0\xf1\xf2");
  CHECK(decode_label_png(raw::png(2, 1, 8, 3, "\0\1\0"s, palette), "t").labels ==
        std::vector<uint32_t>{1, 0});
  expect_fault<DataError>("img.form", [] { decode_label_png(encode_png(Image(1, 1, 3)), "t"); });
  expect_fault<DataError>("img.type", [] { decode_label_png("x", "t"); });
}

TEST_CASE("labels above 16 bits become a 32-bit TIFF, never clipped") {
  TempFolder folder;
  LabelImage labels(7, 5);
  for (size_t i = 0; i < labels.labels.size(); ++i)
    labels.labels[i] = static_cast<uint32_t>(i * 1873);
  const std::string small = write_labels(folder / "l", labels);
  CHECK(small.ends_with("l.png"));
  CHECK(read_labels(small) == labels);
  labels.labels[3] = 65536;
  labels.labels[4] = 0xFFFFFFFF;
  const std::string wide = write_labels(folder / "l", labels);
  CHECK(wide.ends_with("l.tif"));
  CHECK(read_labels(wide) == labels);
  CHECK(python_agrees(wide, R"(
import sys
from PIL import Image
image = Image.open(sys.argv[1])
assert image.size == (5, 7)
values = [v & 0xffffffff for v in image.getdata()]
assert values == [i * 1873 if i not in (3, 4) else (65536, 0xffffffff)[i - 3] for i in range(35)], values
)"));
  const std::string bytes = encode_label_tiff(labels);
  // The last four bytes say that no page follows; libtiff does without them.
  for (size_t size = 0; size < bytes.size() - 4; ++size)
    CHECK_THROWS_AS(decode_label_tiff(bytes.substr(0, size), "t"), DataError);
  // Pictures are no labels, and numbers of 32 bits are no picture.
  expect_fault<DataError>("img.form", [&] { decode_image(bytes, "t"); });
  expect_fault<DataError>("img.type", [] { decode_label_tiff("x", "t"); });
  expect_fault<DataError>("img.bomb", [&] { decode_label_tiff(bytes, "t", 34); });
  CHECK_THROWS_AS(encode_label_tiff(LabelImage()), ValueError);
}

TEST_CASE("damaged images that crash other decoders") {
  const auto data = shared_data();
  if (!data) {
    MESSAGE("skipped: no shared data");
    return;
  }
  int files = 0;
  for (const auto& entry : fs::directory_iterator(*data / "images_malformed")) {
    CAPTURE(entry.path().string());
    CHECK(survives(read_file(entry.path().string())));
    ++files;
  }
  CHECK(files == 40);
}

TEST_CASE("every image of the shared sets reads") {
  const auto data = shared_data();
  if (!data) {
    MESSAGE("skipped: no shared data");
    return;
  }
  int good = 0, bad = 0;
  for (const char* set :
       {"segmentation_WBC", "BCCD_Dataset", "BCCD_WBC_masks", "PBC_dataset_normal_DIB"}) {
    int taken = 0;
    for (const auto& entry : fs::recursive_directory_iterator(*data / set)) {
      const std::string end = entry.path().extension().string();
      if ((end != ".jpg" && end != ".png" && end != ".bmp") || ++taken > 60) continue;
      try {
        const Image image = read_image(entry.path().string());
        CHECK(image.channels == 3);
        ++good;
      } catch (const DataError& e) {
        CHECK_MESSAGE(entry.path().filename() == ".DS_169665.jpg", e.what());
        ++bad;
      }
    }
  }
  CHECK(good > 200);
  CHECK(bad <= 1);
}
