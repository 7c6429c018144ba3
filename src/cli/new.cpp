#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

#include "cli/program.h"

/// @file
/// The program's operator new: as the standard library's, and it remembers the size that could not
/// be had, so that the error can say how many bytes were asked for. Sanitizers bring their own; the
/// build leaves ours out there.

#ifdef CYTOGRAD_OWN_NEW

namespace {

std::atomic<size_t> refused{0};

void* allocate(size_t bytes, size_t alignment) {
  void* data = nullptr;
  if (alignment <= alignof(std::max_align_t))
    data = std::malloc(bytes == 0 ? 1 : bytes);
  else if (posix_memalign(&data, alignment, bytes) != 0)
    data = nullptr;
  if (data) return data;
  refused = bytes;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(size_t bytes) { return allocate(bytes, 1); }
void* operator new[](size_t bytes) { return allocate(bytes, 1); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<size_t>(alignment));
}
void* operator new[](size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* data) noexcept { std::free(data); }
void operator delete[](void* data) noexcept { std::free(data); }
void operator delete(void* data, size_t) noexcept { std::free(data); }
void operator delete[](void* data, size_t) noexcept { std::free(data); }
void operator delete(void* data, std::align_val_t) noexcept { std::free(data); }
void operator delete[](void* data, std::align_val_t) noexcept { std::free(data); }
void operator delete(void* data, size_t, std::align_val_t) noexcept { std::free(data); }
void operator delete[](void* data, size_t, std::align_val_t) noexcept { std::free(data); }

size_t cytograd::cli::refused_bytes() { return refused; }

#else

size_t cytograd::cli::refused_bytes() { return 0; }

#endif
