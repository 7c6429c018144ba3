#include <doctest/doctest.h>
#include <stdio.h>
#include <sys/wait.h>

#include <nlohmann/json.hpp>
#include <string>

#include "cytograd/io/weights.h"
#include "lab.h"

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

TEST_CASE("pt.keys: --allow-missing names what a weight file may lack") {
  const test::Lab lab;
  const std::string file = lab.folder / "start.safetensors";
  REQUIRE(test::cyto(lab.train("a", {"--epochs", "1"})).exit == 0);
  TensorMap tensors;
  for (const auto& [name, tensor] : load_weights(lab.folder / "a/checkpoints/last").tensors)
    if (name.find('/') == std::string::npos && !name.starts_with("layer3.2."))
      tensors.emplace(name, tensor);
  save_weights(file, tensors, {});
  const test::Words words = lab.train("b", {"--epochs", "1", "--weights", file});
  const auto strict = test::cyto(words);
  CHECK(strict.exit == 3);
  CHECK(strict.err.find("[pt.keys]") != std::string::npos);
  CHECK(strict.err.find("layer3.2.conv1.weight") != std::string::npos);
  const auto with = [&](const std::string& pattern) {
    test::Words more = words;
    more.insert(more.end(), {"--allow-missing", pattern});
    return test::cyto(more);
  };
  CHECK(with("layer2.*").exit == 3);
  const auto loose = with("layer3.2.*");
  CHECK_MESSAGE(loose.exit == 0, loose.err);
  CHECK(loose.err.find("layer3.2.conv1.weight is not in the file") != std::string::npos);
  CHECK(test::cyto({"train", "--resume", lab.folder / "b"}).exit == 0);
}
