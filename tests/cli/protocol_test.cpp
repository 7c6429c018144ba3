#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cytograd/io/csv.h"
#include "cytograd/synth/cells.h"
#include "lab.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

namespace fs = std::filesystem;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Drawn cells of three classes under three stains; rapid_yellow lacks the eosinophil.
class DomainLab {
 public:
  explicit DomainLab(int64_t count = 45) {
    synth::CellSetOptions o;
    o.output = folder / "drawn";
    o.count = count;
    o.size = 32;
    o.domains = 3;
    o.classes = {synth::CellClass::segmented, synth::CellClass::lymphocyte,
                 synth::CellClass::eosinophil};
    synth::write_cells(o);
    for (const char* name : {"may_gruenwald_giemsa", "pappenheim", "rapid_yellow"}) {
      fs::rename(folder / ("drawn/" + std::string(name)), folder / name);
      data.push_back(folder / name);
    }
    fs::remove_all(data[2] + "/eosinophil");
  }
  Words with(const Words& begin, const Words& more) const {
    Words out = begin;
    out.push_back("--data");
    out.insert(out.end(), data.begin(), data.end());
    for (const char* word : {"--model", "resnet20", "--image-size", "16", "--batch", "8",
                             "--epochs", "2", "--lr", "0.01"})
      out.emplace_back(word);
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  nlohmann::json json(const std::string& path) const {
    return nlohmann::json::parse(read_file(folder / path));
  }
  TempFolder folder;
  Words data;
};

}  // namespace

TEST_CASE("protocols: a run with an unseen domain scores it whole, by class and group") {
  const DomainLab lab;
  const ProgramResult trained =
      cyto(lab.with({"train", "-o", lab.folder / "run"}, {"--unseen", "pappenheim"}));
  REQUIRE_MESSAGE(trained.exit == 0, trained.err);
  CHECK(has(trained.err, "pappenheim/unseen"));
  const auto run = lab.json("run/domains.json");
  CHECK(run["unseen"] == nlohmann::json({"pappenheim"}));
  CHECK(run["outside"]["pooled"]["n"] == 45);
  CHECK(run["outside"]["domains"].size() == 1);
  CHECK(run["held"]["domains"].size() == 2);
  CHECK(run["training_counts"]["pappenheim"]["segmented"] == 0);
  CHECK(run["training_counts"]["rapid_yellow"]["eosinophil"] == 0);
  CHECK(run["held"]["worst_group"]["support"].get<int>() > 0);
  for (const char* name : {"run/domains.csv", "run/report/confusion-unseen.csv",
                           "run/report/confusion-test-share.csv"})
    CHECK_MESSAGE(fs::exists(lab.folder / name), name);
  const CsvTable rows = read_csv(lab.folder / "run/domains.csv");
  const size_t domain = rows.column("domain"), label = rows.column("class"), f1 = rows.column("f1");
  for (size_t r = 0; r < rows.rows(); ++r)
    if (rows.at(r, domain) == "rapid_yellow" && rows.at(r, label) == "eosinophil")
      CHECK(rows.at(r, f1) == "");
  CHECK_FALSE(has(read_file(lab.folder / "run/domains.csv"), "nan"));
  const CsvTable splits = read_csv(lab.folder / "run/splits.csv");
  int64_t unseen = 0;
  for (size_t r = 0; r < splits.rows(); ++r)
    if (splits.at(r, 2) == "unseen") ++unseen;
  CHECK(unseen == 45);

  const ProgramResult eval =
      cyto({"eval", "--run", lab.folder / "run", "--split", "unseen", "--json"});
  REQUIRE_MESSAGE(eval.exit == 0, eval.err);
  CHECK(nlohmann::json::parse(eval.out)["f1_macro"] == run["outside"]["pooled"]["f1_macro"]);
  CHECK(has(cyto({"eval", "--run", lab.folder / "run"}).out, "rapid_yellow"));
  CHECK(has(read_file(lab.folder / "run/report/index.html"), "<h2>Domains</h2>"));
  const ProgramResult report = cyto({"report", "--run", lab.folder / "run", "--embedding"});
  REQUIRE_MESSAGE(report.exit == 0, report.err);
  CHECK(has(read_file(lab.folder / "run/report/embedding.html"), "\"unseen\""));
}

TEST_CASE("protocols: a class that only the unseen domain has") {
  const DomainLab lab;
  fs::remove_all(lab.data[0] + "/eosinophil");
  const ProgramResult trained =
      cyto(lab.with({"train", "-o", lab.folder / "run"}, {"--unseen", "pappenheim"}));
  REQUIRE_MESSAGE(trained.exit == 0, trained.err);
  CHECK(has(trained.err, "no training domain has eosinophil"));
  const auto run = lab.json("run/domains.json");
  CHECK(run["outside"]["pooled"]["per_class"]["eosinophil"]["f1"] == 0.0);
  CHECK(run["outside"]["pooled"]["missing_classes"]["classes"] == 1);
  CHECK(run["outside"]["pooled"]["missing_classes"]["f1_macro"] == 0.0);
  CHECK(run["outside"]["pooled"]["seen_classes"]["n"] == 30);
}

