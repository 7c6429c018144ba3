#pragma once

#include <cstdint>

/// @file
/// The small vector types of CUDA with its names, sizes and alignments, for compilers that have no
/// CUDA headers.

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

// NAME2 and NAME4 of an element type, and make_NAME2, make_NAME4.
#define CYTOGRAD_VECTOR_TYPES(NAME, T)                              \
  struct alignas(2 * sizeof(T)) NAME##2 {                           \
    T x, y;                                                         \
  };                                                                \
  struct alignas(4 * sizeof(T) > 16 ? 16 : 4 * sizeof(T)) NAME##4 { \
    T x, y, z, w;                                                   \
  };                                                                \
  constexpr NAME##2 make_##NAME##2(T x, T y) { return {x, y}; }     \
  constexpr NAME##4 make_##NAME##4(T x, T y, T z, T w) { return {x, y, z, w}; }
CYTOGRAD_VECTOR_TYPES(char, signed char)
CYTOGRAD_VECTOR_TYPES(uchar, unsigned char)
CYTOGRAD_VECTOR_TYPES(short, short)
CYTOGRAD_VECTOR_TYPES(ushort, unsigned short)
CYTOGRAD_VECTOR_TYPES(int, int)
CYTOGRAD_VECTOR_TYPES(uint, unsigned)
CYTOGRAD_VECTOR_TYPES(longlong, long long)
CYTOGRAD_VECTOR_TYPES(ulonglong, unsigned long long)
CYTOGRAD_VECTOR_TYPES(float, float)
CYTOGRAD_VECTOR_TYPES(double, double)
#undef CYTOGRAD_VECTOR_TYPES

struct int3 {
  int x, y, z;
};
struct float3 {
  float x, y, z;
};
constexpr float3 make_float3(float x, float y, float z) { return {x, y, z}; }
constexpr int3 make_int3(int x, int y, int z) { return {x, y, z}; }
constexpr uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }
