#include "cytograd/train/metrics.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "cytograd/train/events.h"
#include "cytograd/train/method.h"

using namespace cytograd;

TEST_CASE("E2: macro and micro F1 of a worked example") {
  const int64_t truth[] = {0, 0, 0, 1, 1, 2, 2, 2, 2, 3};
  const int64_t predicted[] = {0, 0, 1, 1, 2, 2, 2, 0, 2, 2};
  Confusion confusion(5);
  for (size_t i = 0; i < 10; ++i) confusion.add(truth[i], predicted[i]);
  const Scores s = scores_of(confusion);
  CHECK(*s.f1_macro == doctest::Approx(0.458333).epsilon(1e-6));
  CHECK(*s.f1_micro == doctest::Approx(0.6));
  // Class 4 is neither in truth nor in prediction: it has no score and no part in the mean.
  CHECK(s.averaged == 4);
  CHECK(!s.per_class[4].f1);
  // Class 3 is never predicted.
  CHECK(!s.per_class[3].precision);
  CHECK(*s.per_class[3].recall == 0);
  const auto json = nlohmann::json::parse(
      scores_json(s, confusion, {"a", "b", "c", "d", "\xff<e>"}, 0.5, "\"loss\":1"));
  CHECK(json["n"] == 10);
  CHECK(json["per_class"]["\\xff<e>"]["f1"].is_null());
  CHECK(json["confusion"][2][0] == 1);
  CHECK(json["loss"] == 1);
}

TEST_CASE("no samples have no scores") {
  const Scores s = scores_of(Confusion(2));
  CHECK(!s.accuracy);
  CHECK(!s.f1_macro);
  CHECK(score_text(s.accuracy) == "n/a");
  CHECK(!calibration_error({}, {}));
}

TEST_CASE("calibration error weighs the gap of each bin") {
  // Two samples at 0.9, one right: |1 - 1.8|; two at 0.6, both right: |2 - 1.2|; over 4.
  const double confidence[] = {0.9, 0.9, 0.6, 0.6};
  const uint8_t correct[] = {1, 0, 1, 1};
  CHECK(*calibration_error(confidence, correct, 10) == doctest::Approx((0.8 + 0.8) / 4));
}

TEST_CASE("reliability: bins open below and closed above, means and counts, ECE") {
  // Bins of a fifth: 0 and 0.2 in the first, 0.2001 in the second, 0.9 and 1 in the last; beyond 1
  // counts as 1.
  const std::vector<double> confidence = {0, 0.2, 0.2001, 0.9, 1, 1.5};
  const std::vector<uint8_t> correct = {0, 1, 0, 1, 1, 0};
  const Reliability r = reliability_of(confidence, correct, 5);
  REQUIRE(r.bins.size() == 5);
  const int64_t counts[] = {2, 1, 0, 0, 3};
  const double accuracy[] = {0.5, 0, 0, 0, 2. / 3}, mean[] = {0.1, 0.2001, 0, 0, 2.9 / 3};
  for (size_t b = 0; b < 5; ++b) {
    CHECK(r.bins[b].count == counts[b]);
    CHECK(r.bins[b].accuracy == doctest::Approx(accuracy[b]));
    CHECK(r.bins[b].confidence == doctest::Approx(mean[b]));
  }
  CHECK(r.n == 6);
  // |1 - 0.2| + |0 - 0.2001| + |2 - 2.9| over 6.
  CHECK(r.ece == doctest::Approx((0.8 + 0.2001 + 0.9) / 6));
  CHECK(r.ece == doctest::Approx(*calibration_error(confidence, correct, 5)));
  // Confidences that are right as often as they say.
  std::vector<double> honest;
  std::vector<uint8_t> outcome;
  for (int i = 0; i < 100; ++i) {
    honest.push_back(0.7);
    outcome.push_back(i % 10 < 7);
  }
  CHECK(reliability_of(honest, outcome).ece == doctest::Approx(0).epsilon(1e-9));
  CHECK(reliability_of({}, {}).ece == 0);
  const double nan[] = {NAN};
  CHECK_THROWS_AS(reliability_of(nan, std::vector<uint8_t>{1}), ValueError);
  CHECK_THROWS_AS(reliability_of(honest, std::vector<uint8_t>{1}), ValueError);
}

TEST_CASE("balanced class weights give each present class the same sum") {
  const auto w = balanced_class_weights({{6}, {3}, {0}});
  CHECK(w[0] * 6 == doctest::Approx(w[1] * 3));
  CHECK(w[0] * 6 + w[1] * 3 == doctest::Approx(9));
  CHECK(w[2] == 0);
}

TEST_CASE("CRC-32C of the published check value") { CHECK(crc32c("123456789") == 0xe3069283u); }
