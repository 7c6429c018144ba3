#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

namespace cytograd {

/// Threads that `parallel_for` uses, the caller included. Starts as CYTO_THREADS, else the cores
/// this process may run on.
int num_threads();
/// Loops that run meanwhile in other threads finish with the threads they have.
/// @throws ValueError if count < 1, StateError from inside `parallel_for`
void set_num_threads(int count);

namespace detail {
using ChunkFunction = void (*)(void* context, int64_t begin, int64_t end);
void parallel_for(int64_t n, int64_t grain, ChunkFunction function, void* context);
}  // namespace detail

/// Calls `f(begin, end)` over [0, n) in chunks [k*grain, min((k+1)*grain, n)).
///
/// Chunk bounds depend on n and grain alone, never on the number of threads: work that keeps one
/// partial result per chunk and combines them in order gives the same bits for any thread count.
/// Nested calls run on the calling thread. If `f` throws, no further chunk is begun, and the
/// exception of the first failing chunk in order is rethrown here once the others have ended.
/// On x86, denormal numbers are zeros inside `f`. Several threads may call this at once. A forked
/// child starts with workers of its own.
template <class F>
void parallel_for(int64_t n, int64_t grain, F&& f) {
  using Fn = std::remove_reference_t<F>;
  detail::parallel_for(
      n, grain, [](void* context, int64_t b, int64_t e) { (*static_cast<Fn*>(context))(b, e); },
      const_cast<void*>(static_cast<const void*>(&f)));
}

}  // namespace cytograd
