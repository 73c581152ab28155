/* epilogue_avx512.c: the epilogue on sixteen lanes. Integer sums whose outputs are all codes take the
 * faster way of epilogue_quads.h. */
#include "vec_avx512.h"

enum { ROWS = 8, ROWS_PART = 4 }; /* pixels at a time in whole and in partly used vectors */

#include "epilogue_body.h"
#include "epilogue_shortcuts.h"

PK_INLINE ptrdiff_t quad_place(const struct quad *q, const struct pk_step *s, size_t pixel, int j, const int wide)
{
    return ((ptrdiff_t)pixel + j / wide) * s->pitch + q->channel + QUAD_CHANNEL(j, wide);
}

/* Codes less their zero point. */
PK_INLINE vf quad_codes(const struct quad *q, const struct pk_step *s, size_t pixel, int j, const int wide, const bool whole)
{
    const uint8_t *p = (const uint8_t *)s->operand + quad_place(q, s, pixel, j, wide);
    const vi code = whole ? _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p))
                          : v_load_u8(p, quad_lanes(q, j, wide));
    return v_to_float(v_sub_i(code, v_set_i(s->zero)));
}

PK_INLINE vf quad_operand(const struct quad *q, const struct pk_step *s, size_t pixel, int j,
                          const int wide, const bool whole)
{
    const ptrdiff_t at = quad_place(q, s, pixel, j, wide);
    const vm lanes = whole ? v_lanes(VL) : quad_lanes(q, j, wide);
    if (s->type == PK_U8) {
        return v_fma(quad_codes(q, s, pixel, j, wide, whole), v_set(s->scale), v_set(s->offset));
    }
    if (s->type == PK_F16) {
        return v_load_f16((const uint16_t *)s->operand + at, lanes);
    }
    return v_load((const float *)s->operand + at, lanes);
}

PK_INLINE void quad_tensor(const struct quad *q, const struct pk_step *s, size_t pixel, vf *t,
                           const int wide, const bool whole)
{
    if (s->op == PK_STEP_ADD_TENSOR && s->type == PK_U8) {
        PK_UNROLL
        for (int j = 0; j < 4; j++)
            t[j] = v_fma(quad_codes(q, s, pixel, j, wide, whole), v_set(s->scale), v_add(t[j], v_set(s->offset)));
        return;
    }
    PK_UNROLL
    for (int j = 0; j < 4; j++) {
        const vf r = quad_operand(q, s, pixel, j, wide, whole);
        t[j] = s->op == PK_STEP_ADD_TENSOR    ? v_add(t[j], r)
               : s->op == PK_STEP_SUB_TENSOR  ? v_sub(t[j], r)
               : s->op == PK_STEP_RSUB_TENSOR ? v_sub(r, t[j])
                                              : v_mul(t[j], r);
    }
}

PK_INLINE void quad_apply(const struct quad *q, const struct pk_step *s, size_t pixel, vf *t,
                          const int wide, const bool whole)
{
    vf v[4];
    switch (s->op) {
    case PK_STEP_ADD_TENSOR:
    case PK_STEP_SUB_TENSOR:
    case PK_STEP_RSUB_TENSOR:
    case PK_STEP_MUL_TENSOR:
        quad_tensor(q, s, pixel, t, wide, whole);
        break;
    case PK_STEP_PRELU:
        quad_vec(q, s->vec, v, wide, whole);
        PK_UNROLL
        for (int j = 0; j < 4; j++)
            t[j] = quad_prelu(t[j], v[j % wide]);
        break;
    case PK_STEP_ADD_VEC:
        quad_vec(q, s->vec, v, wide, whole);
        PK_UNROLL
        for (int j = 0; j < 4; j++)
            t[j] = v_add(t[j], v[j % wide]);
        break;
    case PK_STEP_MUL_VEC:
        quad_vec(q, s->vec, v, wide, whole);
        PK_UNROLL
        for (int j = 0; j < 4; j++)
            t[j] = v_mul(t[j], v[j % wide]);
        break;
    case PK_STEP_FMA_TENSOR:
        quad_vec(q, s->vec, v, wide, whole);
        PK_UNROLL
        for (int j = 0; j < 4; j++)
            t[j] = v_fma(t[j], v[j % wide], quad_operand(q, s, pixel, j, wide, whole));
        break;
    case PK_STEP_CLAMP:
    case PK_STEP_LEAKY:
    case PK_STEP_HARD_SWISH:
    case PK_STEP_HARD_SIGMOID:
        apply_scalar(s, t, 4);
        break;
    }
}

