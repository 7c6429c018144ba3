#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cytograd/io/file.h"
#include "io/python_agrees.h"
#include "lab.h"

using namespace cytograd;
using test::cyto;
using test::Lab;
using test::Words;
namespace fs = std::filesystem;

TEST_CASE("train, eval, predict, embed and report") {
  const Lab lab;
  const auto trained = cyto(lab.train("a", {"--epochs", "6", "--augment", "none", "--json"}));
  REQUIRE_MESSAGE(trained.exit == 0, trained.err);
  for (const char* name : {"config.toml", "splits.csv", "samples.csv", "environment.json",
                           "metrics.csv", "metrics.jsonl", "DONE", "report/index.html",
                           "report/predictions.csv", "checkpoints/last", "checkpoints/best"})
    CHECK_MESSAGE(fs::exists(lab.folder / (std::string("a/") + name)), name);
  CHECK(fs::is_symlink(lab.folder / "a/checkpoints/last"));
  CHECK(!fs::exists(lab.folder / "a/run.lock"));

  const auto evaluated = cyto({"eval", "--run", lab.folder / "a", "--json"});
  REQUIRE_MESSAGE(evaluated.exit == 0, evaluated.err);
  CHECK(evaluated.out == trained.out);
  const auto scores = nlohmann::json::parse(evaluated.out);
  CHECK(scores["split"] == "test");
  CHECK(scores["n"] == 7);
  CHECK(scores["confusion"].size() == 3);
  // The same images elsewhere, all of them.
  fs::copy(lab.data, lab.folder / "copy", fs::copy_options::recursive);
  const auto all = cyto({"eval", "--run", lab.folder / "a", "--data", lab.folder / "copy",
                         "--split", "all", "--json"});
  CHECK(nlohmann::json::parse(all.out)["n"] == 36);

  const auto predicted =
      cyto({"predict", "--run", lab.folder / "a", "--json", lab.data + "/tiny/0.png"});
  const auto rows = nlohmann::json::parse(predicted.out);
  REQUIRE(rows.size() == 1);
  double sum = 0;
  for (const auto& [name, p] : rows[0]["probabilities"].items()) sum += p.get<double>();
  CHECK(sum == doctest::Approx(1));

  CHECK(
      cyto({"weights", "inspect", lab.folder / "a/checkpoints/best", "--model", "resnet20"}).exit ==
      0);
  const std::string scores_file = lab.folder / "scores.json";
  CHECK(cyto({"eval", "--run", lab.folder / "a", "-o", scores_file}).exit == 0);
  CHECK(cyto({"eval", "--run", lab.folder / "a", "-o", scores_file}).exit == 4);
  CHECK(cyto({"eval", "--run", lab.folder / "a", "-o", scores_file, "--force"}).exit == 0);
  CHECK(cyto({"embed", "--run", lab.folder / "a"}).exit == 0);
  CHECK(cyto({"embed", "--run", lab.folder / "a"}).exit == 4);
  CHECK(python_agrees(lab.folder / "a/embeddings.h5ad", R"(
import sys, csv, os, warnings
warnings.simplefilter("error")
import anndata, numpy as np
a = anndata.read_h5ad(sys.argv[1])
with open(os.path.splitext(sys.argv[1])[0] + ".csv", newline="") as table:
    rows = list(csv.DictReader(table))
assert a.shape == (36, 0) and a.obsm["X_cyto_embedding"].shape == (36, 64)
assert list(a.obs_names) == [r["sample"] for r in rows]
e = np.array([[float(r["e%d" % k]) for k in range(64)] for r in rows], dtype=np.float32)
assert (a.obsm["X_cyto_embedding"] == e).all()
p = a.obsm["X_cyto_probabilities"]
assert np.allclose(p.sum(1), 1, atol=1e-6)
names = list(a.obs["class"].cat.categories)
assert names == ["large", "small", "tiny"]
assert list(a.obs.cyto_class) == [names[k] for k in p.argmax(1)] == [r["predicted"] for r in rows]
assert list(a.obs["class"]) == [r["class"] for r in rows] and set(a.obs.domain) == {"data"}
assert a.uns["cyto_model"] == "resnet20"
)"));
  CHECK(lab.file("a", "embeddings.csv").find(",e63") != std::string::npos);
  const std::string page = lab.file("a", "report/index.html");
  CHECK(page.find("http") == std::string::npos);  // self-contained
  CHECK(page.find("<script") == std::string::npos);
  CHECK(page.find("training images") != std::string::npos);
  fs::remove(lab.folder / "copy/tiny/0.png");
  CHECK(cyto({"report", "--run", lab.folder / "a", "--data", lab.folder / "copy"}).exit == 0);
  const std::string other = lab.file("a", "report/index.html");
  CHECK(other.find("training images") == std::string::npos);
  CHECK(other.find("<th>all</th>") != std::string::npos);  // not "train"
}

TEST_CASE("samples outside the split are counted, patience needs a validation part") {
  const Lab lab;
  const std::string splits = lab.folder / "splits.csv";
  std::string text = "sample,fold,role,group,class\n";
  for (const char* name : {"large", "small", "tiny"})
    for (int i = 0; i < 10; ++i)
      text += std::string(name) + "/" + std::to_string(i) + ".png,0," + (i < 7 ? "train" : "test") +
              ",," + name + "\n";
  write_file_atomically(splits, text);
  const auto partial = cyto(lab.train("p", {"--splits", splits, "--dry-run"}));
  CHECK_MESSAGE(partial.exit == 0, partial.err);
  CHECK(partial.err.find("6 of 36 samples are in no part of the split") != std::string::npos);
  const auto patient = cyto(lab.train("p", {"--splits", splits, "--patience", "2"}));
  CHECK(patient.exit == 2);
  CHECK(patient.err.find("without a validation part") != std::string::npos);
}

TEST_CASE("threads and locale: the same bytes") {
  const Lab lab;
  REQUIRE(cyto(lab.train("a", {"--threads", "1"})).exit == 0);
  for (const char* threads : {"2", "7"}) {
    REQUIRE(cyto(lab.train("b", {"--threads", threads, "--force"}), {"LC_ALL=tr_TR.UTF-8"}).exit ==
            0);
    CHECK(lab.last("a") == lab.last("b"));
    CHECK(lab.file("a", "metrics.csv") == lab.file("b", "metrics.csv"));
  }
  REQUIRE(cyto(lab.train("b", {"--force"}), {"LC_ALL=de_DE.UTF-8"}).exit == 0);
  CHECK(lab.file("a", "metrics.csv") == lab.file("b", "metrics.csv"));
  // The written configuration repeats the run.
  const auto again =
      cyto({"train", "--config", lab.folder / "a/config.toml", "--output", lab.folder / "c"});
  REQUIRE_MESSAGE(again.exit == 0, again.err);
  CHECK(lab.last("a") == lab.last("c"));
}

TEST_CASE("lock: one process per run folder") {
  const Lab lab;
  test::Program first(lab.train("a", {"--epochs", "40"}), lab.folder.path().string());
  test::wait_for_epoch(lab.folder / "a");
  for (const Words& words :
       {lab.train("a", {"--force"}), Words{"train", "--resume", lab.folder / "a"}}) {
    const auto second = cyto(words);
    CHECK(second.exit == 4);
    CHECK(second.err.find("[lock]") != std::string::npos);
  }
  first.send(SIGKILL);
  first.wait();
  const auto taken = cyto(lab.train("a", {"--force", "--epochs", "1"}));
  CHECK_MESSAGE(taken.exit == 0, taken.err);
}

TEST_CASE("nan: training stops at the step that diverged") {
  const Lab lab;
  const auto result = cyto(lab.train("a", {"--lr", "1e12", "--optimizer", "sgd"}));
  CHECK(result.exit == 6);
  for (const char* word : {"loss ce", "lr ", "gradient norm", "not finite in", "samples", "[nan]"})
    CHECK_MESSAGE(result.err.find(word) != std::string::npos, word);
  CHECK(fs::exists(lab.folder / "a/diverged.safetensors"));
  CHECK(fs::exists(lab.folder / "a/checkpoints/last"));
}

TEST_CASE("existing results stay without --force, foreign folders always") {
  const Lab lab;
  REQUIRE(cyto(lab.train("a", {"--epochs", "1"})).exit == 0);
  const std::string before = lab.last("a");
  CHECK(cyto(lab.train("a", {"--epochs", "1"})).exit == 4);
  // --force replaces nothing when the new run cannot start.
  fs::rename(lab.data, lab.folder / "gone");
  CHECK(cyto(lab.train("a", {"--force"})).exit == 4);
  fs::rename(lab.folder / "gone", lab.data);
  CHECK(lab.last("a") == before);
  fs::create_directory(lab.folder / "foreign");
  write_file_atomically(lab.folder / "foreign/thesis.txt", "words");
  const auto refused = cyto(lab.train("foreign", {"--force"}));
  CHECK(refused.exit == 4);
  CHECK(refused.err.find("run.foreign") != std::string::npos);
  CHECK(lab.file("foreign", "thesis.txt") == "words");
  // A failed start leaves nothing behind.
  CHECK(cyto({"train", "--data", "/nowhere", "--output", lab.folder / "new"}).exit == 4);
  CHECK(!fs::exists(lab.folder / "new"));
}

TEST_CASE("a damaged checkpoint is named with the one before it") {
  const Lab lab;
  REQUIRE(cyto(lab.train("a", {"--epochs", "3"})).exit == 0);
  fs::remove(lab.folder / "a/DONE");
  std::string bytes = lab.last("a");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  const std::string good = bytes;
  write_file_atomically(fs::canonical(lab.folder / "a/checkpoints/last").string(), bytes);
  const auto refused = cyto({"train", "--resume", lab.folder / "a"});
  CHECK(refused.exit == 3);
  CHECK(refused.err.find("the newest good checkpoint is") != std::string::npos);
  const auto resumed = cyto({"train", "--resume", "auto", "--output", lab.folder / "a"});
  CHECK_MESSAGE(resumed.exit == 0, resumed.err);
  CHECK(resumed.err.find("going on from") != std::string::npos);
}

TEST_CASE("change: a resumed run refuses other data and other settings") {
  const Lab lab;
  REQUIRE(cyto(lab.train("a", {"--epochs", "2"})).exit == 0);
  fs::remove(lab.folder / "a/DONE");
  const auto settings = cyto({"train", "--resume", lab.folder / "a", "--lr", "0.5"});
  CHECK(settings.exit == 2);
  CHECK(settings.err.find("optimizer.lr") != std::string::npos);
  fs::copy_file(lab.data + "/tiny/0.png", lab.data + "/tiny/1.png",
                fs::copy_options::overwrite_existing);
  CHECK(cyto({"train", "--resume", lab.folder / "a"}).exit == 3);
}

TEST_CASE("paths: odd bytes in folders, classes and the run") {
  const Lab lab;
  const std::string data = lab.folder / "da ta\xff'\"<b>";
  test::write_discs(data, {"<script>", "a,b\"c"}, 8);
  const std::string run = lab.folder / "r u n\xfe";
  const auto trained =
      cyto({"train", "--data", data, "--output", run, "--image-size", "16", "--epochs", "1"});
  REQUIRE_MESSAGE(trained.exit == 0, trained.err);
  const auto evaluated = cyto({"eval", "--run", run, "--json"});
  REQUIRE_MESSAGE(evaluated.exit == 0, evaluated.err);
  CHECK(nlohmann::json::parse(evaluated.out)["classes"][0] == "<script>");
  CHECK(read_file(run + "/report/index.html").find("<script>") == std::string::npos);
}

TEST_CASE("readonly: output faults come before any work") {
  const Lab lab;
  CHECK(cyto(lab.train("data/large/0.png")).exit == 4);
  CHECK(cyto({"train", "--data", lab.data, "--output", "/proc/cyto"}).exit == 4);
  if (geteuid() == 0) {
    MESSAGE("permissions do not bind root; skipped");
    return;
  }
  fs::permissions(lab.data, fs::perms::owner_read | fs::perms::owner_exec);
  CHECK(cyto(lab.train("a", {"--epochs", "1"}), {"HOME=", "TMPDIR=/nowhere"}).exit == 0);
  fs::permissions(lab.data, fs::perms::owner_all);
}
