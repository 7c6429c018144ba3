#include <cmath>

#include "cytograd/autograd/gradcheck.h"
#include "cytograd/losses/guide.h"
#include "cytograd/losses/triplet.h"
#include "cytograd/ops/cross_entropy.h"
#include "cytograd/ops/linear.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::losses;

namespace {

using Rows = std::vector<std::vector<double>>;

Tensor matrix(const Rows& rows, bool leaf = true) {
  std::vector<double> values;
  for (const auto& row : rows) values.insert(values.end(), row.begin(), row.end());
  Tensor out = Tensor::from(
      values, {static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size())});
  out.set_requires_grad(leaf);
  return out;
}

Tensor classes(const std::vector<int64_t>& labels) { return Tensor::from(labels); }

void near(double actual, double expected, double tolerance = 1e-6) {
  CAPTURE(actual);
  CAPTURE(expected);
  CHECK_FALSE(!(std::abs(actual - expected) <= tolerance));
}

void near(const Tensor& actual, const Rows& expected, double tolerance = 1e-6) {
  const auto values = actual.to_vector<double>();
  size_t at = 0;
  for (const auto& row : expected)
    for (const double v : row) near(values.at(at++), v, tolerance);
  CHECK(at == values.size());
}

// Value and gradient of a loss in both precisions.
template <class Loss>
void oracle(const Loss& loss, const Rows& rows, double value, const Rows& gradient) {
  for (const Dtype dtype : {Dtype::float64, Dtype::float32}) {
    const double tolerance = dtype == Dtype::float64 ? 1e-6 : 1e-5;
    const Tensor p = matrix(rows, false).to(dtype);
    p.set_requires_grad(true);
    const Tensor l = loss(p);
    near(l.item(), value, tolerance);
    l.backward();
    near(p.grad(), gradient, tolerance);
  }
}

const Rows star = {{0, 0}, {1, 0}, {3, 0}, {0, 2}, {2, 1}, {5, 5}};
const std::vector<int64_t> star_labels = {0, 0, 0, 1, 1, 2};

Tensor points(const Rows& rows, Dtype dtype) { return matrix(rows, false).to(dtype); }

}  // namespace

TEST_CASE("L1: guide2D with the norm term") {
  const Rows p = {{.5, -.25, .1, -.2}, {0, 1.5, 0, .3}, {3, .5, -.4, 0}};
  const Rows guide = {{0, 0}, {0, 1}, {4, 0}};
  const Tensor y = classes({0, 1, 2});
  near(guide_distance(matrix(p), y, matrix(guide, false)).item(), 0.916667);
  near(guide_distance(matrix(p), y, matrix(guide, false), GuideReduction::elementwise).item(),
       0.458333);
  near(norm_term(matrix(p)).item(), 1.733119);
  oracle(
      [&](const Tensor& x) {
        return guide_distance(x, y, points(guide, x.dtype())) + norm_term(x) * 0.001;
      },
      p, 0.918400,
      {{.333610, -.333472, .000055, -.000111},
       {0, .333660, 0, .000065},
       {-.333007, .333388, -.000043, 0}});
}

TEST_CASE("L2: distance loss, its invariances and a single sample") {
  const Rows p = {{.5, -.25, .1}, {0, 1.5, -.3}, {3, .5, .2}, {2.5, 1, 0}};
  const Rows guide = {{0, 0}, {0, 1}, {4, 0}};
  const Tensor y = classes({0, 1, 2, 2});
  const auto loss = [&](const Tensor& x) {
    return distance_loss(x, y, guide_table(points(guide, x.dtype())));
  };
  oracle(loss, p, 1.058333,
         {{.5, .166667, .166667},
          {.166667, -.166667, .166667},
          {-.166667, -.166667, -.166667},
          {-.5, .166667, -.166667}});
  near(distance_loss(matrix({p[0], p[1]}), classes({0, 1}), guide_table(matrix(guide))).item(),
       1.65);
  Rows moved = p, turned = p;
  const double half = std::sqrt(.5);
  for (size_t i = 0; i < 4; ++i) {
    moved[i] = {7 - p[i][2], 7 + p[i][0], 7 - p[i][1]};
    turned[i] = {half * (p[i][0] - p[i][1]), half * (p[i][0] + p[i][1]), p[i][2]};
  }
  near(loss(matrix(moved)).item(), 1.058333);
  near(loss(matrix(turned)).item(), 0.939974);
  CHECK(loss(matrix({{0, 0, 0}, {0, 1, 0}, {4, 0, 0}, {4, 0, 0}})).item() == 0);
  const Tensor one = matrix({{1, 2, 3}});
  const Tensor alone = distance_loss(one, classes({2}), guide_table(matrix(guide)));
  CHECK(alone.item() == 0);
  alone.backward();
  CHECK(one.grad().to_vector<double>() == std::vector<double>{0, 0, 0});
}

