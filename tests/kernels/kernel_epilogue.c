/* kernel_epilogue.c: random steps and outputs for a kernel case. */
#include "kernel_case.h"

#include "support.h"

#include <math.h>

static const size_t type_size[] = {[PK_U8] = 1, [PK_F16] = 2, [PK_F32] = 4};

static float real_in(struct kernel_case *k, float lo, float hi)
{
    return lo + (hi - lo) * (float)kernel_case_int(k, 0, 65535) / 65535.0f;
}

static float *random_vector(struct kernel_case *k, float lo, float hi)
{
    const size_t n = (size_t)k->conv.out_c;
    float *v = kernel_case_alloc(k, n * sizeof *v, sizeof *v);
    for (size_t i = 0; i < n; i++) {
        v[i] = real_in(k, lo, hi);
    }
    return v;
}

static int32_t *random_integers(struct kernel_case *k, int magnitude)
{
    const size_t n = (size_t)k->conv.out_c;
    int32_t *v = kernel_case_alloc(k, n * sizeof *v, sizeof *v);
    for (size_t i = 0; i < n; i++) {
        v[i] = kernel_case_int(k, -magnitude, magnitude);
    }
    return v;
}

/* Elements from the first to past the last channel of a tensor at the output's size. */
static size_t span(const struct kernel_case *k, ptrdiff_t pitch)
{
    const size_t pixels = (size_t)k->conv.out_h * (size_t)k->conv.out_w;
    return (pixels - 1) * (size_t)pitch + (size_t)k->conv.out_c;
}

static ptrdiff_t random_pitch(struct kernel_case *k)
{
    return k->conv.out_c + (kernel_case_int(k, 0, 2) > 0 ? 0 : kernel_case_int(k, 1, 37));
}

static enum pk_type random_type(struct kernel_case *k)
{
    return (enum pk_type)kernel_case_int(k, PK_U8, PK_F32);
}

static void *random_tensor(struct kernel_case *k, enum pk_type type, ptrdiff_t pitch)
{
    const size_t n = span(k, pitch), size = type_size[type];
    uint8_t *data = kernel_case_alloc(k, n * size, size);
    for (size_t i = 0; i < n; i++) {
        const float value = real_in(k, -4.0f, 4.0f);
        if (type == PK_U8) {
            data[i] = (uint8_t)kernel_case_int(k, 0, 255);
        } else if (type == PK_F16) {
            pk_f32_to_f16(PK_REF, &value, 1, (uint16_t *)(void *)data + i);
        } else {
            ((float *)(void *)data)[i] = value;
        }
    }
    return data;
}

static void random_step(struct kernel_case *k, struct pk_step *s)
{
    s->op = (enum pk_step_op)kernel_case_int(k, PK_STEP_CLAMP, PK_STEP_FMA_TENSOR);
    s->a =
        s->op == PK_STEP_CLAMP ? (kernel_case_int(k, 0, 1) ? 0 : -1.5f) : real_in(k, -0.5f, 0.5f);
    s->b = s->op == PK_STEP_CLAMP ? (kernel_case_int(k, 0, 1) ? INFINITY : 6) : real_in(k, 0, 1);
    if (s->op == PK_STEP_PRELU || s->op == PK_STEP_ADD_VEC || s->op == PK_STEP_MUL_VEC || s->op == PK_STEP_FMA_TENSOR) {
        s->vec = random_vector(k, -1.5f, 1.5f);
    }
    if ((s->op >= PK_STEP_ADD_TENSOR && s->op <= PK_STEP_MUL_TENSOR) || s->op == PK_STEP_FMA_TENSOR) {
        s->type = random_type(k);
        s->pitch = random_pitch(k);
        s->operand = random_tensor(k, s->type, s->pitch);
        s->scale = real_in(k, 0.01f, 0.05f);
        s->offset = kernel_case_int(k, 0, 3) ? 0 : 0.25f;
        s->zero = kernel_case_int(k, 0, 255);
    }
}

/* A multiplier that brings typical sums to a few units. */
static float typical_scale(const struct kernel_case *k)
{
    const struct pk_conv *c = &k->conv;
    const int depth = kernel_case_is_depthwise(k->family) ? 1 : c->in_c / c->groups;
    const float n = (float)(c->kernel_h * c->kernel_w * depth);
    if (!kernel_case_is_integer(k->family)) {
        return 1.0f / sqrtf(n);
    }
    return 1.0f / ((k->values == KERNEL_EXTREME ? 255.0f * 128.0f : 9000.0f) * sqrtf(n));
}

