/*
 * depthwise_flat.h: depthwise 3x3 and 5x5 on byte codes, stride 1 and 2, channels a multiple of 8, with vpdpbusd over
 * four rows at once.
 *
 * A padded row is one array of codes [pixel][channel]: output element i of a row needs elements i + kx * channels, so that no
 * lane is lost where channels are no multiple of 16 and 64 codes are always finished together. Four rows are interleaved
 * byte by byte: a block of 64 elements becomes four vectors of 16 lanes of four rows. Unpacks do that within 128 bits:
 * vector j holds elements 16 * l + 4 * j + 0..3 (l = 0..3), for which saturating packs of the sums are the inverse. Vectors j
 * of all blocks follow each other in plane j, where elements that are 16 apart are 16 bytes apart; 8 apart is two planes on.
 * With stride 2 even and odd pixels have planes of their own.
 *
 * A group of four rows serves 2 output rows of a 3x3 window with stride 1 (rows 0-2 and 1-3 of it: groups begin every 2
 * rows); the other windows read two neighbouring groups, which begin every 4 rows, for 4 (5x5) or 2 (stride 2) output rows.
 *
 * Weights at work: [phase][group][kernel column][vector j][output row][16 lanes][4 rows], where an output row reads the
 * group; channels repeat after `phases` blocks. They are made from packed ones (depthwise_flat_weights.h) a chunk of channels
 * at a time. Channels that are multiples of 64, and others where that takes less time, are taken in chunks (the last one may
 * do some of the one before again), wide pictures in stripes, so that groups fit the L1 cache.
 *
 * What binds (Sapphire Rapids, two vector ports, 2026-11-21): 64 outputs of 3x3, stride 1, are 12 products, 17 operations of the
 * epilogue and 4 unpacks, 16.5 cycles or 35 MAC per cycle; measured 21.6 (5 of them interleaving, on the shuffle port alone).
 * 5x5: 40 + 17 + 2, 29.5 cycles or 54. Where blocks are neighbouring pixels or every other one, most of what a kernel column
 * reads is still in registers from the one before: 26 loads for 40 products instead of 30, and no additions for addresses.
 * Cycles for 64 outputs (best blocks; in brackets with all loads, of an earlier run; 2026-11-21):
 *                    all           MAC/cycle   interleaving   epilogue   making weights   products, the rest
 *   96x96x32         34.8 (37.3)   46.0
 *   24x24x128        35.4 (39.0)   45.2        4.3            5.7        0.4              25
 *   12x12x256        38.9 (41.7)   41.1                       5.7        1.6
 *   14x14x512        37.0 (41.9)   43.3        7              5.7        1.2              23
 *   7x7x1152         48.0 (49.5)   33.3        4.9            5.7        4.6              33
 * Weights kept as they are at work come from the L2 cache: 43.2 cycles at 7x7x1152, 36.8 at 12x12x256, but 10 KiB of 64
 * channels where these are 2.5, and layers of 4 and 2 bits had to make them all the same (59 at 7x7x1152, now 48).
 * One product more or less is 0.43 cycles, one operation of the epilogue 0.41: the two ports bind, at 83 to 87 %. Interleaving
 * is on the shuffle port alone and waits for pictures beyond the L1 cache; prefetching rows or weights changed nothing or
 * displaced what is at work. Blocks of three pixels need more registers than there are: 0.85x. 7x7: seven rows are passes
 * of four and three, 12 rows of 11 columns are interleaved for 49 outputs, and 160 vectors of weights are made for 98 blocks:
 * that binds there, and 33 of 40 MAC/cycle are left. Channels beyond a multiple of 64 cost a whole block: 5x5 of 672 at 7x7 has
 * 30.8 (22.1 by the ring), of 144 at 28x28 31.9 (30.5). Stride 2 waits for the L2 cache: 256 bytes of
 * input a block, 16-18 cycles.
 */
#ifndef PARE_PK_DEPTHWISE_FLAT_H
#define PARE_PK_DEPTHWISE_FLAT_H

#include "depthwise_flat_blocks.h"

#include <string.h>