PK_INLINE void column_steps(const struct quad *q, const struct pk_tile *t, const int32_t *p,
                            const vi *bias, int rows, const int wide, const bool whole)
{
    const struct pk_epilogue *e = q->e;
    vf m[4], b[4], v[4], u[4];
    const bool scaled = e->b != NULL;
    if (scaled) {
        quad_vec(q, e->m, m, wide, whole);
        quad_vec(q, e->b, b, wide, whole);
    }
    for (int row = 0; row < rows; row += 4 / wide, p += (size_t)(4 / wide) * t->ld) {
        quad_sums(p, t->ld, bias, v, wide);
        PK_UNROLL
        for (int j = 0; scaled && j < 4; j++)
            v[j] = v_fma(v[j], m[j % wide], b[j % wide]);
        for (int i = 0; i < e->n_steps; i++) {
            quad_apply(q, &e->steps[i], t->pixel + (size_t)row, v, wide, whole);
        }
        for (int i = 0; i < e->n_outs; i++) {
            const struct target to = target_of(q, &e->outs[i], t->pixel);
            PK_UNROLL
            for (int j = 0; j < 4; j++)
                u[j] = in_grid(&to, v[j]);
            quad_put(q, &to, row, u, wide, whole, true);
        }
    }
}

PK_INLINE void column_add(const struct quad *q, const struct pk_tile *t, const int32_t *p,
                          const vi *bias, int rows, const int wide, const bool whole,
                          const enum shortcut way)
{
    const struct pk_epilogue *e = q->e;
    const bool adds = way != PRELU_ONLY, prelu = way != ADD_ONLY && way != ADD_CLAMP, both = e->n_outs == 2;
    const bool unit = e->outs[0].inv_scale == 1.0f && e->outs[0].offset == 0.0f;
    const struct pk_step *add = adds ? &e->steps[way == PRELU_ADD] : NULL;
    const size_t ld = t->ld;
    struct target to = target_of(q, e->outs, t->pixel);
    struct residual r = {0};
    vf m[4], b[4], v[4], u[4], slope[4], least = v_set(0), most = least;
    quad_vec(q, e->m, m, wide, whole);
    quad_vec(q, e->b, b, wide, whole);
    if (adds) {
        r = residual_of(q, add, t->pixel);
    }
    if (prelu) {
        quad_vec(q, e->steps[way == ADD_PRELU].vec, slope, wide, whole);
    } else if (way == ADD_CLAMP) {
        least = v_set(e->steps[1].a), most = v_set(e->steps[1].b);
    }
    if (way != ADD_CLAMP) {
        target_bounds(&to, e->outs, steps_fit(e, add, e->outs, m, b, prelu ? slope : NULL, wide));
    }
    for (int row = 0; row < rows; row += 4 / wide, p += (size_t)(4 / wide) * ld) {
        quad_sums(p, ld, bias, v, wide);
        PK_UNROLL
        for (int j = 0; j < 4; j++) {
            v[j] = v_fma(v[j], m[j % wide], b[j % wide]);
            v[j] = way == PRELU_ADD ? quad_prelu(v[j], slope[j % wide]) : v[j];
            if (adds) {
                const ptrdiff_t at = (row + j / wide) * r.pitch + QUAD_CHANNEL(j, wide);
                v[j] = residual_add(&r, v[j], at, quad_lanes(q, j, wide), whole);
            }
            v[j] = way == ADD_PRELU || way == PRELU_ONLY ? quad_prelu(v[j], slope[j % wide])
                   : way == ADD_CLAMP                    ? v_clamp(v[j], least, most)
                                                         : v[j];
            u[j] = v[j];
        }
        if (!unit) {
            PK_UNROLL
            for (int j = 0; j < 4; j++)
                u[j] = in_grid(&to, v[j]);
        }
        quad_put(q, &to, row, u, wide, whole, true);
        if (both) { /* seldom: the registers are for the first */
            const struct target other = target_of(q, &e->outs[1], t->pixel);
            PK_UNROLL
            for (int j = 0; j < 4; j++)
                u[j] = in_grid(&other, v[j]);
            quad_put(q, &other, row, u, wide, whole, true);
        }
    }
}

