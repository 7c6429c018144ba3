// Needs kLaneBytes and, in cytograd::simd, for vectors of 32-bit elements:
//   umap_gather(p, index)            p[index] per lane
//   umap_scatter(p, index, x, mask)  p[index] = x where mask
//   umap_high_product(x, n)          upper 32 bits of x n
// Included once by each umap_layout_<isa>.cpp, after umap_steps.inl.
#include "cpu/simd/umap_layout_table.h"

namespace cytograd::simd {
namespace {

inline bool umap_any(UmapI mask) {
  int32_t some = 0;
  for (int64_t l = 0; l < kUmapLanes; ++l) some |= mask[l];
  return some != 0;
}

template <int D>
struct UmapPlace {
  UmapF x[D > 0 ? D : umap_max_dims];
};

template <int D>
inline UmapF umap_squared(const UmapPlace<D>& x, const UmapPlace<D>& y, int dims) {
  UmapF sum = UmapF{};
  for (int d = 0; d < dims; ++d) {
    const UmapF difference = x.x[d] - y.x[d];
    sum += difference * difference;
  }
  return sum;
}

template <int D>
inline void umap_attract(UmapPlace<D>& x, UmapPlace<D>& y, const UmapStrip& s, int dims) {
  const UmapF c = umap_attraction(umap_squared<D>(x, y, dims), s.a, s.b);
  for (int d = 0; d < dims; ++d) {
    const UmapF step = s.rate * umap_clip(c * (x.x[d] - y.x[d]));
    x.x[d] += step;
    if (s.mutual) y.x[d] -= step;
  }
}

template <int D>
inline void umap_visit(const UmapStrip& s, UmapI visit, UmapI active) {
  const int dims = D > 0 ? D : s.dims;
  const UmapI point = umap_gather(s.point, visit), partner = umap_gather(s.partner, visit);
  UmapPlace<D> x, y;
  for (int d = 0; d < dims; ++d) {
    x.x[d] = umap_gather(s.moved[d], point);
    y.x[d] = umap_gather(s.others[d], partner);
  }
  umap_attract<D>(x, y, s, dims);
  if (s.mutual) umap_attract<D>(x, y, s, dims);
  const UmapI draws = umap_gather(s.draws, visit) & active;
  const UmapU base =
      umap_mix((UmapU)umap_gather((const int32_t*)s.edge, visit) ^ s.salt[0]) + s.salt[1];
  for (int32_t i = 0;; ++i) {
    const UmapI drawn = draws > i;
    if (!umap_any(drawn)) break;
    const UmapI other = (UmapI)umap_high_product(umap_draw(base, (uint32_t)i), s.other_count);
    for (int d = 0; d < dims; ++d) y.x[d] = umap_gather(s.others[d], other);
    const UmapF c = umap_repulsion(umap_squared<D>(x, y, dims), s.a, s.b, s.repulsion);
    for (int d = 0; d < dims; ++d) {
      const UmapF step = s.rate * umap_clip(c * (x.x[d] - y.x[d]));
      x.x[d] = drawn ? x.x[d] + step : x.x[d];
    }
  }
  for (int d = 0; d < dims; ++d) umap_scatter(s.moved[d], point, x.x[d], active);
}

// Each lane takes a run of visits that begins and ends between points.
template <int D>
void umap_strip(const UmapStrip& s) {
  UmapI begin, end;
  int64_t at = 0, rounds = 0;
  for (int64_t l = 0; l < kUmapLanes; ++l) {
    int64_t stop = s.visits * (l + 1) / kUmapLanes;
    stop = stop < at ? at : stop;
    while (stop > 0 && stop < s.visits && s.point[stop] == s.point[stop - 1]) ++stop;
    begin[l] = (int32_t)at;
    end[l] = (int32_t)stop;
    rounds = stop - at > rounds ? stop - at : rounds;
    at = stop;
  }
  for (int64_t r = 0; r < rounds; ++r) {
    const UmapI visit = begin + (int32_t)r, active = visit < end;
    umap_visit<D>(s, active ? visit : UmapI{}, active);
  }
}

void umap_strip_any(const UmapStrip& s) {
  if (s.visits == 0) return;
  if (s.dims == 2) return umap_strip<2>(s);
  if (s.dims == 3) return umap_strip<3>(s);
  umap_strip<0>(s);
}

}  // namespace
}  // namespace cytograd::simd
