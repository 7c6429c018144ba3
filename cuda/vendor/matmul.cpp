#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "cuda/core/stream.h"
#include "cuda/vendor/library.h"
#include "cuda/vendor/vendor.h"
#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"

/// @file
/// c = a b by cuBLASLt. It thinks in columns, so it is told to compute c' = b' a', where x' is what
/// the memory of x is in columns: nothing is transposed.

namespace cytograd::cuda::vendor {
namespace {

constexpr const char* op = "matmul";

template <class T>
using Owned = std::unique_ptr<T, cublasStatus_t (*)(T*)>;
using Layout = Owned<cublasLtMatrixLayoutOpaque_t>;
using Multiply = Owned<cublasLtMatmulDescOpaque_t>;
using Preference = Owned<cublasLtMatmulPreferenceOpaque_t>;

// Light, and not bound to a stream. Never destroyed: the device may be gone when the process ends.
cublasLtHandle_t handle_of(int device) {
  static std::mutex mutex;
  static auto* handles = new std::map<int, cublasLtHandle_t>;
  const std::lock_guard lock(mutex);
  cublasLtHandle_t& handle = (*handles)[device];
  if (!handle) require(op, blas().create(&handle));
  return handle;
}

// A matrix whose neighbours along one axis are neighbours in memory: `rows` x `columns` in columns
// that are `pitch` apart, to be taken as it is or transposed.
struct Side {
  bool transposed;
  int64_t rows, columns, pitch;
};
std::optional<Side> side_of(int64_t rows, int64_t columns, int64_t row_step, int64_t column_step) {
  const auto fits = [](int64_t n, int64_t step, int64_t lines, int64_t pitch) {
    return (step == 1 || n == 1) && (pitch >= n || lines == 1);
  };
  if (fits(rows, row_step, columns, column_step))
    return Side{false, rows, columns, columns == 1 ? rows : column_step};
  if (fits(columns, column_step, rows, row_step))
    return Side{true, columns, rows, rows == 1 ? columns : row_step};
  return std::nullopt;
}

// The axes in front of the matrices, merged where all three operands allow.
struct Axis {
  int64_t size, a, b, c;
};
std::vector<Axis> batch_axes(const Tensor& a, const Tensor& b, const Tensor& c) {
  std::vector<Axis> out;
  for (int d = 0; d + 2 < c.ndim(); ++d) {
    const Axis next{c.size(d), a.strides()[d], b.strides()[d], c.strides()[d]};
    if (next.size == 1) continue;
    if (!out.empty() && out.back().a == next.size * next.a && out.back().b == next.size * next.b &&
        out.back().c == next.size * next.c)
      out.back() = {out.back().size * next.size, next.a, next.b, next.c};
    else
      out.push_back(next);
  }
  return out;
}

struct Problem {
  const char* a;
  const char* b;
  char* c;
  const void* bias;
  Side a_side, b_side, c_side;
  cudaDataType_t type;
  int64_t element;
  Axis batch;  // the innermost axis
};

// Bytes, at most 256, that every matrix of an operand is aligned to.
uint32_t alignment(const void* data, int64_t pitch, int64_t step, int64_t element) {
  const auto bits = reinterpret_cast<uintptr_t>(data) | static_cast<uintptr_t>(pitch * element) |
                    static_cast<uintptr_t>(step * element) | 256;
  return static_cast<uint32_t>(bits & (~bits + 1));
}

Layout layout_of(const Side& side, const Problem& p, int64_t step) {
  cublasLtMatrixLayout_t raw = nullptr;
  require(op, blas().layout_create(&raw, p.type, static_cast<uint64_t>(side.rows),
                                   static_cast<uint64_t>(side.columns), side.pitch));
  Layout layout(raw, blas().layout_destroy);
  const auto count = static_cast<int32_t>(p.batch.size);
  require(op, blas().layout_set(raw, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof(count)));
  require(op,
          blas().layout_set(raw, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &step, sizeof(step)));
  return layout;
}

Multiply multiply_of(const Problem& p) {
  const bool rounds = p.type == CUDA_R_32F && tf32();
  cublasLtMatmulDesc_t raw = nullptr;
  require(op, blas().matmul_create(&raw, rounds ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F,
                                   CUDA_R_32F));
  Multiply multiply(raw, blas().matmul_destroy);
  const auto set = [&](cublasLtMatmulDescAttributes_t name, const auto& value) {
    require(op, blas().matmul_set(raw, name, &value, sizeof(value)));
  };
  const auto as = [](const Side& side) { return side.transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  set(CUBLASLT_MATMUL_DESC_TRANSA, as(p.b_side));
  set(CUBLASLT_MATMUL_DESC_TRANSB, as(p.a_side));
  if (p.bias) {
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
    set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
    set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, p.type);
  }
  return multiply;
}

Preference preference_of(const Problem& p) {
  cublasLtMatmulPreference_t raw = nullptr;
  require(op, blas().preference_create(&raw));
  Preference preference(raw, blas().preference_destroy);
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t name, const auto& value) {
    require(op, blas().preference_set(raw, name, &value, sizeof(value)));
  };
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, most_workspace);
  // Parts of a sum are added in float32, in a fixed order.
  set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
      alignment(p.b, p.b_side.pitch, p.batch.b, p.element));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
      alignment(p.a, p.a_side.pitch, p.batch.a, p.element));
  const uint32_t out = alignment(p.c, p.c_side.pitch, p.batch.c, p.element);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, out);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, out);
  return preference;
}

