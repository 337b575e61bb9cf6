// Barriers, and the functions in which lanes of a simdgroup see each other's values.
//
// Every lane receives what all lanes brought and works out its own result.
#pragma once

namespace metal {

enum class mem_flags {
  mem_none = 0,
  mem_device = 1,
  mem_threadgroup = 2,
  mem_device_and_threadgroup = 3,
  mem_texture = 4,
};
constexpr mem_flags operator|(mem_flags a, mem_flags b) { return mem_flags(int(a) | int(b)); }

inline void threadgroup_barrier(mem_flags flags, METAL_HOST_SITE("threadgroup_barrier")) {
  metal_host::barrier(flags != mem_flags::mem_none, site);
}
inline void simdgroup_barrier(mem_flags flags, METAL_HOST_SITE("simdgroup_barrier")) {
  char nothing = 0, of_all[metal_host::SIMD_WIDTH];
  metal_host::exchange(&nothing, of_all, 1, site, flags != mem_flags::mem_none);
}

}  // namespace metal

namespace metal_host {

// What the lanes of a simdgroup brought to a collective.
template <class T>
struct Lanes {
  static_assert(sizeof(T) <= MAX_EXCHANGE_BYTES);
  T values[SIMD_WIDTH];
  uint32_t present;

  Lanes(T mine, Site site) { present = exchange(&mine, values, sizeof(T), site); }

  bool has(uint lane) const { return lane < SIMD_WIDTH && (present >> lane & 1); }

  // What a lane that is not there would say is undefined: bits that show.
  T of(uint lane) const {
    T value;
    if (has(lane)) return values[lane];
    __builtin_memset(&value, 0xFF, sizeof value);
    return value;
  }

  // The order of a reduction is not defined: a tree, backwards, or some permutation.
  template <class Combine>
  T fold(Combine combine, uint first = 0, uint count = SIMD_WIDTH) const {
    const Launch& launch = this_launch();
    T terms[SIMD_WIDTH];
    uint n = 0;
    for (uint i = 0; i < count; i++) {
      const uint index = launch.order == FORWARD    ? i
                         : launch.order == REVERSED ? count - 1 - i
                                                    : (5 * i + uint(launch.seed)) % count;
      if (has(first + index)) terms[n++] = values[first + index];
    }
    if (launch.order != FORWARD) {
      for (uint i = 1; i < n; i++) terms[0] = combine(terms[0], terms[i]);
      return terms[0];
    }
    for (; n > 1; n = (n + 1) / 2)
      for (uint i = 0; i + (n + 1) / 2 < n; i++) terms[i] = combine(terms[i], terms[i + (n + 1) / 2]);
    return terms[0];
  }

  // The terms of the lanes before this one, and of this one where `inclusive`.
  template <class Combine>
  T prefix(Combine combine, T identity, bool inclusive) const {
    const uint end = this_thread().thread_index_in_simdgroup + inclusive;
    T result = identity;
    for (uint lane = 0; lane < end; lane++)
      if (has(lane)) result = combine(result, values[lane]);
    return result;
  }
};

inline uint lane() { return this_thread().thread_index_in_simdgroup; }

struct Sum {
  template <class T>
  T operator()(T a, T b) const { return T(a + b); }
};
struct Product {
  template <class T>
  T operator()(T a, T b) const { return T(a * b); }
};
// NaN wins: it is what memory holds that nobody wrote.
struct Maximum {
  template <class T>
  T operator()(T a, T b) const { return a > b || a != a ? a : b; }
};
struct Minimum {
  template <class T>
  T operator()(T a, T b) const { return a < b || a != a ? a : b; }
};
struct And {
  template <class T>
  T operator()(T a, T b) const { return T(a & b); }
};
struct Or {
  template <class T>
  T operator()(T a, T b) const { return T(a | b); }
};
struct Xor {
  template <class T>
  T operator()(T a, T b) const { return T(a ^ b); }
  // MLX's headers ask for it, and no kernel calls it.
  float operator()(float, float) const { return NAN; }
};

// Vectors are reduced component by component.
template <class Combine, class T>
T fold_lanes(T x, Site site, bool quad = false) {
  const Lanes<T> lanes(x, site);
  return quad ? lanes.fold(Combine(), lane() & ~3u, 4) : lanes.fold(Combine());
}

}  // namespace metal_host

