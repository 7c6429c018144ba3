#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "lab.h"
#include "support/stained_cells.h"

using namespace cytograd;
using test::cyto;
using test::Words;
namespace fs = std::filesystem;

namespace {

// Two laboratories and the command line of a short run on them.
class Labs {
 public:
  Labs() : data(test::write_labs(folder.path().string(), {{9, 9, 9}, {9, 9, 9}})) {}
  Words train(const std::string& run, const Words& more = {}) const {
    Words out = {"train",
                 "--data",
                 data[0],
                 data[1],
                 "--output",
                 folder / run,
                 "--model",
                 "resnet20",
                 "--image-size",
                 "16",
                 "--batch",
                 "3",
                 "--steps-per-epoch",
                 "20",
                 "--epochs",
                 "3",
                 "--boda-start",
                 "25",
                 "--feat-freq",
                 "15"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  // The run, stopped in its middle and gone on with.
  void train_in_parts(const std::string& run, const Words& more, const std::string& watched) const {
    test::Program program(train(run, more), folder.path().string());
    test::wait_for_epoch(folder / watched);
    program.send(SIGTERM);
    const auto stopped = program.wait();
    CHECK((stopped.exit == 0 || stopped.exit == 143));
    const auto rest = cyto({"train", "--resume", folder / run});
    REQUIRE_MESSAGE(rest.exit == 0, rest.err);
  }
  std::string file(const std::string& name) const { return read_file(folder / name); }

  TempFolder folder;
  std::vector<std::string> data;
};

}  // namespace

TEST_CASE("methods over domains go on after SIGTERM with the same bytes") {
  const Labs labs;
  for (const char* method : {"dann", "boda"}) {
    CAPTURE(method);
    const Words more = {"--method", method};
    const std::string whole = std::string(method) + "-whole", parts = std::string(method) + "-b";
    const auto done = cyto(labs.train(whole, more));
    REQUIRE_MESSAGE(done.exit == 0, done.err);
    labs.train_in_parts(parts, more, parts);
    for (const char* name : {"/metrics.csv", "/checkpoints/last", "/checkpoints/best"})
      CHECK(labs.file(parts + name) == labs.file(whole + name));
  }
}

TEST_CASE("boda-plus trains its first stage, and goes on in either") {
  const Labs labs;
  const Words more = {"--method", "boda-plus"};
  const auto done = cyto(labs.train("whole", {"--method", "boda-plus", "--json"}));
  REQUIRE_MESSAGE(done.exit == 0, done.err);
  CHECK(nlohmann::json::parse(done.out)["split"] == "test");  // of the run alone
  CHECK(fs::exists(labs.folder / "whole/stage1/DONE"));
  labs.train_in_parts("b", more, "b/stage1");
  labs.train_in_parts("c", more, "c");
  for (const char* run : {"b", "c"})
    for (const char* name : {"/metrics.csv", "/checkpoints/last", "/stage1/checkpoints/last"}) {
      CAPTURE(name);
      CHECK(labs.file(std::string(run) + name) == labs.file(std::string("whole") + name));
    }
  // Another run's network, and a new start over an old one.
  const std::string stage = labs.folder / "whole/stage1";
  CHECK(cyto(labs.train("d", {"--method", "boda-plus", "--stage1", stage})).exit == 0);
  CHECK(!fs::exists(labs.folder / "d/stage1"));
  CHECK(cyto(labs.train("whole", {"--method", "erm", "--force"})).exit == 0);
  CHECK(!fs::exists(stage));
  const auto nowhere = cyto(labs.train("e", {"--method", "boda-plus", "--stage1", "/nowhere"}));
  CHECK(nowhere.exit == 2);
  CHECK(nowhere.err.find("does not exist") != std::string::npos);
  const auto alone = cyto({"train", "--data", labs.data[0], "--output", labs.folder / "f",
                           "--model", "resnet20", "--image-size", "16", "--method", "dann"});
  CHECK(alone.exit == 2);
  CHECK(alone.err.find("one training domain") != std::string::npos);
  CHECK(!fs::exists(labs.folder / "f"));
}