TEST_CASE("L3: triplets, hardest per anchor and all hard ones") {
  const Tensor y = classes(star_labels);
  oracle([&](const Tensor& x) { return triplet_loss(x, y).value; }, star, 1.045899,
         {{-.4, .4},
          {.082843, .282843},
          {.458579, .141421},
          {-.357771, -.221115},
          {.216350, -.603150},
          {0, 0}});
  CHECK(triplet_loss(matrix(star), y).count() == 5);
  const TripletLoss all = triplet_loss(matrix(star), y, {.mining = Mining::all_hard});
  near(all.value.item(), 0.840107);
  CHECK(all.count() == 10);
  CHECK_THROWS_AS(triplet_loss(matrix(star), y, {.margin = -0.1}), ValueError);
  CHECK(mining_of("semi_hard") == Mining::semi_hard);
  CHECK_THROWS_AS(mining_of("hardest"), ValueError);
}

TEST_CASE("L4: class centres as anchors and as targets") {
  const Tensor y = classes(star_labels);
  const TripletLoss centers = center_triplet_loss(matrix(star), y);
  near(centers.value.item(), 0.221605);
  CHECK(centers.count() == 3);
  const TripletLoss samples = center_triplet_loss(matrix(star), y, {CenterAnchor::sample});
  near(samples.value.item(), 0.019364);
  CHECK(samples.count() == 6);
  // The same centres as constants: same values, other gradients.
  const Tensor mu = matrix({{4. / 3, 0}, {1, 1.5}, {5, 5}}, false);
  const Tensor x = matrix(star);
  const Tensor loss = center_triplet_loss(x, y, {}, mu).value;
  near(loss.item(), 0.221605);
  loss.backward();
  near(x.grad(), {{0, 0}, {0, 0}, {1. / 3, 0}, {0, 0}, {-.184900, -.277350}, {0, 0}});
  CHECK_THROWS_AS(center_triplet_loss(x, y, {}, matrix({{1, 2, 3}})), ShapeError);
}

TEST_CASE("L4b: guideUMAP; zero-padded it is guide2D") {
  const Rows p = {{.5, -.25, .1}, {0, 1.5, -.3}}, e = {{0, 1, -.2}, {1, 1, 0}};
  const Tensor y = classes({0, 1});
  near(guide_distance(matrix(p), y, matrix(e, false)).item(), 1.925);
  oracle(
      [&](const Tensor& x) {
        return guide_distance(x, y, points(e, x.dtype())) + norm_term(x) * 0.001;
      },
      p, 1.926049, {{.500440, -.500220, .500088}, {-.5, .500490, -.500098}});
  const Tensor a = matrix({{.5, -.25}, {0, 1.5}}), b = matrix({{.5, -.25}, {0, 1.5}});
  const Tensor plane = matrix({{0, 1}, {1, 1}}, false);
  const Tensor la = guide_distance(a, y, plane), lb = guide_distance(b, y, plane);
  CHECK(la.item() == lb.item());
}

TEST_CASE("L4d: cross-entropy after the embedding") {
  for (const double shift : {0., 1000.}) {
    const Tensor logits =
        matrix({{2 + shift, .5 + shift, -1 + shift}, {.1 + shift, .2 + shift, .3 + shift}});
    const Tensor loss = cross_entropy(logits, classes({0, 2}));
    near(loss.item(), 0.621627);
    loss.backward();
    near(logits.grad(), {{-.107201, .087645, .019556}, {.150305, .166112, -.316417}});
  }
}

