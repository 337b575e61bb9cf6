// vec<T, N> with the sizes and alignments of Metal, and the packed types beside it.
#pragma once

namespace metal {

template <class T, int N>
struct vec;

}  // namespace metal

namespace metal_host {

template <class T>
constexpr int components = 1;
template <class T, int N>
constexpr int components<metal::vec<T, N>> = N;

// The storage, under every name a component has.
template <class T, int N>
struct Components;
template <class T>
struct Components<T, 2> {
  union {
    T v[2];
    struct { T x, y; };
    struct { T r, g; };
  };
};
template <class T>
struct Components<T, 3> {
  union {
    T v[4];
    struct { T x, y, z; };
    struct { T r, g, b; };
    metal::vec<T, 2> xy;
  };
};
template <class T>
struct Components<T, 4> {
  union {
    T v[4];
    struct { T x, y, z, w; };
    struct { T r, g, b, a; };
    struct { metal::vec<T, 2> xy, zw; };
    metal::vec<T, 3> xyz;
  };
};

}  // namespace metal_host

namespace metal {

template <class T, int N>
struct alignas(sizeof(T) * (N == 2 ? 2 : 4)) vec : metal_host::Components<T, N> {
  using metal_host::Components<T, N>::v;

  vec() = default;
  template <class U>
    requires std::is_convertible_v<U, T> || std::is_constructible_v<T, U>
  constexpr explicit(!std::is_convertible_v<U, T>) vec(U x) {
    for (int i = 0; i < N; i++) v[i] = T(x);
  }
  template <class U>
    requires(!std::is_same_v<U, T>)
  constexpr explicit vec(vec<U, N> other) {
    for (int i = 0; i < N; i++) v[i] = T(other.v[i]);
  }
  // Scalars and shorter vectors that together have N components.
  template <class... Parts>
    requires(sizeof...(Parts) > 1 && (metal_host::components<Parts> + ...) == N)
  constexpr vec(Parts... parts) {
    int filled = 0;
    (append(filled, parts), ...);
  }

  constexpr T& operator[](int i) { return v[i]; }
  constexpr const T& operator[](int i) const { return v[i]; }

 private:
  template <class U>
  constexpr void append(int& filled, U x) { v[filled++] = T(x); }
  template <class U, int M>
  constexpr void append(int& filled, vec<U, M> x) {
    for (int i = 0; i < M; i++) v[filled++] = T(x.v[i]);
  }
};

template <class T>
struct vec<T, 1> {
  T x;
};

// The scalar operand of a vector operation is converted to the vector's component type.
#define METAL_HOST_OPERATOR(op)                                               \
  template <class T, int N>                                                   \
  inline vec<T, N> operator op(vec<T, N> a, vec<T, N> b) {                    \
    vec<T, N> result;                                                         \
    for (int i = 0; i < N; i++) result.v[i] = T(a.v[i] op b.v[i]);            \
    return result;                                                            \
  }                                                                           \
  template <class T, int N>                                                   \
  inline vec<T, N> operator op(vec<T, N> a, std::type_identity_t<T> b) {      \
    return a op vec<T, N>(b);                                                 \
  }                                                                           \
  template <class T, int N>                                                   \
  inline vec<T, N> operator op(std::type_identity_t<T> a, vec<T, N> b) {      \
    return vec<T, N>(a) op b;                                                 \
  }                                                                           \
  template <class T, int N, class U>                                          \
  inline vec<T, N>& operator op##=(vec<T, N>& a, U b) {                       \
    return a = a op b;                                                        \
  }
METAL_HOST_OPERATOR(+)
METAL_HOST_OPERATOR(-)
METAL_HOST_OPERATOR(*)
METAL_HOST_OPERATOR(/)
METAL_HOST_OPERATOR(%)
METAL_HOST_OPERATOR(&)
METAL_HOST_OPERATOR(|)
METAL_HOST_OPERATOR(^)
METAL_HOST_OPERATOR(<<)
METAL_HOST_OPERATOR(>>)
#undef METAL_HOST_OPERATOR

#define METAL_HOST_COMPARISON(op)                                             \
  template <class T, int N>                                                   \
  inline vec<bool, N> operator op(vec<T, N> a, vec<T, N> b) {                 \
    vec<bool, N> result;                                                      \
    for (int i = 0; i < N; i++) result.v[i] = a.v[i] op b.v[i];               \
    return result;                                                            \
  }                                                                           \
  template <class T, int N>                                                   \
  inline vec<bool, N> operator op(vec<T, N> a, std::type_identity_t<T> b) {   \
    return a op vec<T, N>(b);                                                 \
  }
METAL_HOST_COMPARISON(==)
METAL_HOST_COMPARISON(!=)
METAL_HOST_COMPARISON(<)
METAL_HOST_COMPARISON(<=)
METAL_HOST_COMPARISON(>)
METAL_HOST_COMPARISON(>=)
#undef METAL_HOST_COMPARISON

template <class T, int N>
inline vec<T, N> operator-(vec<T, N> a) {
  for (int i = 0; i < N; i++) a.v[i] = -a.v[i];
  return a;
}
template <class T, int N>
inline vec<T, N> operator~(vec<T, N> a) {
  for (int i = 0; i < N; i++) a.v[i] = ~a.v[i];
  return a;
}

template <int N>
inline bool all(vec<bool, N> a) {
  bool result = true;
  for (int i = 0; i < N; i++) result = result && a.v[i];
  return result;
}
template <int N>
inline bool any(vec<bool, N> a) {
  bool result = false;
  for (int i = 0; i < N; i++) result = result || a.v[i];
  return result;
}

template <class T, int N>
inline T dot(vec<T, N> a, vec<T, N> b) {
  T sum = a.v[0] * b.v[0];
  for (int i = 1; i < N; i++) sum = T(sum + a.v[i] * b.v[i]);
  return sum;
}

// Components without padding, aligned like one of them.
template <class T, int N>
struct packed_vec {
  T v[N];
  packed_vec() = default;
  constexpr packed_vec(vec<T, N> x) {
    for (int i = 0; i < N; i++) v[i] = x.v[i];
  }
  constexpr operator vec<T, N>() const {
    vec<T, N> x;
    for (int i = 0; i < N; i++) x.v[i] = v[i];
    return x;
  }
  constexpr T& operator[](int i) { return v[i]; }
  constexpr const T& operator[](int i) const { return v[i]; }
};

}  // namespace metal

#define METAL_HOST_VECTORS(T)                                                            \
  typedef metal::vec<T, 2> T##2;                                                         \
  typedef metal::vec<T, 3> T##3;                                                         \
  typedef metal::vec<T, 4> T##4;                                                         \
  typedef metal::packed_vec<T, 2> packed_##T##2;                                         \
  typedef metal::packed_vec<T, 3> packed_##T##3;                                         \
  typedef metal::packed_vec<T, 4> packed_##T##4;
METAL_HOST_VECTORS(bool)
METAL_HOST_VECTORS(char)
METAL_HOST_VECTORS(uchar)
METAL_HOST_VECTORS(short)
METAL_HOST_VECTORS(ushort)
METAL_HOST_VECTORS(int)
METAL_HOST_VECTORS(uint)
METAL_HOST_VECTORS(long)
METAL_HOST_VECTORS(ulong)
METAL_HOST_VECTORS(half)
METAL_HOST_VECTORS(bfloat)
METAL_HOST_VECTORS(float)
#undef METAL_HOST_VECTORS
