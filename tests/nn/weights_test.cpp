#include "cytograd/io/weights.h"

#include <doctest/doctest.h>

#include <fstream>

#include "cytograd/io/file.h"
#include "cytograd/models/registry.h"
#include "support/temp_folder.h"

using namespace cytograd;

namespace {

std::string error_of(const std::string& path) {
  try {
    load_weights(path);
  } catch (const Error& error) {
    return error.fault().id;
  }
  return "";
}

}  // namespace

TEST_CASE("a saved model loads to the same bits") {
  const TempFolder folder;
  const std::string path = folder / "model.safetensors";
  const auto a = models::make_model("resnet18", {.classes = 5, .embedding = 8, .seed = 1});
  const auto b = models::make_model("resnet18", {.classes = 5, .embedding = 8, .seed = 2});
  const Tensor images = Tensor::full({2, 32, 32, 3}, 0.25);
  a->forward(images);  // moves the running statistics
  save_weights_of(*a, path, {{"epoch", "3"}});
  const nn::LoadReport report = load_weights_into(*b, path);
  CHECK(report.missing.empty());
  CHECK(report.converted.empty());
  a->eval();
  b->eval();
  const NoGrad no_grad;
  CHECK(a->forward(images).to_vector<float>() == b->forward(images).to_vector<float>());
  const Weights weights = load_weights(path);
  CHECK(weights.format == "safetensors");
  CHECK(weights.metadata.at("epoch") == "3");
  CHECK(weights.tensors.at("conv1.weight").shape() == Shape{64, 3, 7, 7});
  CHECK(weights.tensors.size() == a->state_dict().size());

  const auto other = models::make_model("resnet18", {.classes = 6, .embedding = 8});
  CHECK_THROWS_AS(load_weights_into(*other, path), DataError);
}

TEST_CASE("what is no weight file is named") {
  const TempFolder folder;
  std::ofstream(folder / "text") << "hello, world: some text";
  std::ofstream(folder / "empty");
  std::ofstream(folder / "zip") << "PK\x03\x04 not really an archive";
  std::ofstream(folder / "pickle") << "\x80\x02}q.";
  CHECK(error_of(folder / "text") == "st.header");
  CHECK(error_of(folder / "empty") == "st.header");
  CHECK(error_of(folder / "zip") == "pt.opcode");
  CHECK(error_of(folder / "pickle") == "pt.opcode");
  CHECK(error_of(folder / "absent") == "file.missing");
  CHECK(error_of(folder.path().string()) == "file.kind");
}