TEST_CASE("L5: gradients by differences") {
  const Rows rows = {{.31, -1.2, .4, .77},
                     {1.93, .21, -.6, .05},
                     {-.47, .9, 1.3, -.85},
                     {.66, 1.71, -.2, 1.4},
                     {-1.5, .33, .58, -.19}};
  const Tensor y = classes({0, 1, 0, 2, 1});
  const Tensor plane = matrix({{0, 0}, {0, 2}, {-3, 1}}, false);
  const Tensor e = matrix({{0, .1, .2, .3}, {1, 0, -1, .5}, {-.2, 2, 0, 1}}, false);
  const Tensor table = guide_table(plane);
  const std::function<Tensor(const Tensor&)> list[] = {
      [&](const Tensor& x) { return guide_distance(x, y, plane) + norm_term(x) * 0.001; },
      [&](const Tensor& x) { return guide_distance(x, y, e) + norm_term(x, 2) * 0.001; },
      [&](const Tensor& x) { return distance_loss(x, y, table) + norm_term(x) * 0.001; },
      [&](const Tensor& x) { return triplet_loss(x, y).value + norm_term(x) * 0.001; },
      [&](const Tensor& x) {
        return triplet_loss(x, y, {.mining = Mining::semi_hard, .margin = 0.9}).value;
      },
      [&](const Tensor& x) { return triplet_loss(x, y, {.mining = Mining::all_hard}).value; },
      [&](const Tensor& x) { return triplet_loss(x, y, {.mining = Mining::all_violating}).value; },
      [&](const Tensor& x) { return center_triplet_loss(x, y).value; },
      [&](const Tensor& x) {
        return center_triplet_loss(x, y, {CenterAnchor::sample, 0.9}).value;
      },
  };
  for (const auto& loss : list) {
    const GradCheck result =
        gradcheck([&](const Tensors& in) { return loss(in[0]); }, {matrix(rows)});
    INFO(result.place);
    CHECK(result.passed(1e-6));
  }
}

