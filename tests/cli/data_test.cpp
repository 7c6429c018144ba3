#include <doctest/doctest.h>
#include <stdio.h>
#include <sys/wait.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "cytograd/io/file.h"
#include "cytograd/io/image.h"
#include "support/temp_folder.h"

using namespace cytograd;

namespace {

struct Result {
  int exit = -1;
  std::string text;  // standard output
};

Result cyto(const std::string& arguments) {
  const std::string command = std::string(CYTOGRAD_BINARY_DIR) + "/cyto " + arguments +
                              (arguments.ends_with("2>&1") ? "" : " 2>/dev/null");
  Result result;
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) result.text.append(buffer, n);
  const int status = pclose(pipe);
  result.exit = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

void put_images(const TempFolder& folder, int count) {
  for (int i = 0; i < count; ++i) {
    const std::string name = std::string(i % 2 ? "a/" : "b/") + std::to_string(i) + ".png";
    std::filesystem::create_directories(std::filesystem::path(folder / name).parent_path());
    std::ofstream(folder / name, std::ios::binary)
        << encode_png(Image(9, 8, 3, static_cast<uint8_t>(i)));
  }
}

void cut(const std::string& path) {
  const std::string bytes = read_file(path);
  std::ofstream(path, std::ios::binary) << bytes.substr(0, bytes.size() / 2);
}

}  // namespace

TEST_CASE("cyto data prints the table of classes and domains") {
  TempFolder folder;
  put_images(folder, 7);
  const std::string path = folder.path().string();
  const Result text = cyto("data " + path);
  CHECK(text.exit == 0);
  CHECK(text.text.find("8x9 (7)") != std::string::npos);
  const Result result = cyto("data " + path + " --json");
  CHECK(result.exit == 0);
  const auto json = nlohmann::json::parse(result.text);
  CHECK(json["n"] == 7);
  CHECK(json["classes"] == nlohmann::json({"a", "b"}));
  CHECK(json["counts"]["b"].begin().value() == 4);
  CHECK(json["faults"].empty());
  CHECK(cyto("check " + path).exit == 0);
}

TEST_CASE("cyto data names the command that trains on the same samples") {
  TempFolder folder;
  put_images(folder, 7);
  std::filesystem::create_directories(folder / "odd name");
  for (const char* c : {"a", "b"})
    std::filesystem::rename(folder / c, folder / (std::string("odd name/") + c));
  const std::string path = "'" + (folder / "odd name") + "'";
  const Result result = cyto("data " + path + " --preset folder --multi-label first 2>&1");
  CHECK(result.text.find("next: cyto train --data " + path +
                         " --preset folder --multi-label first --output") != std::string::npos);
}

TEST_CASE("cyto check exits with 3 where cyto data warns") {
  TempFolder folder;
  put_images(folder, 7);
  cut(folder / "a/3.png");
  const std::string path = folder.path().string();
  const Result data = cyto("data " + path);
  CHECK(data.exit == 0);
  CHECK(data.text.find("a/3.png") != std::string::npos);
  CHECK(cyto("check " + path).exit == 3);
  const Result check = cyto("check --json " + path);
  CHECK(check.exit == 3);
  const auto json = nlohmann::json::parse(check.text);
  CHECK(json["bad"] == 1);
  CHECK(json["faults"].size() == 1);
}

TEST_CASE("cyto data writes the lists once and refuses wrong options") {
  TempFolder folder, out;
  put_images(folder, 4);
  const std::string path = folder.path().string();
  const std::string output = " -o " + (out / "lists");
  CHECK(cyto("data " + path + output).exit == 0);
  CHECK(std::filesystem::exists(out / "lists/samples.csv"));
  CHECK(std::filesystem::exists(out / "lists/faults.csv"));
  CHECK(cyto("data " + path + output).exit == 4);
  CHECK(cyto("data " + path + output + " --force").exit == 0);
  CHECK(cyto("data " + path + " --preset pbx").exit == 2);
  CHECK(cyto("data " + path + " --labels").exit == 2);
  CHECK(cyto("data " + path + "/nothing").exit == 4);
  CHECK(cyto("data " + path + " > /dev/full").exit == 4);
}