TEST_CASE("protocols: settings that contradict each other are refused before any work") {
  const DomainLab lab(9);
  const auto refused = [&](const Words& words, const std::string& part) {
    const ProgramResult result = cyto(words);
    CAPTURE(result.err);
    CHECK(result.exit == 2);
    CHECK(has(result.err, part));
    CHECK_FALSE(fs::exists(lab.folder / "r/config.toml"));
  };
  const Words train = {"train", "-o", lab.folder / "r"}, cv = {"crossval", "-o", lab.folder / "r"};
  refused(lab.with(train, {"--unseen", "papenheim"}), "did you mean pappenheim");
  refused(lab.with(train, {"--unseen", "pappenheim", "rapid_yellow", "may_gruenwald_giemsa"}),
          "every domain is unseen");
  refused(lab.with(train, {"--unseen", "pappenheim", "--train-domains", "pappenheim"}),
          "split.train_domains");
  refused(lab.with(train, {"--select", "last", "--patience", "3"}), "without a validation part");
  refused(lab.with(cv, {"--protocol", "fixed-unseen"}), "without an unseen domain");
  refused(lab.with(cv, {"--protocol", "five-fold", "--unseen", "pappenheim"}), "fixed-unseen");
  refused(lab.with(cv, {"--protocol", "leave-one-domain-out", "--unseen", "x"}), "no domain \"x\"");
  refused(lab.with(cv, {"--protocol", "leave-one-domain-out", "--method", "ce,ce"}), "twice");
  refused(lab.with(cv, {"--seeds", "3"}), "--seeds without --protocol");
  refused({"crossval", "-o", lab.folder / "r", "--data", lab.data[0], "--protocol",
           "leave-one-domain-out"},
          "with 1 domain (may_gruenwald_giemsa)");
  const ProgramResult one = cyto({"crossval", "-o", lab.folder / "one", "--data", lab.data[0],
                                  "--protocol", "five-fold", "--dry-run"});
  CHECK(one.exit == 0);
  CHECK(has(one.out, "/one/run/fold-4  to do"));
}

TEST_CASE("protocols: leave one out for two settings, resumed, summed up and reported") {
  const DomainLab lab(30);
  write_file_atomically(lab.folder / "grid.toml",
                        "[[cells]]\nname = \"plain\"\nmethod = \"ce\"\n[[cells]]\nname = "
                        "\"weighted\"\nmethod = \"ce\"\nclass-weights = \"balanced\"\n");
  const std::string out = lab.folder / "cv";
  const Words words =
      lab.with({"crossval", "-o", out, "--config", lab.folder / "grid.toml"},
               {"--protocol", "leave-one-domain-out", "--seeds", "2", "--lean", "--epochs", "1"});
  Words dry = words;
  dry.push_back("--dry-run");
  const ProgramResult listed = cyto(dry);
  CHECK(has(listed.out, "/cv/weighted/unseen-rapid_yellow-seed-1  to do"));
  CHECK_FALSE(fs::exists(out + "/plan.json"));

  Program stopped(words, lab.folder.path().string());
  wait_for_epoch(out + "/plain/unseen-may_gruenwald_giemsa-seed-0");
  stopped.send(SIGTERM);
  const int exit = stopped.wait().exit;
  CHECK((exit == 143 || exit == 0));
  const ProgramResult all = cyto(words);
  REQUIRE_MESSAGE(all.exit == 0, all.err);
  CHECK(has(all.out, "Table 1"));
  CHECK(has(all.out, "Table 2"));
  CHECK(has(all.out, "weighted"));
  const auto table = lab.json("cv/table.json");
  CHECK(table["protocol"] == "leave-one-domain-out");
  REQUIRE(table["methods"].size() == 2);
  const auto& unseen = table["methods"][0]["unseen"];
  CHECK(unseen["f1_macro"]["count"] == 2);
  CHECK(unseen["domains"].size() == 3);
  CHECK(unseen["domains"]["pappenheim"]["f1_macro"]["count"] == 2);
  // By hand: the mean over domains of one seed, then over seeds.
  double sum = 0, low = 2;
  for (const char* name : {"may_gruenwald_giemsa", "pappenheim", "rapid_yellow"})
    for (const char* seed : {"0", "1"}) {
      const auto run =
          lab.json("cv/plain/unseen-" + std::string(name) + "-seed-" + seed + "/domains.json");
      const double f1 = run["outside"]["pooled"]["f1_macro"];
      sum += f1 / 6;
      if (seed[0] == '0') low = std::min(low, f1);
    }
  CHECK(unseen["f1_macro"]["mean"].get<double>() == doctest::Approx(sum));
  CHECK(unseen["worst_domain_f1_macro"]["mean"].get<double>() <= low + 1e-9);
  // Nothing is trained again, and a run with other settings is refused.
  const std::string before = read_file(out + "/table.csv");
  CHECK(cyto(words).exit == 0);
  CHECK(read_file(out + "/table.csv") == before);

  const ProgramResult report = cyto({"report", "--run", out});
  REQUIRE_MESSAGE(report.exit == 0, report.err);
  const std::string page = read_file(out + "/report/index.html");
  for (const char* part : {"Table 1", "Table 2", "Macro-F1 by unseen domain", "Confusion",
                           "Calibration", "embedding.html", "<h2>Embeddings</h2>", "<h2>Data</h2>"})
    CHECK_MESSAGE(has(page, part), part);
  CHECK_FALSE(has(page, "nan"));
  const std::string map = read_file(out + "/report/embedding.html");
  CHECK(has(map, "\"domain\""));
  CHECK(has(map, "\"plain\""));
  CHECK(has(map, "\"weighted\""));
  CHECK(has(read_file(out + "/report/tables.md"), "## Table 2: unseen domains"));
  CHECK(read_csv(out + "/report/table2.csv").rows() == 2);
  CHECK(fs::exists(out + "/report/confusion-unseen-plain-share.csv"));
}

