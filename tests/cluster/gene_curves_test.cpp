#include "cytograd/cluster/gene_curves.h"

#include <string>

#include "cluster/cluster_support.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::cluster;
using test::check_op_error;
using test::close_values;
using test::curves;

namespace {

std::vector<double> made(double (*f)(double), int points = 50) {
  std::vector<double> out;
  for (int i = 0; i < points; ++i) out.push_back(f(static_cast<double>(i) / (points - 1)));
  return out;
}

double rising(double t) { return .5 + t; }
double falling(double t) { return 1.5 - t; }
double peak(double t) { return .8 + std::exp(-40 * (t - .5) * (t - .5)); }
double dip(double t) { return 2 - peak(t); }
double still(double t) { return 1 + .001 * t; }

}  // namespace

TEST_CASE("trends: names by rule") {
  CHECK(trend_of(made(rising)) == Trend::up);
  CHECK(trend_of(made(falling)) == Trend::down);
  CHECK(trend_of(made(peak)) == Trend::transient_peak);
  CHECK(trend_of(made(dip)) == Trend::transient_dip);
  CHECK(trend_of(made(still)) == Trend::flat);
  CHECK(std::string(name_of(Trend::transient_dip)) == "transient-dip");
  close_values({rise(made(rising, 100))}, {90.0 / 99}, 1e-12);
  close_values({rise(made(rising, 5))}, {1}, 1e-12);
  close_values({rank_correlation_with_time(made(rising)), rank_correlation_with_time(made(falling)),
                rank_correlation_with_time(std::vector<double>{2, 2, 2})},
               {1, -1, 0}, 1e-12);
  // Ranks 0, 1.5, 1.5, 3 beside 0, 1, 2, 3.
  close_values({rank_correlation_with_time(std::vector<double>{1, 2, 2, 3})},
               {4.5 / std::sqrt(4.5 * 5)}, 1e-12);
}

TEST_CASE("gene clusters: names, flat genes, genes against the trend") {
  std::vector<std::vector<double>> rows;
  for (int i = 0; i < 12; ++i) {
    double (*const shapes[])(double) = {rising, falling, still};
    std::vector<double> row = made(shapes[i % 3]);
    for (size_t l = 0; l < row.size(); ++l)
      if (i % 3 < 2) row[l] += .02 * std::sin(static_cast<double>(l) * (i + 1));
    rows.push_back(row);
  }
  const GeneClusters found = cluster_genes(curves(rows), {.shape = {.k = 2}});
  CHECK(found.flat == std::vector<int64_t>{2, 5, 8, 11});
  REQUIRE(found.clusters.size() == 2);
  for (const GeneCluster& c : found.clusters) {
    CHECK(c.members.size() == 4);
    CHECK(c.discordant.empty());
    CHECK(c.name == (c.members[0] == 0 ? "up" : "down"));
    for (const int64_t i : c.members)
      CHECK(found.clusters[static_cast<size_t>(found.labels[static_cast<size_t>(i)])].name ==
            c.name);
    for (size_t l = 0; l < 50; ++l) {
      double mean = 0, squares = 0;
      for (const int64_t i : c.members) mean += rows[static_cast<size_t>(i)][l] / 4;
      for (const int64_t i : c.members)
        squares += std::pow(rows[static_cast<size_t>(i)][l] - mean, 2) / 4;
      close_values({c.mean[l], c.deviation[l]}, {mean, std::sqrt(squares)}, 1e-12);
    }
  }
  CHECK(found.labels[2] == -1);
  REQUIRE(found.silhouettes.size() == 1);
  CHECK(found.silhouettes[0] > .5);
}

TEST_CASE("gene clusters: k by silhouette, two clusters of one name") {
  std::vector<std::vector<double>> rows;
  for (int i = 0; i < 10; ++i) {
    std::vector<double> row = made(i % 2 ? rising : falling);
    for (size_t l = 0; l < row.size(); ++l)
      row[l] += .01 * std::cos(static_cast<double>(l) * (i + 2));
    rows.push_back(row);
  }
  const GeneClusters chosen = cluster_genes(curves(rows), {.shape = {.k = 0}});
  CHECK(chosen.clusters.size() == 2);
  CHECK(chosen.silhouettes.size() == 5);
  std::vector<std::vector<double>> up;
  for (int i = 0; i < 9; ++i) {
    std::vector<double> row;
    for (int l = 0; l < 40; ++l) {
      const double t = l / 39.0;
      row.push_back((i < 6 ? t : std::pow(t, 8)) + .002 * std::sin(3.0 * l * (i + 1)));
    }
    up.push_back(row);
  }
  const GeneClusters both = cluster_genes(curves(up), {.shape = {.k = 2}});
  REQUIRE(both.clusters.size() == 2);
  for (const GeneCluster& c : both.clusters) {
    CHECK(c.trend == Trend::up);
    CHECK(c.name == (c.members.size() > 4 ? "up-1" : "up-2"));
  }
}

TEST_CASE("gene clusters: everything flat, too many clusters") {
  const Curves flat = curves({made(still), made(still)});
  const GeneClusters none = cluster_genes(flat);
  CHECK(none.clusters.empty());
  CHECK(none.flat.size() == 2);
  CHECK(none.labels == std::vector<int64_t>{-1, -1});
  const Curves one = curves({made(still), made(rising)});
  check_op_error<ValueError>([&] { cluster_genes(one); },
                             "cluster_genes: k expects at most 1 (genes that are not flat), got 3");
  check_op_error<ValueError>([&] { cluster_genes(one, {.shape = {.k = 0}}); },
                             "cluster_genes: expects at least 2 genes that are not flat, got 1");
  CHECK(cluster_genes(one, {.shape = {.k = 1}}).clusters[0].name == "up");
}

TEST_CASE("fold changes and thinning") {
  const Curves f = fold_changes(curves({{1, 2, 3, 4}, {4, 4, 4, 4}, {2, 1, 1, 0}}));
  close_values(f.values, {.4, .8, 1.2, 1.6, 1, 1, 1, 1, 2, 1, 1, 0}, 1e-9);
  // Sums of the changes: 1.4, .4, 1.4.
  CHECK(thinned_steps(f, .41) == std::vector<int64_t>{0, 2, 3});
  CHECK(thinned_steps(f, .39) == std::vector<int64_t>{0, 1, 2, 3});
  CHECK(thinned_steps(f, 1.41) == std::vector<int64_t>{3});
  const Curves zero = fold_changes(curves({{0, 0}}));
  CHECK(zero.values == std::vector<double>{0, 0});
}
