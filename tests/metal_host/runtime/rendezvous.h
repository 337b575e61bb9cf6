// What the scheduler needs of the places where threads meet.
#pragma once

#include "machine.h"

namespace metal_host {

// Ends the collective that a simdgroup waits at, if all its live lanes have come.
void complete_if_all_came(Simdgroup& simdgroup);

// For when nobody can go on: ends the barrier that all threads have reached, or finds the error.
void release_barrier();

}  // namespace metal_host
