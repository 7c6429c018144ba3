#include <bit>
#include <cstring>

#include "cuda/emulation/instructions.h"
#include "cytograd/core/dtype.h"

// Matrix products: the fragments of the lanes are gathered into plain matrices, multiplied with
// loops and scattered again.

namespace cytograd::simt {
namespace {

constexpr uint32_t whole_warp = ~0u;

float low_half(uint32_t pair) { return to_float(bfloat16{static_cast<uint16_t>(pair)}); }
float high_half(uint32_t pair) { return to_float(bfloat16{static_cast<uint16_t>(pair >> 16)}); }
// The tensor core ignores the lower 13 bits.
float as_tf32(uint32_t bits) { return std::bit_cast<float>(bits & 0xffffe000u); }

void need_whole_warp(uint32_t mask, const char* name) {
  if (mask != whole_warp) fail(std::string(name) + " needs all 32 lanes");
}

struct Fragments {
  float* d;
  const uint32_t *a, *b;
};

// d[i] of each lane += the product of gathered A [16][K] and B [K][8].
template <int K>
void multiply(void* const* payloads, const float (&a)[16][K], const float (&b)[K][8]) {
  for (int lane = 0; lane < 32; ++lane) {
    float* const d = static_cast<Fragments*>(payloads[lane])->d;
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
      float sum = d[i];
      for (int k = 0; k < K; ++k) sum += a[row][k] * b[k][column];
      d[i] = sum;
    }
  }
}

}  // namespace

void mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Site site) {
  Fragments mine{d, a, b};
  const Combine combine = [](void* const* payloads, uint32_t mask) {
    need_whole_warp(mask, "mma");
    float rows[16][16], columns[16][8];
    for (int lane = 0; lane < 32; ++lane) {
      const auto& f = *static_cast<const Fragments*>(payloads[lane]);
      const int g = lane / 4, t = lane % 4;
      for (int i = 0; i < 4; ++i) {
        rows[g + i % 2 * 8][2 * t + i / 2 * 8] = low_half(f.a[i]);
        rows[g + i % 2 * 8][2 * t + i / 2 * 8 + 1] = high_half(f.a[i]);
      }
      for (int i = 0; i < 2; ++i) {
        columns[2 * t + i * 8][g] = low_half(f.b[i]);
        columns[2 * t + i * 8 + 1][g] = high_half(f.b[i]);
      }
    }
    multiply(payloads, rows, columns);
  };
  warp_collective(whole_warp, "mma.m16n8k16.bf16", &mine, combine, false, site);
}

void mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Site site) {
  Fragments mine{d, a, b};
  const Combine combine = [](void* const* payloads, uint32_t mask) {
    need_whole_warp(mask, "mma");
    float rows[16][8], columns[8][8];
    for (int lane = 0; lane < 32; ++lane) {
      const auto& f = *static_cast<const Fragments*>(payloads[lane]);
      const int g = lane / 4, t = lane % 4;
      for (int i = 0; i < 4; ++i) rows[g + i % 2 * 8][t + i / 2 * 4] = as_tf32(f.a[i]);
      for (int i = 0; i < 2; ++i) columns[t + i * 4][g] = as_tf32(f.b[i]);
    }
    multiply(payloads, rows, columns);
  };
  warp_collective(whole_warp, "mma.m16n8k8.tf32", &mine, combine, false, site);
}

void mma_m8n8k4_f64(double (&d)[2], double a, double b, Site site) {
  struct Payload {
    double* d;
    double a, b;
  } mine{d, a, b};
  const Combine combine = [](void* const* payloads, uint32_t mask) {
    need_whole_warp(mask, "mma");
    const auto at = [&](int lane) -> const Payload& {
      return *static_cast<const Payload*>(payloads[lane]);
    };
    for (int lane = 0; lane < 32; ++lane)
      for (int i = 0; i < 2; ++i)
        for (int k = 0; k < 4; ++k)
          at(lane).d[i] += at(lane / 4 * 4 + k).a * at((lane % 4 * 2 + i) * 4 + k).b;
  };
  warp_collective(whole_warp, "mma.m8n8k4.f64", &mine, combine, false, site);
}

uint32_t to_tf32(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  if ((bits & 0x7f800000u) == 0x7f800000u) return bits;  // inf and NaN stay
  return (bits + 0x1000u) & 0xffffe000u;
}

namespace {

struct Rows {
  char* row;  // of matrix lane / 8, row lane % 8
  uint32_t* r;
};

// Element e (0 or 1) of register i of a lane.
char* element(void* const* payloads, int lane, int i, int e, bool transposed) {
  const int row = transposed ? lane % 4 * 2 + e : lane / 4;
  const int column = transposed ? lane / 4 : lane % 4 * 2 + e;
  return static_cast<Rows*>(payloads[i * 8 + row])->row + 2 * column;
}

template <bool store, bool transposed>
void move_matrices(void* const* payloads, uint32_t mask) {
  need_whole_warp(mask, store ? "stmatrix" : "ldmatrix");
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 4; ++i)
      for (int e = 0; e < 2; ++e) {
        char* const memory = element(payloads, lane, i, e, transposed);
        char* const in_register =
            reinterpret_cast<char*>(&static_cast<Rows*>(payloads[lane])->r[i]) + 2 * e;
        std::memcpy(store ? memory : in_register, store ? in_register : memory, 2);
      }
}

void need_aligned_row(const void* row, const char* name, Site site) {
  if (reinterpret_cast<uintptr_t>(row) % 16)
    fail(std::string(name) + " with a row address that is not a multiple of 16", site);
}

}  // namespace

void ldmatrix_x4(uint32_t (&r)[4], const void* row, bool transposed, Site site, void* pc) {
  need_aligned_row(row, "ldmatrix", site);
  note(row, 16, reads, pc);
  Rows mine{static_cast<char*>(const_cast<void*>(row)), r};
  warp_collective(whole_warp, transposed ? "ldmatrix.x4.trans" : "ldmatrix.x4", &mine,
                  transposed ? move_matrices<false, true> : move_matrices<false, false>, false,
                  site);
}

void stmatrix_x4(void* row, const uint32_t (&r)[4], bool transposed, Site site, void* pc) {
  need_aligned_row(row, "stmatrix", site);
  note(row, 16, writes, pc);
  Rows mine{static_cast<char*>(row), const_cast<uint32_t*>(r)};
  warp_collective(whole_warp, transposed ? "stmatrix.x4.trans" : "stmatrix.x4", &mine,
                  transposed ? move_matrices<true, true> : move_matrices<true, false>, false, site);
}

}  // namespace cytograd::simt
