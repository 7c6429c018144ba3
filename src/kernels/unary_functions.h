#pragma once

#include <cmath>
#include <type_traits>

#include "kernels/math.h"

/// @file
/// The elementwise functions of one operand. A functor has `value(x, p)`, `slope(s, p)`, where s is
/// what `slope_of` says: the input, the output or nothing, and p the options. To add one: write it
/// here, put it in `UnaryFunctions`, and declare and define the operation in ops/elementwise.

namespace cytograd::kernels {

enum class SlopeOf { input, output, nothing };

/// Options of a function, e.g. the slope of leaky_relu in `a`.
struct UnaryParams {
  double a = 0, b = 0;
};

struct AddScalar {
  static constexpr SlopeOf slope_of = SlopeOf::nothing;
  template <class T>
  CYTOGRAD_HD T value(T x, UnaryParams p) const {
    return x + static_cast<T>(p.a);
  }
  template <class T>
  CYTOGRAD_HD T slope(T, UnaryParams) const {
    return T(1);
  }
};

struct MulScalar {
  static constexpr SlopeOf slope_of = SlopeOf::nothing;
  template <class T>
  CYTOGRAD_HD T value(T x, UnaryParams p) const {
    return x * static_cast<T>(p.a);
  }
  template <class T>
  CYTOGRAD_HD T slope(T, UnaryParams p) const {
    return static_cast<T>(p.a);
  }
};

/// a / x.
struct ScalarOver {
  static constexpr SlopeOf slope_of = SlopeOf::input;
  template <class T>
  CYTOGRAD_HD T value(T x, UnaryParams p) const {
    return static_cast<T>(p.a) / x;
  }
  template <class T>
  CYTOGRAD_HD T slope(T x, UnaryParams p) const {
    return -static_cast<T>(p.a) / (x * x);
  }
};

struct Exp {
  static constexpr SlopeOf slope_of = SlopeOf::output;
  template <class T>
  CYTOGRAD_HD T value(T x, UnaryParams) const {
    return math::exp(x);
  }
  template <class T>
  CYTOGRAD_HD T slope(T y, UnaryParams) const {
    return y;
  }
};

/// exp(x) - 1 without cancellation at small x.
struct Expm1 {
  static constexpr SlopeOf slope_of = SlopeOf::output;
  template <class T>
  CYTOGRAD_HD T value(T x, UnaryParams) const {
    return std::expm1(x);
  }
  template <class T>
  CYTOGRAD_HD T slope(T y, UnaryParams) const {
    return y + T(1);
  }
};

struct Log {
  static constexpr SlopeOf slope_of = SlopeOf::input;
  template <class T>
  CYTOGRAD_HD T value(T x, UnaryParams) const {
    return std::log(x);
  }
  template <class T>
  CYTOGRAD_HD T slope(T x, UnaryParams) const {
    return T(1) / x;
  }
};

struct Sqrt {
  static constexpr SlopeOf slope_of = SlopeOf::output;
  template <class T>
  CYTOGRAD_HD T value(T x, UnaryParams) const {
    return std::sqrt(x);
  }
  template <class T>
  CYTOGRAD_HD T slope(T y, UnaryParams) const {
    return T(0.5) / y;
  }
};

struct Square {
  static constexpr SlopeOf slope_of = SlopeOf::input;
  template <class T>
  CYTOGRAD_HD T value(T x, UnaryParams) const {
    return x * x;
  }
  template <class T>
  CYTOGRAD_HD T slope(T x, UnaryParams) const {
    return T(2) * x;
  }
};

struct Abs {
  static constexpr SlopeOf slope_of = SlopeOf::input;
  template <class T>
  CYTOGRAD_HD T value(T x, UnaryParams) const {
    return std::abs(x);
  }
  template <class T>
  CYTOGRAD_HD T slope(T x, UnaryParams) const {
    return x > T(0) ? T(1) : x < T(0) ? T(-1) : T(0);
  }
};

struct Pow {
  static constexpr SlopeOf slope_of = SlopeOf::input;
  template <class T>
  CYTOGRAD_HD T value(T x, UnaryParams p) const {
    return std::pow(x, static_cast<T>(p.a));
  }
  template <class T>
  CYTOGRAD_HD T slope(T x, UnaryParams p) const {
    return p.a == 0 ? T(0) : static_cast<T>(p.a) * std::pow(x, static_cast<T>(p.a - 1));
  }
};

struct Clamp {
  static constexpr SlopeOf slope_of = SlopeOf::input;
  template <class T>
  CYTOGRAD_HD T value(T x, UnaryParams p) const {
    const T low = static_cast<T>(p.a), high = static_cast<T>(p.b);
    const T raised = x < low ? low : x;
    return raised > high ? high : raised;
  }
  template <class T>
  CYTOGRAD_HD T slope(T x, UnaryParams p) const {
    return x < static_cast<T>(p.a) || x > static_cast<T>(p.b) ? T(0) : T(1);
  }
};

struct Relu {
  static constexpr SlopeOf slope_of = SlopeOf::output;
  template <class T>
  CYTOGRAD_HD T value(T x, UnaryParams) const {
    return x < T(0) ? T(0) : x;
  }
  template <class T>
  CYTOGRAD_HD T slope(T y, UnaryParams) const {
    return y > T(0) ? T(1) : T(0);
  }
};

struct LeakyRelu {
  static constexpr SlopeOf slope_of = SlopeOf::output;
  template <class T>
  CYTOGRAD_HD T value(T x, UnaryParams p) const {
    return x > T(0) ? x : x * static_cast<T>(p.a);
  }
  template <class T>
  CYTOGRAD_HD T slope(T y, UnaryParams p) const {
    return y > T(0) ? T(1) : static_cast<T>(p.a);
  }
};

struct Sigmoid {
  static constexpr SlopeOf slope_of = SlopeOf::output;
  template <class T>
  CYTOGRAD_HD T value(T x, UnaryParams) const {
    return math::sigmoid(x);
  }
  template <class T>
  CYTOGRAD_HD T slope(T y, UnaryParams) const {
    return y * (T(1) - y);
  }
};

struct Tanh {
  static constexpr SlopeOf slope_of = SlopeOf::output;
  template <class T>
  CYTOGRAD_HD T value(T x, UnaryParams) const {
    return math::tanh(x);
  }
  template <class T>
  CYTOGRAD_HD T slope(T y, UnaryParams) const {
    return T(1) - y * y;
  }
};

struct Softplus {
  static constexpr SlopeOf slope_of = SlopeOf::input;
  template <class T>
  CYTOGRAD_HD T value(T x, UnaryParams) const {
    return (x < T(0) ? T(0) : x) + std::log1p(math::exp(x < T(0) ? x : -x));
  }
  template <class T>
  CYTOGRAD_HD T slope(T x, UnaryParams) const {
    return math::sigmoid(x);
  }
};

/// A list of types that one calls by number, so that kernels are compiled in one place.
template <class... F>
struct FunctionList {
  template <class G>
  static constexpr int index() {
    int i = 0, found = -1;
    ((std::is_same_v<F, G> ? (found = i++) : i++), ...);
    return found;
  }
  /// visit(F{}) for the function with this number.
  template <class Visit>
  static void call(int number, Visit&& visit) {
    int i = 0;
    ((i++ == number ? visit(F{}) : void()), ...);
  }
};

using UnaryFunctions = FunctionList<AddScalar, MulScalar, ScalarOver, Exp, Expm1, Log, Sqrt, Square,
                                    Abs, Pow, Clamp, Relu, LeakyRelu, Sigmoid, Tanh, Softplus>;

}  // namespace cytograd::kernels
