#include <cmath>
#include <vector>

#include "cytograd/core/error.h"
#include "cytograd/umap/layout.h"

namespace cytograd::umap {
namespace {

struct Target {
  std::vector<double> x, y;
  Target(double min_dist, double spread) {
    constexpr int count = 300;
    for (int i = 0; i < count; ++i) {
      x.push_back(3 * spread * i / (count - 1));
      y.push_back(x.back() < min_dist ? 1 : std::exp(-(x.back() - min_dist) / spread));
    }
  }
};

// Sum of squared residuals, J'J and J'r at (a, b).
struct Normal {
  double squares = 0, aa = 0, ab = 0, bb = 0, ga = 0, gb = 0;
  Normal(const Target& t, double a, double b) {
    for (size_t i = 0; i < t.x.size(); ++i) {
      const double x = t.x[i], power = x > 0 ? std::pow(x, 2 * b) : 0;
      const double value = 1 / (1 + a * power), residual = value - t.y[i];
      const double da = -power * value * value;
      const double db = x > 0 ? 2 * a * std::log(x) * da : 0;
      squares += residual * residual;
      aa += da * da;
      ab += da * db;
      bb += db * db;
      ga += da * residual;
      gb += db * residual;
    }
  }
};

}  // namespace

Curve fit_curve(double min_dist, double spread) {
  check<ValueError>(spread > 0 && std::isfinite(spread), "fit_curve", "spread expects > 0, got ",
                    spread);
  check<ValueError>(min_dist >= 0 && min_dist <= spread, "fit_curve", "min_dist expects 0 to ",
                    spread, " (spread), got ", min_dist);
  const Target target(min_dist, spread);
  Curve c{1, 1};
  double damping = 1e-3;
  Normal now(target, c.a, c.b);
  for (int step = 0; step < 1000; ++step) {
    const double aa = now.aa * (1 + damping), bb = now.bb * (1 + damping);
    const double determinant = aa * bb - now.ab * now.ab;
    const double da = -(bb * now.ga - now.ab * now.gb) / determinant;
    const double db = -(aa * now.gb - now.ab * now.ga) / determinant;
    const Normal next(target, c.a + da, c.b + db);
    if (next.squares <= now.squares && c.a + da > 0 && c.b + db > 0) {
      c = {c.a + da, c.b + db};
      now = next;
      damping = damping / 3;
      if (std::abs(da) < 1e-12 * c.a && std::abs(db) < 1e-12 * c.b) break;
    } else {
      damping *= 4;
      if (damping > 1e12) break;
    }
  }
  return c;
}

}  // namespace cytograd::umap