/* `rows` pixels (a multiple of 4 / wide) of at most 16 * wide channels from `at` on. */
PK_INLINE void column_codes(const struct pk_epilogue *e, const struct pk_tile *t, int at, int rows,
                            const int wide, const bool whole)
{
    const int n = t->n - at;
    const struct quad q = {e, t->channel + at, n >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1};
    const int32_t *p = (const int32_t *)t->acc + at;
    vi bias[4];
    quad_bias(&q, bias, wide, whole);
    if (e->n_steps > 0) {
        switch (shortcut_of(e)) {
        case ADD_ONLY:
            column_add(&q, t, p, bias, rows, wide, whole, ADD_ONLY);
            return;
        case ADD_PRELU:
            column_add(&q, t, p, bias, rows, wide, whole, ADD_PRELU);
            return;
        case ADD_CLAMP:
            column_add(&q, t, p, bias, rows, wide, whole, ADD_CLAMP);
            return;
        case PRELU_ONLY:
            column_add(&q, t, p, bias, rows, wide, whole, PRELU_ONLY);
            return;
        case PRELU_ADD:
            column_add(&q, t, p, bias, rows, wide, whole, PRELU_ADD);
            return;
        case NO_SHORTCUT:
        case SHORTCUTS:
            column_steps(&q, t, p, bias, rows, wide, whole);
            return;
        }
    }
    for (int i = 0; i < e->n_outs; i++) {
        const struct plain f = plain_of(&q, &e->outs[i], t->pixel, wide, whole);
        const size_t ld = t->ld;
        const int32_t *sums = p;
        for (int row = 0; row < rows; row += 4 / wide, sums += (size_t)(4 / wide) * ld) {
            plain_put(&f, sums, ld, row, wide, whole);
        }
    }
}

static bool all_codes(const struct pk_epilogue *e)
{
    for (int i = 0; i < e->n_outs; i++) {
        if (e->outs[i].type != PK_U8) {
            return false;
        }
    }
    return e->n_steps == 0 || e->m != NULL || e->b == NULL;
}

/* The pixels that a column of `wide` vectors leaves over. */
static void rest_rows(const struct pk_epilogue *e, const struct pk_tile *t, int at, int n, int rows)
{
    if (rows < t->rows) {
        const struct pk_tile rest = {(int32_t *)t->acc + (size_t)rows * t->ld + at,
                                     t->ld,
                                     t->pixel + (size_t)rows,
                                     t->rows - rows,
                                     t->channel + at,
                                     n,
                                     NULL};
        epilogue_i32(e, &rest);
    }
}

void pk_epilogue_i32_avx512(const struct pk_epilogue *e, const struct pk_tile *t)
{
    if (!all_codes(e)) {
        epilogue_i32(e, t);
        return;
    }
    if (e->weight_zero != NULL && t->sums != NULL) {
        subtract_weight_zero(e, t);
    }
    for (int at = 0; at < t->n; at += 64) {
        const int n = t->n - at < 64 ? t->n - at : 64;
        const int rows = n > 32 ? t->rows : n > 16 ? t->rows / 2 * 2 : t->rows / 4 * 4;
        if (n == 64) {
            column_codes(e, t, at, rows, 4, true);
        } else if (n > 32) {
            column_codes(e, t, at, rows, 4, false);
        } else if (n == 32) {
            column_codes(e, t, at, rows, 2, true);
        } else if (n > 16) {
            column_codes(e, t, at, rows, 2, false);
        } else if (n == 16) {
            column_codes(e, t, at, rows, 1, true);
        } else {
            column_codes(e, t, at, rows, 1, false);
        }
        rest_rows(e, t, at, n, rows);
    }
}

void pk_epilogue_f32_avx512(const struct pk_epilogue *e, const struct pk_tile *t)
{
    epilogue_f32(e, t);
}
