#include "cytograd/io/safetensors.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "expect_fault.h"
#include "python_agrees.h"
#include "support/temp_folder.h"

using namespace cytograd;

namespace {

std::string with_length(uint64_t length, const std::string& rest) {
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  return out + rest;
}

std::string file_of(const std::string& header, const std::string& data = "") {
  return with_length(header.size(), header + data);
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}

void expect(const std::string& id, const std::string& bytes, const std::string& part = "") {
  const std::string message =
      expect_fault<DataError>(id, [&] { decode_safetensors(bytes, "w.safetensors"); });
  CHECK_MESSAGE(message.find(part) != std::string::npos, message);
}

}  // namespace

TEST_CASE("safetensors come back as they were written") {
  TempFolder folder;
  const std::string path = folder / "w.safetensors";
  TensorMap tensors;
  tensors["conv.weight"] = Tensor::from(std::vector<float>{1, -2, 3.5f, 0, 1e-30f, 6}, {2, 3});
  tensors["a/ümlaut\n"] = Tensor::from(std::vector<int64_t>{-1, INT64_MAX});
  tensors["bytes"] = Tensor::from(std::vector<uint8_t>{7, 8, 255});
  tensors["half"] = Tensor::from(std::vector<float>{1.5f, -2}, {2}).to(Dtype::bfloat16);
  tensors["scalar"] = Tensor::scalar(0.1, Dtype::float64);
  tensors["empty"] = Tensor::empty({0, 4});
  tensors["turned"] = tensors["conv.weight"].as_strided({3, 2}, {1, 3}, 0);
  write_safetensors(path, tensors, {{"epoch", "12"}, {"classes", "[\"a\"]"}});
  const SafeTensors back = read_safetensors(path);
  CHECK(back.metadata ==
        std::map<std::string, std::string>{{"epoch", "12"}, {"classes", "[\"a\"]"}});
  CHECK(back.converted.empty());
  REQUIRE(back.tensors.size() == tensors.size());
  for (const auto& entry : tensors) {
    CAPTURE(entry.first);
    const Tensor& tensor = entry.second;
    const Tensor& found = back.tensors.at(entry.first);
    CHECK(found.dtype() == tensor.dtype());
    CHECK(found.shape() == tensor.shape());
    CHECK(found.to(Dtype::float64).to_vector<double>() ==
          tensor.to(Dtype::float64).to_vector<double>());
  }
  CHECK(python_agrees(path, R"(
import sys, torch, safetensors, safetensors.torch
t = safetensors.torch.load_file(sys.argv[1])
assert t["conv.weight"].tolist()[0] == [1, -2, 3.5] and t["turned"].shape == (3, 2)
assert t["a/ümlaut\n"].tolist() == [-1, 2**63 - 1] and t["bytes"].dtype == torch.uint8
assert t["half"].dtype == torch.bfloat16 and t["half"].tolist() == [1.5, -2]
assert t["scalar"].dtype == torch.float64 and t["scalar"].item() == 0.1 and t["empty"].shape == (0, 4)
assert safetensors.safe_open(sys.argv[1], "pt").metadata()["epoch"] == "12"
)"));
  const std::string bytes = read_file(path);
  write_safetensors(path, tensors, {{"epoch", "12"}, {"classes", "[\"a\"]"}});
  CHECK(read_file(path) == bytes);
  CHECK(list_safetensors(path).size() == tensors.size());
  CHECK_THROWS_AS(write_safetensors(path, {{"\xff", tensors["bytes"]}}), ValueError);
  CHECK_THROWS_AS(write_safetensors(path, {{"x", Tensor()}}), ValueError);
  CHECK_THROWS_AS(write_safetensors(path, {{"__metadata__", tensors["bytes"]}}), ValueError);
  CHECK(read_file(path) == bytes);
}

TEST_CASE("st.hash") {
  TempFolder folder;
  const std::string path = folder / "w.safetensors";
  write_safetensors(path, {{"w", Tensor::ones({16})}}, {{"step", "100"}});
  const std::string good = read_file(path);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    // Another name of the hash makes it a file by others, which have none.
    if (i - good.find("cytograd.xxh3_128") < 17) continue;
    CHECK_THROWS_AS(decode_safetensors(bad, "w"), DataError);
  }
  std::string bad = good;
  bad.back() = static_cast<char>(bad.back() ^ 1);
  expect("st.hash", bad);
  bad = good;
  bad[good.find("\"100\"") + 1] = '2';
  expect("st.hash", bad);
}

