#include <cstddef>
#include <cstdint>
#include <cstring>

#include "cuda/emulation/scheduler.h"

// What code compiled with -fsanitize=thread calls before its loads and stores. The sanitizer's own
// library is not linked: the calls come here, and only those of kernels count.

namespace {

using cytograd::simt::observed;
using cytograd::simt::reads;
using cytograd::simt::self;
using cytograd::simt::writes;

inline void access(const void* p, size_t bytes, unsigned kind, void* pc) {
  if (observed && self && self->inside == 0) cytograd::simt::note_access(p, bytes, kind, pc);
}

}  // namespace

#define CYTOGRAD_HOOK extern "C" __attribute__((visibility("default"))) void
#define CYTOGRAD_PC __builtin_return_address(0)
#define CYTOGRAD_HOOKS(n)                                                                 \
  CYTOGRAD_HOOK __tsan_read##n(void* p) { access(p, n, reads, CYTOGRAD_PC); }             \
  CYTOGRAD_HOOK __tsan_write##n(void* p) { access(p, n, writes, CYTOGRAD_PC); }           \
  CYTOGRAD_HOOK __tsan_unaligned_read##n(void* p) { access(p, n, reads, CYTOGRAD_PC); }   \
  CYTOGRAD_HOOK __tsan_unaligned_write##n(void* p) { access(p, n, writes, CYTOGRAD_PC); } \
  CYTOGRAD_HOOK __tsan_read_write##n(void* p) {                                           \
    access(p, n, reads, CYTOGRAD_PC);                                                     \
    access(p, n, writes, CYTOGRAD_PC);                                                    \
  }                                                                                       \
  CYTOGRAD_HOOK __tsan_unaligned_read_write##n(void* p) {                                 \
    access(p, n, reads, CYTOGRAD_PC);                                                     \
    access(p, n, writes, CYTOGRAD_PC);                                                    \
  }
CYTOGRAD_HOOKS(1)
CYTOGRAD_HOOKS(2)
CYTOGRAD_HOOKS(4)
CYTOGRAD_HOOKS(8)
CYTOGRAD_HOOKS(16)
CYTOGRAD_HOOK __tsan_read_range(void* p, size_t n) { access(p, n, reads, CYTOGRAD_PC); }
CYTOGRAD_HOOK __tsan_write_range(void* p, size_t n) { access(p, n, writes, CYTOGRAD_PC); }

// clang copies and clears structs by the functions of the C library, GCC by the ranges above.
// Programs whose kernels clang instruments are linked with --wrap=memcpy and --wrap=memset.
extern "C" void* __wrap_memcpy(void* to, const void* from, size_t n) {
  access(from, n, reads, CYTOGRAD_PC);
  access(to, n, writes, CYTOGRAD_PC);
  return std::memmove(to, from, n);  // memcpy would come back here
}
extern "C" void* __wrap_memset(void* to, int value, size_t n) {
  access(to, n, writes, CYTOGRAD_PC);
  for (auto* p = static_cast<volatile unsigned char*>(to); n > 0; --n)
    *p++ = static_cast<unsigned char>(value);
  return to;
}

// Host code in the same files: nothing to check.
CYTOGRAD_HOOK __tsan_func_entry(void*) {}
CYTOGRAD_HOOK __tsan_func_exit() {}
CYTOGRAD_HOOK __tsan_init() {}
CYTOGRAD_HOOK __tsan_vptr_read(void**) {}
CYTOGRAD_HOOK __tsan_vptr_update(void** p, void* v) { static_cast<void>(p), static_cast<void>(v); }
CYTOGRAD_HOOK __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
CYTOGRAD_HOOK __tsan_atomic_signal_fence(int) {}

#define CYTOGRAD_FETCH(bits, T, name, builtin)                         \
  extern "C" T __tsan_atomic##bits##_##name(volatile T* p, T v, int) { \
    return builtin(p, v, __ATOMIC_SEQ_CST);                            \
  }
#define CYTOGRAD_ATOMICS(bits, T)                                                                  \
  extern "C" T __tsan_atomic##bits##_load(const volatile T* p, int) {                              \
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                   \
  }                                                                                                \
  extern "C" void __tsan_atomic##bits##_store(volatile T* p, T v, int) {                           \
    __atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                                      \
  }                                                                                                \
  CYTOGRAD_FETCH(bits, T, exchange, __atomic_exchange_n)                                           \
  CYTOGRAD_FETCH(bits, T, fetch_add, __atomic_fetch_add)                                           \
  CYTOGRAD_FETCH(bits, T, fetch_sub, __atomic_fetch_sub)                                           \
  CYTOGRAD_FETCH(bits, T, fetch_and, __atomic_fetch_and)                                           \
  CYTOGRAD_FETCH(bits, T, fetch_or, __atomic_fetch_or)                                             \
  CYTOGRAD_FETCH(bits, T, fetch_xor, __atomic_fetch_xor)                                           \
  extern "C" int __tsan_atomic##bits##_compare_exchange_strong(volatile T* p, T* expected, T v,    \
                                                               int, int) {                         \
    return __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
  }                                                                                                \
  extern "C" int __tsan_atomic##bits##_compare_exchange_weak(volatile T* p, T* expected, T v, int, \
                                                             int) {                                \
    return __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
  }                                                                                                \
  extern "C" T __tsan_atomic##bits##_compare_exchange_val(volatile T* p, T expected, T v, int,     \
                                                          int) {                                   \
    __atomic_compare_exchange_n(p, &expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);       \
    return expected;                                                                               \
  }
CYTOGRAD_ATOMICS(8, unsigned char)
CYTOGRAD_ATOMICS(16, unsigned short)
CYTOGRAD_ATOMICS(32, unsigned)
CYTOGRAD_ATOMICS(64, unsigned long)
