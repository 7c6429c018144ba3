#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "support/program.h"

using namespace cytograd;
using nlohmann::json;
using test::cyto;

namespace {

json model_json(std::vector<std::string> options) {
  options.insert(options.begin(), {"bench", "model", "--json", "--repeats", "2"});
  const auto result = cyto(options);
  CAPTURE(result.err);
  REQUIRE(result.exit == 0);
  return json::parse(result.out);
}

}  // namespace

TEST_CASE("bench model: JSON of a training step and of inference") {
  for (const std::string mode : {"train", "infer"}) {
    const json j = model_json({"--model", "resnet18", "--mode", mode, "--batch", "2", "--size",
                               "32", "--in-channels", "1", "--classes", "5", "--threads", "1"});
    CHECK(j["mode"] == mode);
    CHECK(j["compiled"] == (mode == "infer"));
    CHECK(j["threads"] == 1);
    CHECK(j["isa"].is_string());
    CHECK(j["median_ms"] >= j["best_ms"]);
    CHECK(j["images_per_second"].get<double>() * j["median_ms"].get<double>() ==
          doctest::Approx(2000).epsilon(0.01));
    // The weights alone are 44.7 MB.
    CHECK(j["tensor_peak_mb"] > 44.0);
    CHECK(j["peak_memory_mb"] > j["tensor_peak_mb"]);
  }
}

TEST_CASE("bench model: autoencoders have inputs of their own") {
  for (const std::string mode : {"train", "infer"}) {
    const json j = model_json({"--model", "rna-vae", "--mode", mode, "--batch", "2"});
    CHECK(j["images_per_second"] > 0.0);
    CHECK_FALSE(j.contains("size"));
    CHECK(j["compiled"] == false);
  }
}

TEST_CASE("bench model: a table for people") {
  const auto result =
      cyto({"bench", "model", "--model", "resnet18", "--batch", "1", "--size", "32"});
  CHECK(result.exit == 0);
  CHECK(result.out.find("images/s") != std::string::npos);
}

TEST_CASE("bench: bad options end with 2 and say what is allowed") {
  const auto error = [](std::vector<std::string> options) {
    options.insert(options.begin(), "bench");
    const auto result = cyto(options);
    CHECK(result.exit == 2);
    CHECK(result.out.empty());
    return result.err;
  };
  error({});
  error({"model"});
  error({"model", "--model", "resnet18", "--batch", "0"});
  error({"model", "--model", "resnet18", "--repeats", "many"});
  error({"model", "--model", "resnet18", "--threads", "0"});
  const auto says = [](const std::string& text, const char* part) {
    CAPTURE(text);
    CHECK(text.find(part) != std::string::npos);
  };
  says(error({"model", "--model", "resnet19"}), "resnet18");
  says(error({"model", "--model", "resnet18", "--mode", "predict"}), "{train,infer}");
  says(error({"model", "--model", "resnet18", "--bach", "3"}), "did you mean --batch?");
  says(error({"model", "--model", "rna-vae", "--size", "64"}), "fixed");
  says(error({"ops", "--filter", "no such"}), "--list");
}

TEST_CASE("bench ops: names, sizes and rates") {
  const auto listed = cyto({"bench", "ops", "--list", "--json"});
  REQUIRE(listed.exit == 0);
  const json all = json::parse(listed.out)["ops"];
  for (const char* family :
       {"conv2d/res2_3x3/forward", "conv2d/dense1_3x3/backward_weight", "gemm/square_2048",
        "batch_norm/res2/backward", "max_pool2d/stem_3x3s2/forward", "softmax/imagenet/forward",
        "cross_entropy/imagenet/backward", "adam/resnet50"}) {
    CAPTURE(family);
    CHECK(std::any_of(all.begin(), all.end(),
                      [&](const json& row) { return row["name"] == family; }));
  }
  const auto result =
      cyto({"bench", "ops", "--filter", "conv2d/dense4_3x3/*ward", "--json", "--repeats", "1"});
  REQUIRE(result.exit == 0);
  const json j = json::parse(result.out);
  CHECK(j["peak_gflops"] > 0.0);
  CHECK(j["copy_gigabytes_per_second"] > 0.0);
  REQUIRE(j["ops"].size() == 3);
  for (const json& row : j["ops"]) {
    CHECK(row["sizes"]["c_out"] == 32);
    CHECK(row["flop"] == 2.0 * 8 * 7 * 7 * 32 * 9 * 128);
    CHECK(row["gflops"].get<double>() * row["ms"].get<double>() ==
          doctest::Approx(1e-6 * row["flop"].get<double>()).epsilon(0.01));
    CHECK(row["share_of_peak"] > 0.0);
    CHECK(row["gigabytes_per_second"] > 0.0);
  }
  // Where bytes rule there is no count of operations.
  const auto bytes =
      cyto({"bench", "ops", "--filter", "softmax/regions/f", "--json", "--repeats", "1"});
  CHECK(json::parse(bytes.out)["ops"][0]["gflops"].is_null());
}