TEST_CASE("protocols: five folds within domains, and an unseen one beside them") {
  const DomainLab lab(30);
  const std::string out = lab.folder / "cv";
  const ProgramResult fixed =
      cyto(lab.with({"crossval", "-o", out}, {"--protocol", "fixed-unseen", "--unseen",
                                              "rapid_yellow", "--folds", "3", "--epochs", "1"}));
  REQUIRE_MESSAGE(fixed.exit == 0, fixed.err);
  const auto table = lab.json("cv/table.json");
  CHECK(table["methods"][0]["held"]["f1_macro"]["count"] == 3);
  CHECK(table["methods"][0]["unseen"]["f1_macro"]["count"] == 3);
  // Every cell of the training domains is held back once; the unseen ones in every fold.
  int64_t held = 0, unseen = 0;
  for (const auto& row : table["methods"][0]["held"]["confusion"])
    for (const auto& n : row) held += n.get<int64_t>();
  for (const auto& row : table["methods"][0]["unseen"]["confusion"])
    for (const auto& n : row) unseen += n.get<int64_t>();
  CHECK(held == 60);
  CHECK(unseen == 3 * 20);
  // rapid_yellow has no eosinophil.
  CHECK(table["methods"][0]["unseen"]["per_class_f1"]["eosinophil"].is_null());
  const auto run = lab.json("cv/run/fold-2/domains.json");
  CHECK(run["held"]["role"] == "val");
  CHECK(run["held"]["pooled"]["n"] == 20);
}

TEST_CASE("protocols: images without labels, and a run folder that travels without its own") {
  const DomainLab lab;
  REQUIRE(cyto(lab.with({"train", "-o", lab.folder / "run"}, {"--unseen", "pappenheim"})).exit ==
          0);
  const std::string run = lab.folder / "run";
  const ProgramResult own =
      cyto({"drift", "--run", run, lab.data[0] + "/segmented", "--json", "--low", "0.6"});
  REQUIRE_MESSAGE(own.exit == 0, own.err);
  const auto json = nlohmann::json::parse(own.out);
  CHECK(json["n"] == 15);
  CHECK(json["domains"].size() == 2);  // the unseen one is no training domain
  CHECK(json["confidence"]["below"] == 0.6);
  CHECK(fs::exists(run + "/drift.safetensors"));
  fs::rename(lab.data[0], lab.folder / "gone");
  const ProgramResult other =
      cyto({"drift", "--run", run, lab.data[1], "-o", lab.folder / "drift"});
  REQUIRE_MESSAGE(other.exit == 0, other.err);
  CHECK(has(other.out, "45 images; nearest training domain: "));
  CHECK(read_csv(lab.folder / "drift/predictions.csv").rows() == 45);
  CHECK(lab.json("drift/drift.json")["n"] == 45);
  CHECK(has(read_file(lab.folder / "drift/index.html"), "<h2>Classes</h2>"));
  CHECK(cyto({"drift", "--run", run, lab.data[1], "-o", lab.folder / "drift"}).exit == 4);
  write_file_atomically(lab.data[1] + "/broken.png", "not a picture");
  const ProgramResult broken = cyto({"drift", "--run", run, lab.data[1]});
  CHECK(broken.exit == 3);
  CHECK(has(broken.out, "45 images"));
  CHECK(cyto({"drift", "--run", run, lab.data[1], "--on-bad-image", "skip"}).exit == 0);
  fs::remove(run + "/drift.safetensors");
  const ProgramResult absent = cyto({"drift", "--run", run, lab.data[1]});
  CHECK(absent.exit == 4);
  CHECK(has(absent.err, "are needed once"));
}
