// The state of the launch that runs, and the switch between its threads, which are fibers.
#pragma once

#include <algorithm>
#include <cstdarg>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "context.h"
#include "host.h"
#include "sanitizers.h"
#include "shared_memory.h"

namespace metal_host {

enum class State { ready, in_exchange, at_barrier, returned };

struct Fiber {
  Thread thread;
  void* stack = nullptr;  // where the fiber is to be continued
  void* sanitizer = nullptr;
  State state = State::ready;
  Site site{};
};

struct Simdgroup {
  int first = 0, lanes = 0;
  int live = 0, waiting = 0;
  // Two sets of slots, used in turn: lanes that still read one exchange may see others write the next.
  int turn = 0;
  uint32_t present[2] = {};
  alignas(16) unsigned char slots[2][SIMD_WIDTH][MAX_EXCHANGE_BYTES];
};

// Everything about the launch and the threadgroup that run now.
struct Machine {
  Kernel kernel;
  void* const* buffers;
  const Launch* launch;
  Report* report;

  void* scheduler_stack = nullptr;
  void* scheduler_sanitizer = nullptr;
  char finished;  // its address stands for the end of every thread, for ThreadSanitizer
  std::unique_ptr<Stacks> stacks;
  std::unique_ptr<SharedMemory> memory;

  std::vector<Fiber> fibers;
  std::vector<Simdgroup> simdgroups;
  Fiber* running = nullptr;
  int live = 0, waiting = 0;  // threads that have not returned, threads at a barrier
  int barrier_turn = 0;
};

// One kernel at a time in a process: Metal's functions have no argument that could carry this.
inline Machine* machine;

inline Simdgroup& simdgroup_of(const Fiber& fiber) {
  return machine->simdgroups[fiber.thread.simdgroup_index_in_threadgroup];
}

__attribute__((format(printf, 1, 2))) inline void fail(const char* format, ...) {
  Report& report = *machine->report;
  if (report.failed) return;
  report.failed = 1;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(report.message, sizeof report.message, format, arguments);
  va_end(arguments);
  sanitizers::release(&machine->finished);  // the message is read when all is over
}

// Not memcpy: the sanitizers would take that for the kernel's own access.
inline void copy(void* to, const void* from, size_t size) {
  volatile unsigned char* target = static_cast<unsigned char*>(to);
  const unsigned char* source = static_cast<const unsigned char*>(from);
  for (size_t i = 0; i < size; i++) target[i] = source[i];
}

inline bool same(const Site& a, const Site& b) {
  return a.line == b.line && !strcmp(a.file, b.file) && !strcmp(a.what, b.what);
}

inline std::string text(const Site& site) {
  return std::string(site.what) + " (" + site.file + ":" + std::to_string(site.line) + ")";
}

// "threads 0 ... (32 of them) wait at simd_sum (rms.metal:7)" for every place somebody waits at.
inline std::string who_waits_where() {
  std::vector<std::pair<const Fiber*, int>> places;
  int returned = 0;
  for (const Fiber& fiber : machine->fibers) {
    if (fiber.state == State::returned) returned++;
    if (fiber.state != State::in_exchange && fiber.state != State::at_barrier) continue;
    auto known = std::find_if(places.begin(), places.end(),
                              [&](auto& place) { return same(place.first->site, fiber.site); });
    if (known == places.end())
      places.emplace_back(&fiber, 1);
    else
      known->second++;
  }
  std::string words;
  for (auto& [fiber, count] : places)
    words += std::to_string(count) + " thread(s) from thread " +
             std::to_string(fiber->thread.thread_index_in_threadgroup) + " on wait at " + text(fiber->site) + ", ";
  return words + std::to_string(returned) + " have returned";
}

inline void to_scheduler() {
  sanitizers::switch_to(machine->scheduler_sanitizer);
  metal_host_switch(&machine->running->stack, machine->scheduler_stack);
}

inline void to_fiber(Fiber& fiber) {
  machine->running = &fiber;
  sanitizers::switch_to(fiber.sanitizer);
  metal_host_switch(&machine->scheduler_stack, fiber.stack);
}

}  // namespace metal_host
