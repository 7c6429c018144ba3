#pragma once

#include "cpu/simd/umap_layout_table.h"

namespace cytograd::kernels {

/// Moves the points of one strip of visits (docs/umap.md, layout). The same bits on every
/// instruction set.
void umap_strip(const simd::UmapStrip& strip);

}  // namespace cytograd::kernels
