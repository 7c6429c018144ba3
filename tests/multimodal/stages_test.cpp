#include "cytograd/multimodal/stages.h"

#include <doctest/doctest.h>

#include <cmath>

#include "multimodal/invented_run.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::multimodal;

TEST_CASE("stage order: medians of maxima, rank correlation, inversions") {
  const std::vector<double> t = {0, .25, .5, .75, 1};
  const cluster::Curves shares{3, 5, {1, 1, 0, 0, 0, 0, .2, .5, 0, 0, 0, 0, .5, 1, 1}};
  const StageOrder right = stage_order({"a", "b", "c"}, t, shares);
  CHECK(right.peak_t == std::vector<double>{.125, .5, .875});
  CHECK(right.spearman == doctest::Approx(1));
  CHECK(right.inversions.empty());
  CHECK(right.in_order());
  const std::vector<int64_t> swapped = {0, 2, 1};
  const StageOrder wrong = stage_order({"a", "c", "b"}, t, shares.subset(swapped));
  CHECK(wrong.spearman == doctest::Approx(.5));
  CHECK(wrong.inversions == std::vector<std::pair<int64_t, int64_t>>{{1, 2}});
  CHECK_FALSE(wrong.in_order());
  // A stage that does not occur is no inversion, but the path does not pass it.
  const StageOrder absent = stage_order({"a", "b"}, {0, 1}, cluster::Curves{2, 2, {1, .5, 0, 0}});
  CHECK(std::isnan(absent.peak_t[1]));
  CHECK(std::isnan(absent.spearman));
  CHECK_FALSE(absent.in_order());
  // Stages that are likeliest at the same place are no inversion and not passed one by one.
  const StageOrder tied = stage_order({"a", "b"}, {0, 1}, cluster::Curves{2, 2, {.1, .5, .2, .5}});
  CHECK(tied.inversions.empty());
  CHECK_FALSE(tied.in_order());
  test::check_op_error<ShapeError>([&] { stage_order({"a"}, t, shares); },
                                   "stage_order: shares expect [1, 5], got [3, 5]");
}

TEST_CASE("stage order: votes along a path, and a classifier's probabilities") {
  const Run run = test::invented_run();
  Trajectory p;
  p.t = {0, .25, .5, .75, 1};
  std::vector<float> z;
  for (const double at : p.t)
    for (int64_t k = 0; k < 50; ++k)
      z.push_back(static_cast<float>(k < 10 ? 1.5 * at : k < 20 ? 1.5 * (1 - at) : 0));
  p.mean = Tensor::from(z, {5, 50});
  const StageReport votes = stage_order(run, p, {"early", "middle", "end"});
  CHECK(votes.votes.in_order());
  CHECK(votes.votes.peak_t[1] == .5);
  CHECK(votes.votes.shares.row(0)[0] == 1);
  CHECK_FALSE(votes.classified);
  CHECK_FALSE(stage_order(run, p, {"middle", "early", "late"}).votes.in_order());
  const Tensor probabilities = Tensor::from(
      std::vector<float>{.8f, .1f, .1f, .6f, .1f, .3f, .1f, .1f, .8f, .1f, .3f, .6f, .1f, .8f, .1f},
      {5, 3});
  const StageReport both =
      stage_order(run, p, {"early", "middle", "end"}, probabilities, {"early", "late", "middle"});
  REQUIRE(both.classified);
  CHECK(both.classified->peak_t == std::vector<double>{0, .5, 1});
  test::check_op_error<ValueError>(
      [&] {
        stage_order(run, p, {"early", "end"}, probabilities, {"early", "x", "y"});
      },
      "stage_order: the classifier has no class of the stage end");
  test::check_op_error<ShapeError>(
      [&] { stage_order(run, p, {"early"}, probabilities, {"early"}); },
      "stage_order: probabilities expect [5, 1], got [5, 3]");
  CHECK_THROWS_AS(stage_order(run, p, {"stem"}), DataError);  // no images of it
}