namespace metal {

#define METAL_HOST_REDUCTION(name, Combine)                                       \
  template <class T>                                                              \
  inline T simd_##name(T x, METAL_HOST_SITE("simd_" #name)) {                     \
    return metal_host::fold_lanes<metal_host::Combine>(x, site);                  \
  }                                                                               \
  template <class T>                                                              \
  inline T quad_##name(T x, METAL_HOST_SITE("quad_" #name)) {                     \
    return metal_host::fold_lanes<metal_host::Combine>(x, site, true);            \
  }
METAL_HOST_REDUCTION(sum, Sum)
METAL_HOST_REDUCTION(product, Product)
METAL_HOST_REDUCTION(max, Maximum)
METAL_HOST_REDUCTION(min, Minimum)
METAL_HOST_REDUCTION(and, And)
METAL_HOST_REDUCTION(or, Or)
METAL_HOST_REDUCTION(xor, Xor)
#undef METAL_HOST_REDUCTION

#define METAL_HOST_PREFIX(name, Combine, identity, inclusive)                     \
  template <class T>                                                              \
  inline T simd_prefix_##name(T x, METAL_HOST_SITE("simd_prefix_" #name)) {       \
    return metal_host::Lanes<T>(x, site).prefix(metal_host::Combine(), T(identity), inclusive); \
  }
METAL_HOST_PREFIX(inclusive_sum, Sum, 0, true)
METAL_HOST_PREFIX(exclusive_sum, Sum, 0, false)
METAL_HOST_PREFIX(inclusive_product, Product, 1, true)
METAL_HOST_PREFIX(exclusive_product, Product, 1, false)
#undef METAL_HOST_PREFIX

// `from` is the lane whose value this lane receives.
#define METAL_HOST_SHUFFLE(name, from)                                            \
  template <class T>                                                              \
  inline T name(T x, ushort i, METAL_HOST_SITE(#name)) {                          \
    [[maybe_unused]] const uint lane = metal_host::lane();                        \
    return metal_host::Lanes<T>(x, site).of(from);                                \
  }
METAL_HOST_SHUFFLE(simd_broadcast, i)
METAL_HOST_SHUFFLE(simd_shuffle, i)
METAL_HOST_SHUFFLE(simd_shuffle_xor, lane ^ i)
METAL_HOST_SHUFFLE(simd_shuffle_up, lane - i)
METAL_HOST_SHUFFLE(simd_shuffle_down, lane + i)
METAL_HOST_SHUFFLE(simd_shuffle_rotate_up, (lane - i) % 32)
METAL_HOST_SHUFFLE(simd_shuffle_rotate_down, (lane + i) % 32)
METAL_HOST_SHUFFLE(quad_broadcast, (lane & ~3u) + i)
METAL_HOST_SHUFFLE(quad_shuffle, (lane & ~3u) + i)
METAL_HOST_SHUFFLE(quad_shuffle_xor, lane ^ i)
METAL_HOST_SHUFFLE(quad_shuffle_up, lane % 4 >= i ? lane - i : 32)
METAL_HOST_SHUFFLE(quad_shuffle_down, lane % 4 + i < 4 ? lane + i : 32)
#undef METAL_HOST_SHUFFLE

template <class T>
inline T simd_shuffle_and_fill_up(T x, T fill, ushort i, METAL_HOST_SITE("simd_shuffle_and_fill_up")) {
  const uint lane = metal_host::lane();
  const metal_host::Lanes<T> lanes(x, site);
  return lane >= i ? lanes.of(lane - i) : fill;
}
template <class T>
inline T simd_shuffle_and_fill_down(T x, T fill, ushort i, METAL_HOST_SITE("simd_shuffle_and_fill_down")) {
  const uint lane = metal_host::lane();
  const metal_host::Lanes<T> lanes(x, site);
  return lane + i < 32 ? lanes.of(lane + i) : fill;
}

struct simd_vote {
  uint64_t mask;
  explicit operator uint64_t() const { return mask; }
  bool all() const { return mask == 0xFFFFFFFF; }
  bool any() const { return mask != 0; }
};
inline simd_vote simd_ballot(bool x, METAL_HOST_SITE("simd_ballot")) {
  const metal_host::Lanes<bool> lanes(x, site);
  uint64_t mask = 0;
  for (uint lane = 0; lane < 32; lane++)
    if (lanes.has(lane) && lanes.values[lane]) mask |= uint64_t(1) << lane;
  return {mask};
}
inline simd_vote simd_active_threads_mask(METAL_HOST_SITE("simd_active_threads_mask")) {
  return simd_ballot(true, site);
}
inline bool simd_all(bool x, METAL_HOST_SITE("simd_all")) {
  return metal_host::fold_lanes<metal_host::And>(int(x), site);
}
inline bool simd_any(bool x, METAL_HOST_SITE("simd_any")) {
  return metal_host::fold_lanes<metal_host::Or>(int(x), site);
}
template <class T>
inline T simd_broadcast_first(T x, METAL_HOST_SITE("simd_broadcast_first")) {
  const metal_host::Lanes<T> lanes(x, site);
  return lanes.of(__builtin_ctz(lanes.present));
}
inline bool simd_is_first(METAL_HOST_SITE("simd_is_first")) {
  return simd_broadcast_first(metal_host::lane(), site) == metal_host::lane();
}

}  // namespace metal

