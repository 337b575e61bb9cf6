// half and bfloat: computed in float, rounded after every operation.
#pragma once

typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;

namespace metal_host {

// g++ 12 knows one of these names on each architecture.
#if defined(__aarch64__)
typedef __fp16 HostHalf;
#else
typedef _Float16 HostHalf;
#endif

struct HalfFormat {
  static constexpr uint16_t encode(float x) { return __builtin_bit_cast(uint16_t, (HostHalf)x); }
  static constexpr float decode(uint16_t bits) { return (float)__builtin_bit_cast(HostHalf, bits); }
};

struct BfloatFormat {
  static constexpr uint16_t encode(float x) {
    const uint32_t bits = __builtin_bit_cast(uint32_t, x);
    if ((bits & 0x7fffffff) > 0x7f800000) return (bits >> 16) | 0x40;  // a NaN stays one
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  }
  static constexpr float decode(uint16_t bits) { return __builtin_bit_cast(float, uint32_t(bits) << 16); }
};

template <class Format>
struct Small {
  uint16_t bits;

  Small() = default;
  template <class T>
    requires std::is_integral_v<T>
  constexpr Small(T x) : bits(Format::encode((float)x)) {}
  constexpr explicit(std::is_same_v<Format, BfloatFormat>) Small(float x) : bits(Format::encode(x)) {}
  template <class Other>
    requires(!std::is_same_v<Other, Format>)
  constexpr explicit Small(Small<Other> x) : bits(Format::encode((float)x)) {}

  // Exact, and with it every operation that mixes with float, and every comparison.
  constexpr operator float() const { return Format::decode(bits); }

  constexpr Small operator-() const { return Small(-(float)*this); }
  constexpr Small operator+() const { return *this; }
  constexpr Small& operator++() { return *this = *this + 1; }

  // For bfloat a float on the right needs a cast, as in Metal.
  template <class T>
  constexpr Small& operator+=(T x) { return *this = *this + x; }
  template <class T>
  constexpr Small& operator-=(T x) { return *this = *this - x; }
  template <class T>
  constexpr Small& operator*=(T x) { return *this = *this * x; }
  template <class T>
  constexpr Small& operator/=(T x) { return *this = *this / x; }
};

#define METAL_HOST_OPERATOR(op)                                           \
  template <class F>                                                      \
  constexpr Small<F> operator op(Small<F> a, Small<F> b) {                \
    return Small<F>((float)a op (float)b);                                \
  }                                                                       \
  template <class F, class T>                                             \
    requires std::is_integral_v<T>                                        \
  constexpr Small<F> operator op(Small<F> a, T b) {                       \
    return a op Small<F>(b);                                              \
  }                                                                       \
  template <class F, class T>                                             \
    requires std::is_integral_v<T>                                        \
  constexpr Small<F> operator op(T a, Small<F> b) {                       \
    return Small<F>(a) op b;                                              \
  }
METAL_HOST_OPERATOR(+)
METAL_HOST_OPERATOR(-)
METAL_HOST_OPERATOR(*)
METAL_HOST_OPERATOR(/)
#undef METAL_HOST_OPERATOR

}  // namespace metal_host

typedef metal_host::Small<metal_host::HalfFormat> half;
typedef metal_host::Small<metal_host::BfloatFormat> bfloat;

constexpr half operator""_h(long double x) { return half((float)x); }
constexpr bfloat operator""_bf(long double x) { return bfloat((float)x); }

template <>
struct std::numeric_limits<half> {
  static constexpr bool is_specialized = true;
  static constexpr half max() { return half(65504.0f); }
  static constexpr half lowest() { return half(-65504.0f); }
  static constexpr half min() { return half(6.103515625e-05f); }
  static constexpr half epsilon() { return half(0.0009765625f); }
  static constexpr half infinity() { return half(__builtin_inff()); }
  static constexpr half quiet_NaN() { return half(__builtin_nanf("")); }
};

template <>
struct std::numeric_limits<bfloat> {
  static constexpr bool is_specialized = true;
  static constexpr bfloat max() { return bfloat(3.3895314e38f); }
  static constexpr bfloat lowest() { return bfloat(-3.3895314e38f); }
  static constexpr bfloat min() { return bfloat(1.17549435e-38f); }
  static constexpr bfloat epsilon() { return bfloat(0.0078125f); }
  static constexpr bfloat infinity() { return bfloat(__builtin_inff()); }
  static constexpr bfloat quiet_NaN() { return bfloat(__builtin_nanf("")); }
};

namespace metal {
using std::bool_constant;
using std::conditional_t;
using std::enable_if;
using std::enable_if_t;
using std::false_type;
using std::integral_constant;
using std::is_arithmetic;
using std::is_arithmetic_v;
using std::is_convertible_v;
using std::is_integral;
using std::is_integral_v;
using std::is_pointer;
using std::is_same;
using std::is_same_v;
using std::is_signed_v;
using std::is_unsigned_v;
using std::make_unsigned_t;
using std::numeric_limits;
using std::remove_cv;
using std::remove_cv_t;
using std::remove_pointer;
using std::remove_reference;
using std::remove_reference_t;
using std::true_type;

template <class T>
using remove_addrspace_t = std::remove_cv_t<T>;
template <class T>
constexpr bool is_floating_point_v = std::is_same_v<T, float> || std::is_same_v<T, half> || std::is_same_v<T, bfloat>;
template <class T>
using is_floating_point = bool_constant<is_floating_point_v<T>>;
}  // namespace metal

template <class To, class From>
constexpr To as_type(From from) {
  static_assert(sizeof(To) == sizeof(From), "as_type: the sizes differ");
  return __builtin_bit_cast(To, from);
}
