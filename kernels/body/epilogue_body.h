/*
 * epilogue_body.h: the epilogue of pk.h over a tile, on the lanes of a vec_<isa>.h included
 * before. Up to ROWS pixels (8 or 4, defined before) of one vector of channels pass through all
 * steps in registers.
 */

#include "plain.h"

#include <math.h>

/* One vector of channels of a tile. */
struct column {
    const struct pk_epilogue *e;
    const struct pk_tile *tile;
    int at;      /* first channel within the tile */
    int channel; /* first channel of the layer */
    vm lanes;
};

/* Codes of a step's operand tensor less their zero point. */
PK_INLINE vf operand_codes(const struct pk_step *s, const struct column *c, size_t pixel)
{
    const uint8_t *p = (const uint8_t *)s->operand + (ptrdiff_t)pixel * s->pitch + c->channel;
    return v_to_float(v_sub_i(v_load_u8(p, c->lanes), v_set_i(s->zero)));
}

/* Real values of a step's operand tensor. */
PK_INLINE vf operand(const struct pk_step *s, const struct column *c, size_t pixel)
{
    const ptrdiff_t at = (ptrdiff_t)pixel * s->pitch + c->channel;
    if (s->type == PK_F32) {
        return v_load((const float *)s->operand + at, c->lanes);
    }
    if (s->type == PK_F16) {
        return v_load_f16((const uint16_t *)s->operand + at, c->lanes);
    }
    return v_fma(operand_codes(s, c, pixel), v_set(s->scale), v_set(s->offset));
}

PK_INLINE vf hard_swish(vf t)
{
    const vf gate = v_clamp(v_add(t, v_set(3.0f)), v_set(0.0f), v_set(6.0f));
    return v_mul(t, v_mul(gate, v_set(1.0f / 6.0f)));
}

#define PK_EACH_ROW(r, rows)                                                                       \
    PK_UNROLL                                                                                      \
    for (int r = 0; r < (rows); r++)

/* Steps that need nothing but t. */
PK_INLINE void apply_scalar(const struct pk_step *s, vf *t, const int rows)
{
    const vf a = v_set(s->a), b = v_set(s->b);
    if (s->op == PK_STEP_CLAMP) {
        PK_EACH_ROW (r, rows)
            t[r] = v_clamp(t[r], a, b);
    } else if (s->op == PK_STEP_LEAKY) {
        PK_EACH_ROW (r, rows)
            t[r] = v_positive_or(t[r], v_mul(t[r], a));
    } else if (s->op == PK_STEP_HARD_SWISH) {
        PK_EACH_ROW (r, rows)
            t[r] = hard_swish(t[r]);
    } else {
        PK_EACH_ROW (r, rows)
            t[r] = v_clamp(v_fma(t[r], a, b), v_set(0.0f), v_set(1.0f));
    }
}

/* Applies one step to `rows` (a constant) pixels from `pixel` on. */
PK_INLINE void apply(const struct pk_step *s, const struct column *c, size_t pixel, vf *t,
                     const int rows)
{
    vf v;
    switch (s->op) {
    case PK_STEP_PRELU:
        v = v_load(s->vec + c->channel, c->lanes);
        PK_EACH_ROW (r, rows)
            t[r] = v_positive_or(t[r], v_mul(t[r], v));
        break;
    case PK_STEP_ADD_VEC:
        v = v_load(s->vec + c->channel, c->lanes);
        PK_EACH_ROW (r, rows)
            t[r] = v_add(t[r], v);
        break;
    case PK_STEP_MUL_VEC:
        v = v_load(s->vec + c->channel, c->lanes);
        PK_EACH_ROW (r, rows)
            t[r] = v_mul(t[r], v);
        break;
    case PK_STEP_ADD_TENSOR:
        if (s->type == PK_U8) {
            PK_EACH_ROW (r, rows)
                t[r] = v_fma(operand_codes(s, c, pixel + (size_t)r), v_set(s->scale), v_add(t[r], v_set(s->offset)));
            break;
        }
        PK_EACH_ROW (r, rows)
            t[r] = v_add(t[r], operand(s, c, pixel + (size_t)r));
        break;
    case PK_STEP_SUB_TENSOR:
        PK_EACH_ROW (r, rows)
            t[r] = v_sub(t[r], operand(s, c, pixel + (size_t)r));
        break;
    case PK_STEP_RSUB_TENSOR:
        PK_EACH_ROW (r, rows)
            t[r] = v_sub(operand(s, c, pixel + (size_t)r), t[r]);
        break;
    case PK_STEP_MUL_TENSOR:
        PK_EACH_ROW (r, rows)
            t[r] = v_mul(t[r], operand(s, c, pixel + (size_t)r));
        break;
    case PK_STEP_FMA_TENSOR:
        v = v_load(s->vec + c->channel, c->lanes);
        PK_EACH_ROW (r, rows)
            t[r] = v_fma(t[r], v, operand(s, c, pixel + (size_t)r));
        break;
    case PK_STEP_CLAMP:
    case PK_STEP_LEAKY:
    case PK_STEP_HARD_SWISH:
    case PK_STEP_HARD_SIGMOID:
        apply_scalar(s, t, rows);
        break;
    }
}

