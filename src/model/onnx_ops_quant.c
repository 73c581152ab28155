/*
 * onnx_ops_quant.c: QuantizeLinear and its kin. Integer products become DEQUANTIZE or CAST, the
 * float operator, and QUANTIZE or CAST. Where float32 could not hold the integer sums the node
 * stays unknown.
 */
#include "model/onnx.h"

#include <math.h>
#include <stdio.h>

/* Largest K with K * 255 * 255 <= 2^24: every such sum is exact in float32. */
#define MAX_EXACT_K 258

static float half_to_float(uint16_t h)
{
    int exponent = h >> 10 & 31, fraction = h & 1023;
    float v = exponent == 31  ? INFINITY
              : exponent == 0 ? ldexpf((float)fraction, -24)
                              : ldexpf((float)(fraction | 1024), exponent - 25);
    return (h & 0x8000u) != 0 ? -v : v;
}

/* A constant scale must be finite and positive, and its zero point as long as it. */
static void check_grid(struct onnx_node *n, int scale, int zero_point)
{
    const struct pare_tensor *s = &n->c->g->tensors[scale];
    int64_t count = s->data != NULL ? pare_tensor_elements(s) : 0;
    for (int64_t i = 0; i < count; i++) {
        float v = s->dtype == PARE_F32   ? ((const float *)s->data)[i]
                  : s->dtype == PARE_F16 ? half_to_float(((const uint16_t *)s->data)[i])
                                         : 1.0f;
        if (!isfinite(v) || v <= 0.0f) {
            onnx_node_fail(n, "scale %lld is %g, expected a positive number", (long long)i,
                           (double)v);
            return;
        }
    }
    const struct pare_tensor *z = zero_point >= 0 ? &n->c->g->tensors[zero_point] : NULL;
    if (z == NULL || z->data == NULL || s->data == NULL) {
        return;
    }
    if (pare_tensor_elements(z) != count) {
        onnx_node_fail(n, "it has %lld zero points and %lld scales",
                       (long long)pare_tensor_elements(z), (long long)count);
    } else if (z->dtype == PARE_F32 || z->dtype == PARE_F16 || z->dtype == PARE_BF16 ||
               z->dtype == PARE_F64 || z->dtype == PARE_BOOL) {
        onnx_node_fail(n, "its zero point is %s, expected an integer type",
                       pare_dtype_name(z->dtype));
    }
}

/* QUANTIZE and DEQUANTIZE */
void onnx_op_quantize(struct onnx_node *n, enum pare_op op)
{
    int axis = onnx_int_in(n, "axis", 1, -PARE_MAX_RANK, PARE_MAX_RANK - 1);
    int block = onnx_int_in(n, "block_size", 0, 0, 1 << 30), zero_point = onnx_input(n, 2);
    int64_t output_type = onnx_int(n, "output_dtype", 0);
    int to = op == PARE_OP_DEQUANTIZE ? PARE_F32 : PARE_U8;
    bool saturate = onnx_flag(n, "saturate", true);
    check_grid(n, n->in[1], zero_point);
    if (output_type != 0) {
        to = onnx_dtype(output_type);
    } else if (op == PARE_OP_QUANTIZE && zero_point >= 0) {
        to = (int)n->c->g->tensors[zero_point].dtype;
    } else if (op == PARE_OP_DEQUANTIZE) {
        to = (int)n->c->g->tensors[n->in[1]].dtype;
    }
    if (to < 0) {
        n->unknown = "its type is not supported";
        return;
    }
    struct pare_attr *a = onnx_emit(n, op, n->n_in, n->in, 1, n->out);
    a->axis = axis;
    a->block_size = block;
    a->to = (enum pare_dtype)to;
    a->saturate = saturate;
    onnx_set_rank(n->c, n->out[0], onnx_rank(n->c, n->in[0]));
}

