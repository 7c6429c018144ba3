#include <doctest/doctest.h>

#include <filesystem>

#include "cytograd/io/file.h"
#include "support/program.h"
#include "support/temp_folder.h"

using namespace cytograd;
using test::cyto;
using test::ProgramResult;

namespace {

ProgramResult report(const std::string& run, const std::string& output,
                     const std::vector<std::string>& more = {}) {
  std::vector<std::string> all = {"multimodal", "report", "--run", run, "-o", output};
  all.insert(all.end(), more.begin(), more.end());
  return cyto(all);
}

void says(const ProgramResult& result, int exit, const std::string& part) {
  INFO(result.err);
  CHECK(result.exit == exit);
  CHECK(result.err.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("cyto multimodal report: what it refuses, leaving nothing behind") {
  const TempFolder folder;
  const std::string page = folder / "page.html";
  says(cyto({"multimodal", "report", "-o", page}), 2, "--run");
  says(cyto({"multimodal", "report", "--run", "x"}), 2, "--output");
  says(report("/nowhere/run", folder / "page.txt"), 2, "a name ending in .html");
  says(report("/nowhere/run", page), 4, "[run.missing]");
  says(report("/nowhere/run", page), 4, "/nowhere/run");
  says(report(folder.path().string(), page), 4, "[run.missing]");
  CHECK(folder.count() == 0);
  write_file_atomically(folder / "page-joint.svg", "x");
  says(report("/nowhere/run", page), 4, "[file.exists]");
  says(report("/nowhere/run", page, {"--force"}), 4, "[run.missing]");
  CHECK(read_file(folder / "page-joint.svg") == "x");
  CHECK(folder.count() == 1);
}

TEST_CASE("cyto multimodal report: a path folder without path.csv") {
  const TempFolder folder;
  const std::string page = folder / "page.html";
  std::filesystem::create_directory(folder / "path");
  says(report("/nowhere/run", page, {"--path", folder / "path"}), 4, "path/path.csv");
  says(report("/nowhere/run", page, {"--path", folder / "path"}), 4, "[file.missing]");
  write_file_atomically(folder / "path/path.csv", "");
  says(report("/nowhere/run", page, {"--path", folder / "path"}), 3, "path.csv");
  CHECK(folder.count() == 1);
}
