#include "cytograd/guided/classifiers.h"

#include <doctest/doctest.h>

#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "cytograd/core/random.h"
#include "cytograd/guided/ellipse.h"
#include "cytograd/guided/readout.h"
#include "cytograd/train/metrics.h"
#include "support/kernel_case.h"
#include "support/temp_folder.h"

using namespace cytograd;

namespace {

using Kind = ClassifierSpec::Kind;

void near(double actual, double expected, double tolerance = 1e-6) {
  CAPTURE(actual);
  CAPTURE(expected);
  CHECK_FALSE(!(std::abs(actual - expected) <= tolerance));
}

// Clouds around the corners of a square, labels 0..3.
LabelledRows clouds(int64_t per_class, double spread, uint64_t seed) {
  LabelledRows out;
  out.width = 3;
  out.classes = 4;
  Rng rng(seed, "clouds");
  for (int64_t i = 0; i < 4 * per_class; ++i) {
    const int64_t c = i % 4;
    out.labels.push_back(c);
    for (const double center : {double(c % 2) * 4, double(c / 2) * 4, 0.0})
      out.values.push_back(static_cast<float>(center + spread * rng.normal()));
  }
  return out;
}

double accuracy(const std::vector<int64_t>& predicted, const LabelledRows& rows) {
  double hits = 0;
  for (size_t i = 0; i < predicted.size(); ++i) hits += predicted[i] == rows.labels[i];
  return hits / static_cast<double>(predicted.size());
}

}  // namespace

TEST_CASE("L9: linear SVM with squared hinge and the bias as a component") {
  const std::vector<double> x = {0, 0, 1, 0, 0, 1, 3, 3, 4, 3, 3, 4};
  const std::vector<uint8_t> positive = {0, 0, 0, 1, 1, 1};
  const struct {
    double c, w, b, objective;
  } cases[] = {{0.1, 0.176471, -0.352941, 0.282353},
               {1, 0.304933, -0.986547, 0.807175},
               {10, 0.386936, -1.342783, 1.094723}};
  for (const auto& expected : cases) {
    CAPTURE(expected.c);
    const SvmSolution s = solve_svm(x, 2, positive, expected.c, 3, 1e-9, 100000);
    CHECK(s.converged);
    near(s.weight[0], expected.w);
    near(s.weight[1], expected.w);
    near(s.weight[2], expected.b);
    near(s.objective, expected.objective);
    // The usual tolerance comes close.
    near(solve_svm(x, 2, positive, expected.c, 4).objective, expected.objective, 1e-3);
  }
  CHECK_THROWS_AS(solve_svm(x, 2, positive, 0, 3), ValueError);
  CHECK_THROWS_AS(solve_svm(x, 5, positive, 1, 3), ShapeError);
}

TEST_CASE("L9: nearest neighbours vote alike or by distance") {
  LabelledRows train{{0, 1, 3, 4}, {0, 0, 1, 1}, 1, 2};
  const auto votes = [&](float query, int64_t k, bool by_distance) {
    return neighbour_votes(nearest_rows(train, {query}, k), train.labels, 2, k, by_distance);
  };
  near(votes(2.2f, 3, false)[1], 0.666667);
  near(votes(2.2f, 3, true)[1], 0.684211);
  near(votes(1.0f, 3, true)[0], 1);
  // Equal distances: the lower index; equal votes: the lower class.
  CHECK(nearest_rows(train, {2.f}, 2).indices == std::vector<int64_t>{1, 2});
  const auto knn = fit_classifier({.kind = Kind::knn, .k = 2}, train, 0);
  CHECK(knn->predict({2.f}) == std::vector<int64_t>{0});
  CHECK(nearest_rows(train, {2.f}, 9).k == 4);
}

TEST_CASE("classifiers separate clouds, are stored, and do not depend on threads") {
  const LabelledRows train = clouds(30, 0.7, 1), test = clouds(30, 0.7, 2);
  const TempFolder folder;
  for (const ClassifierSpec& spec :
       {ClassifierSpec{.kind = Kind::svm, .c = 1},
        ClassifierSpec{.kind = Kind::knn, .k = 5, .by_distance = true},
        ClassifierSpec{.kind = Kind::mlp, .layers = 2, .neurons = 32}}) {
    CAPTURE(spec.text());
    const auto fitted = fit_classifier(spec, train, 7);
    CHECK(accuracy(fitted->predict(test.values), test) > 0.95);
    const std::vector<double> scores = fitted->scores(test.values);
    double sum = 0;
    for (int c = 0; c < 4; ++c) sum += scores[static_cast<size_t>(c)];
    near(sum, 1, 1e-9);
    write_classifier(folder / "c.safetensors", *fitted);
    const auto read = load_classifier(folder / "c.safetensors");
    CHECK(read->spec() == spec);
    CHECK(read->scores(test.values) == scores);
    CHECK(test::same_for_any_threads(
        [&] { return fit_classifier(spec, train, 7)->scores(test.values); }));
  }
  CHECK_THROWS_AS(load_classifier(folder / "none"), FileError);
}

