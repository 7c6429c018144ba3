#include "kernels/umap_layout.h"

#include "core/isa.h"

namespace cytograd::kernels {

void umap_strip(const simd::UmapStrip& strip) { CYTOGRAD_OF_ISA(simd::umap_layout).strip(strip); }

}  // namespace cytograd::kernels
