/*
 * conv_low_avx512vnni.c: dense layers on 4- and 2-bit weights. Many pixels: panels expanded for
 * conv_u8s8_avx512vnni.c. One pixel: fields of a byte go to its high bits in registers, which makes
 * the sums 16 or 64 times as large (exact while K * 255 * 128 < 2^31; larger K are expanded).
 */
#include "low_expand_avx512.h"

#include "../pk_tables.h"

#include "low_body.h"

enum { MOST_K = 65000 };

/* Field `field` in the high bits of its byte, 0 below. */
PK_INLINE __m512i high_field(__m512i stored, int field, const int bits)
{
    const int shift = 8 - bits - field * bits;
    const __m512i moved = shift == 0   ? stored
                          : shift == 2 ? _mm512_slli_epi16(stored, 2)
                          : shift == 4 ? _mm512_slli_epi16(stored, 4)
                                       : _mm512_slli_epi16(stored, 6);
    return _mm512_and_si512(moved, _mm512_set1_epi8((char)(bits == 4 ? 0xf0 : 0xc0)));
}

PK_INLINE __m512i four_codes(const uint8_t *x)
{
    int codes;
    memcpy(&codes, x, sizeof codes);
    return _mm512_set1_epi32(codes);
}

/* The sums of one pixel times `columns` columns. x: the codes, readable to stored * share * 4. */
PK_INLINE void row_panel(const uint8_t *x, const uint8_t *w, size_t stored, int32_t *acc,
                         const int columns, const int bits)
{
    const int share = 8 / bits;
    __m512i s[4][4];
    PK_UNROLL
    for (int i = 0; i < 16; i++)
        s[i / 4][i % 4] = _mm512_setzero_si512();
    for (size_t t = 0; t < stored; t++, w += columns * 64, x += 4 * share) {
        _mm_prefetch((const char *)(w + 4096), _MM_HINT_T0);
        if (columns > 1)
            _mm_prefetch((const char *)(w + 4096 + 64), _MM_HINT_T0);
        if (columns > 2)
            _mm_prefetch((const char *)(w + 4096 + 128), _MM_HINT_T0);
        if (columns > 3)
            _mm_prefetch((const char *)(w + 4096 + 192), _MM_HINT_T0);
        PK_UNROLL
        for (int j = 0; j < columns; j++) {
            const __m512i v = _mm512_loadu_si512(w + j * 64);
            PK_UNROLL
            for (int f = 0; f < share; f++)
                s[j][f] = _mm512_dpbusd_epi32(s[j][f], four_codes(x + 4 * f), high_field(v, f, bits));
        }
    }
    PK_UNROLL
    for (int j = 0; j < columns; j++) {
        const __m512i sum = _mm512_add_epi32(_mm512_add_epi32(s[j][0], s[j][1]),
                                             _mm512_add_epi32(s[j][2], s[j][3]));
        _mm512_storeu_si512(acc + j * 16, bits == 4 ? _mm512_srai_epi32(sum, 4) : _mm512_srai_epi32(sum, 6));
    }
}

/* Is this one pixel that reads its whole input in order? */
static bool is_row(const struct pk_conv *c)
{
    return c->out_h == 1 && c->out_w == 1 && c->groups == 1 && c->kernel_h == c->in_h &&
           c->kernel_w == c->in_w && c->pad_top == 0 && c->pad_left == 0 &&
           (c->dilation_h == 1 || c->kernel_h == 1) && (c->dilation_w == 1 || c->kernel_w == 1) &&
           (size_t)c->kernel_h * (size_t)c->kernel_w * (size_t)c->in_c <= MOST_K;
}

PK_INLINE size_t row_bytes(const struct low_plan *p, size_t share)
{
    return pk_round_up(p->stored * share * 4, 64);
}

PK_INLINE size_t row_scratch(const struct pk_conv *c, size_t share)
{
    const struct low_plan p = low_plan_of(c, share);
    return row_bytes(&p, share) + LOW_PANEL * sizeof(int32_t);
}

static int32_t row_sum(const uint8_t *x, size_t k)
{
    int32_t sum = 0;
    for (size_t i = 0; i < k; i++) {
        sum += x[i];
    }
    return sum;
}

PK_INLINE void row_run(const struct low_work *w, const int bits)
{
    const size_t share = (size_t)(8 / bits);
    const struct low_plan p = low_plan_of(w->c, share);
    uint8_t *x = (uint8_t *)w->scratch;
    int32_t *acc = (int32_t *)(void *)(w->scratch + row_bytes(&p, share));
    memcpy(x, w->x, p.k);
    memset(x + p.k, 0, row_bytes(&p, share) - p.k);
    const int32_t sum = w->e->weight_zero != NULL ? row_sum(x, p.k) : 0;
    const uint8_t *weights = w->packed;
    for (size_t first = 0; first < p.columns; first += LOW_PANEL / LOW_COLUMN) {
        const size_t columns = low_columns(&p, first), at = first * LOW_COLUMN;
        if (columns == 4) {
            row_panel(x, weights, p.stored, acc, 4, bits);
        } else if (columns == 3) {
            row_panel(x, weights, p.stored, acc, 3, bits);
        } else if (columns == 2) {
            row_panel(x, weights, p.stored, acc, 2, bits);
        } else {
            row_panel(x, weights, p.stored, acc, 1, bits);
        }
        const size_t n = p.n - at < LOW_PANEL ? p.n - at : LOW_PANEL;
        const struct pk_tile tile = {acc, LOW_PANEL, 0, 1, (int)at, (int)n, &sum};
        pk_epilogue_i32_avx512(w->e, &tile);
        weights += columns * p.stored * 64;
    }
}

PK_INLINE size_t dense_scratch(const struct pk_conv *c, const int bits)
{
    return is_row(c) ? row_scratch(c, (size_t)(8 / bits))
                     : low_scratch_size(c, &pk_conv_u8s8_avx512vnni);
}

PK_INLINE void dense_run(const struct low_work *w, const int bits)
{
    if (is_row(w->c)) {
        row_run(w, bits);
    } else {
        low_run(w, &pk_conv_u8s8_avx512vnni, false, bits);
    }
}

#define DENSE(name, bits)                                                                          \
    LOW_TABLE(name, low_packed_size(c, 8 / (bits)),                                 \
                       low_pack(c, weights, bits, packed), dense_scratch(c, bits),                 \
                       dense_run(&w, bits))

DENSE(conv_u8s4_avx512vnni, 4)
DENSE(conv_u8s2_avx512vnni, 2)
DENSE(fc_u8s4_avx512vnni, 4)
DENSE(fc_u8s2_avx512vnni, 2)
