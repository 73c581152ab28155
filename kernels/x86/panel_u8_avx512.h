/*
 * panel_u8_avx512.h: rows of K codes for a matrix product: what the taps of consecutive output
 * pixels read, copied side by side, taps outside the picture as pad codes.
 */
#ifndef PARE_PK_PANEL_U8_AVX512_H
#define PARE_PK_PANEL_U8_AVX512_H

#include "vec_avx512.h"

/* Copies n bytes; nothing past them is touched. */
PK_INLINE void panel_copy(uint8_t *to, const uint8_t *from, size_t n)
{
    for (; n >= 64; n -= 64, to += 64, from += 64) {
        _mm512_storeu_si512(to, _mm512_loadu_si512(from));
    }
    if (n == 0) {
        return;
    }
    if (n <= 16) { /* a wide access would cross cache lines even where its lanes are off */
        const __mmask16 few = v_lanes((int)n);
        _mm_mask_storeu_epi8(to, few, _mm_maskz_loadu_epi8(few, from));
        return;
    }
    const __mmask64 rest = ((__mmask64)1 << n) - 1;
    _mm512_mask_storeu_epi8(to, rest, _mm512_maskz_loadu_epi8(rest, from));
}

PK_INLINE void panel_fill(uint8_t *to, uint8_t value, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = value;
    }
}

/* One kernel row of one pixel: taps of `depth` codes at input row `row` from input column ix on. */
PK_INLINE void panel_taps(const struct pk_conv *c, size_t depth, const uint8_t *row, int ix,
                          uint8_t pad, uint8_t *to)
{
    for (int kx = 0; kx < c->kernel_w; kx++, ix += c->dilation_w, to += depth) {
        if (ix >= 0 && ix < c->in_w) {
            panel_copy(to, row + (ptrdiff_t)ix * c->in_c, depth);
        } else {
            panel_fill(to, pad, depth);
        }
    }
}

/* n short runs, `step` bytes apart, each copied as `width` (a constant) bytes. */
PK_INLINE void panel_runs(uint8_t *to, size_t lda, const uint8_t *from, ptrdiff_t step, size_t n,
                          const int width)
{
    for (size_t i = 0; i < n; i++, to += lda, from += step) {
        if (width == 16) {
            const void *p = from;
            _mm_storeu_si128((__m128i *)(void *)to, _mm_loadu_si128(p));
        } else if (width == 32) {
            const void *p = from;
            _mm256_storeu_si256((__m256i *)(void *)to, _mm256_loadu_si256(p));
        } else {
            _mm512_storeu_si512(to, _mm512_loadu_si512(from));
        }
    }
}

/*
 * Pixels from the first on that panel_runs copied: as many as may be read and written beyond their
 * run. What is written beyond is the place of the next kernel row, which is copied later, or what
 * rounds K up. end: of x; room: bytes of a row of the panel from `to` on.
 */
PK_INLINE size_t panel_short(uint8_t *to, size_t lda, size_t room, const uint8_t *from,
                             const uint8_t *end, ptrdiff_t step, size_t n, size_t run)
{
    const size_t width = run <= 16 ? 16 : run <= 32 ? 32 : 64;
    const ptrdiff_t left = end - from - (ptrdiff_t)width;
    if (run > 64 || room < width || left < 0) {
        return 0;
    }
    const size_t most = (size_t)(left / step) + 1;
    n = n < most ? n : most;
    if (width == 16) {
        panel_runs(to, lda, from, step, n, 16);
    } else if (width == 32) {
        panel_runs(to, lda, from, step, n, 32);
    } else {
        panel_runs(to, lda, from, step, n, 64);
    }
    return n;
}

/* One kernel row of n pixels of an output row from column ox on; iy: the input row, maybe outside.
 * x: the first channel of the group. Rows of the panel are lda apart; room: bytes of one from `to`
 * on. */
