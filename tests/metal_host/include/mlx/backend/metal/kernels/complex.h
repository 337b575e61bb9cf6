// In place of MLX's header, whose constructors are overloaded on address spaces.
#pragma once

#include <metal_stdlib>

#include "mlx/backend/metal/kernels/bf16.h"

using namespace metal;

template <class T>
struct complex_t {
  using value_type = T;
  T real, imag;

  complex_t() = default;
  constexpr complex_t(T real, T imag) : real(real), imag(imag) {}
  constexpr complex_t(T real) : real(real), imag(0) {}

  constexpr complex_t operator+(complex_t o) const { return {real + o.real, imag + o.imag}; }
  constexpr complex_t operator-(complex_t o) const { return {real - o.real, imag - o.imag}; }
  constexpr complex_t operator*(complex_t o) const {
    return {real * o.real - imag * o.imag, real * o.imag + imag * o.real};
  }
  constexpr bool operator==(complex_t o) const { return real == o.real && imag == o.imag; }
};

typedef complex_t<float> complex64_t;

template <class T>
constexpr bool is_complex_v = false;
template <class T>
constexpr bool is_complex_v<complex_t<T>> = true;
