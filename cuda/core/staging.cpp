#include "cuda/core/staging.h"

#include <cstring>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "cuda/core/allocator.h"
#include "cytograd/core/error.h"

namespace cytograd::cuda {
namespace {

constexpr size_t kPiece = size_t{4} << 20;  // long enough to hide the start of a copy

// Page-locked pieces of one size.
class Staging {
 public:
  struct Piece {
    std::byte* data = nullptr;
    Event passed;
  };
  using Handle = std::unique_ptr<Piece>;

  Handle take() {
    const std::lock_guard lock(mutex_);
    for (auto at = used_.begin(); at != used_.end(); ++at) {
      if (!(*at)->passed.done()) continue;
      Handle piece = std::move(*at);
      used_.erase(at);
      return piece;
    }
    auto piece = std::make_unique<Piece>();
    piece->data = used_.size() < kMost ? static_cast<std::byte*>(allocate_host(kPiece)) : nullptr;
    if (piece->data) return piece;
    check<DeviceError>(!used_.empty(), "staging", "no page-locked memory for ", kPiece, " bytes");
    piece = std::move(used_.front());
    used_.pop_front();
    piece->passed.synchronize();
    return piece;
  }
  void give_back(Handle piece) {
    const std::lock_guard lock(mutex_);
    used_.push_back(std::move(piece));
  }

 private:
  static constexpr size_t kMost = 16;
  std::mutex mutex_;
  std::list<Handle> used_;  // oldest first; free once their event has passed
};

Staging& staging() {
  static auto* instance = new Staging;
  return *instance;
}

void refuse_capture(const char* what) {
  check<StateError>(!capturing(), what,
                    "the host is not there when a captured graph runs again; do this before");
}

}  // namespace

void stage_in(void* to, const void* from, size_t bytes, const Stream& stream) {
  refuse_capture("copy to the device");
  for (size_t at = 0; at < bytes; at += kPiece) {
    const size_t length = std::min(kPiece, bytes - at);
    Staging::Handle piece = staging().take();
    std::memcpy(piece->data, static_cast<const std::byte*>(from) + at, length);
    copy_async(static_cast<std::byte*>(to) + at, piece->data, length, stream.handle());
    piece->passed.record(stream);
    staging().give_back(std::move(piece));
  }
}

void stage_out(void* to, const void* from, size_t bytes, const Stream& stream) {
  refuse_capture("copy from the device");
  for (size_t at = 0; at < bytes; at += kPiece) {
    const size_t length = std::min(kPiece, bytes - at);
    Staging::Handle piece = staging().take();
    copy_async(piece->data, static_cast<const std::byte*>(from) + at, length, stream.handle());
    piece->passed.record(stream);
    piece->passed.synchronize();
    std::memcpy(static_cast<std::byte*>(to) + at, piece->data, length);
    staging().give_back(std::move(piece));
  }
}

const void* constant_table(int device, const void* data, size_t bytes) {
  static std::mutex mutex;
  static auto* tables = new std::map<std::pair<int, std::string>, void*>;
  const std::lock_guard lock(mutex);
  const auto [at, fresh] =
      tables->try_emplace({device, std::string(static_cast<const char*>(data), bytes)}, nullptr);
  if (!at->second) {
    // On a stream of its own, so that it is in place for every other, and in no captured graph.
    at->second = allocate(device, std::max<size_t>(bytes, 1));
    check<DeviceError>(at->second != nullptr, "constant table", "out of memory on cuda:", device);
    void* const host = allocate_host(std::max<size_t>(bytes, 1));
    check<DeviceError>(host != nullptr, "constant table", "no page-locked memory");
    std::memcpy(host, data, bytes);
    const Stream stream(device);
    copy_async(at->second, host, bytes, stream.handle());
    stream.synchronize();
    release_host(host);
  }
  return at->second;
}

}  // namespace cytograd::cuda
