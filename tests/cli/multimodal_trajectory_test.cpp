#include <doctest/doctest.h>

#include "cytograd/io/file.h"
#include "support/program.h"
#include "support/temp_folder.h"

using namespace cytograd;
using test::cyto;
using test::ProgramResult;

namespace {

ProgramResult trajectory(const std::vector<std::string>& more, const std::string& output) {
  std::vector<std::string> all = {"multimodal",   "trajectory", "--run",
                                  "/nowhere/run", "-o",         output};
  all.insert(all.end(), more.begin(), more.end());
  return cyto(all);
}

void says(const ProgramResult& result, int exit, const std::string& part) {
  INFO(result.err);
  CHECK(result.exit == exit);
  CHECK(result.err.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("cyto multimodal trajectory: what it refuses before any work") {
  const TempFolder folder;
  const std::string out = folder / "path";
  says(trajectory({}, out), 2, "either --from A --to B or --through");
  says(trajectory({"--from", "a", "--to", "b", "--through", "a,b"}, out), 2, "either --from");
  says(trajectory({"--from", "a"}, out), 2, "--from and --to go together");
  says(trajectory({"--from", "a", "--to", "b", "--thin", "some"}, out), 2,
       "--thin expects a number of at least 0 or published, got some");
  says(trajectory({"--from", "a", "--to", "b", "--clusters", "0"}, out), 2,
       "--clusters expects a number of at least 1 or auto, got 0");
  says(trajectory({"--from", "a", "--to", "b", "--kind", "curly"}, out), 2, "two-point");
  says(trajectory({"--through", "a"}, out), 2, "--through expects two stations or more, got 1");
  says(trajectory({"--through", "a,b,c", "--kind", "straight"}, out), 2,
       "--kind straight expects two stations, from one cell to another, got 3");
  says(trajectory({"--from", "a", "--to", "b", "--kind", "two-point", "--anchors", "5"}, out), 2,
       "--anchors goes with --kind anchored, got --kind two-point");
  says(trajectory({"--from", "a", "--to", "b", "--kind", "straight", "--gp-opt", "adam"}, out), 2,
       "--gp-opt goes with --kind anchored");
  says(trajectory({"--from", "a", "--to", "b", "--no-drivers", "--permutations", "9"}, out), 2,
       "--permutations goes without --no-drivers");
  says(trajectory({"--from", "a", "--to", "b", "--gp-opt", "newton"}, out), 2, "lbfgs");
  says(trajectory({"--from", "a", "--to", "b"}, out), 4, "[run.missing]");
  CHECK(folder.count() == 0);
  write_file_atomically(folder / "file", "x");
  says(trajectory({"--from", "a", "--to", "b"}, folder.path().string()), 4, "[file.exists]");
  says(trajectory({"--from", "a", "--to", "b"}, folder / "file"), 4, "[file.kind]");
}
