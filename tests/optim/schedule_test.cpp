#include "cytograd/optim/schedule.h"

#include <doctest/doctest.h>

using namespace cytograd;
using namespace cytograd::optim;

TEST_CASE("schedules are functions of the step") {
  CHECK(constant()(1000) == 1.0);
  const Schedule steps = step_decay(10, 0.1);
  CHECK(steps(9) == 1.0);
  CHECK(steps(10) == doctest::Approx(0.1));
  CHECK(steps(29) == doctest::Approx(0.01));
  const Schedule milestones = multi_step({30, 20}, 0.5);
  CHECK(milestones(19) == 1.0);
  CHECK(milestones(20) == 0.5);
  CHECK(milestones(31) == 0.25);
  const Schedule wave = cosine(100, 0.1);
  CHECK(wave(0) == 1.0);
  CHECK(wave(50) == doctest::Approx(0.55));
  CHECK(wave(100) == doctest::Approx(0.1));
  CHECK(wave(1000) == doctest::Approx(0.1));
}

TEST_CASE("a warm-up rises to the schedule that follows") {
  const Schedule rise = warm_up(4, cosine(10));
  CHECK(rise(0) == doctest::Approx(0.2));
  CHECK(rise(3) == doctest::Approx(0.8));
  CHECK(rise(4) == 1.0);
  CHECK(rise(14) == doctest::Approx(0));
  CHECK(warm_up(0, constant())(0) == 1.0);
  CHECK_THROWS_AS(cosine(0), ValueError);
  CHECK_THROWS_AS(step_decay(0, 0.1), ValueError);
  CHECK_THROWS_AS(warm_up(-1, constant()), ValueError);
}
