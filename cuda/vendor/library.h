#pragma once

#include <cublasLt.h>
#include <cudnn.h>

#include <string>

#include "cuda/core/runtime.h"
#include "kernels/context.h"

/// @file
/// The functions of cuBLASLt and cuDNN that we call, found by name at run time.

namespace cytograd::cuda {

/// The stream as the CUDA runtime knows it; its device becomes the current one. In
/// cuda/core/runtime.cpp.
cudaStream_t native_stream(StreamHandle stream);

namespace vendor {

struct Blas {
  decltype(&cublasLtCreate) create;
  decltype(&cublasLtGetStatusName) status_name;
  decltype(&cublasLtMatmul) matmul;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
  decltype(&cublasLtMatmulDescCreate) matmul_create;
  decltype(&cublasLtMatmulDescDestroy) matmul_destroy;
  decltype(&cublasLtMatmulDescSetAttribute) matmul_set;
  decltype(&cublasLtMatrixLayoutCreate) layout_create;
  decltype(&cublasLtMatrixLayoutDestroy) layout_destroy;
  decltype(&cublasLtMatrixLayoutSetAttribute) layout_set;
  decltype(&cublasLtMatmulPreferenceCreate) preference_create;
  decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy;
  decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set;
};
struct Dnn {
  decltype(&cudnnCreate) create;
  decltype(&cudnnGetErrorString) error_text;
  decltype(&cudnnSetStream) set_stream;
  decltype(&cudnnAddTensor) add_tensor;
  decltype(&cudnnCreateTensorDescriptor) tensor_create;
  decltype(&cudnnDestroyTensorDescriptor) tensor_destroy;
  decltype(&cudnnSetTensor4dDescriptor) tensor_set;
  decltype(&cudnnCreateFilterDescriptor) filter_create;
  decltype(&cudnnDestroyFilterDescriptor) filter_destroy;
  decltype(&cudnnSetFilter4dDescriptor) filter_set;
  decltype(&cudnnCreateConvolutionDescriptor) convolution_create;
  decltype(&cudnnDestroyConvolutionDescriptor) convolution_destroy;
  decltype(&cudnnSetConvolution2dDescriptor) convolution_set;
  decltype(&cudnnSetConvolutionGroupCount) convolution_groups;
  decltype(&cudnnSetConvolutionMathType) convolution_math;
  decltype(&cudnnGetConvolutionForwardAlgorithm_v7) forward_algorithms;
  decltype(&cudnnGetConvolutionBackwardDataAlgorithm_v7) data_algorithms;
  decltype(&cudnnGetConvolutionBackwardFilterAlgorithm_v7) filter_algorithms;
  decltype(&cudnnConvolutionForward) forward;
  decltype(&cudnnConvolutionBackwardData) backward_data;
  decltype(&cudnnConvolutionBackwardFilter) backward_filter;
};

/// Loaded at the first call. @throws DeviceError gpu.vendor if the library is not there
const Blas& blas();
const Dnn& dnn();

/// @throws DeviceError gpu.oom if the library found no memory, gpu.failed for any other error
void require(const char* operation, cublasStatus_t status);
void require(const char* operation, cudnnStatus_t status);

/// Most that an algorithm may have, bytes.
inline constexpr size_t most_workspace = size_t{256} << 20;
/// Scratch memory, given back in the order of the stream; null for 0 bytes.
struct Workspace {
  Workspace(CudaContext ctx, size_t bytes);
  void* data() const { return memory.defined() ? memory.raw_data() : nullptr; }
  Tensor memory;
};

}  // namespace vendor
}  // namespace cytograd::cuda