void onnx_op_dynamic_quantize(struct onnx_node *n, enum pare_op op)
{
    static const enum pare_dtype dtypes[3] = {PARE_U8, PARE_F32, PARE_U8};
    for (int i = 0; i < n->n_out; i++) {
        if (n->out[i] >= 0) {
            n->c->g->tensors[n->out[i]].dtype = dtypes[i];
            onnx_set_rank(n->c, n->out[i], i == 0 ? onnx_rank(n->c, n->in[0]) : 0);
        }
    }
    onnx_emit(n, op, 1, n->in, n->n_out, n->out)->to = PARE_U8;
}

/* ---- helpers that return new tensors ---- */

/* A float16 scale as float32: the real numbers of the layer are float32. */
static int wide_scale(struct onnx_node *n, int scale, const char *suffix)
{
    return n->c->g->tensors[scale].dtype == PARE_F16 ? onnx_cast(n, scale, PARE_F32, suffix)
                                                     : scale;
}

static int dequantize(struct onnx_node *n, int x, int scale, int zero_point, int axis,
                      const char *suffix)
{
    int y = onnx_fresh(n, suffix, PARE_F32);
    int in[3] = {x, scale, zero_point};
    struct pare_attr *a =
        onnx_emit_helper(n, PARE_OP_DEQUANTIZE, suffix, zero_point >= 0 ? 3 : 2, in, 1, &y);
    a->axis = axis;
    a->to = PARE_F32;
    onnx_set_rank(n->c, y, onnx_rank(n->c, x));
    return y;
}

static void quantize(struct onnx_node *n, int x, int scale, int zero_point, int y)
{
    int in[3] = {x, scale, zero_point};
    struct pare_attr *a =
        onnx_emit_helper(n, PARE_OP_QUANTIZE, "/quantize", zero_point >= 0 ? 3 : 2, in, 1, &y);
    a->axis = 1;
    a->to = zero_point >= 0 ? n->c->g->tensors[zero_point].dtype : PARE_U8;
    a->saturate = true;
    onnx_set_rank(n->c, y, onnx_rank(n->c, x));
}

/* x - zero_point in float32; the zero point gets `spread` trailing axes when it is a list. */
static int without_zero_point(struct onnx_node *n, int x, int zero_point, int spread,
                              const char *cast, const char *zero, const char *difference)
{
    int wide = onnx_cast(n, x, PARE_F32, cast);
    if (zero_point < 0) {
        return wide;
    }
    int z = onnx_cast(n, zero_point, PARE_F32, zero);
    if (onnx_rank(n->c, z) == 1 && spread > 0) {
        char suffix[64];
        snprintf(suffix, sizeof suffix, "%s_spread", zero);
        z = onnx_unsqueeze_end(n, z, 1, spread, suffix);
    }
    int y = onnx_fresh(n, difference, PARE_F32);
    onnx_emit_helper(n, PARE_OP_SUB, difference, 2, (int[]){wide, z}, 1, &y);
    onnx_set_rank(n->c, y, onnx_rank(n->c, x));
    return y;
}

/* ---- products ---- */

/* x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias? */
void onnx_op_qlinear_conv(struct onnx_node *n, enum pare_op op)
{
    struct pare_window window;
    int groups;
    (void)op;
    if (!onnx_window(n, n->in[0], n->in[3], &window, &groups)) {
        return;
    }
    check_grid(n, n->in[1], n->in[2]);
    check_grid(n, n->in[4], n->in[5]);
    check_grid(n, n->in[6], n->in[7]);
    int bias = onnx_input(n, 8);
    int x = dequantize(n, n->in[0], n->in[1], n->in[2], 1, "/x");
    int w = dequantize(n, n->in[3], n->in[4], n->in[5], 0, "/w");
    if (bias >= 0) {
        int scale = onnx_fresh(n, "/bias_scale", PARE_F32);
        onnx_emit_helper(n, PARE_OP_MUL, "/bias_scale", 2, (int[]){n->in[1], n->in[4]}, 1, &scale);
        bias = dequantize(n, bias, scale, -1, 0, "/bias");
    }
    int y = onnx_fresh(n, "/y", PARE_F32);
    onnx_emit_conv(n, x, w, bias, y, &window, groups);
    quantize(n, y, n->in[6], n->in[7], n->out[0]);
}

