// Atomics. Metal has relaxed order only.
#pragma once

namespace metal {

enum memory_order { memory_order_relaxed = __ATOMIC_RELAXED };

template <class T>
struct atomic {
  T value;
};
typedef atomic<int> atomic_int;
typedef atomic<uint> atomic_uint;
typedef atomic<bool> atomic_bool;
typedef atomic<float> atomic_float;

template <class T>
inline T atomic_load_explicit(const atomic<T>* object, memory_order) {
  T value;
  __atomic_load(&object->value, &value, __ATOMIC_RELAXED);
  return value;
}
template <class T>
inline void atomic_store_explicit(atomic<T>* object, std::type_identity_t<T> desired, memory_order) {
  __atomic_store(&object->value, &desired, __ATOMIC_RELAXED);
}
template <class T>
inline T atomic_exchange_explicit(atomic<T>* object, std::type_identity_t<T> desired, memory_order) {
  T old;
  __atomic_exchange(&object->value, &desired, &old, __ATOMIC_RELAXED);
  return old;
}
template <class T>
inline bool atomic_compare_exchange_weak_explicit(atomic<T>* object, T* expected, std::type_identity_t<T> desired,
                                                  memory_order, memory_order) {
  return __atomic_compare_exchange(&object->value, expected, &desired, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

#define METAL_HOST_FETCH(name, Combine)                                                                   \
  template <class T>                                                                                      \
  inline T atomic_fetch_##name##_explicit(atomic<T>* object, std::type_identity_t<T> operand, memory_order) { \
    T old = atomic_load_explicit(object, memory_order_relaxed), desired;                                  \
    do desired = metal_host::Combine()(old, operand);                                                     \
    while (!__atomic_compare_exchange(&object->value, &old, &desired, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)); \
    return old;                                                                                           \
  }
METAL_HOST_FETCH(add, Sum)
METAL_HOST_FETCH(max, Maximum)
METAL_HOST_FETCH(min, Minimum)
METAL_HOST_FETCH(and, And)
METAL_HOST_FETCH(or, Or)
METAL_HOST_FETCH(xor, Xor)
#undef METAL_HOST_FETCH

template <class T>
inline T atomic_fetch_sub_explicit(atomic<T>* object, std::type_identity_t<T> operand, memory_order order) {
  return atomic_fetch_add_explicit(object, T(-operand), order);
}

}  // namespace metal
