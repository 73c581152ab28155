/* epilogue_avx512.c: the epilogue on sixteen lanes. */
#include "vec_avx512.h"

enum { ROWS = 8, ROWS_PART = 4 }; /* pixels at a time in whole and in partly used vectors */

#include "epilogue_body.h"

/*
 * The commonest case of the integer kernels, 64 channels at a time: no steps, one byte output. Two
 * saturating packs and one permutation replace four narrowings; the clamp has already brought the
 * codes to 0..255.
 */
PK_INLINE void quantize_64(const struct pk_epilogue *e, const struct pk_tile *t, int at)
{
    const struct pk_out *o = e->outs;
    const int channel = t->channel + at;
    const __m512 lo = _mm512_set1_ps(o->lo), hi = _mm512_set1_ps(o->hi);
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i zero = _mm512_set1_epi16((short)o->zero);
    __m512 m[4], b[4];
    __m512i bias[4], q[4];
    PK_UNROLL
    for (int j = 0; j < 4; j++) {
        m[j] = _mm512_loadu_ps(o->m + channel + 16 * j);
        b[j] = _mm512_loadu_ps(o->b + channel + 16 * j);
        bias[j] = e->bias_i32 != NULL ? _mm512_loadu_si512(e->bias_i32 + channel + 16 * j)
                                      : _mm512_setzero_si512();
    }
    const int32_t *p = (const int32_t *)t->acc + at;
    uint8_t *out = (uint8_t *)o->data + (ptrdiff_t)t->pixel * o->pitch + channel;
    for (int row = 0; row < t->rows; row++, p += t->ld, out += o->pitch) {
        PK_UNROLL
        for (int j = 0; j < 4; j++) {
            const __m512i acc = _mm512_add_epi32(_mm512_loadu_si512(p + 16 * j), bias[j]);
            const __m512 u = _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc), m[j], b[j]);
            q[j] = _mm512_cvtps_epi32(_mm512_min_ps(_mm512_max_ps(u, lo), hi));
        }
        const __m512i low = _mm512_add_epi16(_mm512_packs_epi32(q[0], q[1]), zero);
        const __m512i high = _mm512_add_epi16(_mm512_packs_epi32(q[2], q[3]), zero);
        const __m512i bytes = _mm512_packus_epi16(low, high);
        _mm512_storeu_si512(out, _mm512_permutexvar_epi32(order, bytes));
    }
}

void pk_epilogue_i32_avx512(const struct pk_epilogue *e, const struct pk_tile *t)
{
    struct pk_tile rest = *t;
    int done = 0;
    if (e->n_steps == 0 && e->n_outs == 1 && e->outs->type == PK_U8 && e->weight_zero == NULL) {
        for (; done + 64 <= t->n; done += 64) {
            quantize_64(e, t, done);
        }
        rest.acc = (int32_t *)t->acc + done;
        rest.channel += done;
        rest.n -= done;
    }
    if (rest.n > 0) {
        epilogue_i32(e, &rest);
    }
}

void pk_epilogue_f32_avx512(const struct pk_epilogue *e, const struct pk_tile *t)
{
    epilogue_f32(e, t);
}
