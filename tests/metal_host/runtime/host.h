// The interface between a kernel, the machine that runs it on a CPU and the program that starts it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace metal_host {

constexpr int SIMD_WIDTH = 32;
constexpr int MAX_THREADS = 1024;
constexpr size_t MAX_THREADGROUP_BYTES = 32768;

struct Coordinates {
  uint32_t x, y, z;
};

// One thread's attributes, under the names that Metal gives them.
struct Thread {
  Coordinates thread_position_in_grid, thread_position_in_threadgroup, threadgroup_position_in_grid;
  Coordinates threadgroups_per_grid, threads_per_grid, grid_size;
  Coordinates threads_per_threadgroup, dispatch_threads_per_threadgroup;
  uint32_t thread_index_in_threadgroup, thread_index_in_simdgroup, thread_index_in_quadgroup;
  uint32_t simdgroup_index_in_threadgroup, quadgroup_index_in_threadgroup;
  uint32_t simdgroups_per_threadgroup, dispatch_simdgroups_per_threadgroup;
  uint32_t quadgroups_per_threadgroup, dispatch_quadgroups_per_threadgroup;
  uint32_t threads_per_simdgroup, thread_execution_width;
};

// A place in the kernel's source where threads meet.
struct Site {
  const char* what;
  const char* file;
  int line;
};

// In which order the threads of a group, the groups of a grid and the terms of a reduction are taken.
enum Order : int32_t { FORWARD = 0, REVERSED = 1, RANDOM = 2 };

// These two cross into Python, which declares them again in launch.py. Sizes are in threads.
struct Launch {
  int64_t grid[3], threadgroup[3];
  uint64_t seed;
  int64_t order;
};

struct Report {
  uint64_t barriers, collectives;  // rendezvous of a threadgroup, of a simdgroup
  uint64_t threadgroup_bytes;      // the largest amount of any threadgroup
  int64_t failed;
  char message[1000];
};

using Kernel = void (*)(void* const* buffers, const Thread& thread);

// Runs every thread of the grid, once in a process. Returns report.failed.
int run(Kernel kernel, void* const* buffers, const Launch& launch, Report& report);

// What follows is called by the kernel's threads.

const Thread& this_thread();
const Launch& this_launch();

// A rendezvous of the live lanes of a simdgroup: `all` receives the `size` bytes of every lane.
// Returns a mask of the lanes that came; the bytes of the others are undefined. `fences` says
// whether memory written before is visible after.
uint32_t exchange(const void* mine, void* all, size_t size, Site site, bool fences = false);

// A rendezvous of all threads of the threadgroup.
void barrier(bool fences, Site site);

// The threadgroup's memory for the declaration that `key` stands for.
void* shared(const void* key, size_t size, size_t alignment);

constexpr size_t MAX_EXCHANGE_BYTES = 64;

}  // namespace metal_host