TEST_CASE("losses of guided embeddings agree with PyTorch") {
  // Printed by tests/reference/guided_losses.py.
  struct Expected {
    std::string name;
    double value, slopes[4];
  };
  const std::vector<Expected> expected = {
      {"guide2d",
       1.94402534595385,
       {0.071154342523359, 0.142210959738929, 0.0477832103858142, -0.141066711291511}},
      {"guide2d elementwise",
       0.972012672976923,
       {0.0355771712616795, 0.0711054798694647, 0.0238916051929071, -0.0705333556457557}},
      {"guide_umap",
       7.20559936298945,
       {-0.442270903519933, -0.515871678816214, 0.0625530835964201, -0.599455540017229}},
      {"distance",
       5.92421741962521,
       {-0.266894736163076, -0.191286476985899, 0.0679548692412775, 0.126485682118939}},
      {"norm",
       2.71133340502523,
       {-0.142844926847137, -0.0866085739135829, -0.0164797142778396, 0.0416260188053976}},
      {"norm squared",
       7.49260559901699,
       {-1.09130771254728, -0.687918507043357, -0.127672424033482, -0.0532991253862346}},
      {"batch_hard",
       2.40726417204764,
       {-0.0453202598018756, -0.635354879823027, -0.560324422222601, 0.177323342868892}},
      {"semi_hard",
       0.200231601469098,
       {0.491437431890815, 0.210983702496125, 0.333117077382066, 0.32942958904765}},
      {"all_hard",
       1.39480166723551,
       {0.0202015581330247, -0.2551544915044, 0.066157931364101, 0.0365469386156094}},
      {"all_violating",
       1.24609999929778,
       {0.0788616254057787, -0.197128990176534, 0.099389360328993, 0.0730053598312161}},
      {"center_anchor",
       0.879202989642857,
       {-0.625905592678257, 0.121814526349405, 0.540333524766629, -0.595205567878673}},
      {"sample_anchor",
       0.26445032865068,
       {0.0631763101425219, -0.0217630766701483, -0.0420896383844856, 0.132099987894567}},
      {"sample_anchor constant",
       1.45046163470086,
       {-0.0775013645908051, -0.114619498515638, 0.172911410237722, -0.225174842087166}},
  };
  constexpr int64_t b = 14, n = 6, c = 4;
  constexpr double margin = 0.4;
  Rows rows(b, std::vector<double>(n)), e(c, std::vector<double>(n));
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < b; ++i) {
    const auto x = static_cast<double>(i);
    for (int64_t k = 0; k < n; ++k) {
      const auto z = static_cast<double>(k);
      rows[static_cast<size_t>(i)][static_cast<size_t>(k)] =
          1.5 * std::sin(2.9 * x + 1.3 * z * z + 0.7 * x * z);
      if (i < c) e[static_cast<size_t>(i)][static_cast<size_t>(k)] = std::cos(1.7 * x + 0.9 * z);
    }
    labels.push_back((3 * i * i + i) % 5 % c);
  }
  const Rows plane = {{0, 0}, {0, 2}, {-2, 1}, {3, -1}};
  const Tensor y = classes(labels);
  const auto loss_of = [&](const std::string& name, const Tensor& x) {
    const Tensor g = points(plane, x.dtype()), nd = points(e, x.dtype());
    if (name == "guide2d") return guide_distance(x, y, g);
    if (name == "guide2d elementwise") return guide_distance(x, y, g, GuideReduction::elementwise);
    if (name == "guide_umap") return guide_distance(x, y, nd);
    if (name == "distance") return distance_loss(x, y, guide_table(g));
    if (name == "norm") return norm_term(x);
    if (name == "norm squared") return norm_term(x, 2);
    if (name == "center_anchor") return center_triplet_loss(x, y, {.margin = margin}).value;
    if (name == "sample_anchor")
      return center_triplet_loss(x, y, {CenterAnchor::sample, margin}).value;
    if (name == "sample_anchor constant")
      return center_triplet_loss(x, y, {CenterAnchor::sample, margin}, nd).value;
    return triplet_loss(x, y, {mining_of(name), margin}).value;
  };
  for (const Dtype dtype : {Dtype::float64, Dtype::float32})
    for (const Expected& row : expected) {
      CAPTURE(row.name);
      const double tolerance = dtype == Dtype::float64 ? 1e-12 : 1e-5;
      const Tensor x = points(rows, dtype);
      x.set_requires_grad(true);
      const Tensor loss = loss_of(row.name, x);
      near(loss.item(), row.value, tolerance);
      loss.backward();
      const auto slopes = x.grad().to_vector<double>();
      for (int t = 0; t < 4; ++t) {
        double sum = 0;
        for (int64_t i = 0; i < b; ++i)
          for (int64_t k = 0; k < n; ++k)
            sum += slopes[static_cast<size_t>(i * n + k)] *
                   std::sin(1 + static_cast<double>(i * (t + 1)) + 0.5 * static_cast<double>(k));
        near(sum, row.slopes[t], tolerance);
      }
    }
}

TEST_CASE("batches that say nothing have defined losses") {
  const auto zero = [](const Tensor& x, const TripletLoss& loss) {
    CHECK(loss.count() == 0);
    CHECK(loss.value.item() == 0);
    loss.value.backward();
    for (const double g : x.grad().to_vector<double>()) CHECK(g == 0);
  };
  for (const Mining mining :
       {Mining::batch_hard, Mining::semi_hard, Mining::all_hard, Mining::all_violating}) {
    const Tensor one_class = matrix(star), alone = matrix({{1, 2}}), apart = matrix(star);
    zero(one_class, triplet_loss(one_class, classes({3, 3, 3, 3, 3, 3}), {.mining = mining}));
    zero(alone, triplet_loss(alone, classes({0}), {.mining = mining}));
    zero(apart, triplet_loss(apart, classes({0, 1, 2, 3, 4, 5}), {.mining = mining}));
  }
  const Tensor one_class = matrix(star), alone = matrix({{1, 2}});
  zero(one_class, center_triplet_loss(one_class, classes({3, 3, 3, 3, 3, 3})));
  zero(alone, center_triplet_loss(alone, classes({0}), {CenterAnchor::sample}));
  // One sample per class: its distance to its own centre is 0 and has no gradient.
  const Tensor pair = matrix({{0, 0}, {.1, 0}});
  const TripletLoss loss = center_triplet_loss(pair, classes({0, 1}));
  CHECK(loss.count() == 2);
  near(loss.value.item(), 0.1);
  loss.value.backward();
  near(pair.grad(), {{1, 0}, {-1, 0}});
  // Two negatives of anchor 0 are equally near: the first is taken.
  const Tensor tie = matrix({{0, 0}, {1, 0}, {-1, 0}, {0, 1}});
  const Tensor tied = triplet_loss(tie, classes({0, 0, 1, 1})).value;
  near(tied.item(), 0.357107);
  tied.backward();
  near(tie.grad(), {{-.75, .25}, {.25, 0}, {.146447, -.353553}, {.353553, .103553}});
  // Two positives of anchor 0 are equally far: the first is taken.
  const Tensor far = matrix({{0, 0}, {1, 0}, {-1, 0}, {5, 0}});
  triplet_loss(far, classes({0, 0, 0, 1}), {.margin = 10}).value.backward();
  near(far.grad(), {{0, 0}, {4. / 3, 0}, {-1. / 3, 0}, {-1, 0}});
}

