/* op_types.h: what the files op_*.c share about element types. */
#ifndef PARE_PK_OP_TYPES_H
#define PARE_PK_OP_TYPES_H

#include "../pk_ops.h"

#define OP_CHUNK 256 /* elements of a float16 row that are widened at a time */

int op_packed_bits(enum pk_dtype t); /* 4, 2, or 0 = not packed */
/* Smallest and largest value as doubles (64-bit types: the nearest double inside). */
void op_integer_range(enum pk_dtype t, double *lo, double *hi);
uint16_t op_to_bf16(float x);
/* n elements of F16 or BF16 from index first on, to and from float. */
void op_to_f32(enum pk_dtype t, const void *x, size_t first, size_t n, float *y);
void op_from_f32(enum pk_dtype t, const float *x, size_t n, void *y, size_t first);

/*
 * An index space cut down: sizes of 1 dropped, neighbouring dimensions merged where every array
 * allows it. steps[a][i]: array a's step along dimension i.
 */
#define OP_MAX_ARRAYS 3
struct op_space {
    int rank; /* >= 1 */
    int64_t dims[PK_OPS_MAX_RANK];
    int n_arrays;
    int64_t step[OP_MAX_ARRAYS][PK_OPS_MAX_RANK];
};
/* false when the space is empty. */
bool op_space_make(struct op_space *s, int rank, const int64_t *dims, int n_arrays,
                   const int64_t *const *steps);
/* Steps of a dense array of these dims. */
void op_dense_steps(int rank, const int64_t *dims, int64_t *step);
int64_t op_product(int rank, const int64_t *dims);

#endif
