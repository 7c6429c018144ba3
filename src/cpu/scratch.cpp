#include "cpu/scratch.h"

#include <array>
#include <cstdlib>
#include <memory>

#include "cytograd/core/error.h"

namespace cytograd::cpu {
namespace {

struct Free {
  void operator()(void* p) const { std::free(p); }
};

struct Buffer {
  std::unique_ptr<void, Free> data;
  int64_t bytes = 0;
};

thread_local std::array<Buffer, static_cast<size_t>(Scratch::count)> buffers;

}  // namespace

void* scratch_bytes(Scratch slot, int64_t bytes) {
  Buffer& buffer = buffers[static_cast<size_t>(slot)];
  if (buffer.bytes >= bytes) return buffer.data.get();
  constexpr int64_t line = 64, page = 4096;
  const int64_t size = (bytes + page - 1) / page * page;
  buffer.data.reset();
  buffer.bytes = 0;
  buffer.data.reset(std::aligned_alloc(line, static_cast<size_t>(size)));
  check<DeviceError>(buffer.data != nullptr, "scratch", "no memory for ", size, " bytes");
  buffer.bytes = size;
  return buffer.data.get();
}

}  // namespace cytograd::cpu