/* Is the scale one number, or a list? More axes are not supported. */
static bool simple_scale(struct onnx_node *n, int scale)
{
    if (onnx_rank(n->c, scale) > 1) {
        n->unknown = "scales with more than one axis are not supported";
        return false;
    }
    return true;
}

/* a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero; lists of scales: rows of a, columns of b
 */
void onnx_op_qlinear_matmul(struct onnx_node *n, enum pare_op op)
{
    (void)op;
    if (!simple_scale(n, n->in[1]) || !simple_scale(n, n->in[4]) || !simple_scale(n, n->in[6])) {
        return;
    }
    check_grid(n, n->in[1], n->in[2]);
    check_grid(n, n->in[4], n->in[5]);
    check_grid(n, n->in[6], n->in[7]);
    int a = dequantize(n, n->in[0], wide_scale(n, n->in[1], "/a_scale"), n->in[2], -2, "/a");
    int b = dequantize(n, n->in[3], wide_scale(n, n->in[4], "/b_scale"), n->in[5], -1, "/b");
    int y = onnx_fresh(n, "/y", PARE_F32);
    onnx_emit(n, PARE_OP_MATMUL, 2, (int[]){a, b}, 1, &y);
    quantize(n, y, wide_scale(n, n->in[6], "/y_scale"), n->in[7], n->out[0]);
}

void onnx_op_conv_integer(struct onnx_node *n, enum pare_op op)
{
    struct pare_window window;
    int groups, w = n->in[1];
    (void)op;
    if (!onnx_window(n, n->in[0], w, &window, &groups)) {
        return;
    }
    const struct pare_tensor *t = &n->c->g->tensors[w];
    int64_t k = t->rank > 1 ? t->dims[1] : -1;
    for (int i = 0; i < window.n_spatial && k > 0 && k <= MAX_EXACT_K; i++) {
        k = window.kernel[i] > 0 ? k * window.kernel[i] : -1;
    }
    if (k < 0 || k > MAX_EXACT_K) {
        n->unknown = "its integer sums may not fit float32";
        return;
    }
    int x = without_zero_point(n, n->in[0], onnx_input(n, 2), 0, "/x_wide", "/x_zero", "/x");
    int wide = without_zero_point(n, w, onnx_input(n, 3), window.n_spatial + 1, "/w_wide",
                                  "/w_zero", "/w");
    int y = onnx_fresh(n, "/y", PARE_F32);
    onnx_emit_conv(n, x, wide, -1, y, &window, groups);
    n->c->g->tensors[n->out[0]].dtype = PARE_I32;
    struct pare_attr *a = onnx_emit_helper(n, PARE_OP_CAST, "/int32", 1, &y, 1, n->out);
    a->to = PARE_I32;
    onnx_set_rank(n->c, n->out[0], window.n_spatial + 2);
}

void onnx_op_matmul_integer(struct onnx_node *n, enum pare_op op)
{
    const struct pare_tensor *a = &n->c->g->tensors[n->in[0]], *b = &n->c->g->tensors[n->in[1]];
    int64_t k = b->rank == 1 ? b->dims[0] : b->rank > 1 ? b->dims[b->rank - 2] : -1;
    if (k < 0 && a->rank > 0) {
        k = a->dims[a->rank - 1];
    }
    (void)op;
    if (k < 0 || k > MAX_EXACT_K) {
        n->unknown = "its integer sums may not fit float32";
        return;
    }
    int wide_a = without_zero_point(n, n->in[0], onnx_input(n, 2), 1, "/a_wide", "/a_zero", "/a");
    int wide_b = without_zero_point(n, n->in[1], onnx_input(n, 3), 0, "/b_wide", "/b_zero", "/b");
    int y = onnx_fresh(n, "/y", PARE_F32);
    onnx_emit(n, PARE_OP_MATMUL, 2, (int[]){wide_a, wide_b}, 1, &y);
    n->c->g->tensors[n->out[0]].dtype = PARE_I32;
    onnx_emit_helper(n, PARE_OP_CAST, "/int32", 1, &y, 1, n->out)->to = PARE_I32;
}
