#pragma once

#include <stdint.h>

/// @file
/// UMAP's synchronous layout for each instruction set. As in gemm_table.h, the units that fill
/// these tables hold only code with internal linkage. All give the same bits: what happens to a
/// point depends on its own visits and on the partners' fixed positions alone, so points may be
/// dealt to lanes in any way.

namespace cytograd::simd {

inline constexpr int umap_max_dims = 64;

/// Visits of some points, those of a point together and in order.
struct UmapStrip {
  int64_t visits;
  const int32_t *point, *partner;  ///< who moves; towards whom
  const int32_t* draws;            ///< random points that repel, per visit
  const uint32_t* edge;            ///< names the visit's random numbers
  int dims;
  float* const* moved;         ///< [dims] arrays over points
  const float* const* others;  ///< [dims] arrays over partners, not changed meanwhile
  uint32_t other_count;
  uint32_t salt[2];  ///< of the epoch
  float a, b, rate, repulsion;
  /// The partner answers the attraction and the edge acts from its end too, as where both
  /// directions of an edge are visited; the partner's own place is left as it is.
  bool mutual;
};

struct UmapLayoutTable {
  void (*strip)(const UmapStrip&);
};

extern const UmapLayoutTable umap_layout_portable;
#if defined(__x86_64__)
extern const UmapLayoutTable umap_layout_avx2;
extern const UmapLayoutTable umap_layout_avx512;
#endif

}  // namespace cytograd::simd
