// Integer functions, and those that take anything.
#pragma once

namespace metal {

// Overloads rather than a template: operands of different types are ambiguous, as in Metal.
#define METAL_HOST_INTEGER(T)                                                  \
  inline T max(T a, T b) { return a > b ? a : b; }                             \
  inline T min(T a, T b) { return a < b ? a : b; }                             \
  inline T clamp(T x, T low, T high) { return min(max(x, low), high); }        \
  inline T popcount(T x) {                                                     \
    return T(__builtin_popcountll((unsigned long long)std::make_unsigned_t<T>(x))); \
  }                                                                            \
  inline T clz(T x) {                                                          \
    const auto bits = std::make_unsigned_t<T>(x);                              \
    return T(bits ? __builtin_clzll(bits) - int(64 - 8 * sizeof(T)) : 8 * sizeof(T)); \
  }                                                                            \
  inline T ctz(T x) { return T(x ? __builtin_ctzll(std::make_unsigned_t<T>(x)) : 8 * sizeof(T)); }
METAL_HOST_INTEGER(char)
METAL_HOST_INTEGER(int8_t)
METAL_HOST_INTEGER(uchar)
METAL_HOST_INTEGER(short)
METAL_HOST_INTEGER(ushort)
METAL_HOST_INTEGER(int)
METAL_HOST_INTEGER(uint)
METAL_HOST_INTEGER(long)
METAL_HOST_INTEGER(ulong)
#undef METAL_HOST_INTEGER

template <class T, int N>
inline vec<T, N> max(vec<T, N> a, vec<T, N> b) {
  for (int i = 0; i < N; i++) a.v[i] = max(a.v[i], b.v[i]);
  return a;
}
template <class T, int N>
inline vec<T, N> min(vec<T, N> a, vec<T, N> b) {
  for (int i = 0; i < N; i++) a.v[i] = min(a.v[i], b.v[i]);
  return a;
}
template <class T, int N>
inline vec<T, N> clamp(vec<T, N> x, vec<T, N> low, vec<T, N> high) {
  return min(max(x, low), high);
}

inline int abs(int x) { return x < 0 ? -x : x; }
inline long abs(long x) { return x < 0 ? -x : x; }
inline uint mulhi(uint a, uint b) { return uint(uint64_t(a) * b >> 32); }
inline int mulhi(int a, int b) { return int(int64_t(a) * b >> 32); }
inline uint rotate(uint x, uint by) { return x << (by & 31) | x >> (-by & 31); }
inline uint extract_bits(uint x, uint offset, uint bits) {
  return bits == 0 ? 0 : x << (32 - offset - bits) >> (32 - bits);
}

template <class T>
inline T select(T a, T b, bool choose_b) {
  return choose_b ? b : a;
}
template <class T, int N>
inline vec<T, N> select(vec<T, N> a, vec<T, N> b, vec<bool, N> choose_b) {
  for (int i = 0; i < N; i++) a.v[i] = choose_b.v[i] ? b.v[i] : a.v[i];
  return a;
}

}  // namespace metal
