#include <doctest/doctest.h>

#include "cytograd/io/file.h"
#include "support/program.h"
#include "support/temp_folder.h"

using namespace cytograd;
using test::cyto;

namespace {

using Words = std::vector<std::string>;

// Before any file is looked for.
void refuses(const char* command, Words given, const std::string& text) {
  Words words = {"multimodal", command};
  words.insert(words.end(), given.begin(), given.end());
  const auto result = cyto(words);
  CAPTURE(result.err);
  CHECK(result.exit == 2);
  CHECK(result.err.find(text) != std::string::npos);
}

const Words rna = {"--rna", "/no/cells.h5ad", "-o", "/no/run"};
const Words images = {"--images", "/no/cells.h5", "-o", "/no/run"};
const Words both = {"--rna", "/no/cells.h5ad", "--images", "/no/cells.h5", "-o", "/no/run"};

Words with(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace

TEST_CASE("cyto multimodal train: options that nothing would come of") {
  const auto fails = [](const Words& words, const std::string& text) {
    refuses("train", words, text);
  };
  fails(with(images, {"--group-column", "donor"}), "--group-column goes with --rna [cli]");
  fails(with(images, {"--hvg", "seurat", "--expr-state", "auto", "--lambda", "1"}),
        "--expr-state, --hvg and --lambda go with --rna");
  fails(with(images, {"--rna-epochs", "3"}), "--rna-epochs goes with --rna");
  fails(with(rna, {"--keep-empty"}), "--keep-empty goes with --images");
  fails(with(rna, {"--image-labels", "a.csv", "--gamma", "1"}),
        "--image-labels and --gamma go with --images");
  fails(with(rna, {"--map", "map.toml"}), "--map goes with --rna and --images");
  fails(with(rna, {"--delta", "2"}), "--delta goes with --rna and --images");
  fails(with(rna, {"--phi", "2"}), "--phi goes with --reference");
  fails(with(rna, {"--cosine-on", "mu"}), "--cosine-on goes with --reference");
  fails(with(both, {"--align", "mmd", "--align-kl", "sym"}),
        "--align-kl goes with --align moments or moments_unbiased, got --align mmd");
  fails(with(both, {"--mmd-cells", "20"}), "--mmd-cells goes with --align mmd");
  fails(with(both, {"--balanced-batches", "false", "--balanced-cells", "8"}),
        "--balanced-cells goes with --balanced-batches true, got false");
  fails(with(both, {"--preset", "maturation", "--balanced-cells", "8"}), "got false");
  fails(with(rna, {"--hvg", "from-var", "--n-top", "20"}),
        "--n-top goes with --hvg seurat or cell_ranger, got --hvg from-var");
  fails(with(rna, {"--hvg-exact", "--n-top", "0"}), "--hvg-exact goes with --n-top of 1 or more");
}

TEST_CASE("cyto multimodal train: --resume keeps what the run began with") {
  const auto fails = [](const Words& more, const std::string& text) {
    refuses("train", with({"--resume", "/no/run"}, more),
            text + " without --resume: the run keeps");
  };
  fails({"--preset", "joint"}, "--preset goes");
  fails({"--seed", "1", "--rna", "a.h5ad"}, "--rna and --seed go");
  for (const char* name : {"--images", "--image-labels", "--map", "--reference", "--expr-source",
                           "--n-top", "--label-column", "--rna-epochs", "--output"})
    fails({name, "1"}, std::string(name) + " goes");
  for (const char* name : {"--keep-empty", "--keep-undetected", "--hvg-exact", "--force"})
    fails({name}, std::string(name) + " goes");
  // What does not change results is taken.
  const auto taken = cyto({"multimodal", "train", "--resume", "/no/run", "--threads", "2", "--json",
                           "--device", "cpu", "--no-progress"});
  CHECK(taken.exit == 4);
  CHECK((taken.err + taken.out).find("run.missing") != std::string::npos);
}

TEST_CASE("cyto multimodal embed: options of the other side") {
  const Words to = {"--run", "/no/run", "-o", "/no/z.h5ad"};
  const auto fails = [&](const Words& more, const std::string& text) {
    refuses("embed", with(to, more), text);
  };
  fails({"--images", "/no/cells.h5", "--expr-source", "raw", "--label-column", "type"},
        "--expr-source and --label-column go with --rna");
  fails({"--rna", "/no/cells.h5ad", "--image-labels", "a.csv"},
        "--image-labels goes with --images");
  fails({"--rna", "/no/cells.h5ad", "--label-column", "type"},
        "--label-column goes with other files than .h5ad");
}
