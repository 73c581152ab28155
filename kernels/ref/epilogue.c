/* epilogue.c: what happens to one sum between the accumulator and the output tensors. */
#include "ref.h"

#include <math.h>

float pk_ref_clamp(float u, float lo, float hi)
{
    const float v = u > lo ? u : lo;
    return v < hi ? v : hi;
}

float pk_ref_finish_i32(const struct pk_epilogue *e, int channel, int64_t acc, int64_t sum_x)
{
    if (e->weight_zero != NULL) {
        acc -= e->weight_zero[channel] * sum_x;
    }
    if (e->bias_i32 != NULL) {
        acc += e->bias_i32[channel];
    }
    return (float)(int32_t)(uint32_t)(uint64_t)acc;
}

/* Real value of a step's operand tensor at one element. */
static float operand(const struct pk_step *step, size_t pixel, int channel)
{
    const ptrdiff_t at = (ptrdiff_t)pixel * step->pitch + channel;
    switch (step->type) {
    case PK_U8: {
        const int code = ((const uint8_t *)step->operand)[at];
        return fmaf((float)(code - step->zero), step->scale, step->offset);
    }
    case PK_F16:
        return pk_ref_widen(((const uint16_t *)step->operand)[at]);
    case PK_F32:
        break;
    }
    return ((const float *)step->operand)[at];
}

static float add(const struct pk_step *step, size_t pixel, int channel, float t)
{
    if (step->type != PK_U8) {
        return t + operand(step, pixel, channel);
    }
    const int code = ((const uint8_t *)step->operand)[(ptrdiff_t)pixel * step->pitch + channel];
    return fmaf((float)(code - step->zero), step->scale, t + step->offset);
}

static float apply(const struct pk_step *step, size_t pixel, int channel, float t)
{
    switch (step->op) {
    case PK_STEP_CLAMP:
        return pk_ref_clamp(t, step->a, step->b);
    case PK_STEP_PRELU:
        return t > 0 ? t : t * step->vec[channel];
    case PK_STEP_LEAKY:
        return t > 0 ? t : t * step->a;
    case PK_STEP_ADD_TENSOR:
        return add(step, pixel, channel, t);
    case PK_STEP_SUB_TENSOR:
        return t - operand(step, pixel, channel);
    case PK_STEP_RSUB_TENSOR:
        return operand(step, pixel, channel) - t;
    case PK_STEP_MUL_TENSOR:
        return t * operand(step, pixel, channel);
    case PK_STEP_ADD_VEC:
        return t + step->vec[channel];
    case PK_STEP_MUL_VEC:
        return t * step->vec[channel];
    case PK_STEP_HARD_SWISH:
        return t * (pk_ref_clamp(t + 3.0f, 0.0f, 6.0f) * (1.0f / 6.0f));
    case PK_STEP_HARD_SIGMOID:
        return pk_ref_clamp(fmaf(t, step->a, step->b), 0.0f, 1.0f);
    case PK_STEP_FMA_TENSOR:
        return fmaf(t, step->vec[channel], operand(step, pixel, channel));
    }
    return t;
}

static void store(const struct pk_out *out, size_t pixel, int channel, float u)
{
    const ptrdiff_t at = (ptrdiff_t)pixel * out->pitch + channel;
    const float v = pk_ref_clamp(u, out->lo, out->hi);
    switch (out->type) {
    case PK_U8:
        ((uint8_t *)out->data)[at] = (uint8_t)(out->zero + (int)lrintf(v));
        break;
    case PK_F16:
        ((uint16_t *)out->data)[at] = pk_ref_narrow(v);
        break;
    case PK_F32:
        ((float *)out->data)[at] = v;
        break;
    }
}

static float scale(float acc, const float *m, const float *b, int channel)
{
    return m != NULL ? fmaf(acc, m[channel], b[channel]) : b != NULL ? acc + b[channel] : acc;
}

void pk_ref_epilogue(const struct pk_epilogue *e, size_t pixel, int channel, float acc)
{
    if (e->n_steps == 0) {
        for (int i = 0; i < e->n_outs; i++) {
            const struct pk_out *out = &e->outs[i];
            store(out, pixel, channel, scale(acc, out->m, out->b, channel));
        }
        return;
    }
    float t = scale(acc, e->m, e->b, channel);
    for (int i = 0; i < e->n_steps; i++) {
        t = apply(&e->steps[i], pixel, channel, t);
    }
    for (int i = 0; i < e->n_outs; i++) {
        const struct pk_out *out = &e->outs[i];
        store(out, pixel, channel, (t - out->offset) * out->inv_scale);
    }
}