static void random_out(struct kernel_case *k, struct pk_out *o, bool steps)
{
    const float m = typical_scale(k);
    o->type = random_type(k);
    o->pitch = random_pitch(k);
    const float unit = o->type == PK_U8 ? 40.0f : 1.0f;
    if (!steps) {
        const bool bare = !kernel_case_is_integer(k->family) && kernel_case_int(k, 0, 1) == 0;
        /* codes far beyond the grid, beyond int16 and int32 */
        const bool far = o->type == PK_U8 && kernel_case_int(k, 0, 7) == 0;
        const float many = !far ? unit : kernel_case_int(k, 0, 1) ? 1e5f : 1e10f;
        o->m = bare ? NULL : random_vector(k, m * many * 0.5f, m * many * 2);
        float *b = random_vector(k, -unit, unit);
        b[0] = kernel_case_int(k, 0, 7) > 0 ? b[0] : kernel_case_int(k, 0, 1) ? NAN : -INFINITY;
        o->b = b;
    }
    o->inv_scale = o->type == PK_U8 ? real_in(k, 10, 60) : 1;
    o->offset = o->type == PK_U8 && kernel_case_int(k, 0, 3) == 0 ? real_in(k, -1, 1) : 0;
    if (o->type == PK_U8) {
        o->zero = kernel_case_int(k, 0, 255);
        o->lo = (float)(kernel_case_int(k, 0, 3) > 0 ? -o->zero : 0);
        o->hi = (float)(255 - o->zero);
        if (kernel_case_int(k, 0, 3) == 0) { /* a grid of one bit; multipliers of either sign */
            o->zero = kernel_case_int(k, 0, 1);
            o->lo = (float)-o->zero;
            o->hi = (float)(1 - o->zero);
            if (!steps && o->m != NULL) {
                o->m = random_vector(k, -m, m);
            }
        }
    } else {
        o->lo = kernel_case_int(k, 0, 1) ? 0 : -INFINITY;
        o->hi = kernel_case_int(k, 0, 1) ? 6 : INFINITY;
    }
}

/* By coin: a group of input channels that adds to the sums of others, with or without more behind it. */
static void maybe_add_only(struct kernel_case *k)
{
    struct pk_epilogue *e = &k->epilogue;
    if (!kernel_case_is_integer(k->family) || e->n_steps == 0 || kernel_case_int(k, 0, 3) > 0) {
        return;
    }
    struct pk_step *s = &k->steps[0];
    memset(s, 0, sizeof *s);
    e->m = e->b = NULL;
    s->op = PK_STEP_FMA_TENSOR;
    s->vec = random_vector(k, typical_scale(k) * 0.5f, typical_scale(k) * 2);
    s->type = PK_F32;
    s->pitch = random_pitch(k);
    s->operand = random_tensor(k, PK_F32, s->pitch);
    if (kernel_case_int(k, 0, 1) == 0) {
        e->n_steps = e->n_outs = 1;
        k->outs[0].type = PK_F32;
        k->outs[0].inv_scale = 1;
        k->outs[0].offset = 0;
        k->outs[0].lo = -INFINITY;
        k->outs[0].hi = INFINITY;
    }
}

/* By coin: the first output is written over the operand of the first tensor step. */
static void maybe_in_place(struct kernel_case *k)
{
    for (int i = 0; i < k->epilogue.n_steps; i++) {
        const struct pk_step *s = &k->steps[i];
        if (s->operand != NULL && kernel_case_int(k, 0, 1) == 0) {
            k->in_place = 0;
            k->in_place_step = i;
            k->outs[0].type = s->type;
            k->outs[0].pitch = s->pitch;
            if (s->type == PK_U8) {
                k->outs[0].zero = 128;
                k->outs[0].lo = -128;
                k->outs[0].hi = 127;
            }
            return;
        }
    }
}

static void finish(struct kernel_case *k)
{
    for (int i = 0; i < k->epilogue.n_outs; i++) {
        k->out_bytes[i] = span(k, k->outs[i].pitch) * type_size[k->outs[i].type];
    }
    k->epilogue.steps = k->steps;
    k->epilogue.outs = k->outs;
    if (kernel_case_is_integer(k->family) && k->epilogue.weight_zero == NULL && kernel_case_int(k, 0, 1)) {
        const struct pk_conv *c = &k->conv;
        const int channels = kernel_case_is_depthwise(k->family) ? 1 : c->in_c / c->groups;
        k->epilogue.sum_most = 1.001f * (30000.0f + 255.0f * 128.0f * (float)(c->kernel_h * c->kernel_w * channels));
    }
}

