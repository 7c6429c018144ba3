#pragma once

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace cytograd {

/// While it lives, this thread takes denormal floating-point numbers for zeros, read and made: an
/// operation on one takes a hundred times as long, and saturated outputs make many of them. x86
/// only; elsewhere nothing changes.
class FlushDenormals {
 public:
  FlushDenormals() {
#if defined(__SSE2__)
    constexpr unsigned flush_to_zero = 0x8000, denormals_are_zeros = 0x0040;
    before_ = _mm_getcsr();
    const unsigned wanted = before_ | flush_to_zero | denormals_are_zeros;
    if (wanted != before_) _mm_setcsr(wanted);
#endif
  }
  ~FlushDenormals() {
#if defined(__SSE2__)
    constexpr unsigned modes = 0x8040;
    if ((before_ & modes) != modes) _mm_setcsr(before_);
#endif
  }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
#if defined(__SSE2__)
  unsigned before_;
#endif
};

}  // namespace cytograd
