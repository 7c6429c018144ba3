#include "cytograd/ops/cholesky.h"

#include <cmath>

#include "cytograd/autograd/record.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/matmul.h"
#include "cytograd/ops/shape.h"
#include "kernels/cholesky.h"
#include "ops/common.h"

namespace cytograd {
namespace {

void check_square(const char* op, const char* name, const Tensor& a) {
  check<ShapeError>(a.ndim() == 2 && a.size(0) == a.size(1), op, name, " expects [N, N], got ",
                    a.shape());
  check<DtypeError>(a.dtype() == Dtype::float32 || a.dtype() == Dtype::float64, op,
                    "expects float32 or float64, got ", a.dtype());
}

void check_pivots(const Tensor& l) {
  const std::vector<double> pivots =
      l.as_strided({l.size(0)}, {l.size(0) + 1}, l.offset()).to_vector<double>();
  for (size_t i = 0; i < pivots.size(); ++i)
    check<ValueError>(!std::isnan(pivots[i]), "cholesky",
                      "the matrix is not positive definite: pivot ", i,
                      " is not positive; a larger diagonal may help");
}

// Not recorded.
Tensor solved(const Tensor& l, const Tensor& b, bool transposed) {
  const Tensor x = b.detach().clone();
  on_device(l, [&](auto ctx) { kernels::triangular_solve(ctx, l, transposed, x); });
  return x;
}
Tensor lower(const Tensor& x, double factor, double diagonal) {
  const Tensor xp = packed(x), y = Tensor::empty_like(xp);
  on_device(xp, [&](auto ctx) { kernels::lower_triangle(ctx, xp, factor, diagonal, y); });
  return y;
}

}  // namespace

Tensor cholesky(const Tensor& a) {
  check_square("cholesky", "the matrix", a);
  const Tensor l = a.detach().clone();
  on_device(l, [&](auto ctx) { kernels::cholesky(ctx, l); });
  if (l.device().type == DeviceType::cpu) check_pivots(l);
  return record("cholesky", {a}, l, Saved{l}, [](const auto& back, const Tensor& dl) -> Grads {
    const Tensor& l = back.saved[0];
    const Tensor phi = lower(matmul(transpose(l, 0, 1), lower(dl, 1, 1)), 1, 0.5);
    // S = L^-T phi L^-1, and its symmetric part.
    const Tensor left = solved(l, phi, true);
    const Tensor s = solved(l, transpose(left, 0, 1).contiguous(), true);
    return {(s + transpose(s, 0, 1)) * 0.5};
  });
}

Tensor triangular_solve(const Tensor& l, const Tensor& b, bool transposed) {
  constexpr const char* op = "triangular_solve";
  check_square(op, "l", l);
  check<ShapeError>(b.ndim() == 2 && b.size(0) == l.size(0), op, "b expects [", l.size(0),
                    ", K], got ", b.shape());
  check<DtypeError>(b.dtype() == l.dtype(), op, "b expects ", l.dtype(), ", got ", b.dtype());
  check_device(op, l, b, "b");
  const Tensor lp = packed(l.detach()), x = solved(lp, b, transposed);
  return record(
      op, {l, b}, x, Saved{lp, x}, transposed, [](const auto& back, const Tensor& dx) -> Grads {
        const Tensor &l = back.saved[0], &x = back.saved[1];
        const Tensor db = solved(l, packed(dx), !back.params);
        Grads grads(2);
        if (back.needs(0))
          grads[0] = lower(
              back.params ? matmul(x, transpose(db, 0, 1)) : matmul(db, transpose(x, 0, 1)), -1, 1);
        if (back.needs(1)) grads[1] = db;
        return grads;
      });
}

}  // namespace cytograd
