/*
 * layer_sums.h: checksums of every layer of a network over samples, so that two machines can compare them. A file holds what
 * the other side needs to run the same: ranges, inputs, and the checksums themselves (test_plan_sameness.c writes it,
 * layer_sums.c runs it under an emulator). Little endian, 64 bits; both sides compile the same structures.
 */
#ifndef PARE_TEST_LAYER_SUMS_H
#define PARE_TEST_LAYER_SUMS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "exec/plan.h"

/* The file: this, ranges [n_tensors], inputs [n_samples][n_inputs values], then n_levels times: sums_level, sums
 * [n_samples][n_tensors] (0: the plan keeps no such tensor). */
struct sums_head {
    char magic[8]; /* "paresum1" */
    int32_t n_tensors, n_levels, n_samples, range_bytes;
    int64_t n_inputs; /* values of one sample, input after input */
};
struct sums_level {
    char name[8];
    int32_t n_samples, unused; /* the first of all */
};

/* FNV-1a, eight bytes at a time, of a tensor as it is stored; false where the plan keeps none. */
static inline bool sums_of(const struct pare_graph *g, struct pare_plan *plan, int tensor, uint64_t *sum)
{
    struct pare_grid grid;
    const unsigned char *p = pare_plan_raw_tensor(plan, tensor, &grid);
    if (p == NULL) {
        return false;
    }
    const size_t bytes = grid.form == PARE_FORM_CODES ? 1 : grid.form == PARE_FORM_F16 ? 2 : 4;
    const size_t n = (size_t)pare_tensor_elements(&g->tensors[tensor]) * bytes;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i += 8) {
        uint64_t word = 0;
        memcpy(&word, p + i, n - i < 8 ? n - i : 8);
        hash = (hash ^ word) * 0x100000001b3u;
    }
    *sum = hash;
    return true;
}

#endif
