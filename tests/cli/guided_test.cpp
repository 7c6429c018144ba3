#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "cytograd/io/csv.h"
#include "cytograd/train/run_folder.h"
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
  CHECK(rows.columns() == 7 + 6);

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
  CHECK(cell["anchor_confidence"].get<double>() > 0);
  CHECK(cell["anchor_confidence"].get<double>() <= 1);
  CHECK(cell["maturity"].get<double>() >= 0);
  CHECK(cell["maturity"].get<double>() <= 2);
  CHECK(has(cyto({"predict", "--run", lab.folder / "a", lab.data + "/large"}).out, "maturity"));
  CHECK(has(cyto({"predict", "--run", lab.folder / "a", "--csv", lab.data + "/large"}).out,
            "agreement,anchor_distance,anchor_confidence,maturity,error"));
  CHECK(cyto({"embed", "--run", lab.folder / "a", "-o", lab.folder / "e.h5ad"}).exit == 0);
  CHECK(has(read_file(lab.folder / "e.csv"), ",e5"));

  const ProgramResult report = cyto({"report", "--run", lab.folder / "a"});
  REQUIRE_MESSAGE(report.exit == 0, report.err);
  CHECK(has(lab.file("a", "report/index.html"), "Reliability of the confidences"));
  CHECK(has(lab.file("a", "report/embedding.svg"), "the first 2 of 6 components"));
  const std::string page = lab.file("a", "report/embedding.html");
  CHECK(has(page, "36 cells; pictures of 96 px"));
  CHECK_FALSE(has(page, "http:/"));
}

TEST_CASE("guided embeddings: an epoch whose head was not trained is judged by its embeddings") {
  const GuidedLab lab;
  // All epochs lie in the plane of the guide, so the network's classifier is as it was drawn.
  const ProgramResult trained =
      cyto(lab.guided("early", "ce", {"--growing", "--epochs", "3", "--lr", "0.01"}));
  REQUIRE_MESSAGE(trained.exit == 0, trained.err);
  const auto results = nlohmann::json::parse(lab.file("early", "results.json"));
  CHECK(results["f1_macro"] == results["posthoc"]["knn"]["f1_macro"]);
  const ProgramResult eval = cyto({"eval", "--run", lab.folder / "early", "--json"});
  REQUIRE(eval.exit == 0);
  CHECK(nlohmann::json::parse(eval.out)["f1_macro"] == results["f1_macro"]);
  CHECK(nlohmann::json::parse(eval.out)["loss"].is_null());
}

