#include "kernels/pairwise_distance.h"

#include "cuda/row_pairs.cuh"

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

// Differences, not |x|^2 + |y|^2 - 2 x.y, which loses all digits where points are close.
struct Euclidean {
  template <class T>
  __device__ static T term(T difference) {
    return difference * difference;
  }
  template <class T>
  __device__ static T finish(T sum) {
    return std::sqrt(sum);
  }
  template <class T>
  __device__ static T factor(T d, T dd) {
    return d == T(0) ? T(0) : dd / d;
  }
  template <class T>
  __device__ static T slope(T difference) {
    return difference;
  }
};

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

void pairwise_distance(CudaContext ctx, const Tensor& x, const Tensor& y, const Tensor& d) {
  cuda::launch_distances<cuda::Euclidean>(ctx, "pairwise_distance", x, y, d);
}

void pairwise_distance_backward(CudaContext ctx, const Tensor& x, const Tensor& y, const Tensor& d,
                                const Tensor& dd, bool transposed, const Tensor& dx) {
  cuda::launch_distance_gradient<cuda::Euclidean>(ctx, "pairwise_distance", x, y, d, dd, transposed,
                                                  dx);
}

}  // namespace kernels
}  // namespace cytograd