PK_INLINE void panel_segment(const struct pk_conv *c, const uint8_t *x, int iy, int ox, size_t n,
                             uint8_t pad, uint8_t *to, size_t lda, size_t room)
{
    const size_t depth = (size_t)(c->in_c / c->groups), run = (size_t)c->kernel_w * depth;
    const int reach = (c->kernel_w - 1) * c->dilation_w;
    const bool together = c->dilation_w == 1 && c->groups == 1; /* the taps lie side by side */
    if (iy < 0 || iy >= c->in_h) {
        for (size_t i = 0; i < n; i++) {
            panel_fill(to + i * lda, pad, run);
        }
        return;
    }
    const uint8_t *row = x + (ptrdiff_t)iy * c->in_w * c->in_c;
    int ix = ox * c->stride_w - c->pad_left;
    for (size_t i = 0; i < n; i++, ix += c->stride_w, to += lda) {
        if (together && ix >= 0 && ix + reach < c->in_w) {
            const size_t inside = (size_t)((c->in_w - reach - 1 - ix) / c->stride_w) + 1;
            const size_t copied = panel_short(to, lda, room, row + (ptrdiff_t)ix * c->in_c,
                                              x + (ptrdiff_t)c->in_h * c->in_w * c->in_c,
                                              (ptrdiff_t)c->stride_w * c->in_c,
                                              inside < n - i ? inside : n - i, run);
            if (copied > 0) {
                i += copied - 1;
                ix += (int)(copied - 1) * c->stride_w;
                to += (copied - 1) * lda;
                continue;
            }
            panel_copy(to, row + (ptrdiff_t)ix * c->in_c, run);
        } else {
            panel_taps(c, depth, row, ix, pad, to);
        }
    }
}

/* The taps of `rows` pixels from `pixel` on. */
static void panel_gather(const struct pk_conv *c, const uint8_t *x, size_t pixel, size_t rows,
                         uint8_t pad, uint8_t *panel, size_t lda)
{
    const size_t run = (size_t)c->kernel_w * (size_t)(c->in_c / c->groups);
    const size_t out_w = (size_t)c->out_w;
    for (size_t done = 0; done < rows;) {
        const size_t ox = (pixel + done) % out_w, left = rows - done;
        const size_t n = out_w - ox < left ? out_w - ox : left;
        const int oy = (int)((pixel + done) / out_w);
        for (int ky = 0; ky < c->kernel_h; ky++) {
            const int iy = oy * c->stride_h - c->pad_top + ky * c->dilation_h;
            const size_t at = (size_t)ky * run;
            panel_segment(c, x, iy, (int)ox, n, pad, panel + done * lda + at, lda, lda - at);
        }
        done += n;
    }
}

/* Is the panel the picture itself? */
static __attribute__((unused)) bool panel_is_picture(const struct pk_conv *c)
{
    return c->kernel_h == 1 && c->kernel_w == 1 && c->stride_h == 1 && c->stride_w == 1 &&
           c->pad_top == 0 && c->pad_left == 0 && c->groups == 1 && c->out_w == c->in_w &&
           c->out_h <= c->in_h;
}

/* Sum of the first k codes of each row, for weight zero points. */
static __attribute__((unused)) void panel_sums(const uint8_t *a, size_t lda, size_t k, size_t rows, int32_t *sums)
{
    const __m512i zero = _mm512_setzero_si512();
    for (size_t r = 0; r < rows; r++, a += lda) {
        __m512i sum = zero;
        size_t i = 0;
        for (; i + 64 <= k; i += 64) {
            sum = _mm512_add_epi64(sum, _mm512_sad_epu8(_mm512_loadu_si512(a + i), zero));
        }
        if (i < k) {
            const __mmask64 rest = ((__mmask64)1 << (k - i)) - 1;
            sum =
                _mm512_add_epi64(sum, _mm512_sad_epu8(_mm512_maskz_loadu_epi8(rest, a + i), zero));
        }
        sums[r] = (int32_t)_mm512_reduce_add_epi64(sum);
    }
}

#endif