/* Clamps and writes `rows` pixels of one output. */
PK_INLINE void put(const struct pk_out *o, const struct column *c, size_t pixel, const vf *u,
                   const int rows)
{
    const vf lo = v_set(o->lo), hi = v_set(o->hi);
    const ptrdiff_t at = (ptrdiff_t)pixel * o->pitch + c->channel;
    if (o->type == PK_U8) {
        const vi zero = v_set_i(o->zero);
        uint8_t *p = (uint8_t *)o->data + at;
        PK_EACH_ROW (r, rows)
            v_store_u8(p + r * o->pitch, v_add_i(v_to_int(v_clamp(u[r], lo, hi)), zero), c->lanes);
    } else if (o->type == PK_F32) {
        float *p = (float *)o->data + at;
        PK_EACH_ROW (r, rows)
            v_store(p + r * o->pitch, v_clamp(u[r], lo, hi), c->lanes);
    } else {
        uint16_t *p = (uint16_t *)o->data + at;
        PK_EACH_ROW (r, rows)
            v_store_f16(p + r * o->pitch, v_clamp(u[r], lo, hi), c->lanes);
    }
}

/* fmaf(acc, m, b), or acc + b where m is NULL, or acc where both are. */
PK_INLINE void scale(const float *m, const float *b, const struct column *c, const vf *acc, vf *t,
                     const int rows)
{
    if (b == NULL) {
        PK_EACH_ROW (r, rows)
            t[r] = acc[r];
        return;
    }
    const vf offset = v_load(b + c->channel, c->lanes);
    if (m != NULL) {
        const vf factor = v_load(m + c->channel, c->lanes);
        PK_EACH_ROW (r, rows)
            t[r] = v_fma(acc[r], factor, offset);
    } else {
        PK_EACH_ROW (r, rows)
            t[r] = v_add(acc[r], offset);
    }
}

/* Everything after the sums, for `rows` pixels from row `row` of the tile on. */
PK_INLINE void finish(const struct column *c, int row, const vf *acc, const int rows)
{
    const struct pk_epilogue *e = c->e;
    const size_t pixel = c->tile->pixel + (size_t)row;
    vf t[ROWS], u[ROWS];
    if (e->n_steps == 0) {
        for (int i = 0; i < e->n_outs; i++) {
            scale(e->outs[i].m, e->outs[i].b, c, acc, u, rows);
            put(&e->outs[i], c, pixel, u, rows);
        }
        return;
    }
    scale(e->m, e->b, c, acc, t, rows);
    for (int i = 0; i < e->n_steps; i++) {
        apply(&e->steps[i], c, pixel, t, rows);
    }
    for (int i = 0; i < e->n_outs; i++) {
        const vf offset = v_set(e->outs[i].offset), factor = v_set(e->outs[i].inv_scale);
        PK_EACH_ROW (r, rows)
            u[r] = v_mul(v_sub(t[r], offset), factor);
        put(&e->outs[i], c, pixel, u, rows);
    }
}

PK_INLINE void rows_f32(const struct column *c, int row, const int rows)
{
    const float *p = (const float *)c->tile->acc + (size_t)row * c->tile->ld + c->at;
    vf acc[ROWS];
    PK_EACH_ROW (r, rows)
        acc[r] = v_load_all(p + (size_t)r * c->tile->ld);
    finish(c, row, acc, rows);
}

PK_INLINE void rows_i32(const struct column *c, int row, vi bias, const int rows)
{
    const int32_t *p = (const int32_t *)c->tile->acc + (size_t)row * c->tile->ld + c->at;
    vf acc[ROWS];
    PK_EACH_ROW (r, rows)
        acc[r] = v_to_float(v_add_i(v_load_all_i(p + (size_t)r * c->tile->ld), bias));
    finish(c, row, acc, rows);
}

PK_INLINE struct column column_at(const struct pk_epilogue *e, const struct pk_tile *t, int at)
{
    const struct column c = {e, t, at, t->channel + at, v_lanes(t->n - at)};
    return c;
}

/* Rows of one column in groups of constant size: at most `most` (a constant), then 4, 2, 1. */
PK_INLINE void column_f32(const struct column *c, const int most)
{
    const int n = c->tile->rows;
    int row = 0;
    for (; most == 8 && row + 8 <= n; row += 8) {
        rows_f32(c, row, 8);
    }
    for (; most >= 4 && row + 4 <= n; row += 4) {
        rows_f32(c, row, 4);
    }
    for (; row + 2 <= n; row += 2) {
        rows_f32(c, row, 2);
    }
    for (; row < n; row++) {
        rows_f32(c, row, 1);
    }
}

