// The memory of one threadgroup: filled with bits that are NaN in every floating-point type and -1
// in every integer, so that what was read before it was written shows in the results.
#pragma once

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>

#include "host.h"
#include "sanitizers.h"

namespace metal_host {

class SharedMemory {
 public:
  SharedMemory() {
    void* memory = mmap(nullptr, BYTES + FENCES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
      perror("no memory for a threadgroup");
      abort();
    }
    base_ = static_cast<char*>(memory);
    sanitizers::poison(base_, BYTES);
  }
  ~SharedMemory() {
    sanitizers::unpoison(base_, BYTES);
    munmap(base_, BYTES + FENCES);
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  // Forgets every declaration.
  void clear() {
    sanitizers::poison(base_, BYTES);
    used_ = end_ = 0;
    count_ = 0;
  }

  // Null where the threadgroup has no room left.
  void* find(const void* key, size_t size, size_t alignment) {
    for (int i = 0; i < count_; i++)
      if (declared_[i].key == key) return base_ + declared_[i].offset;
    const size_t offset = (end_ + alignment - 1) / alignment * alignment;
    if (used_ + size > MAX_THREADGROUP_BYTES || offset + size > BYTES || count_ == MOST) return nullptr;
    declared_[count_++] = {key, offset};
    used_ += size;
    end_ = offset + size + GAP;
    sanitizers::unpoison(base_ + offset, size);
    fill(base_ + offset, size);
    return base_ + offset;
  }

  size_t used() const { return used_; }

  // An address that stands for a rendezvous of this threadgroup, for ThreadSanitizer.
  void* fence(int index) const { return base_ + BYTES + 8 * index; }

 private:
  static constexpr size_t GAP = 256;  // between two declarations; poisoned under AddressSanitizer
  static constexpr int MOST = 128;  // declarations
  static constexpr size_t FENCES = 8 * (2 + 2 * MAX_THREADS / SIMD_WIDTH);
  static constexpr size_t BYTES = 4 * MAX_THREADGROUP_BYTES;

  struct Declaration {
    const void* key;
    size_t offset;
  };

  // Volatile, or the compiler makes it a memset, which ThreadSanitizer would take for the kernel's.
  static void fill(char* memory, size_t size) {
    volatile char* bytes = memory;
    for (size_t i = 0; i < size; i++) bytes[i] = char(0xFF);
  }

  char* base_;
  size_t used_ = 0, end_ = 0;
  // Not a vector: what fibers allocate and the scheduler frees looks like a race.
  Declaration declared_[MOST];
  int count_ = 0;
};

}  // namespace metal_host
