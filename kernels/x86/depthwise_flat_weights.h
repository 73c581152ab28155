/*
 * depthwise_flat_weights.h: weights of depthwise_flat.h, packed and at work.
 *
 * Packed: [phase][part][kernel column][vector j][16 lanes][4 kernel rows]; part 0 has kernel rows 0..3, part 1 (5x5 only) rows
 * 1..4; rows beyond the kernel are 0. What an output row reads of a group of four rows is that, moved by whole bytes within
 * its lanes: byte i of group g is kernel row 4 g + i - stride * row. So a layer keeps 768 bytes of 64 channels of 3x3 (576
 * weights) and 2560 of 5x5 (1600) where its vectors at work are 1536 and 10240; making these takes about a store each.
 */
#ifndef PARE_PK_DEPTHWISE_FLAT_WEIGHTS_H
#define PARE_PK_DEPTHWISE_FLAT_WEIGHTS_H

#include "depthwise_avx512vnni.h"
#include "depthwise_flat.h"

/* Of a phase. */
static size_t flat_phase_bytes(const struct pk_conv *c)
{
    return (size_t)(c->kernel_h == 5 ? 2 : 1) * (size_t)c->kernel_w * 4 * 64;
}

static size_t flat_packed_size(const struct pk_conv *c)
{
    return (size_t)flat_all_phases(c) * flat_phase_bytes(c);
}

/* weights NULL: ones. */
static void flat_pack_phase(const struct pk_conv *c, const int8_t *weights, int phase, int8_t *to)
{
    const int n = (int)flat_phase_bytes(c) / 64, first = flat_is_dense(c) ? phase * FLAT : flat_channel(c, phase);
    for (int i = 0; i < n * 64; i++) {
        const int vector = i / 64, j = vector % 4, kx = vector / 4 % c->kernel_w, part = vector / 4 / c->kernel_w;
        const int channel = (first + 4 * j + i % 64 / 16 * 16 + i / 4 % 4) % c->out_c, ky = part + i % 4;
        to[i] = ky >= c->kernel_h ? 0 : weights == NULL ? 1 : weights[(ky * c->kernel_w + kx) * c->out_c + channel];
    }
}

/* One phase, from packed to at work: FLAT_VECTORS vectors; returns their end. */
PK_INLINE int8_t *flat_unfold(const int8_t *from, int8_t *to, const int kernel, const int stride)
{
    const int groups = FLAT_GROUPS, rows = FLAT_ROWS;
    PK_UNROLL
    for (int g = 0; g < groups; g++) {
        const int part = g == 1 && kernel == 5;
        for (int i = 0; i < kernel * 4; i++) {
            const __m512i x = _mm512_loadu_si512(from + (part * kernel * 4 + i) * 64);
            PK_UNROLL
            for (int r = 0; r < rows; r++) {
                const int down = 4 * g - part - stride * r; /* byte 0 is this row of x */
                if (FLAT_READS(g, r)) {
                    _mm512_store_si512(to, down >= 0 ? _mm512_srli_epi32(x, (unsigned)(8 * down))
                                                     : _mm512_slli_epi32(x, (unsigned)(-8 * down)));
                    to += 64;
                }
            }
        }
    }
    return to;
}

PK_INLINE void flat_unfold_all(const struct pk_conv *c, const struct pk_flat_weights *weights, size_t first, size_t phases,
                               int8_t *to, const int kernel, const int stride)
{
    _Alignas(64) int8_t bytes[PK_FLAT_PHASE_BYTES];
    const size_t n = flat_phase_bytes(c);
    for (size_t phase = first; phase < first + phases; phase++) {
        const int8_t *from = (const int8_t *)weights->packed + phase * n;
        if (weights->expand != NULL) {
            weights->expand(weights->packed, phase * n, n, bytes);
            from = bytes;
        }
        to = flat_unfold(from, to, kernel, stride);
    }
}

/* Phases [first, first + phases) of weights, at work. */
static void flat_prepare(const struct pk_conv *c, const struct pk_flat_weights *weights, size_t first, size_t phases, int8_t *to)
{
    if (c->kernel_h == 3 && c->stride_h == 1) {
        flat_unfold_all(c, weights, first, phases, to, 3, 1);
    } else if (c->kernel_h == 3) {
        flat_unfold_all(c, weights, first, phases, to, 3, 2);
    } else if (c->stride_h == 1) {
        flat_unfold_all(c, weights, first, phases, to, 5, 1);
    } else {
        flat_unfold_all(c, weights, first, phases, to, 5, 2);
    }
}

#endif