void kernel_case_random_epilogue(struct kernel_case *k)
{
    struct pk_epilogue *e = &k->epilogue;
    const bool integer = kernel_case_is_integer(k->family);
    if (integer && kernel_case_int(k, 0, 1)) {
        e->bias_i32 = random_integers(k, 30000);
    }
    if (integer && kernel_case_int(k, 0, 2) == 0) {
        e->weight_zero = random_integers(k, 127);
    }
    e->n_steps = kernel_case_int(k, 0, 1) * kernel_case_int(k, 1, 3);
    if (e->n_steps > 0) {
        const float m = typical_scale(k);
        e->m = !integer && kernel_case_int(k, 0, 1) ? NULL : random_vector(k, m * 0.5f, m * 2);
        e->b = random_vector(k, -1, 1);
    }
    for (int i = 0; i < e->n_steps; i++) {
        random_step(k, &k->steps[i]);
    }
    e->n_outs = kernel_case_int(k, 0, 2) > 0 ? 1 : kernel_case_int(k, 2, PK_MAX_OUTS);
    for (int i = 0; i < e->n_outs; i++) {
        random_out(k, &k->outs[i], e->n_steps > 0);
    }
    maybe_add_only(k);
    maybe_in_place(k);
    finish(k);
}

/* kind: below, 5 = no steps; units: of the (first) output, whose factor then is 1. */
static void usual_codes(struct kernel_case *k, int kind, float slope, bool units)
{
    static const enum pk_step_op ops[][2] = {{PK_STEP_ADD_TENSOR}, {PK_STEP_PRELU}, {PK_STEP_ADD_TENSOR, PK_STEP_PRELU},
                                             {PK_STEP_ADD_TENSOR, PK_STEP_CLAMP}, {PK_STEP_PRELU, PK_STEP_ADD_TENSOR}};
    static const int counts[] = {1, 1, 2, 2, 2};
    struct pk_epilogue *e = &k->epilogue;
    const float unit = units ? 40.0f : 1.0f, m = typical_scale(k) * unit;
    e->bias_i32 = kernel_case_int(k, 0, 1) ? random_integers(k, 30000) : NULL;
    e->n_outs = kernel_case_int(k, 1, 2);
    if (kind < 5) {
        e->n_steps = counts[kind];
        e->m = random_vector(k, m * 0.5f, m * 2);
        e->b = random_vector(k, -unit, unit);
    }
    for (int i = 0; i < e->n_steps; i++) {
        struct pk_step *s = &k->steps[i];
        random_step(k, s);
        s->op = ops[kind][i];
        if (s->op == PK_STEP_ADD_TENSOR) {
            s->type = PK_U8;
            s->scale = 0.01f * unit;
            s->offset = 0;
            s->zero = kernel_case_int(k, 0, 255);
            s->pitch = random_pitch(k);
            s->operand = random_tensor(k, PK_U8, s->pitch);
        }
        s->vec = s->op == PK_STEP_PRELU ? random_vector(k, -slope, slope) : NULL;
        s->a = (float)kernel_case_int(k, -1, 0) * unit;
        s->b = unit;
    }
    for (int i = 0; i < e->n_outs; i++) {
        struct pk_out *o = &k->outs[i];
        random_out(k, o, e->n_steps > 0);
        o->type = PK_U8;
        o->offset = 0;
        o->inv_scale = units && e->n_steps > 0 && i == 0 ? 1.0f : o->inv_scale / unit;
        o->zero = kernel_case_int(k, 0, 4) > 0 ? kernel_case_int(k, 0, 255) : 0;
        o->lo = (float)-o->zero;
        o->hi = (float)(255 - o->zero);
    }
    maybe_in_place(k);
    finish(k);
}

void kernel_case_usual_codes(struct kernel_case *k)
{
    const float slope = kernel_case_int(k, 0, 1) ? 1 : 1.5f;
    const int kind = kernel_case_int(k, 0, 5);
    usual_codes(k, kind, slope, kernel_case_int(k, 0, 1) == 1);
}

void kernel_case_residual_codes(struct kernel_case *k)
{
    usual_codes(k, 2, kernel_case_int(k, 0, 3) > 0 ? 1 : 1.5f, kernel_case_int(k, 0, 3) > 0);
}

