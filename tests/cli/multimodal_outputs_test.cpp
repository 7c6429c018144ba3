#include <algorithm>
#include <cmath>
#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "cli/multimodal_world.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/image.h"
#include "cytograd/io/safetensors.h"
#include "cytograd/io/single_cells.h"

using namespace cytograd;
using test::cyto;
using test::Words;
using test::World;
namespace fs = std::filesystem;

namespace {

using Json = nlohmann::json;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void succeeds(const Words& words) {
  const auto result = cyto(words);
  REQUIRE_MESSAGE(result.exit == 0, result.err);
}

void fails(const Words& words, int exit, const std::string& text) {
  const auto result = cyto(words);
  CAPTURE(result.err);
  CHECK(result.exit == exit);
  CHECK(contains(result.err, text));
}

// Latents of a file are those of the run.
void check_latents(const World& world, const std::string& run, const std::string& side,
                   const SingleCells& cells) {
  const auto wanted = read_safetensors(world.folder / (run + "/latents.safetensors"))
                          .tensors.at(side + ".mu")
                          .to_vector<float>();
  REQUIRE(cells.obsm.contains("X_cyto_mu"));
  const DenseMatrix& mu = cells.obsm.at("X_cyto_mu");
  CHECK(mu.columns == 50);
  REQUIRE(mu.values.size() == wanted.size());
  double most = 0;
  for (size_t i = 0; i < wanted.size(); ++i)
    most = std::max(most, std::abs(static_cast<double>(mu.values[i]) - wanted[i]));
  CHECK(most <= 1e-4);  // other batches, in float32
}

void check_embedded(const World& world) {
  const std::string rna = world.folder / "z.h5ad", images = world.folder / "u.h5ad";
  succeeds({"multimodal", "embed", "--run", world.folder / "run", "--rna",
            world.folder / "rna.h5ad", "-o", rna});
  const SingleCells of_rna = read_single_cells(rna);
  check_latents(world, "run", "rna", of_rna);
  CHECK_FALSE(of_rna.obsm.contains("X_cyto_umap"));
  CHECK(of_rna.x.columns == 60);  // the rest is copied
  CHECK(contains(read_file(rna), "multimodal VAE, RNA"));

  succeeds({"multimodal", "embed", "--run", world.folder / "run", "--images",
            world.folder / "cells.h5", "--image-labels", world.folder / "labels.csv", "--umap",
            "-o", images});
  const SingleCells of_images = read_single_cells(images);
  check_latents(world, "run", "image", of_images);
  const DenseMatrix& map = of_images.obsm.at("X_cyto_umap");
  CHECK(map.rows == 60);
  CHECK(map.columns == 2);
  CHECK(
      std::all_of(map.values.begin(), map.values.end(), [](float v) { return std::isfinite(v); }));
  REQUIRE(of_images.obs.columns.size() == 1);
  const auto& type = std::get<Categorical>(of_images.obs.columns[0].second);
  CHECK(type.categories.size() == 3);
  CHECK(type.categories[static_cast<size_t>(type.codes[0])] == test::kinds[0]);
  for (const char* text : {"multimodal VAE, image", "cyto_run", "cyto_seed"})
    CHECK_MESSAGE(contains(read_file(images), text), text);
}

Json path(const World& world, const std::string& to, const Words& more) {
  Words words = {"multimodal", "trajectory", "--run",          world.folder / "run",
                 "--points",   "12",         "--samples",      "8",
                 "--force",    "-o",         world.folder / to};
  words.insert(words.end(), more.begin(), more.end());
  succeeds(words);
  return Json::parse(world.file(to, "trajectory.json"));
}

// The straight path is a line without variance at its ends, which the other kind has too.
void check_lines(const CsvTable& line, const CsvTable& curve) {
  const size_t last = line.rows() - 1;
  for (const std::string k : {"1", "25", "50"}) {
    const size_t z = line.column("z" + k);
    const double from = line.number(0, z), to = line.number(last, z);
    for (size_t row = 0; row <= last; ++row) {
      const double t = line.number(row, line.column("t"));
      CHECK(line.number(row, z) == doctest::Approx((1 - t) * from + t * to).epsilon(1e-4));
    }
    CHECK(curve.number(0, z) == doctest::Approx(from).epsilon(1e-4));
    CHECK(curve.number(last, z) == doctest::Approx(to).epsilon(1e-4));
    for (const size_t end : {size_t{0}, last})
      CHECK(std::abs(line.number(end, line.column("sd" + k))) < 1e-3);
  }
}

void check_paths(const World& world) {
  const Json curve = path(world, "curve",
                          {"--from", "myelocyte", "--to", "segmented", "--kind", "two-point",
                           "--clusters", "auto", "--no-drivers"});
  CHECK(curve["kind"] == "two-point");
  CHECK_FALSE(curve.contains("optimizer"));
  CHECK(curve["clusters"].size() >= 2);
  CHECK(curve["clusters"].size() <= 6);
  CHECK_FALSE(world.has("curve", "drivers.csv"));
  const Json line = path(
      world, "line",
      {"--from", "myelocyte", "--to", "segmented", "--kind", "straight", "--permutations", "20"});
  CHECK(line["kind"] == "straight");
  check_lines(read_csv(world.folder / "line/path.csv"), read_csv(world.folder / "curve/path.csv"));

  const Words stations = {"--through", "myelocyte,band,segmented"};
  const auto with = [&](const Words& more) {
    Words all = stations;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const Json thin =
      path(world, "thin", with({"--thin", "published", "--gp-opt", "adam", "--no-drivers"}));
  CHECK(thin["optimizer"] == "adam");
  const auto steps = thin["steps"].get<size_t>();
  CHECK(steps >= 2);
  CHECK(steps <= 12);
  CHECK(read_csv(world.folder / "thin/support.csv").rows() == steps);
  CHECK(fs::exists(world.folder / "thin/frames/000.png"));
  const Image figure = read_image(world.folder / "thin/figure.png");
  CHECK(figure.width > 400);
  const Image strip = read_image(world.folder / "thin/frames.png");
  CHECK(strip.width > 5 * strip.height);

  Words asked = {"multimodal", "trajectory", "--run", world.folder / "run",    "--clusters",
                 "61",         "--force",    "-o",    world.folder / "refused"};
  asked.insert(asked.end(), stations.begin(), stations.end());
  fails(asked, 2, "/run: clusters: k expects at most ");
  fails(asked, 2, ", the genes that are not flat along the path, got 61");
}

void check_report(const World& world) {
  const std::string page = world.folder / "report.html";
  Words words = {"multimodal", "report", "--run", world.folder / "run", "-o", page, "--json"};
  Words drawn = words;
  drawn.insert(drawn.end(), {"--path", world.folder / "line"});
  const auto result = cyto(drawn);
  REQUIRE_MESSAGE(result.exit == 0, result.err);
  const Json json = Json::parse(result.out);
  REQUIRE(json["classes"].size() == 2);
  CHECK(json["classes"][0]["name"] == "myelocyte");
  CHECK(json["classes"][0]["image"] == 20);
  CHECK(json["classes"][1]["image"] == 40);
  for (const char* key : {"mean_distance", "mmd", "mixing", "transfer", "chance"})
    CHECK_MESSAGE(json["classes"][1][key].is_number(), key);
  CHECK(json["rna"]["active_units"].is_number());
  const std::string html = read_file(page);
  for (const char* part : {"<h2>Reconstruction</h2>", "<h2>Alignment</h2>", "<h2>Latents of images",
                           "masked PSNR", "label transfer", "neutrophil", "</html>"})
    CHECK_MESSAGE(contains(html, part), part);
  const auto map = [&](const std::string& name) {
    return read_file(world.folder / ("report-" + name + ".svg"));
  };
  for (const char* name : {"images", "joint"}) {
    CHECK(contains(map(name), "<svg"));
    CHECK(contains(map(name), ">line<"));  // the path
  }
  CHECK(contains(map("images"), ">segmented<"));
  CHECK(contains(map("joint"), ">neutrophil<"));

  words.insert(words.end(), {"--force", "--omit", "segmented"});
  succeeds(words);
  CHECK_FALSE(contains(map("images"), ">segmented<"));
  CHECK(contains(map("images"), ">band<"));
  words.back() = "blast";
  words.erase(std::find(words.begin(), words.end(), "--json"));
  fails(words, 3, "--omit: blast; expected one of ");
}

}  // namespace

TEST_CASE("cyto multimodal: what embed, trajectory and report write") {
  const World world;
  succeeds(world.train("run"));
  check_embedded(world);
  check_paths(world);
  check_report(world);
}

TEST_CASE("cyto multimodal train: RNA alone, with the genes that the file marks") {
  const World world;
  const SingleCells cells = read_single_cells(world.folder / "rna.h5ad");
  AnnData marked{cells.x, cells.obs, cells.var, {}, {}, {}};
  std::vector<bool> flags(60, false);
  std::vector<std::string> names;
  for (size_t g = 1; g < 60; g += 3) {
    flags[g] = true;
    names.push_back(cells.var.names[g]);
  }
  marked.var.columns.emplace_back("highly_variable", flags);
  const std::string file = world.folder / "marked.h5ad", run = world.folder / "run";
  write_h5ad(file, marked);
  Words words = {"multimodal",   "train", "--rna",       file, "--hvg", "from-var",
                 "--rna-epochs", "2",     "--rna-batch", "32", "-o",    run};
  succeeds(words);
  const SafeTensors model = read_safetensors(run + "/rna.safetensors");
  CHECK(Json::parse(model.metadata.at("cytograd.genes")) == Json(names));
  CHECK(contains(world.file("run", "config.toml"), "hvg = 'from-var'"));
  // Cells that are brought to the run's genes and scale are the cells it was trained on.
  succeeds({"multimodal", "embed", "--run", run, "--rna", file, "-o", world.folder / "z.h5ad"});
  check_latents(world, "run", "rna", read_single_cells(world.folder / "z.h5ad"));

  const std::string no_images = "run: the run has no image VAE; expected a run on images and RNA";
  fails(world.path("run", "path"), 2, no_images);
  fails({"multimodal", "report", "--run", run, "-o", world.folder / "page.html"}, 2, no_images);
  words[3] = world.folder / "rna.h5ad";
  words.back() = world.folder / "unmarked";
  fails(words, 3, "rna.h5ad: var/highly_variable: no gene is marked");
}
