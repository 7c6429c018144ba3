#include <doctest/doctest.h>
#include <stdio.h>
#include <sys/wait.h>

#include <nlohmann/json.hpp>
#include <string>

#include "cytograd/io/weights.h"
#include "support/temp_folder.h"

using namespace cytograd;

namespace {

struct Result {
  int exit = -1;
  std::string text;  // standard output
};

Result cyto(const std::string& arguments) {
  const std::string command =
      std::string(CYTOGRAD_BINARY_DIR) + "/cyto " + arguments + " 2>/dev/null";
  Result result;
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) result.text.append(buffer, n);
  const int status = pclose(pipe);
  result.exit = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

}  // namespace

TEST_CASE("cyto weights inspects and converts") {
  const TempFolder folder;
  const std::string from = folder / "a.safetensors", to = folder / "b.safetensors";
  save_weights(from, {{"w", Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3})}}, {{"made", "here"}});
  const Result inspected = cyto("weights inspect " + from + " --json");
  CHECK(inspected.exit == 0);
  const auto json = nlohmann::json::parse(inspected.text);
  CHECK(json["n"] == 1);
  CHECK(json["values"] == 6);
  CHECK(json["bytes"].is_number_integer());
  CHECK(json["non_finite"] == 0);
  CHECK(json["metadata"]["made"] == "here");
  CHECK(json["tensors"][0]["shape"] == std::vector<int>{2, 3});
  CHECK(cyto("weights inspect " + from).text.find("[2, 3]") != std::string::npos);

  CHECK(cyto("weights convert " + from + " " + to).exit == 0);
  CHECK(load_weights(to).tensors.at("w").to_vector<float>()[5] == 6);
  CHECK(cyto("weights convert " + from + " " + to).exit == 4);
  CHECK(cyto("weights convert " + from + " " + to + " --force").exit == 0);
  // PyTorch would not read safetensors under such a name.
  CHECK(cyto("weights convert " + from + " " + (folder / "b.pth")).exit == 2);
  // The tensors of another model.
  CHECK(cyto("weights inspect " + from + " --model resnet18").exit == 3);
  CHECK(cyto("weights inspect " + from + " --model nothing").exit == 2);
}