enum {
    /* Bytes of groups of a chunk's stripe: with the weights of two phases (20 KiB at 5x5), the L1 cache. (28 KiB: 1.06x the time
     * of 5x5 on 32 channels of 96x96, as much of others; 2026-11-21) */
    FLAT_CACHE = 20 << 10
};

struct flat_plan {
    int kernel, stride;
    int rows, groups;    /* output rows at once; groups that they read, a ring */
    int apart;           /* input rows from group to group */
    int n, phases;       /* channels of a chunk and blocks after which they repeat */
    int vectors;         /* of weights of a block */
    int width;           /* output pixels of a row at once: a stripe */
    size_t columns;      /* pixels of a padded row of a stripe, of each parity */
    size_t plane, group; /* bytes */
};

/* Blocks after which the channels of a pixel repeat. */
static int flat_period(const struct pk_conv *c)
{
    const int part = c->out_c & -c->out_c; /* the largest power of two that divides */
    return c->out_c / (part < FLAT ? part : FLAT);
}

/* Are pixels read whole, one after another? Else in chunks of 64 channels, of which the last begins 64 before the end. Weights
 * of many phases leave the L1 cache and pixels of stride 2 must be gathered: 5x5 of 240 channels took 1.4 times as long as the
 * ring of depthwise_body.h, 3x3/2 of 144 too (2026-11-21). */
static bool flat_is_dense(const struct pk_conv *c)
{
    const int most = c->stride_h == 2 ? 1 : c->kernel_h == 3 ? 9 : 3;
    return c->out_c % 8 == 0 && c->out_c % FLAT != 0 && flat_period(c) <= most;
}

/* Phases of all channels. */
static int flat_all_phases(const struct pk_conv *c)
{
    return flat_is_dense(c) ? flat_period(c) : (c->out_c + FLAT - 1) / FLAT;
}

/* The first channel of a phase, where pixels are read in chunks. */
static int flat_channel(const struct pk_conv *c, int phase)
{
    return (phase + 1) * FLAT <= c->out_c ? phase * FLAT : c->out_c - FLAT;
}

static bool flat_does(const struct pk_conv *c)
{
    return c->out_c == c->in_c && (c->out_c >= FLAT || flat_is_dense(c)) && c->kernel_h == c->kernel_w &&
           (c->kernel_h == 3 || c->kernel_h == 5) && c->stride_h == c->stride_w && c->stride_h <= 2 && c->dilation_h == 1 &&
           c->dilation_w == 1;
}

static struct flat_plan flat_plan_of(const struct pk_conv *c)
{
    struct flat_plan p = {.kernel = c->kernel_h, .stride = c->stride_h};
    const int kernel = p.kernel, stride = p.stride;
    p.rows = FLAT_ROWS;
    p.groups = FLAT_GROUPS;
    p.apart = kernel == 3 && stride == 1 ? 2 : 4;
    p.vectors = (int)FLAT_VECTORS;
    const size_t more = (size_t)(stride == 1 ? kernel - 1 : kernel / 2), all = (size_t)c->out_w;
    const size_t bytes = 4 * (size_t)(p.groups * stride); /* of groups, for a channel of a column */
    p.n = c->out_c;
    if (!flat_is_dense(c)) {
        p.n = FLAT;
        while (c->out_c % (2 * p.n) == 0 && 2 * (size_t)p.n * bytes * (all + more) <= FLAT_CACHE) {
            p.n *= 2;
        }
    }
    p.phases = flat_is_dense(c) ? flat_all_phases(c) : p.n / FLAT;
    /* stripes of like width; whole blocks of all phases, where that is not the whole picture */
    const size_t step = (size_t)(p.phases * FLAT / p.n > 0 ? p.phases * FLAT / p.n : 1);
    const size_t stripes = ((all + more) * (size_t)p.n * bytes + FLAT_CACHE - 1) / FLAT_CACHE;
    const size_t width = pk_round_up((all + stripes - 1) / stripes, step);
    p.width = (int)(width < all ? width : all);
    p.columns = (size_t)p.width + more;
    /* the last block may read a block beyond; an odd number of lines spreads planes over the cache */
    p.plane = (pk_round_up(p.columns * (size_t)p.n, FLAT) / 64 + 2) * 64 | 64;
    p.group = (size_t)stride * 4 * p.plane;
    return p;
}

