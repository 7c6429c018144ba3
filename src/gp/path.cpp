#include "cytograd/gp/path.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/shape.h"

namespace cytograd::gp {
namespace {

constexpr double tiny_noise = 1e-10;

// A row of latents, or some, as float64 on the CPU.
std::vector<double> latents(const char* op, const Tensor& z) {
  check<DtypeError>(is_floating(z.dtype()), op, "expects floating latents, got ", z.dtype());
  std::vector<double> out = z.detach().to(Device::cpu()).to(Dtype::float64).to_vector<double>();
  for (const double v : out)
    check<ValueError>(std::isfinite(v), op, "expects finite latents, got ", v);
  return out;
}

Tensor column(const std::vector<double>& values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size()), 1});
}

std::vector<double> grid(const char* op, int64_t points) {
  check<ValueError>(points >= 2, op, "points expects >= 2, got ", points);
  std::vector<double> out;
  for (int64_t i = 0; i < points; ++i)
    out.push_back(static_cast<double>(i) / static_cast<double>(points - 1));
  return out;
}

// The points of the line from a to b at t.
std::vector<double> line(const std::vector<double>& a, const std::vector<double>& b,
                         const std::vector<double>& t) {
  std::vector<double> out;
  for (const double at : t)
    for (size_t k = 0; k < a.size(); ++k) out.push_back((1 - at) * a[k] + at * b[k]);
  return out;
}

Path path_of(const Regression& model, const std::vector<double>& t,
             const std::vector<double>& prior, const std::vector<double>& scale) {
  const NoGrad no_grad;
  const auto d = static_cast<int64_t>(scale.size());
  Path out{Tensor::from(t),
           {},
           Tensor::from(prior, {static_cast<int64_t>(t.size()), d}),
           Tensor::from(scale),
           model.predict(column(t)),
           model.kernel(),
           {}};
  out.mean = out.prior + out.standard.mean * out.scale;
  return out;
}

struct Ends {
  std::vector<double> from, to;
};
Ends ends_of(const char* op, const Tensor& from, const Tensor& to) {
  check<ShapeError>(from.ndim() == 1 && from.shape() == to.shape() && from.size(0) >= 1, op,
                    "expects two latents [D] with D >= 1, got ", from.shape(), " and ", to.shape());
  return {latents(op, from), latents(op, to)};
}

// The observations of an anchored path.
struct Anchors {
  int64_t dims = 0;
  std::vector<double> t, z;         // [N], [N, D]
  std::vector<size_t> group;        // [N]
  std::vector<double> first, last;  // means of the outer groups, over all of their cells
  std::vector<std::string> notes;
};

Anchors choose_anchors(const char* op, const Tensors& groups, const AnchoredOptions& options) {
  check<ValueError>(groups.size() >= 2, op, "expects at least two groups, got ", groups.size());
  check<ValueError>(options.anchors >= 1, op, "anchors expects >= 1, got ", options.anchors);
  Anchors out;
  for (size_t g = 0; g < groups.size(); ++g) {
    const Tensor& cells = groups[g];
    check<ShapeError>(
        cells.ndim() == 2 && cells.size(1) >= 1 && (g == 0 || cells.size(1) == out.dims), op,
        "group ", g, " expects latents [n, D] with one D >= 1, got ", cells.shape());
    check<ValueError>(cells.size(0) >= 1, op, "group ", g, " has no cells");
    out.dims = cells.size(1);
    const std::vector<double> z = latents(op, cells);
    const auto d = static_cast<size_t>(out.dims);
    std::vector<size_t> order(static_cast<size_t>(cells.size(0)));
    std::iota(order.begin(), order.end(), size_t{0});
    Rng(options.seed, "gp anchors", g).shuffle(order);
    if (static_cast<int64_t>(order.size()) > options.anchors)
      order.resize(static_cast<size_t>(options.anchors));
    else if (static_cast<int64_t>(order.size()) < options.anchors)
      out.notes.push_back("group " + std::to_string(g) + " has " + std::to_string(order.size()) +
                          " cells, fewer than the anchors asked for");
    for (const size_t i : order) {
      out.t.push_back(static_cast<double>(g) / static_cast<double>(groups.size() - 1));
      out.group.push_back(g);
      out.z.insert(out.z.end(), z.begin() + static_cast<int64_t>(i * d),
                   z.begin() + static_cast<int64_t>((i + 1) * d));
    }
    if (g > 0 && g + 1 < groups.size()) continue;
    std::vector<double>& mean = g == 0 ? out.first : out.last;
    mean.assign(d, 0.0);
    for (size_t i = 0; i < z.size(); ++i) mean[i % d] += z[i] / static_cast<double>(cells.size(0));
  }
  return out;
}

