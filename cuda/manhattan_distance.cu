#include "kernels/manhattan_distance.h"

#include "cuda/row_pairs.cuh"

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

struct Manhattan {
  template <class T>
  __device__ static T term(T difference) {
    return difference < 0 ? -difference : difference;
  }
  template <class T>
  __device__ static T finish(T sum) {
    return sum;
  }
  template <class T>
  __device__ static T factor(T, T dd) {
    return dd;
  }
  template <class T>
  __device__ static T slope(T difference) {
    return difference > 0 ? T(1) : difference < 0 ? T(-1) : T(0);
  }
};

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

void manhattan_distance(CudaContext ctx, const Tensor& x, const Tensor& y, const Tensor& d) {
  cuda::launch_distances<cuda::Manhattan>(ctx, "manhattan_distance", x, y, d);
}

void manhattan_distance_backward(CudaContext ctx, const Tensor& x, const Tensor& y,
                                 const Tensor& dd, bool transposed, const Tensor& dx) {
  cuda::launch_distance_gradient<cuda::Manhattan>(ctx, "manhattan_distance", x, y, {}, dd,
                                                  transposed, dx);
}

}  // namespace kernels
}  // namespace cytograd
