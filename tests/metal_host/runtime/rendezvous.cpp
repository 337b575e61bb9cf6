// Where threads meet: barriers, collectives, and the memory that a threadgroup shares.

#include "rendezvous.h"

namespace metal_host {
namespace {

// Ends a collective. Strict: Metal would reduce over the lanes that are left where some have returned, or
// have gone another way, but which those are is rarely what was meant.
void complete(Simdgroup& simdgroup) {
  Fiber* lanes = &machine->fibers[simdgroup.first];
  const Site* site = nullptr;
  uint32_t present = 0;
  for (int lane = 0; lane < simdgroup.lanes; lane++) {
    if (lanes[lane].state == State::returned) {
      fail("divergent collective: not all lanes of a simdgroup reach it: %s", who_waits_where().c_str());
      return;
    }
    if (site && !same(*site, lanes[lane].site)) {
      fail("divergent collective: the lanes of a simdgroup meet at different places: %s", who_waits_where().c_str());
      return;
    }
    site = &lanes[lane].site;
    present |= 1u << lane;
  }
  for (int lane = 0; lane < simdgroup.lanes; lane++)
    lanes[lane].state = State::ready;
  simdgroup.present[simdgroup.turn] = present;
  simdgroup.turn ^= 1;
  simdgroup.waiting = 0;
  machine->report->collectives++;
}

}  // namespace

void complete_if_all_came(Simdgroup& simdgroup) {
  if (simdgroup.live && simdgroup.waiting == simdgroup.live) complete(simdgroup);
}

// Nobody can go on: a barrier that all have reached, or an error.
void release_barrier() {
  if (machine->waiting != machine->live) {
    fail("divergent barrier or collective: %s", who_waits_where().c_str());
    return;
  }
  const Fiber* first = nullptr;
  for (const Fiber& fiber : machine->fibers) {
    if (fiber.state == State::returned) {
      fail("divergent barrier: not all threads of the threadgroup reach it: %s", who_waits_where().c_str());
      return;
    }
    if (first && !same(first->site, fiber.site)) {
      fail("divergent barrier: threads meet at different barriers: %s", who_waits_where().c_str());
      return;
    }
    first = &fiber;
  }
  for (Fiber& fiber : machine->fibers) fiber.state = State::ready;
  machine->waiting = 0;
  machine->barrier_turn ^= 1;
  machine->report->barriers++;
}

const Thread& this_thread() { return machine->running->thread; }

const Launch& this_launch() { return *machine->launch; }

uint32_t exchange(const void* mine, void* all, size_t size, Site site, bool fences) {
  Fiber& fiber = *machine->running;
  Simdgroup& simdgroup = simdgroup_of(fiber);
  const int turn = simdgroup.turn;
  void* fence = machine->memory->fence(2 + 2 * fiber.thread.simdgroup_index_in_threadgroup + turn);
  copy(simdgroup.slots[turn][fiber.thread.thread_index_in_simdgroup], mine, size);
  if (fences) sanitizers::release(fence);
  fiber.site = site;
  fiber.state = State::in_exchange;
  simdgroup.waiting++;
  complete_if_all_came(simdgroup);
  if (fiber.state == State::in_exchange) to_scheduler();
  if (fences) sanitizers::acquire(fence);
  for (int lane = 0; lane < SIMD_WIDTH; lane++)
    copy(static_cast<unsigned char*>(all) + lane * size, simdgroup.slots[turn][lane], size);
  return simdgroup.present[turn];
}

void barrier(bool fences, Site site) {
  Fiber& fiber = *machine->running;
  void* fence = machine->memory->fence(machine->barrier_turn);
  if (fences) sanitizers::release(fence);
  fiber.site = site;
  fiber.state = State::at_barrier;
  machine->waiting++;
  to_scheduler();
  if (fences) sanitizers::acquire(fence);
}

void* shared(const void* key, size_t size, size_t alignment) {
  void* memory = machine->memory->find(key, size, alignment);
  if (memory) return memory;
  fail("threadgroup memory: %zu bytes are in use and %zu more are declared; the limit is %zu",
       machine->memory->used(), size, MAX_THREADGROUP_BYTES);
  to_scheduler();
  __builtin_unreachable();
}

}  // namespace metal_host