TEST_CASE("safetensors by others: converted types") {
  const SafeTensors t = decode_safetensors(
      file_of("{" + entry("h", "F16", "[3]", "[0,6]") + "," + entry("i", "I32", "[1]", "[6,10]") +
                  "," + entry("b", "BOOL", "[2]", "[10,12]") + "}   ",
              std::string("\x00\x3c\x01\x00\x00\xfc\xfe\xff\xff\xff\x00\x05", 12)),
      "t");
  CHECK(t.converted == std::vector<std::string>{"h", "i", "b"});
  const auto half = t.tensors.at("h").to_vector<float>();
  CHECK(half[0] == 1.0f);
  CHECK(half[1] == 0x1p-24f);
  CHECK(half[2] == -std::numeric_limits<float>::infinity());
  CHECK(t.tensors.at("i").to_vector<int64_t>() == std::vector<int64_t>{-2});
  CHECK(t.tensors.at("b").to_vector<uint8_t>() == std::vector<uint8_t>{0, 1});
  CHECK(decode_safetensors(file_of("{}"), "t").tensors.empty());
}

TEST_CASE("st.header") {
  const std::string good = "{" + entry("w", "U8", "[1]", "[0,1]") + "}";
  CHECK(decode_safetensors(file_of(good, "x"), "t").tensors.size() == 1);
  expect("st.header", "", "file of 0 bytes");
  expect("st.header", "1234567", "file of 7 bytes");
  expect("st.header", with_length(0, good + "x"), "length 0");
  expect("st.header", with_length(uint64_t{1} << 63, good + "x"), "at most 100000000");
  expect("st.header", with_length(~uint64_t{0}, good + "x"), "at most 100000000");
  expect("st.header", with_length(100'000'001, good), "at most 100000000");
  expect("st.header", with_length(good.size() + 2, good + "x"), "inside the file");
  expect("st.header", file_of(" " + good, "x"), "does not begin with {");
  expect("st.header", file_of("[1]"), "does not begin with {");
  expect("st.header", file_of("{\"a\xff\":1}"), "not valid JSON");
  expect(
      "st.header",
      file_of("{" + entry("w", "U8", "[1]", "[0,1]") + "," + entry("w", "U8", "[1]", "[0,1]") + "}",
              "x"),
      "appears twice");
  expect("st.header", file_of("{\"a\":" + std::string(200, '[') + std::string(200, ']') + "}"),
         "deeper than 64");
  expect("st.header", file_of("{\"__metadata__\":{\"a\":1}}"), "not a string");
  expect("st.header", file_of("{\"__metadata__\":[]}"), "not an object");
  expect("st.header", file_of("{\"w\":{\"dtype\":\"U8\"}}"), "tensor w");
  expect("st.header", file_of("{\"w\":5}"), "another form");
  expect("st.header", file_of("{" + entry("w", "F8_E4M3", "[1]", "[0,1]") + "}", "x"), "F8_E4M3");
  expect("st.header", file_of("{" + entry("w", "U8", "[-1]", "[0,1]") + "}", "x"), "-1");
  expect("st.header", file_of("{" + entry("w", "U8", "[1.0]", "[0,1]") + "}", "x"), "1.0");
  expect("st.header", file_of("{" + entry("w", "U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]") + "}", "x"),
         "up to 8");
  expect("st.header", file_of("{" + entry("w", "U8", "[1]", "[0]") + "}", "x"), "begin and end");
}

TEST_CASE("st.offsets") {
  const auto one = [](const std::string& shape, const std::string& offsets) {
    return "{" + entry("w", "F32", shape, offsets) + "}";
  };
  const std::string data(8, 'x');
  expect("st.offsets", file_of(one("[1]", "[4,8]"), data), "gap before");
  expect("st.offsets", file_of(one("[1]", "[0,4]"), data), "4 bytes after the last tensor");
  expect("st.offsets", file_of(one("[2]", "[8,0]"), data), "ends before it begins");
  expect("st.offsets", file_of(one("[3]", "[0,12]"), data), "tensor w");
  expect("st.offsets", file_of(one("[2]", "[0,18446744073709551615]"), data), "ends at byte");
  expect("st.offsets", file_of(one("[3]", "[0,8]"), data), "12 by shape");
  expect("st.offsets", file_of(one("[4611686018427387904,4]", "[0,0]"), data), "overflows");
  expect("st.offsets", file_of(one("[0,4611686018427387904,4]", "[0,0]"), data), "overflows");
  expect("st.offsets", file_of(one("[18446744073709551615]", "[0,8]"), data), "2^63");
  expect(
      "st.offsets",
      file_of("{" + entry("a", "U8", "[5]", "[0,5]") + "," + entry("b", "U8", "[5]", "[3,8]") + "}",
              data),
      "tensor b: overlap");
}
