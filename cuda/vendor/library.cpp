#include "cuda/vendor/library.h"

#include <dlfcn.h>

#include "cuda/vendor/vendor.h"
#include "cytograd/core/error.h"

namespace cytograd::cuda::vendor {
namespace {

[[noreturn]] void absent(const std::string& found) {
  throw DeviceError({.id = "gpu.vendor",
                     .file = "",
                     .place = "",
                     .found = found,
                     .expected = "",
                     .hint = "pass --kernels own, or put its folder into LD_LIBRARY_PATH"});
}

// A shared library, where the loader looks or where it was when this was built. Never unloaded.
class Library {
 public:
  explicit Library(const std::string& name) : name_(name) {
    handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle_) handle_ = dlopen((CYTOGRAD_VENDOR_FOLDER "/" + name).c_str(), RTLD_NOW);
    if (handle_) return;
    const char* reason = dlerror();
    absent(name + " cannot be loaded: " + (reason ? reason : "no reason given"));
  }
  template <class F>
  void find(F& function, const char* name) const {
    function = reinterpret_cast<F>(dlsym(handle_, name));
    if (!function) absent(name_ + " has no function " + name);
  }

 private:
  std::string name_;
  void* handle_;
};

Blas find_blas() {
  const Library library("libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR));
  Blas f{};
  library.find(f.create, "cublasLtCreate");
  library.find(f.status_name, "cublasLtGetStatusName");
  library.find(f.matmul, "cublasLtMatmul");
  library.find(f.heuristic, "cublasLtMatmulAlgoGetHeuristic");
  library.find(f.matmul_create, "cublasLtMatmulDescCreate");
  library.find(f.matmul_destroy, "cublasLtMatmulDescDestroy");
  library.find(f.matmul_set, "cublasLtMatmulDescSetAttribute");
  library.find(f.layout_create, "cublasLtMatrixLayoutCreate");
  library.find(f.layout_destroy, "cublasLtMatrixLayoutDestroy");
  library.find(f.layout_set, "cublasLtMatrixLayoutSetAttribute");
  library.find(f.preference_create, "cublasLtMatmulPreferenceCreate");
  library.find(f.preference_destroy, "cublasLtMatmulPreferenceDestroy");
  library.find(f.preference_set, "cublasLtMatmulPreferenceSetAttribute");
  return f;
}

Dnn find_dnn() {
  const Library library("libcudnn.so." + std::to_string(CUDNN_MAJOR));
  Dnn f{};
  library.find(f.create, "cudnnCreate");
  library.find(f.error_text, "cudnnGetErrorString");
  library.find(f.set_stream, "cudnnSetStream");
  library.find(f.add_tensor, "cudnnAddTensor");
  library.find(f.tensor_create, "cudnnCreateTensorDescriptor");
  library.find(f.tensor_destroy, "cudnnDestroyTensorDescriptor");
  library.find(f.tensor_set, "cudnnSetTensor4dDescriptor");
  library.find(f.filter_create, "cudnnCreateFilterDescriptor");
  library.find(f.filter_destroy, "cudnnDestroyFilterDescriptor");
  library.find(f.filter_set, "cudnnSetFilter4dDescriptor");
  library.find(f.convolution_create, "cudnnCreateConvolutionDescriptor");
  library.find(f.convolution_destroy, "cudnnDestroyConvolutionDescriptor");
  library.find(f.convolution_set, "cudnnSetConvolution2dDescriptor");
  library.find(f.convolution_groups, "cudnnSetConvolutionGroupCount");
  library.find(f.convolution_math, "cudnnSetConvolutionMathType");
  library.find(f.forward_algorithms, "cudnnGetConvolutionForwardAlgorithm_v7");
  library.find(f.data_algorithms, "cudnnGetConvolutionBackwardDataAlgorithm_v7");
  library.find(f.filter_algorithms, "cudnnGetConvolutionBackwardFilterAlgorithm_v7");
  library.find(f.forward, "cudnnConvolutionForward");
  library.find(f.backward_data, "cudnnConvolutionBackwardData");
  library.find(f.backward_filter, "cudnnConvolutionBackwardFilter");
  return f;
}

[[noreturn]] void failed(bool memory, const std::string& found) {
  throw DeviceError({.id = memory ? "gpu.oom" : "gpu.failed",
                     .file = "",
                     .place = "",
                     .found = found,
                     .expected = "",
                     .hint = memory ? "use a smaller batch or image size" : "pass --kernels own"});
}

}  // namespace

const Blas& blas() {
  static const Blas functions = find_blas();
  return functions;
}
const Dnn& dnn() {
  static const Dnn functions = find_dnn();
  return functions;
}

void require() {
  blas();
  dnn();
}
void require(const char* operation, cublasStatus_t status) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  failed(status == CUBLAS_STATUS_ALLOC_FAILED,
         std::string(operation) + ": cuBLASLt: " + blas().status_name(status));
}
void require(const char* operation, cudnnStatus_t status) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  failed(status == CUDNN_STATUS_ALLOC_FAILED,
         std::string(operation) + ": cuDNN: " + dnn().error_text(status));
}

Workspace::Workspace(CudaContext ctx, size_t bytes) {
  if (bytes > 0)
    memory = Tensor::empty({static_cast<int64_t>(bytes)}, Dtype::uint8, Device::cuda(ctx.device));
}

}  // namespace cytograd::cuda::vendor
