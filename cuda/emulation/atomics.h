#pragma once

#include "cuda/emulation/simt.h"

/// @file
/// CUDA's atomic functions, for the types that CUDA has them for.

namespace cytograd::simt {

template <class T>
concept AtomicInteger =
    std::is_same_v<T, int> || std::is_same_v<T, unsigned> || std::is_same_v<T, unsigned long long>;
template <class T>
concept AtomicNumber = AtomicInteger<T> || std::is_same_v<T, float> || std::is_same_v<T, double>;
template <class T>
concept AtomicWord = AtomicInteger<T> || std::is_same_v<T, float>;

template <class T, class F>
CYTOGRAD_UNCHECKED T change(T* p, F next, void* pc) {
  if (reinterpret_cast<uintptr_t>(p) % sizeof(T)) fail("misaligned atomic");
  note(p, sizeof(T), writes | atomic, pc);
  const T old = *p;
  const T value = next(old);
  *p = value;
  // Threads that wait look at integers; a change of the bits is what they may wait for.
  if (std::memcmp(&old, &value, sizeof(T)) != 0) progress();
  return old;
}

}  // namespace cytograd::simt

template <cytograd::simt::AtomicNumber T>
CYTOGRAD_REPORTS T atomicAdd(T* p, std::type_identity_t<T> v) {
  return cytograd::simt::change(
      p, [v](T old) { return static_cast<T>(old + v); }, CYTOGRAD_CALLER);
}
template <cytograd::simt::AtomicInteger T>
CYTOGRAD_REPORTS T atomicSub(T* p, std::type_identity_t<T> v) {
  return cytograd::simt::change(
      p, [v](T old) { return static_cast<T>(old - v); }, CYTOGRAD_CALLER);
}
template <cytograd::simt::AtomicInteger T>
CYTOGRAD_REPORTS T atomicMax(T* p, std::type_identity_t<T> v) {
  return cytograd::simt::change(
      p, [v](T old) { return old < v ? v : old; }, CYTOGRAD_CALLER);
}
template <cytograd::simt::AtomicInteger T>
CYTOGRAD_REPORTS T atomicMin(T* p, std::type_identity_t<T> v) {
  return cytograd::simt::change(
      p, [v](T old) { return v < old ? v : old; }, CYTOGRAD_CALLER);
}
template <cytograd::simt::AtomicInteger T>
CYTOGRAD_REPORTS T atomicAnd(T* p, std::type_identity_t<T> v) {
  return cytograd::simt::change(
      p, [v](T old) { return old & v; }, CYTOGRAD_CALLER);
}
template <cytograd::simt::AtomicInteger T>
CYTOGRAD_REPORTS T atomicOr(T* p, std::type_identity_t<T> v) {
  return cytograd::simt::change(
      p, [v](T old) { return old | v; }, CYTOGRAD_CALLER);
}
template <cytograd::simt::AtomicWord T>
CYTOGRAD_REPORTS T atomicExch(T* p, std::type_identity_t<T> v) {
  return cytograd::simt::change(
      p, [v](T) { return v; }, CYTOGRAD_CALLER);
}
template <cytograd::simt::AtomicInteger T>
CYTOGRAD_REPORTS T atomicCAS(T* p, std::type_identity_t<T> expected, std::type_identity_t<T> v) {
  return cytograd::simt::change(
      p, [expected, v](T old) { return old == expected ? v : old; }, CYTOGRAD_CALLER);
}
/// Counts 0, 1, ... limit, 0, ...
CYTOGRAD_REPORTS inline unsigned atomicInc(unsigned* p, unsigned limit) {
  return cytograd::simt::change(
      p, [limit](unsigned old) { return old >= limit ? 0 : old + 1; }, CYTOGRAD_CALLER);
}