void kernel_case_usual_epilogue(struct kernel_case *k)
{
    struct pk_epilogue *e = &k->epilogue;
    struct pk_out *o = &k->outs[0];
    if (kernel_case_int(k, 0, 1)) {
        struct pk_step *s = &k->steps[e->n_steps++];
        s->op = PK_STEP_ADD_TENSOR;
        s->type = kernel_case_int(k, 0, 5) > 0 ? PK_F32 : PK_F16;
        s->pitch = random_pitch(k);
        s->operand = random_tensor(k, s->type, s->pitch);
    }
    const int last = kernel_case_int(k, 0, 3);
    if (last < 2) {
        struct pk_step *s = &k->steps[e->n_steps++];
        s->op = last == 0 ? PK_STEP_PRELU : PK_STEP_CLAMP;
        s->vec = last == 0 ? random_vector(k, -1.5f, 1.5f) : NULL;
        s->a = 0;
        s->b = kernel_case_int(k, 0, 1) ? INFINITY : 0.5f;
    }
    e->b = random_vector(k, -1, 1);
    e->n_outs = 1;
    *o = (struct pk_out){.type = PK_F32, .pitch = random_pitch(k), .b = e->b, .inv_scale = 1};
    o->lo = kernel_case_int(k, 0, 1) ? -0.5f : -INFINITY;
    o->hi = kernel_case_int(k, 0, 1) ? 0.5f : INFINITY;
    maybe_in_place(k);
    finish(k);
}

void kernel_case_plain_epilogue(struct kernel_case *k, enum pk_type type)
{
    struct pk_epilogue *e = &k->epilogue;
    struct pk_out *o = &k->outs[0];
    const float m = typical_scale(k) * 30;
    e->n_steps = 0;
    e->n_outs = 1;
    o->type = type;
    o->pitch = k->conv.out_c;
    o->m = kernel_case_is_integer(k->family) ? random_vector(k, m, m * 1.5f) : NULL;
    o->b = random_vector(k, 0, 0);
    o->inv_scale = 1;
    o->zero = type == PK_U8 ? 128 : 0;
    o->lo = type == PK_U8 ? -128 : -INFINITY;
    o->hi = type == PK_U8 ? 127 : INFINITY;
    finish(k);
}

void kernel_case_border_codes(struct kernel_case *k)
{
    struct pk_epilogue *e = &k->epilogue;
    struct pk_out *o = &k->outs[0];
    const size_t n = (size_t)k->conv.out_c;
    const int kind = kernel_case_int(k, 0, 3), far = kernel_case_int(k, 0, 2) * 14;
    float *m = kernel_case_alloc(k, n * sizeof *m, sizeof *m), *b = kernel_case_alloc(k, n * sizeof *b, sizeof *b);
    int32_t *bias = kernel_case_alloc(k, n * sizeof *bias, sizeof *bias);
    for (size_t i = 0; i < n; i++) {
        bias[i] = kernel_case_int(k, -1, 1) * (1 << far);
        m[i] = ldexpf((float)kernel_case_int(k, -3, 3), kernel_case_int(k, kind == 0 ? -40 : -6, 1));
        /* on or half beside a border of codes at a sum that the layer may have */
        b[i] = 0.5f * (float)kernel_case_int(k, -2, 3) - m[i] * (float)(bias[i] + kernel_case_int(k, -40, 40));
    }
    o->zero = kernel_case_int(k, 0, 2) * 50;
    o->lo = (float)(kernel_case_int(k, 0, 2) - o->zero);
    o->hi = o->lo + 1;
    o->type = PK_U8;
    o->pitch = random_pitch(k);
    o->m = m;
    o->b = b;
    o->inv_scale = 1;
    e->bias_i32 = kind == 1 ? NULL : bias;
    e->n_steps = 0;
    e->n_outs = 1;
    finish(k);
}

void kernel_case_new_outputs(struct kernel_case *k)
{
    for (int i = 0; i < k->epilogue.n_outs; i++) {
        struct pk_out *o = &k->outs[i];
        o->data = kernel_case_alloc(k, k->out_bytes[i], type_size[o->type]);
        memset(o->data, 0xa5, k->out_bytes[i]);
        if (k->in_place == i) {
            struct pk_step *s = &k->steps[k->in_place_step];
            if (k->pristine == NULL) {
                k->pristine = s->operand;
            }
            memcpy(o->data, k->pristine, k->out_bytes[i]);
            s->operand = o->data;
        }
    }
}
