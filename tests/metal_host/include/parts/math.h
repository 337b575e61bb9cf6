// Floating-point functions, of float and half and their vectors. fast:: and precise:: are the same here.
//
// The compiler's built-in functions rather than <cmath>: that would put its own exp and log1p beside
// those of the kernels. The __metal_ names are what MLX builds its bfloat overloads from.
#pragma once

#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")
#define MAXFLOAT 3.402823466e+38f
#define FLT_MAX 3.402823466e+38f
#define FLT_MIN 1.175494351e-38f
#define FLT_EPSILON 1.192092896e-07f
#define HALF_MAX 65504.0f
#define M_E_F 2.71828182845904523536f
#define M_LOG2E_F 1.44269504088896340736f
#define M_LOG10E_F 0.43429448190325182765f
#define M_LN2_F 0.69314718055994530942f
#define M_LN10_F 2.30258509299404568402f
#define M_PI_F 3.14159265358979323846f
#define M_PI_2_F 1.57079632679489661923f
#define M_SQRT2_F 1.41421356237309504880f
#define M_SQRT1_2_F 0.70710678118654752440f
#define __METAL_MAYBE_FAST_MATH__ 0
#define __METAL_FAST_MATH__ 1
#define __METAL_PRECISE_MATH__ 2

#define METAL_HOST_UNARY(F)                                   \
  F(acos, __builtin_acosf(x))                                 \
  F(acosh, __builtin_acoshf(x))                               \
  F(asin, __builtin_asinf(x))                                 \
  F(asinh, __builtin_asinhf(x))                               \
  F(atan, __builtin_atanf(x))                                 \
  F(atanh, __builtin_atanhf(x))                               \
  F(ceil, __builtin_ceilf(x))                                 \
  F(cos, __builtin_cosf(x))                                   \
  F(cosh, __builtin_coshf(x))                                 \
  F(cospi, __builtin_cosf(M_PI_F * x))                        \
  F(exp, __builtin_expf(x))                                   \
  F(exp10, __builtin_powf(10.0f, x))                          \
  F(exp2, __builtin_exp2f(x))                                 \
  F(fabs, __builtin_fabsf(x))                                 \
  F(floor, __builtin_floorf(x))                               \
  F(fract, x - __builtin_floorf(x))                           \
  F(log, __builtin_logf(x))                                   \
  F(log10, __builtin_log10f(x))                               \
  F(log2, __builtin_log2f(x))                                 \
  F(rint, __builtin_rintf(x))                                 \
  F(round, __builtin_roundf(x))                               \
  F(rsqrt, 1.0f / __builtin_sqrtf(x))                         \
  F(sin, __builtin_sinf(x))                                   \
  F(sinh, __builtin_sinhf(x))                                 \
  F(sinpi, __builtin_sinf(M_PI_F * x))                        \
  F(sqrt, __builtin_sqrtf(x))                                 \
  F(tan, __builtin_tanf(x))                                   \
  F(tanh, __builtin_tanhf(x))                                 \
  F(tanpi, __builtin_tanf(M_PI_F * x))                        \
  F(trunc, __builtin_truncf(x))

#define METAL_HOST_BINARY(F)                                  \
  F(atan2, __builtin_atan2f(x, y))                            \
  F(copysign, __builtin_copysignf(x, y))                      \
  F(divide, x / y)                                            \
  F(fdim, __builtin_fdimf(x, y))                              \
  F(fmax, __builtin_fmaxf(x, y))                              \
  F(fmin, __builtin_fminf(x, y))                              \
  F(fmod, __builtin_fmodf(x, y))                              \
  F(nextafter, __builtin_nextafterf(x, y))                    \
  F(pow, __builtin_powf(x, y))                                \
  F(powr, __builtin_powf(x, y))

#define METAL_HOST_TERNARY(F)                                                       \
  F(fma, __builtin_fmaf(x, y, z))                                                   \
  F(fmax3, __metal_fmax(__metal_fmax(x, y), z))                                     \
  F(fmin3, __metal_fmin(__metal_fmin(x, y), z))                                     \
  F(fmedian3, __metal_fmax(__metal_fmin(x, y), __metal_fmin(__metal_fmax(x, y), z)))

#define METAL_HOST_DEFINE(name, value) inline float __metal_##name(float x, int = 0) { return value; }
METAL_HOST_UNARY(METAL_HOST_DEFINE)
#undef METAL_HOST_DEFINE
#define METAL_HOST_DEFINE(name, value) inline float __metal_##name(float x, float y, int = 0) { return value; }
METAL_HOST_BINARY(METAL_HOST_DEFINE)
#undef METAL_HOST_DEFINE
#define METAL_HOST_DEFINE(name, value) \
  inline float __metal_##name(float x, float y, float z, int = 0) { return value; }