TEST_CASE("the grid is searched on the rows given alone; ties go to the first") {
  const LabelledRows rows = clouds(20, 0.2, 3);
  const GridSearch easy = search_grid(ClassifierGrid::all(), rows, 5);
  REQUIRE(easy.scores.size() == 6 + 12 + 6);
  // Every classifier is right here, so the first with the best score is an SVM.
  CHECK(easy.scores[easy.best] == 1);
  CHECK(ClassifierGrid::all().specs[easy.best].kind == Kind::svm);
  for (size_t s = 0; s < easy.best; ++s) CHECK(easy.scores[s] < 1);
  CHECK(ClassifierGrid::knn().specs[search_grid(ClassifierGrid::knn(), rows, 5).best].k == 25);
  // A ring around a cloud: no line helps, neighbours do.
  LabelledRows ring{{}, {}, 2, 2};
  Rng rng(4, "ring");
  for (int i = 0; i < 120; ++i) {
    const double angle = rng.uniform(0, 6.283), r = i % 2 ? 3 : 0.3;
    ring.values.push_back(static_cast<float>(r * std::cos(angle) + 0.1 * rng.normal()));
    ring.values.push_back(static_cast<float>(r * std::sin(angle) + 0.1 * rng.normal()));
    ring.labels.push_back(i % 2);
  }
  ClassifierGrid two = ClassifierGrid::svm();
  two.specs.push_back({.kind = Kind::knn, .k = 5});
  const GridSearch hard = search_grid(two, ring, 5);
  CHECK(two.specs[hard.best].kind == Kind::knn);
  CHECK(hard.scores[hard.best] > 0.95);
}

TEST_CASE("classifiers refuse rows that say nothing") {
  LabelledRows rows{{1, NAN}, {0, 1}, 1, 2};
  CHECK_THROWS_AS(fit_classifier({}, rows, 0), DataError);
  CHECK_THROWS_AS(fit_classifier({}, LabelledRows{{}, {}, 1, 2}, 0), DataError);
  // Fewer samples than inner folds, and a single class: a score, no failure.
  LabelledRows few{{0, 1, 2}, {0, 0, 1}, 1, 3};
  CHECK_NOTHROW(search_grid(ClassifierGrid::all(), few, 0));
  LabelledRows one{{0}, {1}, 1, 2};
  CHECK(search_grid(ClassifierGrid::knn(), one, 0).best == 0);
  CHECK(fit_classifier({.kind = Kind::svm}, one, 0)->predict({3.f}) == std::vector<int64_t>{1});
}

TEST_CASE("L10: F1 of a worked example") {
  const int64_t truth[] = {0, 0, 0, 1, 1, 2, 2, 2, 2, 3};
  const int64_t predicted[] = {0, 0, 1, 1, 2, 2, 2, 0, 2, 2};
  Confusion four(4), five(5);
  for (size_t i = 0; i < 10; ++i) {
    four.add(truth[i], predicted[i]);
    five.add(truth[i], predicted[i]);
  }
  const int64_t rows[] = {2, 1, 0, 0, 0, 1, 1, 0, 1, 0, 3, 0, 0, 0, 1, 0};
  for (int64_t t = 0; t < 4; ++t)
    for (int64_t p = 0; p < 4; ++p) CHECK(four.at(t, p) == rows[t * 4 + p]);
  const Scores s = scores_of(four);
  near(*s.per_class[0].f1, 0.666667);
  near(*s.per_class[1].f1, 0.5);
  near(*s.per_class[2].f1, 0.666667);
  near(*s.per_class[3].f1, 0);
  near(*s.f1_macro, 0.458333);
  near(*s.f1_micro, 0.6);
  near(*scores_of(five).f1_macro, 0.458333);
  near(f1_macro_over_all(scores_of(five)), 0.366667);
}

TEST_CASE("maturity lies between the stages of a lineage") {
  const std::vector<GuideClass> rows = {{"blast", 0, 0, "none", 0, ""},
                                        {"young", 0, 1, "up", 1, ""},
                                        {"old", 0, 3, "up", 3, ""},
                                        {"side", 2, 0, "right", 4, ""},
                                        {"loose", 9, 9, "alone", {}, ""}};
  std::vector<double> anchors;
  for (const GuideClass& c : rows) anchors.insert(anchors.end(), {c.x, c.y});
  const auto maturity = [&](double x, double y, int64_t predicted) {
    const double p[] = {x, y};
    return maturity_of(p, 2, predicted, anchors, rows);
  };
  near(maturity(0.3, 2, 2), 2);  // half way from stage 1 to 3
  near(maturity(0.3, 0.25, 1), 0.25);
  near(maturity(1, 9, 1), 3);    // beyond the last
  near(maturity(1, 0.2, 3), 2);  // half way along the other lineage
  near(maturity(1, 0.2, 0), 2);  // a blast takes the nearest path
  near(maturity(0.2, 0.5, 0), 0.5);
  CHECK(std::isnan(maturity(0, 0, 4)));
  CHECK(std::isnan(maturity_of(anchors.data(), 2, 0, {0, 0}, {rows[0]})));
}

TEST_CASE("L11: confidence ellipse") {
  const auto e = confidence_ellipse({{0, 0}, {2, 1}, {4, 1}, {1, 2}, {3, 3}});
  REQUIRE(e);
  near(e->center[0], 2);
  near(e->center[1], 1.4);
  near(e->minor, 2.372587);
  near(e->major, 4.139855);
  near(e->angle * 180 / 3.14159265358979, 25.670096);
  const auto most = confidence_ellipse({{0, 0}, {2, 1}, {4, 1}, {1, 2}, {3, 3}}, 0.68);
  near(most->major * most->major / 2.860469, 2.278869, 1e-5);
  CHECK_FALSE(confidence_ellipse({{0, 0}, {1, 1}}));
  CHECK_FALSE(confidence_ellipse({{0, 0}, {1, 1}, {2, 2}}));
  CHECK_THROWS_AS(confidence_ellipse({}, 1), ValueError);
}
