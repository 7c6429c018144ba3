#include "cytograd/multimodal/trajectory.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "cytograd/core/parallel.h"
#include "multimodal/invented_run.h"
#include "multimodal/trajectory_parts.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::multimodal;
using test::check_op_error;
using test::invented_run;
using test::noted;

namespace {

TrajectoryOptions options(std::vector<std::string> stations, PathKind kind = PathKind::anchored) {
  TrajectoryOptions out;
  out.stations = std::move(stations);
  out.kind = kind;
  out.points = 9;
  out.samples = 4;
  out.anchors = 20;
  return out;
}

double largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  const auto x = a.to_vector<double>(), y = b.to_vector<double>();
  double out = 0;
  for (size_t i = 0; i < x.size(); ++i) out = std::max(out, std::abs(x[i] - y[i]));
  return out;
}

template <class E, class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "no such error";
}

}  // namespace

TEST_CASE("trajectory: sizes, what is decoded, bands, notes") {
  const Run run = invented_run();
  const Trajectory p = make_trajectory(run, options({"early", "middle", "end"}));
  CHECK(p.name == "early-to-end");
  CHECK(p.station_t == std::vector<double>{0, .5, 1});
  CHECK(p.t.front() == 0);
  CHECK(p.t.back() == 1);
  CHECK(p.mean.shape() == Shape{9, 50});
  CHECK(p.samples.shape() == Shape{4, 9, 50});
  CHECK(p.frames.shape() == Shape{9, 128, 128, 3});
  CHECK_FALSE(p.frames.requires_grad());
  CHECK(p.fold.rows == 40);
  CHECK(p.fold.length == 9);
  CHECK(p.support.image.size() == 9);
  CHECK(p.clusters.labels.size() == 40);
  CHECK(largest_difference(p.frames, run.decode_images(p.mean)) < 1e-6);
  const std::vector<double> logs = run.decode_genes(p.mean).to_vector<double>();
  double spread = 0;
  for (int64_t g = 0; g < 40; ++g) {
    double mean = 0;
    for (size_t i = 0; i < 9; ++i) {
      CHECK(p.expression.row(g)[i] == doctest::Approx(logs[i * 40 + g]).epsilon(1e-9));
      mean += p.expression.row(g)[i] / 9;
    }
    for (size_t i = 0; i < 9; ++i) {
      CHECK(p.fold.row(g)[i] == doctest::Approx(p.expression.row(g)[i] / (mean + 1e-10)));
      CHECK(p.fold_low.row(g)[i] <= p.fold_high.row(g)[i]);
      spread += p.fold_high.row(g)[i] - p.fold_low.row(g)[i];
    }
  }
  CHECK(spread > 0);
  CHECK(noted(p.notes, "\"early\" is 20 image cells"));
  CHECK(noted(p.notes, "\"end\" is 20 image cells of late"));
  CHECK(noted(p.notes, "no masks"));
  CHECK_FALSE(p.masks.defined());
  CHECK_FALSE(noted(p.notes, "comes nearest"));
  for (const double s : p.support.image) CHECK((s >= 0 && s <= 100));
}

TEST_CASE("trajectory: stations out of order on the path are noted") {
  const Run run = invented_run();
  std::vector<Station> stations;
  for (const char* name : {"early", "middle", "late"}) stations.push_back(find_station(run, name));
  // A path that runs backwards.
  const Tensor back = make_trajectory(run, options({"late", "early"}, PathKind::straight)).mean;
  CHECK(order_notes(run, stations, back, {0, .125, .25, .375, .5, .625, .75, .875, 1}).size() == 2);
}

TEST_CASE("trajectory: a path turned round is its mirror image") {
  const Run run = invented_run();
  for (const PathKind kind : {PathKind::two_point, PathKind::straight, PathKind::anchored}) {
    CAPTURE(static_cast<int>(kind));
    const Trajectory a = make_trajectory(run, options({"early", "late"}, kind));
    const Trajectory b = make_trajectory(run, options({"late", "early"}, kind));
    // The fit of an anchored path ends where its tolerance lets it.
    const double most = kind == PathKind::anchored ? 2e-3 : 1e-5;
    for (int64_t i = 0; i < 9; ++i) {
      const auto x = a.mean.to_vector<double>(), y = b.mean.to_vector<double>();
      for (int64_t k = 0; k < 50; ++k) {
        const double apart =
            std::abs(x[static_cast<size_t>(i * 50 + k)] - y[static_cast<size_t>((8 - i) * 50 + k)]);
        CHECK(apart <= most);
      }
    }
    for (int64_t g = 0; g < 40; ++g)
      CHECK(std::abs(a.fold.row(g)[2] - b.fold.row(g)[6]) <= 10 * most);
  }
}

