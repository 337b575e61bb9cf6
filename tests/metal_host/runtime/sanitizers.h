// What the sanitizers have to be told about fibers and threadgroup memory; nothing without them.
#pragma once

#include <cstddef>

#if METAL_HOST_ASAN
#include <sanitizer/asan_interface.h>
#endif

#if METAL_HOST_TSAN
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void* fiber);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}
#endif

namespace metal_host::sanitizers {

// Every threadgroup gets fresh stacks and shared memory where races are looked for: memory that
// two groups used in turn would look like a race between them.
#if METAL_HOST_TSAN
constexpr bool fresh_memory = true;
#else
constexpr bool fresh_memory = false;
#endif

inline void poison([[maybe_unused]] void* address, [[maybe_unused]] size_t size) {
#if METAL_HOST_ASAN
  __asan_poison_memory_region(address, size);
#endif
}

inline void unpoison([[maybe_unused]] void* address, [[maybe_unused]] size_t size) {
#if METAL_HOST_ASAN
  __asan_unpoison_memory_region(address, size);
#endif
}

#if METAL_HOST_TSAN
inline void* current_fiber() { return __tsan_get_current_fiber(); }
inline void* create_fiber() { return __tsan_create_fiber(0); }
inline void destroy_fiber(void* fiber) { __tsan_destroy_fiber(fiber); }
// 1: the switch itself orders nothing, as threads of a GPU are unordered.
inline void switch_to(void* fiber) { __tsan_switch_to_fiber(fiber, 1); }
inline void acquire(void* address) { __tsan_acquire(address); }
inline void release(void* address) { __tsan_release(address); }
#else
inline void* current_fiber() { return nullptr; }
inline void* create_fiber() { return nullptr; }
inline void destroy_fiber(void*) {}
inline void switch_to(void*) {}
inline void acquire(void*) {}
inline void release(void*) {}
#endif

}  // namespace metal_host::sanitizers
