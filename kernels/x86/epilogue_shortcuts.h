/*
 * epilogue_shortcuts.h: the steps that real networks have most between sums and codes, without a look at the steps for each
 * vector: the sum of codes of a residual, an activation, or both. The operations of ref/epilogue.c.
 */
#ifndef PARE_PK_EPILOGUE_SHORTCUTS_H
#define PARE_PK_EPILOGUE_SHORTCUTS_H

#include "epilogue_quads.h"

#include <math.h>

/* t > 0 ? t : t * slope, whatever the slope: max(t, t * slope) is no faster, and slopes above 1 are usual. */
PK_INLINE vf quad_prelu(vf t, vf slope)
{
    const __mmask16 rest = _mm512_cmp_ps_mask(t, _mm512_setzero_ps(), _CMP_NGT_UQ);
    return _mm512_mask_mul_ps(t, rest, t, slope);
}

enum shortcut { NO_SHORTCUT, ADD_ONLY, ADD_PRELU, ADD_CLAMP, PRELU_ONLY, PRELU_ADD, SHORTCUTS };

static bool adds_codes(const struct pk_step *s)
{
    return s->op == PK_STEP_ADD_TENSOR && s->type == PK_U8 && s->offset == 0.0f;
}

static enum shortcut shortcut_of(const struct pk_epilogue *e)
{
    if (e->b == NULL || e->n_outs > 2 || e->n_steps > 2) {
        return NO_SHORTCUT;
    }
    if (e->steps[0].op == PK_STEP_PRELU) {
        return e->n_steps == 1 ? PRELU_ONLY : adds_codes(&e->steps[1]) ? PRELU_ADD : NO_SHORTCUT;
    }
    if (!adds_codes(&e->steps[0])) {
        return NO_SHORTCUT;
    }
    return e->n_steps == 1                   ? ADD_ONLY
           : e->steps[1].op == PK_STEP_PRELU ? ADD_PRELU
           : e->steps[1].op == PK_STEP_CLAMP ? ADD_CLAMP
                                             : NO_SHORTCUT;
}

/* A residual's codes. */
struct residual {
    const uint8_t *at; /* of the tile's first pixel and channel */
    ptrdiff_t pitch;
    vf scale, zero; /* zero: 2^23 more */
    __m512i lanes, exponent;
};

PK_INLINE struct residual residual_of(const struct quad *q, const struct pk_step *add, size_t pixel)
{
    const struct residual r = {
        .at = (const uint8_t *)add->operand + (ptrdiff_t)pixel * add->pitch + q->channel,
        .pitch = add->pitch,
        .scale = v_set(add->scale),
        .zero = v_set(0x1p23f + (float)add->zero),
        .lanes = _mm512_cvtepu8_epi32(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)),
        .exponent = v_set_i(0x4b000000),
    };
    return r;
}

/* Adds sixteen values to t. A code in the lowest byte of 2^23 is 2^23 + code, all of these differences are exact: one shuffle and one
 * subtraction where widening, subtracting and converting take three operations. */
PK_INLINE vf residual_add(const struct residual *r, vf t, ptrdiff_t at, vm lanes, const bool whole)
{
    const uint8_t *p = r->at + at;
    const __m128i bytes = whole ? _mm_loadu_si128((const __m128i *)(const void *)p) : _mm_maskz_loadu_epi8(lanes, p);
    const __m512i code =
        _mm512_mask_shuffle_epi8(r->exponent, 0x1111111111111111u, _mm512_broadcast_i32x4(bytes), r->lanes);
    return v_fma(v_sub(_mm512_castsi512_ps(code), r->zero), r->scale, t);
}

/* A value in an output's grid, before it is rounded. Offsets are of 1-bit grids, most have none. */
PK_INLINE vf in_grid(const struct target *to, vf v)
{
    return v_mul(to->moved ? v_sub(v, to->offset) : v, to->factor);
}

/* Does everything before the output's rounding stay within int32, whatever the sums? A NaN says no. */
PK_INLINE bool steps_fit(const struct pk_epilogue *e, const struct pk_step *add, const struct pk_out *o, const vf *m, const vf *b,
                         const vf *slope, const int wide)
{
    /* at most the largest sum * |m| + |b| + what is added, times a slope, less the offset, times the factor */
    const vf sum = sums_most(e);
    const float real = add == NULL ? 0.0f : 255.0f * fabsf(add->scale);
    __mmask16 fits = 0xffff;
    PK_UNROLL
    for (int j = 0; j < wide; j++) {
        vf most = v_add(v_fma(_mm512_abs_ps(m[j]), sum, _mm512_abs_ps(b[j])), v_set(real));
        most = slope == NULL ? most : v_add(most, v_mul(most, _mm512_abs_ps(slope[j])));
        most = v_mul(v_add(most, v_set(fabsf(o->offset))), v_set(fabsf(o->inv_scale)));
        fits &= _mm512_cmp_ps_mask(most, v_set(0x1p30f), _CMP_LE_OQ);
    }
    return fits == 0xffff;
}

#endif