bool run(CudaContext ctx, const Problem& p) {
  const cudaStream_t stream = native_stream(ctx.stream->handle());
  const cublasLtHandle_t handle = handle_of(ctx.device);
  const Multiply multiply = multiply_of(p);
  const Layout left = layout_of(p.b_side, p, p.batch.b), right = layout_of(p.a_side, p, p.batch.a),
               out = layout_of(p.c_side, p, p.batch.c);
  const Preference preference = preference_of(p);
  cublasLtMatmulHeuristicResult_t found{};
  int count = 0;
  const cublasStatus_t status =
      blas().heuristic(handle, multiply.get(), left.get(), right.get(), out.get(), out.get(),
                       preference.get(), 1, &found, &count);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || (status == CUBLAS_STATUS_SUCCESS && count == 0))
    return false;
  require(op, status);
  const Workspace workspace(ctx, found.workspaceSize);
  const float one = 1, zero = 0;
  set_operation(op);
  require(op, blas().matmul(handle, multiply.get(), &one, p.b, left.get(), p.a, right.get(), &zero,
                            p.c, out.get(), p.c, out.get(), &found.algo, workspace.data(),
                            found.workspaceSize, stream));
  return true;
}

// The innermost axis in one call each; those in front of it one after the other.
bool run_batches(CudaContext ctx, Problem p, const std::vector<Axis>& axes, size_t axis) {
  if (axis + 1 >= axes.size()) {
    p.batch = axes.empty() ? Axis{1, 0, 0, 0} : axes.back();
    return run(ctx, p);
  }
  const Axis& all = axes[axis];
  for (int64_t i = 0; i < all.size; ++i) {
    // A first product that cannot be done says so before any was.
    if (!run_batches(ctx, p, axes, axis + 1)) {
      check<InternalError>(i == 0, op, "cuBLASLt computed one matrix of a batch and not the next");
      return false;
    }
    p.a += all.a * p.element;
    p.b += all.b * p.element;
    p.c += all.c * p.element;
  }
  return true;
}

}  // namespace

bool matmul(CudaContext ctx, const Tensor& a, const Tensor& b, const Tensor& bias,
            const Tensor& c) {
  const Dtype dtype = c.dtype();
  if (dtype != Dtype::float32 && dtype != Dtype::bfloat16) return false;
  if (a.dtype() != dtype || b.dtype() != dtype || (bias.defined() && bias.dtype() != dtype))
    return false;
  const int64_t m = c.size(-2), n = c.size(-1), k = a.size(-1);
  if (c.numel() == 0 || k == 0) return false;
  const int d = c.ndim() - 2;
  const auto a_side = side_of(k, m, a.strides()[d + 1], a.strides()[d]);
  const auto b_side = side_of(n, k, b.strides()[d + 1], b.strides()[d]);
  if (!a_side || !b_side) return false;
  const Problem p{static_cast<const char*>(a.raw_data()),
                  static_cast<const char*>(b.raw_data()),
                  static_cast<char*>(c.raw_data()),
                  bias.defined() ? bias.raw_data() : nullptr,
                  *a_side,
                  *b_side,
                  {false, n, m, n},
                  dtype == Dtype::float32 ? CUDA_R_32F : CUDA_R_16BF,
                  static_cast<int64_t>(size_of(dtype)),
                  {1, 0, 0, 0}};
  return run_batches(ctx, p, batch_axes(a, b, c), 0);
}

}  // namespace cytograd::cuda::vendor
