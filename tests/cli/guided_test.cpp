#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "cytograd/io/csv.h"
#include "lab.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A lab with a guide for its three classes.
class GuidedLab : public Lab {
 public:
  GuidedLab() {
    write_file_atomically(folder / "guide.csv",
                          "class,x,y,lineage,stage\ntiny,0,0,disc,0\nsmall,0,2,disc,1\n"
                          "large,1,4,disc,2\nhuge,3,3,disc,3\n");
  }
  Words guided(const std::string& run, const std::string& method, const Words& more = {}) const {
    Words out = {"train",
                 "--data",
                 data,
                 "--output",
                 folder / run,
                 "--model",
                 "resnet20",
                 "--image-size",
                 "16",
                 "--batch",
                 "8",
                 "--epochs",
                 "5",
                 "--method",
                 method,
                 "--embedding",
                 "6",
                 "--guide",
                 folder / "guide.csv",
                 "--classifier",
                 "knn",
                 "--patience",
                 "0"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
};

}  // namespace

TEST_CASE("guided embeddings: train, eval, predict and embed") {
  const GuidedLab lab;
  const ProgramResult trained = cyto(lab.guided("a", "guide2d", {"--lr", "0.01", "--json"}));
  REQUIRE_MESSAGE(trained.exit == 0, trained.err);
  for (const char* name : {"classifier.safetensors", "reference.safetensors", "results.json",
                           "report/embeddings.csv", "guide.csv", "times.csv", "report/index.html"})
    CHECK_MESSAGE(lab.has("a", name), name);
  const auto results = nlohmann::json::parse(lab.file("a", "results.json"));
  CHECK(results["method"] == "guide2d");
  CHECK(results["n"] == 6);
  CHECK(results["posthoc"].contains("knn"));
  CHECK(has(results["chosen"].get<std::string>(), "knn"));
  CHECK(results["scores"]["f1_macro"] == results["f1_macro"]);
  CHECK(has(lab.file("a", "metrics.csv"), "loss_guide2d,loss_norm"));
  const CsvTable rows = read_csv(lab.folder / "a/report/embeddings.csv");
  CHECK(rows.rows() == 36);
  CHECK(rows.columns() == 4 + 6);

  const ProgramResult eval = cyto({"eval", "--run", lab.folder / "a", "--json"});
  CHECK(eval.exit == 0);
  CHECK(nlohmann::json::parse(eval.out)["f1_macro"] == results["f1_macro"]);
  const ProgramResult predict =
      cyto({"predict", "--run", lab.folder / "a", "--json", lab.data + "/large"});
  REQUIRE(predict.exit == 0);
  const auto cell = nlohmann::json::parse(predict.out)[0];
  CHECK(cell["agreement"].get<double>() >= 0);
  CHECK(cell["agreement"].get<double>() <= 1);
  CHECK(cell["anchor_distance"].get<double>() >= 0);
  CHECK(cell["maturity"].get<double>() >= 0);
  CHECK(cell["maturity"].get<double>() <= 2);
  CHECK(has(cyto({"predict", "--run", lab.folder / "a", lab.data + "/large"}).out, "maturity"));
  CHECK(has(cyto({"predict", "--run", lab.folder / "a", "--csv", lab.data + "/large"}).out,
            "agreement,anchor_distance,maturity,error"));
  CHECK(cyto({"embed", "--run", lab.folder / "a", "-o", lab.folder / "e.h5ad"}).exit == 0);
  CHECK(has(read_file(lab.folder / "e.csv"), ",e5"));
}

TEST_CASE("guided embeddings: every method trains, and a stopped run ends with the same bytes") {
  const GuidedLab lab;
  const std::pair<std::string, Words> methods[] = {
      {"ce", {"--growing"}},
      {"triplet", {"--growing", "--mining", "all_violating"}},
      {"center-triplet", {"--center-source", "epoch", "--norm-power", "2"}},
      {"distance", {"--adam-row-steps", "per_row", "--grow-init", "zero"}},
      {"guide-umap", {"--grow-factor", "2", "--add-loss", "triplet=0.1"}}};
  int i = 0;
  for (const auto& setting : methods) {
    const auto& [method, more] = setting;
    CAPTURE(setting.first);
    const std::string whole = "whole" + std::to_string(i), parts = "parts" + std::to_string(i++);
    const ProgramResult once = cyto(lab.guided(whole, method, more));
    REQUIRE_MESSAGE(once.exit == 0, once.err);
    Program stopped(lab.guided(parts, method, more), lab.folder.path().string());
    wait_for_epoch(lab.folder / parts);
    stopped.send(SIGTERM);
    const int exit = stopped.wait().exit;
    CHECK((exit == 143 || exit == 0));
    const ProgramResult resumed = cyto(lab.resume(parts));
    REQUIRE_MESSAGE(resumed.exit == 0, resumed.err);
    CHECK(lab.last(whole) == lab.last(parts));
    CHECK(lab.file(whole, "metrics.csv") == lab.file(parts, "metrics.csv"));
    CHECK(lab.file(whole, "report/embeddings.csv") == lab.file(parts, "report/embeddings.csv"));
  }
  // n = 2, 2, 2, 3, 4 of the growing ones, and no accuracy of a head that is not there.
  const CsvTable log = read_csv(lab.folder / "whole3/metrics.csv");
  CHECK(log.number(4, log.column("n")) == 4);
  CHECK(log.at(4, log.column("train_accuracy")) == "n/a");
  CHECK(log.at(0, log.column("loss_distance")) == "n/a");
  CHECK(log.at(4, log.column("loss_guide2d")) == "n/a");
  const CsvTable head = read_csv(lab.folder / "whole0/metrics.csv");
  CHECK(head.at(2, head.column("train_accuracy")) == "n/a");
  CHECK(head.at(3, head.column("train_accuracy")) != "n/a");
}

TEST_CASE("guided embeddings: settings and guides that do not fit are refused before any work") {
  const GuidedLab lab;
  const auto refused = [&](const Words& words, const std::string& part) {
    const ProgramResult result = cyto(words);
    CAPTURE(result.err);
    CHECK(result.exit == 2);
    CHECK(has(result.err, part));
  };
  refused(lab.guided("r", "distance", {"--weight-decay", "0.1"}), "growing embedding");
  refused(lab.guided("r", "guide2d", {"--growing"}), "method.growing with guide2d");
  refused(lab.guided("r", "guide2d", {"--embedding", "1"}), "--embedding of at least 2");
  refused(lab.guided("r", "guide2d", {"--guide", ""}), "without method.guide");
  refused(lab.guided("r", "triplet", {"--margin", "-1"}), "method.margin");
  refused(lab.guided("r", "triplet", {"--val-classifier", "head"}), "val_classifier");
  refused(lab.guided("r", "triplet", {"--add-loss", "guide3d=1"}), "method.add_loss");
  write_file_atomically(lab.folder / "lacks.csv", "class,x,y\nlarge,0,0\nhuge,1,1\n");
  refused(lab.guided("r", "guide2d", {"--guide", lab.folder / "lacks.csv"}),
          "no row for small, tiny");
  write_file_atomically(lab.folder / "line.csv", "class,x,y\nlarge,0,0\nsmall,1,0\ntiny,2,0\n");
  refused(lab.guided("r", "guide-umap", {"--guide", lab.folder / "line.csv"}), "the same y");
  // One image per step has no triplet in any epoch.
  refused(lab.guided("t", "triplet", {"--batch", "1"}), "no valid triplet");
}

TEST_CASE("crossval: a grid of cells and folds, resumed and summed up") {
  const GuidedLab lab;
  const std::string grid = lab.folder / "grid.toml", out = lab.folder / "cv";
  write_file_atomically(grid, "[data]\npath = \"" + lab.data +
                                  "\"\n[model]\nname = \"resnet20\"\nembedding = 4\n"
                                  "[input]\nimage_size = 16\n[train]\nepochs = 2\nbatch = 8\n"
                                  "patience = 0\n[split]\nfolds = 2\n[method]\nguide = \"" +
                                  (lab.folder / "guide.csv") +
                                  "\"\nclassifier = \"knn\"\n[[cells]]\nmethod = [\"guide2d\", "
                                  "\"ce\"]\nembedding = [2, 4]\n");
  const Words words = {"crossval", "--config", grid, "-o", out};
  Words dry = words;
  dry.push_back("--dry-run");
  const ProgramResult plan = cyto(dry);
  REQUIRE_MESSAGE(plan.exit == 0, plan.err);
  CHECK(has(plan.out, out + "/guide2d-2/fold-0  to do"));
  CHECK(has(plan.out, out + "/ce-4/fold-1  to do"));

  Program stopped(words, lab.folder.path().string());
  wait_for_epoch(out + "/guide2d-2/fold-1");
  stopped.send(SIGTERM);
  CHECK(stopped.wait().exit == 143);
  // Two processes share what is left.
  Program other(words, lab.folder.path().string());
  const ProgramResult rest = cyto(words);
  REQUIRE_MESSAGE(rest.exit == 0, rest.err);
  CHECK(other.wait().exit == 0);
  const ProgramResult done = cyto(words);
  CHECK(done.exit == 0);
  CHECK(has(done.out, "guide2d"));
  const CsvTable table = read_csv(out + "/table.csv");
  REQUIRE(table.rows() == 4);
  for (size_t row = 0; row < 4; ++row) CHECK(table.number(row, table.column("folds")) == 2);
  CHECK(table.at(2, 0) == "ce-2");
  // Each fold is tested once.
  const auto json = nlohmann::json::parse(read_file(out + "/table.json"));
  CHECK(json[0]["folds"].size() == 2);
  CHECK(json[0]["folds"][1]["fold"] == 1);

  write_file_atomically(grid, "[[cells]]\nmethd = \"ce\"\n");
  const ProgramResult wrong = cyto(words);
  CHECK(wrong.exit == 2);
  CHECK(has(wrong.err, "grid.toml:2:1: unknown option methd"));
  CHECK(has(wrong.err, "did you mean method?"));
}