// Standard deviation of each dimension within groups, 1 where there is none.
std::vector<double> pooled_deviation(const Anchors& a, size_t groups) {
  const auto d = static_cast<size_t>(a.dims);
  std::vector<double> mean(groups * d, 0.0), count(groups, 0.0), squares(d, 0.0);
  for (const size_t g : a.group) ++count[g];
  for (size_t i = 0; i < a.z.size(); ++i) {
    const size_t g = a.group[i / d];
    mean[g * d + i % d] += a.z[i] / count[g];
  }
  for (size_t i = 0; i < a.z.size(); ++i) {
    const double off = a.z[i] - mean[a.group[i / d] * d + i % d];
    squares[i % d] += off * off;
  }
  const double freedom = static_cast<double>(a.group.size()) - static_cast<double>(groups);
  for (double& s : squares) s = freedom > 0 && s > 0 ? std::sqrt(s / freedom) : 1;
  return squares;
}

}  // namespace

Tensor draw(const Path& path, int64_t count, uint64_t seed) {
  const NoGrad no_grad;
  return draw(path.standard, count, seed) * path.scale + unsqueeze(path.prior, 0);
}

Path anchored_path(const Tensors& groups, const AnchoredOptions& options) {
  constexpr const char* op = "anchored_path";
  const std::vector<double> t = grid(op, options.points);
  const Anchors a = choose_anchors(op, groups, options);
  const std::vector<double> scale = pooled_deviation(a, groups.size());
  std::vector<double> y = a.z;
  const std::vector<double> prior = line(a.first, a.last, a.t);
  for (size_t i = 0; i < y.size(); ++i) y[i] = (y[i] - prior[i]) / scale[i % scale.size()];
  Regression model(constant(1) * rbf(0.3) + white(0.1));
  FitOptions fit = options.fit;
  fit.seed = options.seed;
  const FitReport report =
      model.fit(column(a.t), Tensor::from(y, {static_cast<int64_t>(a.t.size()), a.dims}), fit);
  Path out = path_of(model, t, line(a.first, a.last, t), scale);
  out.notes = a.notes;
  out.notes.insert(out.notes.end(), report.notes.begin(), report.notes.end());
  for (const std::string& name : report.at_bound)
    out.notes.push_back(name + " ended on a bound of its search");
  return out;
}

Path two_point_path(const Tensor& from, const Tensor& to, int64_t points) {
  constexpr const char* op = "two_point_path";
  const std::vector<double> t = grid(op, points);
  const Ends ends = ends_of(op, from, to);
  double product = 0, squares = 0;
  for (size_t k = 0; k < ends.from.size(); ++k) {
    product += ends.from[k] * ends.to[k];
    squares += ends.from[k] * ends.from[k] + ends.to[k] * ends.to[k];
  }
  const auto d = static_cast<double>(ends.from.size());
  // Two latents of zeros agree.
  const double correlation = squares > 0 ? 2 * product / squares : 1;
  double lengthscale = 0.1;
  if (correlation >= 1)
    lengthscale = 10;
  else if (correlation > 0)
    lengthscale = std::clamp(std::sqrt(-0.5 / std::log(correlation)), 0.1, 10.0);
  const double outputscale = std::clamp(squares / (2 * d), 0.1, 10.0);
  Regression model(constant(outputscale, {0.1, 10}) * rbf(lengthscale, {0.1, 10}) +
                   white(tiny_noise, {tiny_noise, 1}));
  std::vector<double> both = ends.from;
  both.insert(both.end(), ends.to.begin(), ends.to.end());
  model.condition(column({0, 1}), Tensor::from(both, {2, from.size(0)}));
  Path out = path_of(model, t, std::vector<double>(t.size() * ends.from.size(), 0.0),
                     std::vector<double>(ends.from.size(), 1.0));
  if (ends.from == ends.to)
    out.notes.push_back("both ends are the same: the path stands still");
  else if (correlation < 0.1)
    out.notes.push_back(
        "the ends are hardly correlated: between them the path falls to the origin; choose a "
        "linear prior mean");
  return out;
}

Path straight_path(const Tensor& from, const Tensor& to, const Tensor& variances, int64_t points) {
  constexpr const char* op = "straight_path";
  const std::vector<double> t = grid(op, points);
  const Ends ends = ends_of(op, from, to);
  check<ShapeError>(variances.shape() == from.shape(), op, "variances expect ", from.shape(),
                    ", got ", variances.shape());
  std::vector<double> scale = latents(op, variances);
  for (double& s : scale) {
    check<ValueError>(s >= 0, op, "variances expect >= 0, got ", s);
    s = std::sqrt(s);
  }
  Regression model(rbf(0.5) + white(tiny_noise, {tiny_noise, 1}));
  model.condition(column({0, 1}), Tensor::zeros({2, from.size(0)}, Dtype::float64));
  Path out = path_of(model, t, line(ends.from, ends.to, t), scale);
  if (ends.from == ends.to) out.notes.push_back("both ends are the same: the path stands still");
  return out;
}

}  // namespace cytograd::gp
