/*
 * fuzz.h: what a fuzz target and its replay share. fuzz_<name>.c defines LLVMFuzzerTestOneInput;
 * seeds_<name>.c defines fuzz_seed. One input must take milliseconds.
 */
#ifndef PARE_FUZZ_H
#define PARE_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Seed number i: malloc'd, its size in *size; NULL behind the last one. */
uint8_t *fuzz_seed(int i, size_t *size);

#endif