TEST_CASE("trajectory: the same bits for any number of threads") {
  const Run run = invented_run();
  const int before = num_threads();
  std::vector<Trajectory> made;
  for (const int threads : {1, 3}) {
    set_num_threads(threads);
    made.push_back(make_trajectory(run, options({"early", "late"})));
  }
  set_num_threads(before);
  CHECK(largest_difference(made[0].samples, made[1].samples) == 0);
  CHECK(largest_difference(made[0].frames, made[1].frames) == 0);
  CHECK(made[0].fold.values == made[1].fold.values);
  CHECK(made[0].fold_low.values == made[1].fold_low.values);
  CHECK(made[0].clusters.labels == made[1].clusters.labels);
  CHECK(made[0].support.image == made[1].support.image);
}

TEST_CASE("trajectory: thinning leaves the same steps out of everything") {
  const Run run = invented_run();
  TrajectoryOptions o = options({"early", "late"});
  const Trajectory all = make_trajectory(run, o);
  std::vector<double> changes;
  for (size_t i = 0; i + 1 < 9; ++i) {
    double change = 0;
    for (int64_t g = 0; g < 40; ++g)
      change += std::abs(all.fold.row(g)[i + 1] - all.fold.row(g)[i]);
    changes.push_back(change);
  }
  std::vector<double> sorted = changes;
  std::sort(sorted.begin(), sorted.end());
  o.thin = (sorted[3] + sorted[4]) / 2;
  const Trajectory thin = make_trajectory(run, o);
  std::vector<size_t> kept;
  for (size_t i = 0; i < 8; ++i)
    if (changes[i] > o.thin) kept.push_back(i);
  kept.push_back(8);
  REQUIRE(kept.size() == 5);
  REQUIRE(thin.t.size() == 5);
  const size_t frame = 128 * 128 * 3;
  const auto frames = all.frames.to_vector<float>(), few = thin.frames.to_vector<float>();
  const auto draws = all.samples.to_vector<float>(), few_draws = thin.samples.to_vector<float>();
  for (size_t n = 0; n < 5; ++n) {
    CHECK(thin.t[n] == all.t[kept[n]]);
    CHECK(thin.support.image[n] == all.support.image[kept[n]]);
    CHECK(few[n * frame + 999] == doctest::Approx(frames[kept[n] * frame + 999]).epsilon(1e-5));
    CHECK(few_draws[(5 + n) * 50 + 7] == draws[(9 + kept[n]) * 50 + 7]);
    for (int64_t g = 0; g < 40; ++g) {
      CHECK(thin.fold.row(g)[n] == all.fold.row(g)[kept[n]]);
      CHECK(thin.fold_high.row(g)[n] == all.fold_high.row(g)[kept[n]]);
      CHECK(thin.expression.row(g)[n] == all.expression.row(g)[kept[n]]);
    }
  }
  for (const cluster::GeneCluster& c : thin.clusters.clusters) CHECK(c.mean.size() == 5);
  CHECK(noted(thin.notes, "5 of 9 steps are kept"));
  o.thin = 1e9;
  const Trajectory none = make_trajectory(run, o);
  CHECK(none.t.size() == 9);
  CHECK(noted(none.notes, "all steps are kept"));
}

TEST_CASE("trajectory: identical ends stand still") {
  const Run run = invented_run();
  for (const PathKind kind : {PathKind::two_point, PathKind::straight}) {
    TrajectoryOptions o = options({"cell:early3", "cell:slides/early3"}, kind);
    o.clusters = 0;
    const Trajectory p = make_trajectory(run, o);
    const auto z = p.mean.to_vector<double>();
    for (size_t i = 0; i < z.size(); ++i) CHECK(std::abs(z[i] - z[i % 50]) <= 2e-3 * 3);
    CHECK(noted(p.notes, "stands still"));
    CHECK(noted(p.notes, "same cells"));
    CHECK(noted(p.notes, "is one image cell, of class early"));
    CHECK(noted(p.notes, "all genes are flat"));
    CHECK(p.clusters.clusters.empty());
  }
}

