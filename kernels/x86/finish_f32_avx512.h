/*
 * finish_f32_avx512.h: what usually follows an fp32 layer's sums, done while these are in registers (conv_body.h,
 * V_FINISH): a bias, perhaps one operand that is added, perhaps a PReLU, a clamp, one fp32 output. The same operations in
 * the same order as the epilogue's. (Through memory: 32>32 with residual and PReLU on 16x96 pixels 26.6 us, so 22.1;
 * 2026-11-21.)
 */
#ifndef PARE_PK_FINISH_F32_AVX512_H
#define PARE_PK_FINISH_F32_AVX512_H

#include "vec_avx512.h"

struct finish {
    const struct pk_epilogue *e;
    const float *all_b, *all_slope, *all_operand; /* of the layer; slope, operand: NULL when there is none */
    ptrdiff_t pitch, operand_pitch;
    float lo, hi;
    /* of a panel of channels, then of a tile */
    int channel;
    vm last; /* lanes of the last vector that exist */
    const float *b, *slope, *operand;
    float *out;
};

/* Can tiles finish this epilogue? */
static bool finish_of(struct finish *f, const struct pk_epilogue *e)
{
    const struct pk_out *o = e->outs;
    const bool steps = e->n_steps > 0;
    int at = 0;
    if (e->n_outs != 1 || o->type != PK_F32 || (steps ? e->m : o->m) != NULL ||
        (steps && (o->offset != 0.0f || o->inv_scale != 1.0f))) {
        return false;
    }
    *f = (struct finish){.e = e, .all_b = steps ? e->b : o->b, .pitch = o->pitch, .lo = o->lo, .hi = o->hi};
    if (at < e->n_steps && e->steps[at].op == PK_STEP_ADD_TENSOR && e->steps[at].type == PK_F32) {
        f->all_operand = e->steps[at].operand;
        f->operand_pitch = e->steps[at++].pitch;
    }
    if (at < e->n_steps && e->steps[at].op == PK_STEP_PRELU) {
        f->all_slope = e->steps[at++].vec;
    } else if (at < e->n_steps && e->steps[at].op == PK_STEP_CLAMP && o->lo == -__builtin_inff() &&
               o->hi == __builtin_inff()) { /* the output's own then changes nothing */
        f->lo = e->steps[at].a;
        f->hi = e->steps[at++].b;
    }
    return at == e->n_steps;
}

/* n channels from `channel` on. */
static void finish_panel(struct finish *f, int channel, int n)
{
    f->channel = channel;
    f->last = v_lanes((n - 1) % VL + 1);
    f->b = f->all_b + channel;
    f->slope = f->all_slope != NULL ? f->all_slope + channel : NULL;
}

/* A tile whose first row is output pixel `pixel`. */
static void finish_rows(struct finish *f, size_t pixel)
{
    f->out = (float *)f->e->outs[0].data + (ptrdiff_t)pixel * f->pitch + f->channel;
    f->operand = f->all_operand != NULL ? f->all_operand + (ptrdiff_t)pixel * f->operand_pitch + f->channel : NULL;
}

/* mr, nv, add, prelu are constants; s: [mr][nv]. */
PK_INLINE void finish_kind(const struct finish *f, const __m512 *s, const int mr, const int nv, const bool add,
                           const bool prelu)
{
    const vf lo = v_set(f->lo), hi = v_set(f->hi);
    PK_UNROLL
    for (int j = 0; j < nv; j++) {
        const bool part = j == nv - 1;
        const vf b = part ? v_load(f->b + j * VL, f->last) : v_load_all(f->b + j * VL);
        const vf slope = !prelu ? lo : part ? v_load(f->slope + j * VL, f->last) : v_load_all(f->slope + j * VL);
        const float *r = add ? f->operand + j * VL : NULL;
        float *out = f->out + j * VL;
        PK_UNROLL
        for (int i = 0; i < mr; i++) {
            vf t = v_add(s[i * nv + j], b);
            if (add) {
                t = v_add(t, part ? v_load(r, f->last) : v_load_all(r));
                r += f->operand_pitch;
            }
            if (prelu) { /* t > 0 ? t : t * slope */
                const __mmask16 rest = _mm512_cmp_ps_mask(t, _mm512_setzero_ps(), _CMP_NGT_UQ);
                t = _mm512_mask_mul_ps(t, rest, t, slope);
            }
            t = v_clamp(t, lo, hi);
            if (part) {
                v_store(out, t, f->last);
            } else {
                v_store_all(out, t);
            }
            out += f->pitch;
        }
    }
}

PK_INLINE void finish_tile(const struct finish *f, const __m512 *s, const int mr, const int nv)
{
    if (f->operand == NULL && f->slope == NULL) {
        finish_kind(f, s, mr, nv, false, false);
    } else if (f->slope == NULL) {
        finish_kind(f, s, mr, nv, true, false);
    } else if (f->operand == NULL) {
        finish_kind(f, s, mr, nv, false, true);
    } else {
        finish_kind(f, s, mr, nv, true, true);
    }
}
#define V_FINISH(f, s, mr, nv) finish_tile(f, &(s)[0][0], mr, nv)

#endif
