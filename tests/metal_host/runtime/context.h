// Stacks, and the switch from one to another.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

// Saves the stack pointer to *from and continues where `to` was saved.
extern "C" void metal_host_switch(void** from, void* to);

namespace metal_host {

// Makes a stack whose first switch calls `entry`, which must never return.
inline void* first_frame(char* top, void (*entry)()) {
  void** frame = reinterpret_cast<void**>(reinterpret_cast<uintptr_t>(top) & ~uintptr_t(15));
#if defined(__x86_64__)
  *--frame = nullptr;  // where entry would return to; it also aligns the stack as after a call
  *--frame = reinterpret_cast<void*>(entry);
  for (int saved = 0; saved < 6; saved++) *--frame = nullptr;
#else
  for (int saved = 0; saved < 20; saved++) *--frame = nullptr;
  frame[1] = reinterpret_cast<void*>(entry);  // x30
#endif
  return frame;
}

// The stacks of one threadgroup, each above a page that nobody may touch.
class Stacks {
 public:
  static constexpr size_t BYTES = 192 << 10;

  explicit Stacks(int count) : size_(count * BYTES) {
    const size_t page = sysconf(_SC_PAGESIZE);
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void* memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED) {
      perror("no memory for the stacks of a threadgroup");
      abort();
    }
    base_ = static_cast<char*>(memory);
    for (int i = 0; i < count; i++) mprotect(base_ + i * BYTES, page, PROT_NONE);
  }
  ~Stacks() { munmap(base_, size_); }
  Stacks(const Stacks&) = delete;
  Stacks& operator=(const Stacks&) = delete;

  char* top(int index) const { return base_ + (index + 1) * BYTES; }

 private:
  char* base_;
  size_t size_;
};

}  // namespace metal_host
