// Agreement with liblinear (Fan et al. 2008), where the build has found it.
#ifdef CYTOGRAD_LIBLINEAR
#include <doctest/doctest.h>
#include <linear.h>

#include <cmath>

#include "cytograd/core/random.h"
#include "cytograd/guided/classifiers.h"

using namespace cytograd;

TEST_CASE("linear SVM: liblinear's weights and objective") {
  constexpr int n = 150, width = 7;
  Rng rng(9, "liblinear");
  std::vector<double> x;
  std::vector<uint8_t> positive;
  for (int i = 0; i < n; ++i) {
    positive.push_back(i % 3 == 0);
    for (int k = 0; k < width; ++k) x.push_back(rng.normal() + (positive.back() ? 0.4 * k : 0));
  }
  // Rows of (index, value) pairs that end with index -1; the bias is one more input of 1.
  std::vector<std::vector<feature_node>> rows;
  std::vector<feature_node*> pointers;
  std::vector<double> targets;
  for (int i = 0; i < n; ++i) {
    std::vector<feature_node> row;
    for (int k = 0; k < width; ++k) row.push_back({k + 1, x[static_cast<size_t>(i * width + k)]});
    row.push_back({width + 1, 1});
    row.push_back({-1, 0});
    rows.push_back(row);
    targets.push_back(positive[static_cast<size_t>(i)] ? 1 : -1);
  }
  for (auto& row : rows) pointers.push_back(row.data());
  set_print_string_function([](const char*) {});
  for (const double c : {0.01, 1.0, 10.0}) {
    CAPTURE(c);
    problem data{};
    data.l = n;
    data.n = width + 1;
    data.y = targets.data();
    data.x = pointers.data();
    data.bias = 1;
    parameter settings{};
    settings.solver_type = L2R_L2LOSS_SVC;
    settings.eps = 1e-10;
    settings.C = c;
    model* fitted = train(&data, &settings);
    const SvmSolution ours = solve_svm(x, width, positive, c, 1, 1e-10, 1000000);
    // The first row is of class 1, so weights are of that class.
    for (int k = 0; k <= width; ++k)
      CHECK(std::abs(ours.weight[static_cast<size_t>(k)] - fitted->w[k]) < 1e-5);
    free_and_destroy_model(&fitted);
  }
}
#endif
