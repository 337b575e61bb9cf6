// Runs a kernel's threads as fibers, one threadgroup after the other.
//
// A fiber runs until it reaches a barrier or a collective, or returns. When all live lanes of a
// simdgroup have reached the same collective it is complete; when all threads of the group have
// reached the same barrier they go on. Anything else is divergence: undefined on a GPU, an error here.
//
// This folder is compiled without sanitizers, so that they see only what the kernel does.

#include <numeric>
#include <random>

#include "rendezvous.h"

namespace metal_host {
namespace {

void fiber_main() {
  Fiber& fiber = *machine->running;
  machine->kernel(machine->buffers, fiber.thread);
  sanitizers::release(&machine->finished);
  fiber.state = State::returned;
  machine->live--;
  Simdgroup& simdgroup = simdgroup_of(fiber);
  simdgroup.live--;
  complete_if_all_came(simdgroup);
  to_scheduler();
  __builtin_unreachable();
}

template <class Items>
void arrange(Items& items, std::mt19937_64& random) {
  if (machine->launch->order == REVERSED) std::reverse(items.begin(), items.end());
  if (machine->launch->order == RANDOM) std::shuffle(items.begin(), items.end(), random);
}

void run_threadgroup(std::mt19937_64& random) {
  std::vector<int> order(machine->fibers.size());
  std::iota(order.begin(), order.end(), 0);
  if (machine->launch->order != RANDOM) arrange(order, random);
  while (machine->live && !machine->report->failed) {
    if (machine->launch->order == RANDOM) arrange(order, random);
    bool progress = false;
    for (int index : order) {
      if (machine->fibers[index].state != State::ready) continue;
      to_fiber(machine->fibers[index]);
      progress = true;
      if (machine->report->failed) return;
    }
    if (!progress) release_barrier();
  }
}

int count(const int64_t size[3]) { return int(size[0] * size[1] * size[2]); }

int ceil_divide(int a, int b) { return (a + b - 1) / b; }

Coordinates coordinates(const int64_t v[3]) { return {uint32_t(v[0]), uint32_t(v[1]), uint32_t(v[2])}; }

// The attributes of thread `index` of a threadgroup of `size` threads.
Thread attributes(int index, const int64_t group[3], const int64_t size[3], const int64_t nominal[3],
                  const int64_t groups[3]) {
  const int64_t inside[3] = {index % size[0], index / size[0] % size[1], index / size[0] / size[1]};
  int64_t position[3];
  for (int d = 0; d < 3; d++) position[d] = group[d] * nominal[d] + inside[d];
  Thread thread{};
  thread.thread_position_in_grid = coordinates(position);
  thread.thread_position_in_threadgroup = coordinates(inside);
  thread.threadgroup_position_in_grid = coordinates(group);
  thread.threadgroups_per_grid = coordinates(groups);
  thread.threads_per_grid = thread.grid_size = coordinates(machine->launch->grid);
  thread.threads_per_threadgroup = coordinates(size);
  thread.dispatch_threads_per_threadgroup = coordinates(nominal);
  thread.thread_index_in_threadgroup = index;
  thread.thread_index_in_simdgroup = index % SIMD_WIDTH;
  thread.thread_index_in_quadgroup = index % 4;
  thread.simdgroup_index_in_threadgroup = index / SIMD_WIDTH;
  thread.quadgroup_index_in_threadgroup = index / 4;
  thread.simdgroups_per_threadgroup = ceil_divide(count(size), SIMD_WIDTH);
  thread.dispatch_simdgroups_per_threadgroup = ceil_divide(count(nominal), SIMD_WIDTH);
  thread.quadgroups_per_threadgroup = ceil_divide(count(size), 4);
  thread.dispatch_quadgroups_per_threadgroup = ceil_divide(count(nominal), 4);
  thread.threads_per_simdgroup = thread.thread_execution_width = SIMD_WIDTH;
  return thread;
}

// Makes the threads of one threadgroup ready. Groups at the edge of the grid may be smaller.
void prepare(const int64_t group[3], const int64_t nominal[3], const int64_t groups[3]) {
  int64_t size[3];
  for (int d = 0; d < 3; d++) size[d] = std::min(nominal[d], machine->launch->grid[d] - group[d] * nominal[d]);
  const int threads = count(size);
  if (sanitizers::fresh_memory || !machine->stacks) {
    machine->stacks = std::make_unique<Stacks>(count(nominal));
    machine->memory = std::make_unique<SharedMemory>();
  }
  machine->memory->clear();
  machine->live = threads;
  machine->waiting = machine->barrier_turn = 0;
  machine->fibers.assign(threads, Fiber{});
  machine->simdgroups.assign(ceil_divide(threads, SIMD_WIDTH), Simdgroup{});
  for (int i = 0; i < threads; i++) {
    Fiber& fiber = machine->fibers[i];
    fiber.thread = attributes(i, group, size, nominal, groups);
    fiber.stack = first_frame(machine->stacks->top(i), fiber_main);
    fiber.sanitizer = sanitizers::create_fiber();
    Simdgroup& simdgroup = simdgroup_of(fiber);
    simdgroup.first = i / SIMD_WIDTH * SIMD_WIDTH;
    simdgroup.live = ++simdgroup.lanes;
  }
}

void run_grid() {
  const Launch& launch = *machine->launch;
  int64_t nominal[3], groups[3];
  for (int d = 0; d < 3; d++) {
    nominal[d] = std::min(launch.threadgroup[d], launch.grid[d]);
    groups[d] = (launch.grid[d] + nominal[d] - 1) / nominal[d];
  }
  std::mt19937_64 random(launch.seed);
  std::vector<int64_t> order(groups[0] * groups[1] * groups[2]);
  std::iota(order.begin(), order.end(), 0);
  arrange(order, random);
  for (int64_t index : order) {
    const int64_t group[3] = {index % groups[0], index / groups[0] % groups[1], index / groups[0] / groups[1]};
    prepare(group, nominal, groups);
    run_threadgroup(random);
    for (Fiber& fiber : machine->fibers) sanitizers::destroy_fiber(fiber.sanitizer);
    Report& report = *machine->report;
    report.threadgroup_bytes = std::max<uint64_t>(report.threadgroup_bytes, machine->memory->used());
    if (report.failed) return;
  }
}

}  // namespace

int run(Kernel kernel, void* const* buffers, const Launch& launch, Report& report) {
  report = Report{};
  // Never deleted: to ThreadSanitizer that races with threads that an error has left where they were.
  machine = new Machine{kernel, buffers, &launch, &report};
  machine->scheduler_sanitizer = sanitizers::current_fiber();
  if (launch.threadgroup[0] * launch.threadgroup[1] * launch.threadgroup[2] > MAX_THREADS)
    fail("a threadgroup of %d threads: the limit is %d", count(launch.threadgroup), MAX_THREADS);
  else
    run_grid();
  // Only now: threadgroups of one launch stay unordered among themselves.
  sanitizers::acquire(&machine->finished);
  return int(report.failed);
}

}  // namespace metal_host
