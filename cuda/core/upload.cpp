#include "cuda/core/staging.h"
#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"

namespace cytograd {

struct CudaUpload::State {
  explicit State(int device) : stream(device) {}
  Tensors buffers, views;
  cuda::Event copied, used;
  cuda::Stream stream;  // goes first, and waits for its copies
};

CudaUpload::CudaUpload(Device device) : device_(device) {
  check<DeviceError>(device.type == DeviceType::cuda, "CudaUpload", "expects a cuda device, got ",
                     device);
  state_ = std::make_unique<State>(device.index);
}
CudaUpload::~CudaUpload() = default;

void CudaUpload::start(const Tensors& sources) {
  State& s = *state_;
  const cuda::Stream& work = cuda::current_stream(device_.index);
  s.buffers.resize(sources.size());
  s.views.clear();
  bool grown = false;
  for (size_t i = 0; i < sources.size(); ++i) {
    const Tensor& source = sources[i];
    check<DeviceError>(source.device().type == DeviceType::cpu, "CudaUpload",
                       "expects tensors of the host, got ", source.device());
    Tensor& buffer = s.buffers[i];
    if (!buffer.defined() || buffer.dtype() != source.dtype() || buffer.numel() < source.numel()) {
      if (buffer.defined()) s.stream.synchronize();  // a copy that nobody took
      buffer = {};
      buffer = Tensor::empty({source.numel()}, source.dtype(), device_);
      grown = true;
    }
    s.views.push_back(
        buffer.as_strided(source.shape(), source.contiguous().strides(), buffer.offset()));
  }
  // New memory may have been used by work that still runs; old memory by what came before release.
  if (grown) s.used.record(work);
  s.stream.wait(s.used);
  for (size_t i = 0; i < sources.size(); ++i) {
    const Tensor packed = sources[i].contiguous();
    cuda::stage_in(s.views[i].raw_data(), packed.raw_data(), packed.bytes(), s.stream);
  }
  s.copied.record(s.stream);
}

Tensors CudaUpload::take() {
  cuda::current_stream(device_.index).wait(state_->copied);
  return std::exchange(state_->views, {});
}

void CudaUpload::release() { state_->used.record(cuda::current_stream(device_.index)); }

}  // namespace cytograd
