#include "cytograd/multimodal/run.h"

#include <doctest/doctest.h>

#include <cmath>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "multimodal/fake_cells.h"

using namespace cytograd;
using namespace cytograd::test;
namespace fs = std::filesystem;

namespace {

const std::vector<std::string> kinds = {"monocyte", "neutrophil"};

template <class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a run is read back with both models, cells and map") {
  const TempFolder folder;
  RunConfig config = fake_config();
  config.training.rna.epochs = config.training.image.epochs = 1;
  TrainingData data;
  data.rna = fake_rna(kinds, 24);
  data.images = fake_images(kinds, 16);
  data.map = equal_map(kinds);
  data.map.pairs[1].weight = 0.5;
  data.images->labels[3] = -1;
  data.images->names[4] = "odd\xff name";
  const std::string path = folder / "run";
  train_in(path, config, data);
  const Run run = load_run(path + "/");
  CHECK(run.path == path);
  CHECK(run.seed == 3);
  CHECK(run.genes == data.rna->genes);
  CHECK(run.scale.deviation == data.rna->scale.deviation);
  CHECK(run.scale.high == 5);
  CHECK(run.rna_file == "rna.h5ad");
  CHECK(run.images_file == "cells.h5");
  REQUIRE(run.map.pairs.size() == 2);
  CHECK(run.map.pairs[1].weight == 0.5);
  REQUIRE(run.rna);
  REQUIRE(run.image);
  CHECK_FALSE(run.rna->training());
  CHECK(run.rna_cells.names == data.rna->names);
  CHECK(run.rna_cells.split == data.rna->split);
  CHECK(run.image_cells.labels == data.images->labels);
  CHECK(run.image_cells.names[4] == "odd\\xff name");
  CHECK(run.rna_quality.active_units >= 0);
  CHECK(std::isfinite(run.rna_quality.r2_mu));
  CHECK(std::isnan(run.rna_quality.cosine));
  CHECK(run.image_quality.psnr > 0);

  // The latents are those of the models that were read.
  const NoGrad no_grad;
  std::vector<int64_t> all;
  for (int64_t i = 0; i < 16; ++i) all.push_back(i);
  CHECK(run.image->encode(data.images->batch(all).h).mu.to_vector<float>() ==
        run.image_cells.mu.to_vector<float>());
  CHECK(run.image_cells.rows_of({"neutrophil"}) == std::vector<int64_t>{1, 5, 7, 9, 11, 13, 15});
  CHECK(run.image_cells.rows_of({"neutrophil", "monocyte"}).size() == 15);
  CHECK(contains(message_of([&] { run.image_cells.rows_of({"basophil"}); }),
                 "no class basophil; expected one of monocyte, neutrophil"));

  const Tensor z = run.image_cells.mu;
  const Tensor images = run.decode_images(z), genes = run.decode_genes(z);
  CHECK(images.shape() == Shape{16, 128, 128, 3});
  CHECK(images.dtype() == Dtype::float32);
  CHECK(genes.shape() == Shape{16, fake_genes});
  CHECK(genes.dtype() == Dtype::float64);
  const Tensor unit = run.rna->decode(z);
  CHECK(genes.data<double>()[7] ==
        doctest::Approx(run.scale.logarithm(unit.to_vector<double>()[7], 7)).epsilon(1e-12));
  CHECK(images.to_vector<float>()[1000] ==
        run.image->decode_image(run.image->decode_features(z)).to_vector<float>()[1000]);
  CHECK_THROWS_AS(run.decode_genes(Tensor::zeros({2, 49})), ShapeError);

  // Damaged and unfinished runs.
  const std::string latents = read_file(path + "/latents.safetensors");
  write_file_atomically(path + "/latents.safetensors", latents.substr(0, latents.size() / 2));
  CHECK(contains(message_of([&] { load_run(path); }), "latents.safetensors"));
  write_file_atomically(path + "/latents.safetensors", latents);
  write_file_atomically(path + "/cells.json", "{\"rna\": {}}");
  CHECK(contains(message_of([&] { load_run(path); }), "[run.checkpoint]"));
  fs::remove(path + "/DONE");
  CHECK(contains(message_of([&] { load_run(path); }), "the training has not finished"));
}

TEST_CASE("one side alone makes a run with one model") {
  const TempFolder folder;
  RunConfig config = fake_config();
  config.training.rna.epochs = config.training.image.epochs = 1;
  TrainingData rna, images;
  rna.rna = fake_rna(kinds, 24);
  images.images = fake_images(kinds, 16);
  train_in(folder / "rna", config, rna);
  images.images->detector = "weights_xxh3 aa";
  train_in(folder / "images", config, images);
  const Run a = load_run(folder / "rna"), b = load_run(folder / "images");
  CHECK(a.rna);
  CHECK_FALSE(a.image);
  CHECK(a.image_cells.names.empty());
  CHECK_FALSE(b.rna);
  CHECK(b.image);
  CHECK(b.genes.empty());
  CHECK(b.detector == "weights_xxh3 aa");
  CHECK_THROWS_AS(a.decode_images(Tensor::zeros({1, 50})), StateError);
  CHECK_THROWS_AS(b.decode_genes(Tensor::zeros({1, 50})), StateError);
}

TEST_CASE("folders that are no runs of this kind") {
  const TempFolder folder;
  CHECK(contains(message_of([&] { load_run(folder / "none"); }), "[run.missing]"));
  fs::create_directories(folder / "other");
  write_file_atomically(folder / "other/config.toml",
                        "# cytograd run configuration, format 1\n\n[data]\npaths = [\"a\"]\n");
  CHECK(contains(message_of([&] { load_run(folder / "other"); }), "[run.checkpoint]"));
}