TEST_CASE("guided embeddings: a fold without training cells of a class") {
  const GuidedLab lab;
  // All tiny discs belong to one patient, who is tested in one of the folds.
  std::string table = "path,label,group\n";
  for (const char* name : {"large", "small", "tiny"}) {
    int i = 0;
    for (const auto& entry : std::filesystem::directory_iterator(lab.data + "/" + name)) {
      const bool tiny = name[0] == 't';
      table += entry.path().string() + "," + name + "," +
               (tiny ? "a" : std::string(1, static_cast<char>('a' + i++ % 4))) + "\n";
    }
  }
  write_file_atomically(lab.folder / "cells.csv", table);
  for (const char* fold : {"0", "1"}) {
    const std::string run = std::string("fold") + fold;
    Words words = lab.guided(run, "guide-umap", {"--folds", "2", "--fold", fold});
    words[2] = lab.folder / "cells.csv";
    const ProgramResult result = cyto(words);
    CAPTURE(result.err);
    CHECK(result.exit == 0);
    const auto scores = nlohmann::json::parse(lab.file(run, "results.json"))["scores"];
    if (scores["per_class"]["tiny"]["support"] == 0) continue;
    CHECK(has(result.err, "class.missing"));
    CHECK(scores["per_class"]["tiny"]["f1"] == 0);
    CHECK(cyto({"report", "--run", lab.folder / run}).exit == 0);
  }
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
  // The guide of guide-umap moves from the fourth epoch on, and the log says how far.
  const CsvTable moved = read_csv(lab.folder / "whole4/metrics.csv");
  CHECK(moved.at(2, moved.column("guide_drift")) == "n/a");
  for (const char* name : {"guide_drift", "guide_error", "guide_step"})
    CHECK(moved.number(3, moved.column(name)) > 0);
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

TEST_CASE("guided embeddings: copies of a file do not stand on both sides of the validation part") {
  const GuidedLab lab;
  int copies = 0;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(lab.data + "/tiny"))
    files.push_back(entry.path());
  for (const auto& file : files)
    std::filesystem::copy_file(file, lab.data + "/tiny/copy" + std::to_string(copies++) + ".png");
  const ProgramResult result = cyto(lab.guided("copies", "guide2d", {"--epochs", "1"}));
  REQUIRE_MESSAGE(result.exit == 0, result.err);
  CHECK(has(lab.file("copies", "splits.csv"), ",val,"));
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

  // One fold of a cell is lost, another cell was never trained.
  std::filesystem::remove(out + "/ce-4/fold-1/DONE");
  for (const char* fold : {"0", "1"}) std::filesystem::remove(out + "/ce-2/fold-" + fold + "/DONE");
  const ProgramResult report = cyto({"report", "--run", out});
  REQUIRE_MESSAGE(report.exit == 0, report.err);
  for (const char* name :
       {"index.html", "table1.md", "table1.csv", "scores.svg", "guide.svg", "embedding.html",
        "embedding-guide2d-2.svg", "embedding-guide2d-4.svg", "reliability-ce-4.svg"})
    CHECK_MESSAGE(std::filesystem::exists(out + "/report/" + name), name);
  CHECK_FALSE(std::filesystem::exists(out + "/report/embedding-ce-2.svg"));
  const std::string markdown = read_file(out + "/report/table1.md");
  CHECK(has(markdown, "| CE (baseline) | missing | "));
  CHECK(has(markdown, "(1/2) |"));
  CHECK(has(markdown, "| guide2D | kNN | "));
  const CsvTable lines = read_csv(out + "/report/table1.csv");
  for (size_t row = 0; row < lines.rows(); ++row)
    if (lines.at(row, lines.column("classifier")) == "own" &&
        lines.at(row, lines.column("metric")) == "f1_macro" && lines.at(row, 1) == "guide2d") {
      const size_t at = lines.at(row, lines.column("embedding")) == "2" ? 0 : 1;
      CHECK(std::abs(lines.number(row, lines.column("mean")) -
                     table.number(at, table.column("f1_macro_mean"))) < 1e-12);
    }
  Words lean = words;
  lean.push_back("--lean");
  const ProgramResult repaired = cyto(lean);
  CHECK(repaired.exit == 0);
  CHECK(CheckpointStore(out + "/ce-4/fold-1").steps().size() == 1);
  CHECK(cyto({"eval", "--run", out + "/ce-4/fold-1"}).exit == 0);
  CHECK(read_csv(out + "/table.csv").rows() == 4);

  // The folds of a run, read back.
  const ProgramResult again =
      cyto({"crossval", "--data", lab.data, "--splits", out + "/guide2d-2/fold-0/splits.csv",
            "--model", "resnet20", "--image-size", "16", "--epochs", "1", "--batch", "8",
            "--patience", "0", "--classifier", "knn", "-o", lab.folder / "again"});
  REQUIRE_MESSAGE(again.exit == 0, again.err);
  CHECK(read_file(lab.folder / "again/run/fold-1/splits.csv") ==
        read_file(out + "/guide2d-2/fold-0/splits.csv"));

  write_file_atomically(grid, "[[cells]]\nmethd = \"ce\"\n");
  const ProgramResult wrong = cyto(words);
  CHECK(wrong.exit == 2);
  CHECK(has(wrong.err, "grid.toml:2:1: unknown option methd"));
  CHECK(has(wrong.err, "did you mean method?"));
}

TEST_CASE("crossval: a grid that is killed again and again ends with the same bytes") {
  const GuidedLab lab;
  const auto words = [&](const std::string& out) {
    return Words{"crossval", "--config", lab.folder / "grid.toml", "-o", out};
  };
  write_file_atomically(lab.folder / "grid.toml",
                        "[data]\npath = \"" + lab.data +
                            "\"\n[model]\nname = \"resnet20\"\n[input]\nimage_size = 16\n"
                            "[train]\nepochs = 4\nbatch = 8\npatience = 0\n[split]\nfolds = 2\n"
                            "[method]\nguide = \"" +
                            (lab.folder / "guide.csv") +
                            "\"\nclassifier = \"knn\"\n[[cells]]\nmethod = [\"guide-umap\", "
                            "\"ce\"]\nembedding = 4\n");
  const std::string whole = lab.folder / "whole", killed = lab.folder / "killed";
  REQUIRE(cyto(words(whole)).exit == 0);
  int kills = 0, exit = -1;
  for (; exit != 0 && kills < 60; ++kills) {
    Program program(words(killed), lab.folder.path().string());
    pause(0.15 + 0.13 * kills);
    program.send(SIGKILL);
    exit = program.wait().exit;
    CHECK((exit == 0 || exit == 128 + SIGKILL));
  }
  CHECK(exit == 0);
  CHECK(kills > 2);
  for (const char* run :
       {"guide-umap-4/fold-0", "guide-umap-4/fold-1", "ce-4/fold-0", "ce-4/fold-1"}) {
    CAPTURE(run);
    for (const char* file : {"checkpoints/last", "metrics.csv", "report/embeddings.csv",
                             "reference.safetensors", "classifier.safetensors"})
      CHECK_MESSAGE(
          read_file(whole + "/" + run + "/" + file) == read_file(killed + "/" + run + "/" + file),
          file);
    auto a = nlohmann::json::parse(read_file(whole + "/" + run + "/results.json"));
    auto b = nlohmann::json::parse(read_file(killed + "/" + run + "/results.json"));
    a.erase("seconds");
    b.erase("seconds");
    CHECK(a == b);
  }
}