PK_INLINE void column_i32(const struct column *c, const int most)
{
    const int32_t *b = c->e->bias_i32;
    const vi bias = b != NULL ? v_load_i(b + c->channel, c->lanes) : v_set_i(0);
    const int n = c->tile->rows;
    int row = 0;
    for (; most == 8 && row + 8 <= n; row += 8) {
        rows_i32(c, row, bias, 8);
    }
    for (; most >= 4 && row + 4 <= n; row += 4) {
        rows_i32(c, row, bias, 4);
    }
    for (; row + 2 <= n; row += 2) {
        rows_i32(c, row, bias, 2);
    }
    for (; row < n; row++) {
        rows_i32(c, row, bias, 1);
    }
}

/* A bias, a clamp and one float output: constants of a vector of channels stay in registers. */
static void epilogue_plain(const struct pk_epilogue *e, const struct pk_tile *t)
{
    for (int at = 0; at < t->n; at += VL) {
        const struct plain_f32 p = plain_f32_of(e->outs, t->pixel, t->channel + at, t->n - at);
        const float *acc = (const float *)t->acc + at;
        if (plain_f32_is_bare(&p)) {
            for (int row = 0; row < t->rows; row++, acc += t->ld) {
                plain_f32_put_bare(&p, v_load_all(acc), row);
            }
        } else {
            for (int row = 0; row < t->rows; row++, acc += t->ld) {
                plain_f32_put(&p, v_load_all(acc), row);
            }
        }
    }
}

static void epilogue_f32(const struct pk_epilogue *e, const struct pk_tile *t)
{
    if (plain_f32_is(e)) {
        epilogue_plain(e, t);
        return;
    }
    for (int at = 0; at < t->n; at += VL) {
        if (t->n - at >= VL) { /* that all lanes exist is a constant here, which spares the masks */
            const struct column whole = {e, t, at, t->channel + at, v_lanes(VL)};
            column_f32(&whole, ROWS);
        } else {
            const struct column part = column_at(e, t, at);
            column_f32(&part, ROWS_PART);
        }
    }
}

/* acc -= weight_zero * sum of codes */
static void subtract_weight_zero(const struct pk_epilogue *e, const struct pk_tile *t)
{
    for (int at = 0; at < t->n; at += VL) {
        const struct column c = column_at(e, t, at);
        const vi zero = v_load_i(e->weight_zero + c.channel, c.lanes);
        for (int row = 0; row < t->rows; row++) {
            int32_t *p = (int32_t *)t->acc + (size_t)row * t->ld + at;
            v_store_all_i(p, v_sub_i(v_load_all_i(p), v_mul_i(zero, v_set_i(t->sums[row]))));
        }
    }
}

/* Is it one group of input channels that only adds to the sums of others, in float32? */
static bool only_adds(const struct pk_epilogue *e)
{
    const struct pk_out *o = e->outs;
    return e->b == NULL && e->n_steps == 1 && e->steps->op == PK_STEP_FMA_TENSOR && e->steps->type == PK_F32 && e->n_outs == 1 &&
           o->type == PK_F32 && o->offset == 0 && o->inv_scale == 1 && o->lo == -INFINITY && o->hi == INFINITY;
}

/* fmaf((float)acc, s, sums so far) */
static void epilogue_adds(const struct pk_epilogue *e, const struct pk_tile *t)
{
    const struct pk_step *step = e->steps;
    for (int at = 0; at < t->n; at += VL) {
        const struct column c = column_at(e, t, at);
        const vi bias = e->bias_i32 != NULL ? v_load_i(e->bias_i32 + c.channel, c.lanes) : v_set_i(0);
        const vf s = v_load(step->vec + c.channel, c.lanes);
        const int32_t *acc = (const int32_t *)t->acc + at;
        const float *from = (const float *)step->operand + (ptrdiff_t)t->pixel * step->pitch + c.channel;
        float *to = (float *)e->outs->data + (ptrdiff_t)t->pixel * e->outs->pitch + c.channel;
        for (int row = 0; row < t->rows; row++, acc += t->ld, from += step->pitch, to += e->outs->pitch) {
            const vf sum = v_to_float(v_add_i(v_load_all_i(acc), bias));
            v_store(to, v_fma(sum, s, v_load(from, c.lanes)), c.lanes);
        }
    }
}

static void epilogue_i32(const struct pk_epilogue *e, const struct pk_tile *t)
{
    if (e->weight_zero != NULL && t->sums != NULL) {
        subtract_weight_zero(e, t);
    }
    if (only_adds(e)) {
        epilogue_adds(e, t);
        return;
    }
    for (int at = 0; at < t->n; at += VL) {
        if (t->n - at >= VL) {
            const struct column whole = {e, t, at, t->channel + at, v_lanes(VL)};
            column_i32(&whole, ROWS);
        } else {
            const struct column part = column_at(e, t, at);
            column_i32(&part, ROWS_PART);
        }
    }
}
