#include "cytograd/train/config.h"

#include <doctest/doctest.h>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "support/temp_folder.h"

using namespace cytograd;

namespace {

std::string message(const std::string& text) {
  const TempFolder folder;
  write_file_atomically(folder / "c.toml", text);
  ResolvedConfig out;
  try {
    apply_config_file(out, folder / "c.toml");
  } catch (const ConfigError& e) {
    const std::string what = e.what();
    return what.substr(what.find("c.toml"));
  }
  return "";
}

}  // namespace

TEST_CASE("cfg: what is written is read back, bytes of paths included") {
  TrainConfig config;
  config.data = {"/a b/\"quoted\"\n", "/\xff\xfe", "/hex:00"};
  config.lr = 0.1 + 0.2;
  config.nesterov = true;
  config.optimizer = "sgd";
  const TempFolder folder;
  write_file_atomically(folder / "c.toml", config_toml(config));
  ResolvedConfig out;
  // A line end separates the items of a list given as text, so it cannot be part of one.
  config.data[0] = "/a b/\"quoted\"";
  write_file_atomically(folder / "c.toml", config_toml(config));
  apply_config_file(out, folder / "c.toml");
  CHECK(out.config == config);
  CHECK(out.sources.at("optimizer.lr").find("c.toml:") != std::string::npos);
}

TEST_CASE("cfg: faults name line, column and the nearest key") {
  CHECK(message("[optimizer]\nlrr = 1\n").starts_with("c.toml:2:1: unknown key optimizer.lrr"));
  CHECK(message("[optimizer]\nlrr = 1\n").find("did you mean optimizer.lr?") != std::string::npos);
  CHECK(message("[optimiser]\nlr = 1\n").starts_with("c.toml:1:"));
  CHECK(message("[optimizer]\nlr = \"x\"\n").find("optimizer.lr is text") != std::string::npos);
  CHECK(message("[optimizer]\nlr = nan\n").find("optimizer.lr") != std::string::npos);
  CHECK(message("[optimizer]\nlr = inf\n").starts_with("c.toml:2:1"));
  CHECK(message("[train]\nepochs = 1.5\n").find("a whole number") != std::string::npos);
  CHECK(message("[train]\nepochs = 0\n").find("1..1000000") != std::string::npos);
  CHECK(message("[model]\nname = 3\n").starts_with("c.toml:2:1"));
  CHECK(message("[schedule]\nname = \"cosin\"\n").find("did you mean cosine?") !=
        std::string::npos);
  CHECK(message("").find("no settings") != std::string::npos);
  CHECK(message("a = [").starts_with("c.toml:1:"));
  CHECK(message("[train]\nepochs = " + std::string(300, '[') + std::string(300, ']'))
            .starts_with("c.toml:2:"));
  CHECK(message("\xff").starts_with("c.toml:1:1"));
}

TEST_CASE("cfg: settings that contradict each other") {
  TrainConfig config;
  CHECK_NOTHROW(check_config(config));
  config.nesterov = true;
  CHECK_THROWS_AS(check_config(config), ConfigError);
  config = {};
  config.fold = 1;
  CHECK_THROWS_AS(check_config(config), ConfigError);
  config = {};
  config.patience = 3;
  config.val_fraction = 0;
  CHECK_THROWS_AS(check_config(config), ConfigError);
}
