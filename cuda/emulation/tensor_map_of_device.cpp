#include "cuda/emulation/tensor_map.h"

// The emulated device is the device, unless the program brings the GPU's tensor maps
// (cuda/core/driver), which the linker then finds first.

namespace cytograd::cuda {

TensorMap tensor_map(const void* base, const TiledMap& tiles) {
  return simt::tensor_map(base, tiles);
}
TensorMap tensor_map(const void* base, const Im2colMap& columns) {
  return simt::tensor_map(base, columns);
}

}  // namespace cytograd::cuda
