/*
 * body.h: what the drivers in this folder share: the tile of sums that goes to the epilogue, and
 * build macros.
 *
 * A layer kernel is a driver (conv_body.h, depthwise_body.h) included by one file per element type
 * and instruction set, which brings the vector operations. The driver leaves a tile of sums in the
 * L1 cache and calls that instruction set's epilogue (epilogue_body.h over vec_<isa>.h).
 */
#ifndef PARE_PK_BODY_H
#define PARE_PK_BODY_H

#include "../pk.h"

#define PK_INLINE static inline __attribute__((always_inline))
/* Without full unrolling, arrays of accumulators live on the stack. */
#ifdef __clang__
#define PK_UNROLL _Pragma("unroll")
#else
#define PK_UNROLL _Pragma("GCC unroll 32")
#endif

/* Keeps a loaded vector in its register: compilers like to load again for every use. */
#ifdef __aarch64__
#define PK_KEEP(v) __asm__("" : "+w"(v))
#else
#define PK_KEEP(v) __asm__("" : "+v"(v))
#endif

/* Sums of `rows` consecutive output pixels times `n` channels. Whole vectors of each row may be
 * read; of integers by AVX-512 up to 64 sums at a time (16 where n % 64 <= 16, 32 where <= 32). */
struct pk_tile {
    void *acc;    /* int32_t or float [rows][ld]; the epilogue may change it */
    size_t ld;    /* elements */
    size_t pixel; /* index of the first output pixel: y * out_w + x */
    int rows;
    int channel, n; /* first output channel, channels (the last vector may be partly used) */
    const int32_t
        *sums; /* [rows] sums of the codes of each pixel's taps; read when e->weight_zero is set */
};

static inline size_t pk_round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

#endif
