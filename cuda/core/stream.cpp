#include "cuda/core/stream.h"

#include <memory>
#include <mutex>
#include <vector>

#include "kernels/context.h"

namespace cytograd {
namespace cuda {
namespace {

thread_local Stream* chosen = nullptr;

// Never destroyed: tensors with static lifetime may outlive every other static.
Stream& shared_stream(int device) {
  static std::mutex mutex;
  static auto* streams = new std::vector<std::unique_ptr<Stream>>;
  properties(device);
  const std::lock_guard lock(mutex);
  const auto at = static_cast<size_t>(device);
  if (streams->size() <= at) streams->resize(at + 1);
  if (!(*streams)[at]) (*streams)[at] = std::make_unique<Stream>(device);
  return *(*streams)[at];
}

}  // namespace

Stream& current_stream(int device) {
  return chosen && chosen->device() == device ? *chosen : shared_stream(device);
}

StreamScope::StreamScope(Stream& stream) : outer_(chosen) { chosen = &stream; }
StreamScope::~StreamScope() { chosen = outer_; }

}  // namespace cuda

CudaContext cuda_context(Device device) {
  return {device.index, &cuda::current_stream(device.index)};
}

}  // namespace cytograd