// What MLX builds its bfloat overloads from.
#define METAL_HOST_INTERNAL(name)                                                 \
  template <class T>                                                              \
  inline T __metal_simd_##name(T x, METAL_HOST_SITE("simd_" #name)) {             \
    return metal::simd_##name(x, site);                                           \
  }
METAL_HOST_INTERNAL(sum)
METAL_HOST_INTERNAL(product)
METAL_HOST_INTERNAL(max)
METAL_HOST_INTERNAL(min)
METAL_HOST_INTERNAL(xor)
METAL_HOST_INTERNAL(prefix_inclusive_sum)
METAL_HOST_INTERNAL(prefix_exclusive_sum)
METAL_HOST_INTERNAL(prefix_inclusive_product)
METAL_HOST_INTERNAL(prefix_exclusive_product)
#undef METAL_HOST_INTERNAL
#define METAL_HOST_INTERNAL(name)                                                 \
  template <class T>                                                              \
  inline T __metal_simd_##name(T x, ushort i, METAL_HOST_SITE("simd_" #name)) {   \
    return metal::simd_##name(x, i, site);                                        \
  }
METAL_HOST_INTERNAL(broadcast)
METAL_HOST_INTERNAL(shuffle)
METAL_HOST_INTERNAL(shuffle_xor)
METAL_HOST_INTERNAL(shuffle_up)
METAL_HOST_INTERNAL(shuffle_down)
METAL_HOST_INTERNAL(shuffle_rotate_up)
METAL_HOST_INTERNAL(shuffle_rotate_down)
#undef METAL_HOST_INTERNAL
inline ushort __metal_get_simdgroup_size(ushort) { return 32; }
template <class T>
inline T __metal_simd_shuffle_and_fill_up(T x, T fill, ushort i, ushort,
                                          METAL_HOST_SITE("simd_shuffle_and_fill_up")) {
  return metal::simd_shuffle_and_fill_up(x, fill, i, site);
}
template <class T>
inline T __metal_simd_shuffle_and_fill_down(T x, T fill, ushort i, ushort,
                                            METAL_HOST_SITE("simd_shuffle_and_fill_down")) {
  return metal::simd_shuffle_and_fill_down(x, fill, i, site);
}