TEST_CASE("trajectory: two-point warns of ends that are not correlated") {
  Run run = invented_run();
  const std::vector<float> z = run.image_cells.mu.to_vector<float>();
  std::vector<float> opposed = z;
  for (size_t k = 0; k < 50; ++k) opposed[50 + k] = -z[k];
  run.image_cells.mu = Tensor::from(opposed, run.image_cells.mu.shape());
  const Trajectory p =
      make_trajectory(run, options({"cell:early0", "cell:early1"}, PathKind::two_point));
  CHECK(noted(p.notes, "falls to the origin"));
}

TEST_CASE("trajectory: stations that are none") {
  const Run run = invented_run();
  CHECK(message_of<DataError>([&] {
          make_trajectory(run, options({"early", "lat"}));
        }) ==
        "invented: no class \"lat\"; expected a class of images (early, middle, late, empty) or of "
        "RNA (stem, mature), a name of the class map (end) or cell:NAME; did you mean \"late\"? "
        "[class.unknown]");
  CHECK(message_of<DataError>([&] {
          make_trajectory(run, options({"empty", "late"}));
        }) ==
        "invented: neither images nor RNA have a cell of \"empty\"; expected at least one cell "
        "[class.missing]");
  CHECK(message_of<DataError>([&] {
          make_trajectory(run, options({"early", "cell:none"}));
        }).starts_with("invented: no cell is named \"none\""));
  const Station rna = find_station(run, "mature");
  CHECK_FALSE(rna.image);
  CHECK(rna.note == "\"mature\" is 20 RNA cells");
  CHECK(rna.rows.front() == 20);
  CHECK_FALSE(find_station(run, "cell:cells/stem4").image);
}

TEST_CASE("trajectory: collapsed runs and options out of range") {
  Run run = invented_run();
  run.rna_quality.collapsed = true;
  TrajectoryOptions o = options({"early", "late"}, PathKind::straight);
  check_op_error<DataError>(
      [&] { make_trajectory(run, o); },
      "invented: the RNA model collapsed in training; expected 10 or more active latents, and an "
      "R2 from mu of at least 0.9 of that from samples; train again, or --force [run.collapsed]");
  o.force = true;
  CHECK(noted(make_trajectory(run, o).notes, "the RNA model collapsed"));
  o.clusters = 41;
  CHECK(message_of<ValueError>([&] { make_trajectory(run, o); }).find("k expects at most") !=
        std::string::npos);
  o = options({"early", "middle", "late"}, PathKind::straight);
  o.force = true;
  CHECK(message_of<ValueError>([&] { make_trajectory(run, o); }).find("expects two stations") !=
        std::string::npos);
  o = options({"early", "late"});
  o.force = true;
  o.samples = 0;
  check_op_error<ValueError>([&] { make_trajectory(run, o); },
                             "make_trajectory: samples expects >= 1, got 0");
  o.samples = 20'000'000;
  CHECK(message_of<ValueError>([&] { make_trajectory(run, o); }).find("at most") !=
        std::string::npos);
}

TEST_CASE("trajectory: all genes flat, and few anchors") {
  TrajectoryOptions o = options({"early", "late"});
  o.anchors = 50;
  const Trajectory p = make_trajectory(invented_run(40, 0), o);
  CHECK(noted(p.notes, "all genes are flat"));
  CHECK(noted(p.notes, "\"early\" has 20 cells, fewer than the anchors"));
  CHECK(p.clusters.flat.size() == 40);
}

TEST_CASE("medoid, centre and variances of a station") {
  CHECK(medoid(Tensor::from(std::vector<float>{0, 0, 10, 0, 1, 0, 2, 0}, {4, 2})) == 2);
  const Run run = invented_run();
  const Station late = find_station(run, "late");
  const Tensor cells = latents_of(run, late);
  const auto row = static_cast<size_t>(medoid(cells));
  const auto all = cells.to_vector<float>(), centre = centre_of(run, late).to_vector<float>();
  for (size_t k = 0; k < 50; ++k) CHECK(centre[k] == all[row * 50 + k]);
  double mean = 0;
  for (const double v : class_variances(run, find_station(run, "cell:late0"))) mean += v / 50;
  CHECK(mean == doctest::Approx(.09).epsilon(.2));
}
