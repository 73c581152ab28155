/*
 * weights.c: a layer's weights and biases as floats, and as integer codes per output channel.
 *
 * W >= 3  scale = max|w| / (2^(W-1) - 1), code = rne(w / scale).
 * W == 2  codes -2, -1, 0, 1. This grid is lopsided: any scale that reaches max|w| on one side
 * leaves the other side half covered, so "min-max" has no meaning. Of the eight scales max|w| * k /
 * 8, k = 1..8, the one with the least squared error of the channel is taken (the largest k among
 * equals). W == 1  code = w >= 0 ? 1 : -1, scale = mean|w| (the least squared error for these
 * codes).
 */
#include "quant/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* IEEE half to float; exact. */
static float half_to_float(uint16_t h)
{
    const int sign = h >> 15, exponent = (h >> 10) & 31, fraction = h & 1023;
    float value;
    if (exponent == 31) {
        value = fraction != 0 ? NAN : INFINITY;
    } else if (exponent == 0) {
        value = ldexpf((float)fraction, -24);
    } else {
        value = ldexpf((float)(fraction + 1024), exponent - 25);
    }
    return sign ? -value : value;
}

static float bfloat_to_float(uint16_t h)
{
    const uint32_t bits = (uint32_t)h << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Code of packed 4- or 2-bit element i, least significant bits first. */
static int packed_code(const uint8_t *data, int64_t i, int bits, bool is_signed)
{
    const int per_byte = 8 / bits, mask = (1 << bits) - 1;
    const int code = (data[i / per_byte] >> (int)(i % per_byte * bits)) & mask;
    return is_signed && code > mask / 2 ? code - mask - 1 : code;
}

/* Integer code of element i; false when the dtype is not an integer of at most 32 bits. */
static bool code_at(const struct pare_tensor *t, int64_t i, int32_t *code)
{
    switch (t->dtype) {
    case PARE_I8:
        *code = ((const int8_t *)t->data)[i];
        return true;
    case PARE_U8:
        *code = ((const uint8_t *)t->data)[i];
        return true;
    case PARE_I16:
        *code = ((const int16_t *)t->data)[i];
        return true;
    case PARE_U16:
        *code = ((const uint16_t *)t->data)[i];
        return true;
    case PARE_I32:
        *code = ((const int32_t *)t->data)[i];
        return true;
    case PARE_I4:
        *code = packed_code(t->data, i, 4, true);
        return true;
    case PARE_U4:
        *code = packed_code(t->data, i, 4, false);
        return true;
    case PARE_I2:
        *code = packed_code(t->data, i, 2, true);
        return true;
    case PARE_U2:
        *code = packed_code(t->data, i, 2, false);
        return true;
    default:
        return false;
    }
}

static bool float_at(const struct pare_tensor *t, int64_t i, float *value)
{
    int32_t code;
    switch (t->dtype) {
    case PARE_F32:
        *value = ((const float *)t->data)[i];
        return true;
    case PARE_F64:
        *value = (float)((const double *)t->data)[i];
        return true;
    case PARE_F16:
        *value = half_to_float(((const uint16_t *)t->data)[i]);
        return true;
    case PARE_BF16:
        *value = bfloat_to_float(((const uint16_t *)t->data)[i]);
        return true;
    default:
        break;
    }
    if (!code_at(t, i, &code)) {
        return false;
    }
    *value = (float)code;
    return true;
}

/* Which entry of t->quant holds for element i (row-major). */
static int quant_index(const struct pare_tensor *t, int64_t i)
{
    const struct pare_quant *q = t->quant;
    if (q->n <= 1 || q->axis < 0 || q->axis >= t->rank) {
        return 0;
    }
    for (int d = t->rank - 1; d > q->axis; d--) {
        i /= t->dims[d];
    }
    const int64_t index = i % t->dims[q->axis];
    return index < q->n ? (int)index : 0;
}

enum pare_status pare_tensor_const_f32(const struct pare_tensor *t, float *out,
                                       struct pare_error *err)
{
    const int64_t n = pare_tensor_elements(t);
    if (t->data == NULL || n < 0 || pare_dtype_bytes(t->dtype, n) > t->size_bytes) {
        return pare_error(err, PARE_ERR_INTERNAL, t->name, "not a constant tensor of known shape");
    }
    for (int64_t i = 0; i < n; i++) {
        int32_t code;
        if (t->quant != NULL && code_at(t, i, &code)) {
            const int k = quant_index(t, i);
            out[i] = t->quant->scale[k] * (float)(code - t->quant->zero_point[k]);
        } else if (!float_at(t, i, &out[i])) {
            return pare_error(err, PARE_ERR_FORMAT, t->name,
                              "%s constants cannot be used as real numbers",
                              pare_dtype_name(t->dtype));
        }
    }
    return PARE_OK;
}

enum pare_status pare_weights_f32(const struct pare_graph *g, int node, float *out,
                                  struct pare_error *err)
{
    return pare_tensor_const_f32(&g->tensors[g->nodes[node].in[1]], out, err);
}

/* The bias tensor of a layer, or NULL. */
static const struct pare_tensor *bias_tensor(const struct pare_graph *g, int node)
{
    const struct pare_node *n = &g->nodes[node];
    return n->n_in > 2 && n->in[2] >= 0 ? &g->tensors[n->in[2]] : NULL;
}

enum pare_status pare_bias_f32(const struct pare_graph *g, int node, float *out,
                               struct pare_error *err)
{
    const struct pare_tensor *bias = bias_tensor(g, node);
    const int64_t channels = pare_node_out_channels(g, node);
    if (bias == NULL) {
        memset(out, 0, (size_t)channels * sizeof *out);
        return PARE_OK;
    }
    const int64_t n = pare_tensor_elements(bias);
    if (n != channels && n != 1) {
        return pare_error(err, PARE_ERR_FORMAT, g->nodes[node].name,
                          "%lld biases for %lld channels", (long long)n, (long long)channels);
    }
    enum pare_status status = pare_tensor_const_f32(bias, out, err);
    for (int64_t c = n; status == PARE_OK && c < channels; c++) {
        out[c] = out[0];
    }
    return status;
}

/* Output channel of weight i of a layer: the last index of a depthwise layer, the first of the
 * others. */
static int64_t channel_of(bool depthwise, int64_t i, int64_t channels, int64_t per_channel)
{
    return depthwise ? i % channels : i / per_channel;
}

/* Index of weight k of channel c. */
static int64_t weight_index(bool depthwise, int64_t c, int64_t k, int64_t channels,
                            int64_t per_channel)
{
    return depthwise ? k * channels + c : c * per_channel + k;
}

bool pare_weights_imported(const struct pare_graph *g, int node, int w_bits)
{
    const struct pare_tensor *w = &g->tensors[g->nodes[node].in[1]];
    const int bits = pare_dtype_bits(w->dtype);
    int32_t code;
    if (w->quant == NULL || bits > 8 || w->dtype == PARE_BOOL || pare_tensor_elements(w) < 1 ||
        !code_at(w, 0, &code) || (w_bits != 8 && w_bits != bits)) {
        return false;
    }
    const int axis = g->nodes[node].op == PARE_OP_DEPTHWISE ? w->rank - 1 : 0;
    return w->quant->n == 1 ||
           (w->quant->axis == axis && w->quant->n == pare_node_out_channels(g, node));
}

/* Codes, scales and zero points as the file has them; unsigned codes move down by half their range.
 */
static void import_codes(const struct pare_tensor *w, bool depthwise, struct pare_weight_codes *out)
{
    const int bits = pare_dtype_bits(w->dtype);
    const bool is_unsigned = w->dtype == PARE_U8 || w->dtype == PARE_U4 || w->dtype == PARE_U2;
    const int32_t shift = is_unsigned ? 1 << (bits - 1) : 0;
    bool any_zero_point = false;
    for (int64_t c = 0; c < out->n_channels; c++) {
        const int k = w->quant->n > 1 ? (int)c : 0;
        out->scale[c] = w->quant->scale[k];
        out->zero_point[c] = w->quant->zero_point[k] - shift;
        any_zero_point = any_zero_point || out->zero_point[c] != 0;
    }
    for (int64_t i = 0; i < out->n_channels * out->per_channel; i++) {
        int32_t code = 0;
        code_at(w, i, &code);
        out->codes[i] = (int8_t)(code - shift);
        out->sum[channel_of(depthwise, i, out->n_channels, out->per_channel)] += out->codes[i];
    }
    if (!any_zero_point) {
        out->zero_point = NULL;
    }
}

/* Squared error of a channel with codes lo..hi at this scale. */
static double squared_error(const float *w, int64_t n, int64_t stride, float scale, float lo,
                            float hi)
{
    double error = 0.0;
    for (int64_t k = 0; k < n; k++) {
        const float v = w[k * stride];
        const float q = rintf(v / scale);
        const double d = (double)v - (double)scale * (double)(q < lo ? lo : q > hi ? hi : q);
        error += d * d;
    }
    return error;
}

/* Scale of a channel whose largest magnitude is max > 0. */
static float choose_scale(const float *w, int64_t n, int64_t stride, int bits, float max,
                          double sum)
{
    if (bits >= 3) {
        return max / (float)((1 << (bits - 1)) - 1);
    }
    if (bits == 1) {
        return (float)(sum / (double)n);
    }
    float best = max;
    double least = squared_error(w, n, stride, max, -2.0f, 1.0f);
    for (int k = 7; k >= 1; k--) {
        const float scale = max * (float)k / 8.0f;
        const double error = squared_error(w, n, stride, scale, -2.0f, 1.0f);
        if (error < least) {
            least = error;
            best = scale;
        }
    }
    return best;
}

static int8_t code_of(float v, float scale, int bits)
{
    if (bits == 1) {
        return v >= 0.0f ? 1 : -1;
    }
    const float lo = bits == 2 ? -2.0f : (float)(1 - (1 << (bits - 1)));
    const float hi = (float)((1 << (bits - 1)) - 1);
    const float q = rintf(v / scale);
    return (int8_t)(q < lo ? lo : q > hi ? hi : q);
}

static enum pare_status quantize_channel(const char *layer, const float *w, int bits, int64_t c,
                                         bool depthwise, struct pare_weight_codes *out,
                                         struct pare_error *err)
{
    const int64_t n = out->per_channel, stride = depthwise ? out->n_channels : 1;
    const int64_t first = weight_index(depthwise, c, 0, out->n_channels, n);
    float max = 0.0f;
    double sum = 0.0;
    for (int64_t k = 0; k < n; k++) {
        const float v = fabsf(w[first + k * stride]);
        if (!isfinite(v)) {
            return pare_error(err, PARE_ERR_FORMAT, layer,
                              "weight %lld of channel %lld is not finite", (long long)k,
                              (long long)c);
        }
        max = v > max ? v : max;
        sum += (double)v;
    }
    float scale = max > 0.0f ? choose_scale(w + first, n, stride, bits, max, sum) : 0.0f;
    if (!(scale > 1e-37f)) { /* a channel of zeros, or of nothing but denormals */
        out->scale[c] = 1.0f;
        return PARE_OK;
    }
    out->scale[c] = scale;
    for (int64_t k = 0; k < n; k++) {
        const int8_t code = code_of(w[first + k * stride], scale, bits);
        out->codes[first + k * stride] = code;
        out->sum[c] += code;
    }
    return PARE_OK;
}

enum pare_status pare_weights_quantize(const struct pare_graph *g, int node, int w_bits,
                                       struct pare_arena *arena, struct pare_weight_codes *out,
                                       struct pare_error *err)
{
    const int64_t n = pare_node_weights(g, node), channels = pare_node_out_channels(g, node);
    const bool depthwise = g->nodes[node].op == PARE_OP_DEPTHWISE;
    const char *layer = g->nodes[node].name;
    memset(out, 0, sizeof *out);
    if (n < 1 || channels < 1 || n % channels != 0 || w_bits < 1 || w_bits > 8) {
        return pare_error(err, PARE_ERR_INTERNAL, layer,
                          "%lld weights for %lld channels cannot be quantized", (long long)n,
                          (long long)channels);
    }
    out->n_channels = channels;
    out->per_channel = n / channels;
    out->n_groups = 1;
    out->codes = pare_arena_array(arena, (size_t)n, 1);
    out->scale = pare_arena_array(arena, (size_t)channels, sizeof *out->scale);
    out->sum = pare_arena_array(arena, (size_t)channels, sizeof *out->sum);
    if (out->codes == NULL || out->scale == NULL || out->sum == NULL) {
        return pare_error_nomem(err);
    }
    if (pare_weights_imported(g, node, w_bits)) {
        out->zero_point = pare_arena_array(arena, (size_t)channels, sizeof *out->zero_point);
        if (out->zero_point == NULL) {
            return pare_error_nomem(err);
        }
        import_codes(&g->tensors[g->nodes[node].in[1]], depthwise, out);
        return PARE_OK;
    }
    float *w = malloc((size_t)n * sizeof *w);
    if (w == NULL) {
        return pare_error_nomem(err);
    }
    enum pare_status status = pare_weights_f32(g, node, w, err);
    for (int64_t c = 0; status == PARE_OK && c < channels; c++) {
        status = quantize_channel(layer, w, w_bits, c, depthwise, out, err);
    }
    free(w);
    return status;
}
