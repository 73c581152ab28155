/*
 * pk_probe.h: what a stopwatch must ask of the core itself: how fast it ticks now, whether it
 * is shared, and in which of its two speeds the tile unit is. For measure/; needs instructions that C has no words
 * for, so it lives beside the kernels.
 */
#ifndef PARE_PK_PROBE_H
#define PARE_PK_PROBE_H

#include <stdbool.h>
#include <stdint.h>

/* Runs a chain of dependent instructions of known latency: 64-bit multiply on x86-64 (3 cycles on
 * every core since Nehalem and Zen), exclusive or on AArch64 (1 cycle; multiplies differ from core
 * to core there). An add of a constant would be folded at rename. Returns the cycles that the chain
 * takes, at least `cycles`; 0 on machines that have no probe. */
uint64_t pk_probe_chain(uint64_t cycles);

/* Runs at least n additions that depend on nothing near them, as many at a time as the core can: a
 * core whose other hardware thread works does about half as many per cycle. Returns how many; 0 on
 * machines that have no probe. */
uint64_t pk_probe_width(uint64_t n);

/* Loads a tile n times from 1 KiB in the L1 cache. False when the machine has no tiles (or the
 * operating system does not grant them). A load takes 7-9 cycles in the fast state, 28-32 in the
 * slow one that a busy neighbour causes (Sapphire Rapids). */
bool pk_probe_tiles(int n);

#endif
