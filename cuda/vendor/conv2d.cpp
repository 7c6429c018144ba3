#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "cuda/core/stream.h"
#include "cuda/vendor/library.h"
#include "cuda/vendor/vendor.h"
#include "cytograd/core/cuda.h"

/// @file
/// Convolutions by cuDNN, NHWC, through its functions per convolution: they name their algorithms
/// and say which of them are deterministic.

namespace cytograd::cuda::vendor {
namespace {

using kernels::Conv2dShape;

template <class T>
using Owned = std::unique_ptr<T, cudnnStatus_t (*)(T*)>;

// One per device. Whoever holds the lock has it, on a stream of theirs. Never destroyed: the device
// may be gone when the process ends.
class Session {
 public:
  Session(const char* op, CudaContext ctx) : lock_(mutex()) {
    const cudaStream_t stream = native_stream(ctx.stream->handle());
    static auto* handles = new std::map<int, cudnnHandle_t>;
    cudnnHandle_t& handle = (*handles)[ctx.device];
    if (!handle) require(op, dnn().create(&handle));
    require(op, dnn().set_stream(handle, stream));
    handle_ = handle;
    set_operation(op);
  }
  cudnnHandle_t handle() const { return handle_; }

 private:
  static std::mutex& mutex() {
    static std::mutex instance;
    return instance;
  }
  std::lock_guard<std::mutex> lock_;
  cudnnHandle_t handle_;
};

// What cuDNN has to know of a convolution.
class Convolution {
 public:
  Convolution(const char* op, const Conv2dShape& s, Dtype dtype)
      : exact_(dtype == Dtype::float32 && !tf32()),
        x_(tensor(op)),
        y_(tensor(op)),
        bias_(tensor(op)),
        filter_(make<cudnnFilterStruct>(op, dnn().filter_create, dnn().filter_destroy)),
        convolution_(
            make<cudnnConvolutionStruct>(op, dnn().convolution_create, dnn().convolution_destroy)) {
    const auto type = dtype == Dtype::float32 ? CUDNN_DATA_FLOAT : CUDNN_DATA_BFLOAT16;
    const auto i = [](int64_t n) { return static_cast<int>(n); };
    const auto image = [&](cudnnTensorDescriptor_t t, int64_t n, int64_t c, int64_t h, int64_t w) {
      require(op, dnn().tensor_set(t, CUDNN_TENSOR_NHWC, type, i(n), i(c), i(h), i(w)));
    };
    image(x(), s.n, s.c_in, s.h, s.w);
    image(y(), s.n, s.c_out, s.out_h(), s.out_w());
    image(bias(), 1, s.c_out, 1, 1);
    require(op, dnn().filter_set(filter(), type, CUDNN_TENSOR_NHWC, i(s.c_out),
                                 i(s.c_in / s.groups), i(s.kh), i(s.kw)));
    require(op, dnn().convolution_set(descriptor(), i(s.pad_h), i(s.pad_w), i(s.stride_h),
                                      i(s.stride_w), i(s.dilation_h), i(s.dilation_w),
                                      CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
    require(op, dnn().convolution_groups(descriptor(), i(s.groups)));
    set_math(op, dtype == Dtype::bfloat16 ? CUDNN_TENSOR_OP_MATH
                 : exact_                 ? CUDNN_FMA_MATH
                                          : CUDNN_DEFAULT_MATH);
  }

  cudnnTensorDescriptor_t x() const { return x_.get(); }
  cudnnTensorDescriptor_t y() const { return y_.get(); }
  cudnnTensorDescriptor_t bias() const { return bias_.get(); }
  cudnnFilterDescriptor_t filter() const { return filter_.get(); }
  cudnnConvolutionDescriptor_t descriptor() const { return convolution_.get(); }

  // The first of cuDNN's proposals, best first, that we may use; its arithmetic is then set.
  template <class Proposal>
  std::optional<Proposal> choose(const char* op, const Proposal* proposals, int count) {
    for (const Proposal* p = proposals; p != proposals + count; ++p) {
      if (p->status != CUDNN_STATUS_SUCCESS || p->determinism != CUDNN_DETERMINISTIC ||
          p->memory > most_workspace)
        continue;
      if (!exact_) set_math(op, p->mathType);
      return *p;
    }
    return std::nullopt;
  }

 private:
  template <class T, class Create, class Destroy>
  static Owned<T> make(const char* op, Create create, Destroy destroy) {
    T* raw = nullptr;
    require(op, create(&raw));
    return Owned<T>(raw, destroy);
  }
  static Owned<cudnnTensorStruct> tensor(const char* op) {
    return make<cudnnTensorStruct>(op, dnn().tensor_create, dnn().tensor_destroy);
  }
  void set_math(const char* op, cudnnMathType_t math) const {
    require(op, dnn().convolution_math(descriptor(), math));
  }

  bool exact_;
  Owned<cudnnTensorStruct> x_, y_, bias_;
  Owned<cudnnFilterStruct> filter_;
  Owned<cudnnConvolutionStruct> convolution_;
};

// Packed tensors of one type that is asked of cuDNN, with sizes it can count.
bool takes(const Conv2dShape& s, const Tensor& x, const Tensor& weight, const Tensor& y) {
  const Dtype dtype = x.dtype();
  const int64_t most = std::numeric_limits<int>::max();
  return (dtype == Dtype::float32 || dtype == Dtype::bfloat16) && weight.dtype() == dtype &&
         y.dtype() == dtype && s.x_pitch == 0 && s.y_pitch == 0 && x.numel() > 0 && y.numel() > 0 &&
         weight.numel() > 0 && x.numel() <= most && y.numel() <= most;
}

constexpr int most_proposals = 16;
constexpr float one = 1, zero = 0;

}  // namespace

bool conv2d_forward(CudaContext ctx, const Conv2dShape& shape, const Tensor& x,
                    const Tensor& weight, const Tensor& bias, const Tensor& y) {
  constexpr const char* op = "conv2d";
  if (!takes(shape, x, weight, y) || (bias.defined() && bias.dtype() != x.dtype())) return false;
  const Session session(op, ctx);
  Convolution c(op, shape, x.dtype());
  cudnnConvolutionFwdAlgoPerf_t proposals[most_proposals];
  int count = 0;
  require(op, dnn().forward_algorithms(session.handle(), c.x(), c.filter(), c.descriptor(), c.y(),
                                       most_proposals, &count, proposals));
  const auto chosen = c.choose(op, proposals, count);
  if (!chosen) return false;
  const Workspace workspace(ctx, chosen->memory);
  require(op, dnn().forward(session.handle(), &one, c.x(), x.raw_data(), c.filter(),
                            weight.raw_data(), c.descriptor(), chosen->algo, workspace.data(),
                            chosen->memory, &zero, c.y(), y.raw_data()));
  if (bias.defined())
    require(op, dnn().add_tensor(session.handle(), &one, c.bias(), bias.raw_data(), &one, c.y(),
                                 y.raw_data()));
  return true;
}

bool conv2d_backward_data(CudaContext ctx, const Conv2dShape& shape, const Tensor& dy,
                          const Tensor& weight, const Tensor& dx) {
  constexpr const char* op = "conv2d backward";
  if (!takes(shape, dx, weight, dy)) return false;
  const Session session(op, ctx);
  Convolution c(op, shape, dy.dtype());
  cudnnConvolutionBwdDataAlgoPerf_t proposals[most_proposals];
  int count = 0;
  require(op, dnn().data_algorithms(session.handle(), c.filter(), c.y(), c.descriptor(), c.x(),
                                    most_proposals, &count, proposals));
  const auto chosen = c.choose(op, proposals, count);
  if (!chosen) return false;
  const Workspace workspace(ctx, chosen->memory);
  require(op, dnn().backward_data(session.handle(), &one, c.filter(), weight.raw_data(), c.y(),
                                  dy.raw_data(), c.descriptor(), chosen->algo, workspace.data(),
                                  chosen->memory, &zero, c.x(), dx.raw_data()));
  return true;
}

bool conv2d_backward_weight(CudaContext ctx, const Conv2dShape& shape, const Tensor& x,
                            const Tensor& dy, const Tensor& dw) {
  constexpr const char* op = "conv2d backward";
  if (!takes(shape, x, dw, dy)) return false;
  const Session session(op, ctx);
  Convolution c(op, shape, dy.dtype());
  cudnnConvolutionBwdFilterAlgoPerf_t proposals[most_proposals];
  int count = 0;
  require(op, dnn().filter_algorithms(session.handle(), c.x(), c.y(), c.descriptor(), c.filter(),
                                      most_proposals, &count, proposals));
  const auto chosen = c.choose(op, proposals, count);
  if (!chosen) return false;
  const Workspace workspace(ctx, chosen->memory);
  require(op, dnn().backward_filter(session.handle(), &one, c.x(), x.raw_data(), c.y(),
                                    dy.raw_data(), c.descriptor(), chosen->algo, workspace.data(),
                                    chosen->memory, &zero, c.filter(), dw.raw_data()));
  return true;
}

}  // namespace cytograd::cuda::vendor
