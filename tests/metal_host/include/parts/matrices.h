// 8x8 matrices that a simdgroup holds together, two neighbouring elements of a row in each lane, in
// the layout that MLX's steel kernels build their fragments for.
#pragma once

namespace metal_host {

inline uint fragment_row(uint lane) { return (lane / 4 & 4) + lane / 2 % 4; }
inline uint fragment_column(uint lane) { return (lane / 4 & 2) * 2 + lane % 2 * 2; }
inline uint fragment_lane(uint row, uint column) {
  return (row & 4) * 4 + (column & 4) * 2 + row % 4 * 2 + column / 2 % 2;
}

// All lanes of a simdgroup must come.
inline void meet(Site site) {
  char nothing = 0, of_all[SIMD_WIDTH];
  exchange(&nothing, of_all, 1, site);
}

}  // namespace metal_host

namespace metal {

template <class T, int Columns, int Rows>
struct simdgroup_matrix {
  static_assert(Columns == 8 && Rows == 8, "Metal has 8x8 matrices only");
  vec<T, 2> elements;

  simdgroup_matrix() = default;
  explicit simdgroup_matrix(T diagonal) {
    const uint row = metal_host::fragment_row(metal_host::lane());
    const uint column = metal_host::fragment_column(metal_host::lane());
    for (uint i = 0; i < 2; i++) elements.v[i] = row == column + i ? diagonal : T(0);
  }
  vec<T, 2>& thread_elements() { return elements; }
  const vec<T, 2>& thread_elements() const { return elements; }
};

template <class T, int Columns, int Rows>
inline simdgroup_matrix<T, Columns, Rows> make_filled_simdgroup_matrix(T value) {
  simdgroup_matrix<T, Columns, Rows> matrix;
  matrix.elements = vec<T, 2>(value);
  return matrix;
}

}  // namespace metal

namespace metal_host {

// Where element i of this lane lies in memory.
inline size_t fragment_offset(uint i, size_t per_row, ulong2 origin, bool transpose) {
  const size_t row = fragment_row(lane()), column = fragment_column(lane()) + i;
  return transpose ? (origin.y + column) * per_row + origin.x + row : (origin.y + row) * per_row + origin.x + column;
}

}  // namespace metal_host

namespace metal {

template <class T>
inline void simdgroup_load(simdgroup_matrix<T, 8, 8>& matrix, const T* source, ulong per_row = 8,
                           ulong2 origin = ulong2(0), bool transpose = false, METAL_HOST_SITE("simdgroup_load")) {
  metal_host::meet(site);
  for (uint i = 0; i < 2; i++)
    matrix.elements.v[i] = source[metal_host::fragment_offset(i, per_row, origin, transpose)];
}

template <class T>
inline void simdgroup_store(simdgroup_matrix<T, 8, 8> matrix, T* target, ulong per_row = 8,
                            ulong2 origin = ulong2(0), bool transpose = false, METAL_HOST_SITE("simdgroup_store")) {
  metal_host::meet(site);
  for (uint i = 0; i < 2; i++)
    target[metal_host::fragment_offset(i, per_row, origin, transpose)] = matrix.elements.v[i];
}

// d = a b + c, accumulated in float.
template <class D, class A, class B, class C>
inline void simdgroup_multiply_accumulate(simdgroup_matrix<D, 8, 8>& d, simdgroup_matrix<A, 8, 8> a,
                                          simdgroup_matrix<B, 8, 8> b, simdgroup_matrix<C, 8, 8> c,
                                          METAL_HOST_SITE("simdgroup_multiply_accumulate")) {
  struct Factors {
    A a[2];
    B b[2];
  };
  const metal_host::Lanes<Factors> lanes({{a.elements.v[0], a.elements.v[1]}, {b.elements.v[0], b.elements.v[1]}}, site);
  const uint row = metal_host::fragment_row(metal_host::lane());
  const uint column = metal_host::fragment_column(metal_host::lane());
  float sums[2] = {(float)c.elements.v[0], (float)c.elements.v[1]};
  for (uint k = 0; k < 8; k++) {
    const float left = (float)lanes.of(metal_host::fragment_lane(row, k)).a[k % 2];
    const Factors right = lanes.of(metal_host::fragment_lane(k, column));
    for (uint i = 0; i < 2; i++) sums[i] += left * (float)right.b[i];
  }
  d.elements = vec<D, 2>(D(sums[0]), D(sums[1]));
}

template <class D, class A, class B>
inline void simdgroup_multiply(simdgroup_matrix<D, 8, 8>& d, simdgroup_matrix<A, 8, 8> a, simdgroup_matrix<B, 8, 8> b,
                               METAL_HOST_SITE("simdgroup_multiply")) {
  simdgroup_multiply_accumulate(d, a, b, make_filled_simdgroup_matrix<D, 8, 8>(D(0)), site);
}

}  // namespace metal

typedef metal::simdgroup_matrix<float, 8, 8> simdgroup_float8x8;
typedef metal::simdgroup_matrix<half, 8, 8> simdgroup_half8x8;
typedef metal::simdgroup_matrix<bfloat, 8, 8> simdgroup_bfloat8x8;
