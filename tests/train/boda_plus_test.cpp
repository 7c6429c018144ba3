#include <doctest/doctest.h>

#include <string>

#include "cytograd/core/error.h"
#include "cytograd/models/stages.h"
#include "train/labs.h"

using namespace cytograd;
using namespace cytograd::test;

/// @file
/// The second stage of boda-plus: a new classifier on the network of an earlier run.

TEST_CASE("crt: the classifier alone learns, on the network of an earlier run (R1)") {
  const Labs labs;
  TrainConfig config = labs.with("boda");
  config.ema = 0.5;
  labs.train("first", config);
  config.method = "boda-plus";
  config.order = "domains_balanced";
  config.ema = 0;
  labs.train("second", config, {}, labs.path("first"));
  const Tensors64 averages = values_of(labs.last("first"), "ema/"),
                  after = values_of(labs.last("second"));
  int heads = 0;
  for (const auto& entry : after) {
    const std::string& name = entry.first;
    const auto& values = entry.second;
    CAPTURE(name);
    const bool head = models::stage_of(name) == models::classifier_stage;
    heads += head;
    CHECK((values == averages.at(name)) == !head);
  }
  CHECK(heads == 2);
  for (const auto& entry : values_of(labs.last("second"), "optimizer/")) {
    const std::string& name = entry.first;
    CAPTURE(name);
    CHECK((name == "step" || name.starts_with("linear.")));
  }
  labs.go_on("second", [&] {
    TrainConfig more = config;
    more.epochs = 3;
    return more;
  }());
}

TEST_CASE("crt: what is no first stage is refused (R3)") {
  const Labs labs, others({{4, 4}, {4, 4}});
  TrainConfig config = labs.with("boda");
  config.epochs = 1;
  labs.train("first", config);
  TrainConfig fewer = config;
  fewer.data = others.data;
  others.train("first", fewer);
  config.method = "boda-plus";
  const Task task = load_task(config, {});
  {
    Trainer trainer(config, task);
    CHECK_THROWS_WITH_AS(trainer.load_first_stage(labs.path("nowhere")),
                         doctest::Contains("does not exist"), ConfigError);
    CHECK_THROWS_WITH_AS(trainer.load_first_stage(labs.data[0]),
                         doctest::Contains("has no checkpoint"), ConfigError);
    CHECK_THROWS_WITH_AS(trainer.load_first_stage(others.path("first")),
                         doctest::Contains("expects 4 classes, got 2"), ShapeError);
    const RunFolder folder = RunFolder::create(labs.path("without"), false);
    CHECK_THROWS_AS(trainer.run(folder, {}), StateError);
  }
  config.embedding = 8;
  Trainer wider(config, task);
  CHECK_THROWS_AS(wider.load_first_stage(labs.path("first")), ShapeError);
}
