// Needs kLaneBytes, the width of a vector. Included once by each max_pool_<isa>.cpp.
#include "cpu/simd/max_pool_table.h"

namespace cytograd::simd {
namespace {

template <class T>
struct Lanes {
  typedef T Vector __attribute__((vector_size(kLaneBytes)));
  static constexpr int64_t count = kLaneBytes / static_cast<int64_t>(sizeof(T));
};

// `blocks` vectors of channels from `first` on, held in registers over the whole window.
template <int blocks, class T, class Position>
inline void pool_block(const MaxWindow<T, Position>& w, int64_t first) {
  using V = typename Lanes<T>::Vector;
  using I = typename Lanes<Position>::Vector;
  V best[blocks];
  I position[blocks];
  for (int u = 0; u < blocks; ++u) {
    __builtin_memcpy(&best[u], w.x + first + u * Lanes<T>::count, sizeof(V));
    position[u] = I{};
  }
  I here = I{};
  for (int64_t i = 0; i < w.rows; ++i) {
    const T* pixel = w.x + i * w.row_stride + first;
    for (int64_t j = 0; j < w.columns; ++j, pixel += w.pixel_stride) {
      for (int u = 0; u < blocks; ++u) {
        V x;
        __builtin_memcpy(&x, pixel + u * Lanes<T>::count, sizeof(V));
        const I take = (x > best[u]) | (x != x);
        best[u] = take ? x : best[u];
        position[u] = take ? here : position[u];
      }
      here += 1;
    }
  }
  for (int u = 0; u < blocks; ++u) {
    __builtin_memcpy(w.best + first + u * Lanes<T>::count, &best[u], sizeof(V));
    __builtin_memcpy(w.position + first + u * Lanes<T>::count, &position[u], sizeof(I));
  }
}

template <class T, class Position>
void max_window(const MaxWindow<T, Position>& w) {
  constexpr int64_t lanes = Lanes<T>::count;
  int64_t c = 0;
  for (; c + 4 * lanes <= w.channels; c += 4 * lanes) pool_block<4>(w, c);
  for (; c + lanes <= w.channels; c += lanes) pool_block<1>(w, c);
  for (; c < w.channels; ++c) {
    T best = w.x[c];
    Position position = 0;
    for (int64_t i = 0; i < w.rows; ++i)
      for (int64_t j = 0; j < w.columns; ++j) {
        const T x = w.x[i * w.row_stride + j * w.pixel_stride + c];
        const bool take = x > best || x != x;
        best = take ? x : best;
        position = take ? static_cast<Position>(i * w.columns + j) : position;
      }
    w.best[c] = best;
    w.position[c] = position;
  }
}

}  // namespace
}  // namespace cytograd::simd
