#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>

#include "cytograd/io/file.h"
#include "support/program.h"
#include "support/temp_folder.h"

using namespace cytograd;
using test::cyto;

TEST_CASE("help, version and unknown words") {
  CHECK(cyto({}).exit == 0);
  CHECK(cyto({"help", "train"}).out.starts_with("Examples:"));
  CHECK(cyto({"train", "--help"}).out == cyto({"help", "train"}).out);
  CHECK(cyto({"--version"}).out.starts_with("cyto 0."));
  const auto typo = cyto({"trian"});
  CHECK(typo.exit == 2);
  CHECK(typo.err.find("did you mean train?") != std::string::npos);
  CHECK(cyto({"train", "--epocs", "3"}).err.find("did you mean --epochs?") != std::string::npos);
  // No abbreviations.
  CHECK(cyto({"tra"}).exit == 2);
  CHECK(cyto({"train", "--epoch", "3"}).exit == 2);
}

TEST_CASE("subcommands: help, names and typing errors") {
  const auto names = cyto({"weights", "--help"});
  CHECK(names.out.find("inspect") != std::string::npos);
  CHECK(names.out.find("Usage: cyto weights") != std::string::npos);
  CHECK(cyto({"help", "weights", "inspect"}).out == cyto({"weights", "inspect", "--help"}).out);
  CHECK(cyto({"help", "weights", "inspect"}).out.find("Usage: cyto weights inspect") !=
        std::string::npos);
  CHECK(cyto({"help", "train"}).out.find("Usage: cyto train") != std::string::npos);
  const auto typo = cyto({"synth", "smear"});
  CHECK(typo.exit == 2);
  CHECK(typo.err.find("unknown command \"smear\"; did you mean smears?") != std::string::npos);
  CHECK(cyto({"synth"}).err.find("expected one of cells, smears, rna") != std::string::npos);
  CHECK(cyto({"help", "synth", "smear"}).err.find("did you mean smears?") != std::string::npos);
  CHECK(cyto({"weights", "inspect"}).err.starts_with("cyto weights inspect: error:"));
  CHECK(cyto({"config", "show", "--lrr", "1"}).err.find("did you mean --lr?") != std::string::npos);
  CHECK(cyto({"config", "show", "--lr", "x"}).err.starts_with("cyto config show: error:"));
}

TEST_CASE("errors as JSON") {
  const auto result = cyto({"eval", "--run", "/no\nwhere", "--json"});
  CHECK(result.exit == 4);
  const auto error = nlohmann::json::parse(result.out)["error"];
  CHECK(error["id"] == "run.missing");
  CHECK(error["file"] == "/no\\x0awhere");
  CHECK(error["exit_code"] == 4);
}

TEST_CASE("disk.full: standard output is checked") {
  const auto result = cyto({"config", "show"}, {}, "/dev/full");
  CHECK(result.exit == 4);
  CHECK(result.err.find("standard output") != std::string::npos);
  CHECK(cyto({}, {}, "/dev/full").exit == 4);
}

TEST_CASE("cfg: order of precedence") {
  const TempFolder folder;
  const std::string file = folder / "c.toml";
  write_file_atomically(file, "[optimizer]\nlr = 0.25\nmomentum = 0.5\n[train]\nepochs = 7\n");
  const auto value = [&](const char* key) {
    const auto shown = cyto({"config", "show", "--json", "--config", file, "--lr", "0.125"},
                            {"CYTO_LR=0.5", "CYTO_MOMENTUM=0.75"});
    return nlohmann::json::parse(shown.out)[key];
  };
  CHECK(value("optimizer.lr")["value"] == 0.125);
  CHECK(value("optimizer.lr")["source"] == "--lr");
  CHECK(value("optimizer.momentum")["value"] == 0.75);
  CHECK(value("optimizer.momentum")["source"] == "CYTO_MOMENTUM");
  CHECK(value("train.epochs")["value"] == 7);
  CHECK(value("model.name")["value"] == "resnet18");
  CHECK(value("data.strict")["value"] == false);
  CHECK(value("train.batch")["source"] == "default");
}

TEST_CASE("threads: none is an error") {
  CHECK(cyto({"config", "show", "--threads", "0"}).exit == 2);
  CHECK(cyto({"config", "show"}, {"OMP_NUM_THREADS=0"}).exit == 2);
  CHECK(cyto({"config", "show"}, {"CYTO_THREADS=0"}).exit == 2);
}

TEST_CASE("gpu.none: a device this build does not have") {
  const auto result =
      cyto({"train", "--data", "/nowhere", "--output", "/tmp/never", "--device", "cuda:9"});
  CHECK(result.exit == 5);
  CHECK(result.err.find("no cuda:9") != std::string::npos);
  CHECK(result.err.find("[gpu.none]") != std::string::npos);
}

TEST_CASE("every error id has a page") {
  const std::regex fault(R"re((?:\.id = |Fault\{|Error\(\{|push_back\(\{)\s*"([a-z0-9_.]+)",)re");
  const std::string root = CYTOGRAD_SOURCE_DIR;
  int found = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root + "/src")) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".cpp" && extension != ".h") continue;
    const std::string text = read_file(entry.path().string());
    for (std::sregex_iterator it(text.begin(), text.end(), fault), end; it != end; ++it, ++found) {
      const std::string id = (*it)[1];
      CHECK_MESSAGE(std::filesystem::exists(root + "/docs/errors/" + id + ".md"), id, " in ",
                    entry.path().string());
    }
  }
  CHECK(found > 60);
}