METAL_HOST_TERNARY(METAL_HOST_DEFINE)
#undef METAL_HOST_DEFINE
inline float __metal_ldexp(float x, int exponent, int = 0) { return __builtin_ldexpf(x, exponent); }
inline float __metal_frexp(float x, int* exponent) { return __builtin_frexpf(x, exponent); }

#define METAL_HOST_NAMED1(name, value)                                              \
  inline float name(float x) { return __metal_##name(x); }                          \
  inline half name(half x) { return half(__metal_##name((float)x)); }               \
  template <class T, int N>                                                         \
  inline vec<T, N> name(vec<T, N> x) {                                              \
    for (int i = 0; i < N; i++) x.v[i] = name(x.v[i]);                              \
    return x;                                                                       \
  }
#define METAL_HOST_NAMED2(name, value)                                              \
  inline float name(float x, float y) { return __metal_##name(x, y); }              \
  inline half name(half x, half y) { return half(__metal_##name((float)x, (float)y)); } \
  template <class T, int N>                                                         \
  inline vec<T, N> name(vec<T, N> x, vec<T, N> y) {                                 \
    for (int i = 0; i < N; i++) x.v[i] = name(x.v[i], y.v[i]);                      \
    return x;                                                                       \
  }
#define METAL_HOST_NAMED3(name, value)                                              \
  inline float name(float x, float y, float z) { return __metal_##name(x, y, z); }  \
  inline half name(half x, half y, half z) {                                        \
    return half(__metal_##name((float)x, (float)y, (float)z));                      \
  }                                                                                 \
  template <class T, int N>                                                         \
  inline vec<T, N> name(vec<T, N> x, vec<T, N> y, vec<T, N> z) {                    \
    for (int i = 0; i < N; i++) x.v[i] = name(x.v[i], y.v[i], z.v[i]);              \
    return x;                                                                       \
  }
#define METAL_HOST_FUNCTIONS                                                        \
  METAL_HOST_UNARY(METAL_HOST_NAMED1)                                               \
  METAL_HOST_BINARY(METAL_HOST_NAMED2)                                              \
  METAL_HOST_TERNARY(METAL_HOST_NAMED3)                                             \
  inline float abs(float x) { return __metal_fabs(x); }                             \
  inline half abs(half x) { return half(__metal_fabs((float)x)); }                  \
  inline float max(float x, float y) { return __metal_fmax(x, y); }                 \
  inline half max(half x, half y) { return half(__metal_fmax((float)x, (float)y)); } \
  inline float min(float x, float y) { return __metal_fmin(x, y); }                 \
  inline half min(half x, half y) { return half(__metal_fmin((float)x, (float)y)); } \
  inline float clamp(float x, float low, float high) { return min(max(x, low), high); } \
  inline half clamp(half x, half low, half high) { return min(max(x, low), high); } \
  inline float sign(float x) { return x > 0 ? 1.0f : x < 0 ? -1.0f : 0.0f; }        \
  inline float mix(float x, float y, float t) { return x + (y - x) * t; }           \
  inline float saturate(float x) { return clamp(x, 0.0f, 1.0f); }                   \
  inline float ldexp(float x, int exponent) { return __metal_ldexp(x, exponent); }  \
  inline float frexp(float x, int& exponent) { return __metal_frexp(x, &exponent); } \
  inline float sincos(float x, float& cosine) {                                     \
    cosine = cos(x);                                                                \
    return sin(x);                                                                  \
  }

namespace metal {
METAL_HOST_FUNCTIONS
namespace fast {
METAL_HOST_FUNCTIONS
}
namespace precise {
METAL_HOST_FUNCTIONS
}

inline bool isnan(float x) { return __builtin_isnan(x); }
inline bool isinf(float x) { return __builtin_isinf(x); }
inline bool isfinite(float x) { return __builtin_isfinite(x); }
inline bool signbit(float x) { return __builtin_signbit(x); }
}  // namespace metal

#undef METAL_HOST_UNARY
#undef METAL_HOST_BINARY
#undef METAL_HOST_TERNARY
#undef METAL_HOST_NAMED1
#undef METAL_HOST_NAMED2
#undef METAL_HOST_NAMED3
#undef METAL_HOST_FUNCTIONS
