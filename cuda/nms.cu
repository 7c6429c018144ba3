#include "kernels/nms.h"

#include "cuda/core/launch.cuh"
#include "cuda/core/pack.cuh"
#include "cuda/core/reduce.cuh"

// Three launches, no copy to the host: the order by counting, a bit for every pair of boxes, and a
// walk through the bits in order by one block.

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

constexpr int threads = 256;
constexpr int word_bits = 64;

// order[rank] = place; the rank is the number of scores that come before. A block ranks 256 scores
// against tiles of 256.
__global__ void __launch_bounds__(threads)
    rank_scores(int64_t n, const float* __restrict__ scores, int64_t* __restrict__ order) {
  CYTOGRAD_SHARED(float, tile, [threads]);
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  const float mine = i < n ? scores[i] : 0;
  int64_t rank = 0;
  for (int64_t base = 0; base < n; base += threads) {
    if (base + threadIdx.x < n) tile[threadIdx.x] = scores[base + threadIdx.x];
    __syncthreads();
    const int count = n - base < threads ? static_cast<int>(n - base) : threads;
    for (int k = 0; k < count; ++k) rank += kernels::comes_before(tile[k], base + k, mine, i);
    __syncthreads();  // `tile` is written again
  }
  if (i < n) order[rank] = i;
}

// mask[i][w]: which boxes 64 w .. 64 w + 63 of the order box i of the order suppresses; only words
// from the one that holds i itself on are written.
__global__ void __launch_bounds__(word_bits)
    suppress(int64_t n, int64_t words, const float* __restrict__ boxes,
             const int64_t* __restrict__ groups, const int64_t* __restrict__ order, float threshold,
             uint64_t* __restrict__ mask) {
  CYTOGRAD_SHARED(float, other, [word_bits][4]);
  CYTOGRAD_SHARED(int64_t, other_group, [word_bits]);
  const int64_t word = blockIdx.x, row = int64_t{blockIdx.y};
  const int lane = static_cast<int>(threadIdx.x);
  for (int64_t block = row; block <= word; block += gridDim.y) {
    const int64_t j = word * word_bits + lane;
    if (j < n) {
      const int64_t place = order[j];
      for (int k = 0; k < 4; ++k) other[lane][k] = boxes[4 * place + k];
      other_group[lane] = groups ? groups[place] : 0;
    }
    __syncthreads();
    const int64_t i = block * word_bits + lane;
    if (i < n) {
      const int64_t place = order[i], group = groups ? groups[place] : 0;
      float mine[4];
      for (int k = 0; k < 4; ++k) mine[k] = boxes[4 * place + k];
      const int64_t left = n - word * word_bits;
      const int count = left < word_bits ? static_cast<int>(left) : word_bits;
      uint64_t bits = 0;
      for (int k = block == word ? lane + 1 : 0; k < count; ++k)
        if (other_group[k] == group && kernels::overlaps(other[k], mine, threshold))
          bits |= uint64_t{1} << k;
      mask[i * words + word] = bits;
    }
    __syncthreads();  // `other` is written again
  }
}

// One block. Word by word: one thread decides the 64 boxes of the word one after the other, then
// all threads mark what the kept ones suppress further on. gone [words] begins as zeros.
__global__ void __launch_bounds__(threads)
    keep_in_order(int64_t n, int64_t words, const int64_t* __restrict__ order,
                  const uint64_t* __restrict__ mask, uint64_t* gone, int64_t* __restrict__ kept,
                  int64_t* __restrict__ count) {
  CYTOGRAD_SHARED(uint64_t, own, [word_bits]);
  CYTOGRAD_SHARED(uint64_t, chosen, [1]);
  int64_t total = 0;
  for (int64_t word = 0; word < words; ++word) {
    const int64_t first = word * word_bits;
    const int64_t left = n - first;
    const int here = left < word_bits ? static_cast<int>(left) : word_bits;
    if (static_cast<int>(threadIdx.x) < here)
      own[threadIdx.x] = mask[(first + threadIdx.x) * words + word];
    __syncthreads();
    if (threadIdx.x == 0) {
      uint64_t out = gone[word], keep = 0;
      for (int k = 0; k < here; ++k) {
        if (out >> k & 1) continue;
        keep |= uint64_t{1} << k;
        out |= own[k];
      }
      chosen[0] = keep;
    }
    __syncthreads();
    const uint64_t keep = chosen[0];
    const auto bit = [keep](int k) { return (keep >> k & 1) != 0; };
    for (int64_t w = word + 1 + threadIdx.x; w < words; w += threads) {
      uint64_t bits = gone[w];
      for (int k = 0; k < here; ++k)
        if (bit(k)) bits |= mask[(first + k) * words + w];
      gone[w] = bits;
    }
    const int k = static_cast<int>(threadIdx.x);
    if (k < here && bit(k)) {
      int64_t place = total;
      for (int before = 0; before < k; ++before) place += bit(before);
      kept[place] = order[first + k];
    }
    for (int before = 0; before < here; ++before) total += bit(before);
    __syncthreads();  // `gone` is read, `own` and `chosen` are written again
  }
  if (threadIdx.x == 0) *count = total;
}

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

using namespace cuda;  // what kernels share

void nms(CudaContext ctx, const Tensor& boxes, const Tensor& scores, float threshold,
         const Tensor& groups, const Tensor& kept, const Tensor& count) {
  const int64_t n = scores.numel(), words = ceil_div(n, word_bits);
  const Tensor order = Tensor::empty({n}, Dtype::int64, boxes.device());
  const Tensor mask = Tensor::empty({n, words}, Dtype::int64, boxes.device());
  const Tensor gone = Tensor::zeros({words}, Dtype::int64, boxes.device());
  auto* bits = static_cast<uint64_t*>(mask.raw_data());
  launch("nms", rank_scores, dim3(static_cast<unsigned>(ceil_div(n, threads))), dim3(threads), 0,
         ctx, n, scores.data<float>(), order.data<int64_t>());
  launch("nms", suppress,
         dim3(static_cast<unsigned>(words), static_cast<unsigned>(std::min<int64_t>(words, 65535))),
         dim3(word_bits), 0, ctx, n, words, boxes.data<float>(),
         groups.defined() ? groups.data<int64_t>() : nullptr, order.data<int64_t>(), threshold,
         bits);
  launch("nms", keep_in_order, dim3(1), dim3(threads), 0, ctx, n, words, order.data<int64_t>(),
         bits, static_cast<uint64_t*>(gone.raw_data()), kept.data<int64_t>(),
         count.data<int64_t>());
}

}  // namespace kernels
}  // namespace cytograd