/* ---- scratch ---- */

struct flat_work {
    const struct pk_conv *c;
    const struct pk_epilogue *e;
    struct flat_plan p;
    const uint8_t *x;
    uint8_t *ring;           /* [groups][parity][4][plane] */
    uint8_t *outside;        /* a row outside the picture: pad codes */
    int64_t *pieces;         /* where the pixels of each parity lie in a row, where they must be gathered */
    int32_t *vectors;        /* [phases of all channels][FLAT_VECTOR_KINDS][4][VL] */
    int32_t *sums;           /* [rows][sums_row] */
    int column;              /* the first output column of the stripe at work */
    int8_t *weights, *ones;  /* at work: of a chunk; of any phase */
    size_t pad_bytes, bytes; /* of outside; all of the scratch */
};

PK_INLINE void *flat_take(uint8_t **at, size_t bytes)
{
    uint8_t *p = *at;
    *at += pk_round_up(bytes, 64);
    return p;
}

static bool flat_gathers(const struct flat_plan *p)
{
    return p->stride == 2 && p->n % FLAT != 0;
}

static size_t flat_sums_row(const struct flat_work *w)
{
    return pk_round_up((size_t)w->p.width * (size_t)w->p.n, FLAT);
}

/* Lays out the scratch; base NULL: only for its size. */
static struct flat_work flat_work_of(const struct pk_conv *c, uint8_t *base)
{
    static uint8_t nowhere[1];
    struct flat_work w = {.c = c, .p = flat_plan_of(c)};
    uint8_t *const begin = base != NULL ? base : nowhere, *at = begin;
    w.ring = flat_take(&at, (size_t)w.p.groups * w.p.group);
    /* the picture's row, where rows are read in place; else the stripe's */
    w.pad_bytes = pk_round_up((w.p.n % FLAT == 0 ? 1 : (size_t)c->in_w + w.p.columns) * (size_t)w.p.n, FLAT);
    w.outside = flat_take(&at, w.pad_bytes);
    w.pieces = flat_take(&at, flat_gathers(&w.p) ? 2 * pk_round_up(w.p.columns * (size_t)w.p.n, FLAT) : 0);
    w.vectors = flat_take(&at, (size_t)flat_all_phases(c) * FLAT * FLAT_VECTOR_KINDS * sizeof(int32_t));
    w.weights = flat_take(&at, (size_t)w.p.phases * (size_t)w.p.vectors * 64);
    w.ones = flat_take(&at, (size_t)w.p.vectors * 64);
    w.sums = flat_take(&at, ((size_t)w.p.rows * flat_sums_row(&w) + FLAT) * sizeof(int32_t));
    w.bytes = (size_t)(at - begin);
    return w;
}

/* A per-channel array (NULL: zeros) in the order of sums: elements 16 * l + 4 * j of a block go to vector j, lane 4 * l. */
static void flat_vectors(const struct flat_work *w, int kind, const void *from)
{
    const uint8_t *at = from, *end = from == NULL ? NULL : at + (size_t)w->c->out_c * sizeof(int32_t);
    int32_t *block = w->vectors + kind * FLAT;
    const int phases = flat_all_phases(w->c);
    for (int phase = 0; phase < phases; phase++, block += FLAT_VECTOR_KINDS * FLAT) {
        if (from == NULL) {
            memset(block, 0, FLAT * sizeof *block);
            continue;
        }
        if (w->p.n % FLAT == 0) {
            vi four[4];
            at = (const uint8_t *)from + (size_t)flat_channel(w->c, phase) * sizeof(int32_t);
            PK_UNROLL
            for (int k = 0; k < 4; k++)
                four[k] = _mm512_loadu_si512(at + k * 64);
            flat_put_sums(block, four);
            continue;
        }
        PK_UNROLL
        for (int k = 0; k < FLAT / 4; k++) {
            const __m128i four = _mm_loadu_si128((const __m128i *)(const void *)at);
            _mm_store_si128((__m128i *)(void *)(block + k % 4 * VL + k / 4 * 4), four);
            at = at + 16 == end ? from : at + 16;
        }
    }
}

#endif
