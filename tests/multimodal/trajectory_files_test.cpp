#include <doctest/doctest.h>

#include <cmath>

#include "cytograd/io/csv.h"
#include "cytograd/io/image.h"
#include "cytograd/multimodal/trajectory.h"
#include "multimodal/invented_run.h"
#include "multimodal/table_text.h"
#include "support/temp_folder.h"

using namespace cytograd;
using namespace cytograd::multimodal;

TEST_CASE("trajectory files: tables and the strip hold what the path holds") {
  Run run = test::invented_run();
  run.genes[1] = "=HYPERLINK(\"x\")";
  TrajectoryOptions o;
  o.stations = {"early", "late"};
  o.points = 11;
  o.samples = 3;
  const Trajectory p = make_trajectory(run, o);
  const TempFolder folder;
  CHECK(write_trajectory(p, folder.path().string()).empty());
  CHECK(folder.count() == 9);

  const CsvTable path = read_csv(folder / "path.csv");
  REQUIRE(path.rows() == 11);
  REQUIRE(path.columns() == 102);
  const std::vector<float> z = p.mean.to_vector<float>();
  CHECK(path.number(3, path.column("t")) == doctest::Approx(p.t[3]));
  CHECK(static_cast<float>(path.number(3, path.column("z7"))) == z[3 * 50 + 6]);
  const double variance = p.path.standard.covariance.to_vector<double>()[3 * 11 + 3];
  CHECK(path.number(3, path.column("sd7")) ==
        doctest::Approx(std::sqrt(variance) * p.path.scale.to_vector<double>()[6]).epsilon(1e-5));

  for (const auto& [name, curves] :
       {std::pair{"expression.csv", &p.expression}, std::pair{"fold.csv", &p.fold},
        std::pair{"fold_low.csv", &p.fold_low}, std::pair{"fold_high.csv", &p.fold_high}}) {
    const CsvTable table = read_csv(folder / name);
    REQUIRE(table.rows() == 40);
    REQUIRE(table.columns() == 12);
    CHECK(table.at(5, 0) == "GENE5");
    CHECK(table.at(1, 0) == "'=HYPERLINK(\"x\")");
    CHECK(table.header()[6] == "0.5");
    CHECK(table.number(5, 7) == doctest::Approx(curves->row(5)[6]).epsilon(1e-6));
  }

  const CsvTable clusters = read_csv(folder / "clusters.csv");
  for (size_t g = 0; g < 40; ++g) {
    const auto row = static_cast<int64_t>(g);
    CHECK(std::string(clusters.at(g, 1)) == cluster_name(p, row));
    CHECK(clusters.number(g, 2) == doctest::Approx(cluster::rise(p.fold.row(row))).epsilon(1e-5));
  }
  const CsvTable support = read_csv(folder / "support.csv");
  CHECK(support.number(4, 1) == doctest::Approx(p.support.image[4]));
  CHECK(read_csv(folder / "samples.csv").rows() == 33);

  const Image strip = read_image(folder / "frames.png");
  REQUIRE(strip.width == 1280);
  REQUIRE(strip.height == 128);
  const std::vector<float> frames = p.frames.to_vector<float>();
  const size_t last = 10 * 128 * 128 * 3 + (17 * 128 + 5) * 3 + 1;
  CHECK(strip.at(17, 9 * 128 + 5)[1] == std::lround(255 * frames[last]));
}

TEST_CASE("trajectory files: large samples are left out, a missing folder is an error") {
  Run run = test::invented_run(3, 0);
  TrajectoryOptions o;
  o.stations = {"early", "late"};
  o.kind = PathKind::straight;
  o.points = 20;
  o.samples = 600;
  const Trajectory p = make_trajectory(run, o);
  const TempFolder folder;
  write_file_atomically(folder / "samples.csv", "old");
  const std::vector<std::string> notes = write_trajectory(p, folder.path().string());
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].find("samples.csv is left out") != std::string::npos);
  CHECK(folder.count() == 8);
  CHECK_THROWS_AS(write_trajectory(p, folder / "none"), FileError);
}

TEST_CASE("names in tables run nothing") {
  CHECK(table_text("MPO") == "MPO");
  CHECK(table_text("+1") == "'+1");
  CHECK(table_text("@x") == "'@x");
  CHECK(table_text("a\tb") == "a\\x09b");
  CHECK(table_text("") == "");
}