TEST_CASE("batches of one class or one sample have defined distances to the guide") {
  const Tensor plane = matrix({{0, 0}, {0, 2}}, false);
  // One class: the guide's distances are 0, so embeddings are drawn together.
  const Tensor one_class = matrix({{0, 0}, {1, 1}, {3, 0}});
  const Tensor drawn = distance_loss(one_class, classes({1, 1, 1}), guide_table(plane));
  near(drawn.item(), (2. + 3 + 3) / 3);
  drawn.backward();
  near(one_class.grad(), {{-2. / 3, -1. / 3}, {0, 2. / 3}, {2. / 3, -1. / 3}});
  const Tensor alone = matrix({{1, 2}});
  near(guide_distance(alone, classes({1}), plane).item(), 1);
  // One sample per class.
  const Tensor each = matrix({{0, 0}, {0, 3}});
  near(distance_loss(each, classes({0, 1}), guide_table(plane)).item(), 1);
}

TEST_CASE("coincident embeddings have no gradient between them") {
  const Tensor same = matrix({{1, 1}, {1, 1}, {1, 1}});
  (triplet_loss(same, classes({0, 0, 1})).value + norm_term(same) * 0.0).backward();
  for (const double g : same.grad().to_vector<double>()) CHECK(g == 0);
  const Tensor zeros = matrix({{0, 0}, {0, 0}});
  norm_term(zeros).backward();
  CHECK(zeros.grad().to_vector<double>() == std::vector<double>(4, 0));
}

TEST_CASE("NaN embeddings give a NaN loss, wrong shapes are refused") {
  const Tensor nan = matrix({{NAN, 0}, {1, 0}, {0, 1}});
  const Tensor y = classes({0, 0, 1}), plane = matrix({{0, 0}, {1, 1}}, false);
  CHECK(std::isnan(guide_distance(nan, y, plane).item()));
  CHECK(std::isnan(distance_loss(nan, y, guide_table(plane)).item()));
  CHECK(std::isnan(norm_term(nan).item()));
  for (const Mining mining :
       {Mining::batch_hard, Mining::semi_hard, Mining::all_hard, Mining::all_violating})
    CHECK(std::isnan(triplet_loss(nan, y, {.mining = mining}).value.item()));
  CHECK(std::isnan(center_triplet_loss(nan, y).value.item()));
  test::check_op_error<ShapeError>(
      [&] {
        guide_distance(matrix({{1}, {2}, {3}}), y, plane);
      },
      "guide_distance: expects a guide [C, m] with 2 <= m <= n, got guide [2, 2] for embeddings "
      "[3, 1]");
  test::check_op_error<ShapeError>(
      [&] {
        guide_distance(matrix(star), classes(star_labels), matrix({{1, 2, 3}}));
      },
      "guide_distance: expects a guide [C, m] with 2 <= m <= n, got guide [1, 3] for embeddings "
      "[6, 2]");
  CHECK_THROWS_AS(guide_distance(matrix(star), y, plane), ShapeError);
  CHECK_THROWS_AS(guide_distance(matrix({{0, 0}}), classes({2}), plane), ValueError);
  CHECK_THROWS_AS(norm_term(matrix(star), 3), ValueError);
  CHECK_THROWS_AS(
      distance_loss(matrix(star), classes(star_labels), plane.as_strided({1, 2}, {2, 1}, 0)),
      ShapeError);
}
