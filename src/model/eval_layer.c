/* eval_layer.c: layers, pools and matrix products. */
#include <string.h>

#include "model/eval_ops.h"

/* The attributes as a window over three spatial axes; unused ones come first with size 1. */
static struct pk_window make_window(const struct eval_job *j)
{
    const struct pare_window *w = &j->o.node->attr.window;
    const struct pare_view *x = &j->o.in[0], *y = j->out[0].rank >= 0 ? &j->out[0] : x;
    struct pk_window k = {
        .batch = x->dims[0], .in_c = x->dims[x->rank - 1], .out_c = y->dims[y->rank - 1]};
    int missing = 3 - w->n_spatial;
    for (int i = 0; i < 3; i++) {
        int own = i - missing;
        bool used = own >= 0;
        k.in[i] = used ? x->dims[1 + own] : 1;
        k.out[i] = used ? y->dims[1 + own] : 1;
        k.kernel[i] = used ? w->kernel[own] : 1;
        k.stride[i] = used ? w->stride[own] : 1;
        k.dilation[i] = used ? w->dilation[own] : 1;
        k.pad_before[i] = used ? w->pad_before[own] : 0;
        k.pad_after[i] = used ? w->pad_after[own] : 0;
    }
    k.groups = j->o.node->op == PARE_OP_DEPTHWISE ? k.in_c : j->o.node->attr.groups;
    return k;
}

/* Input k as codes: with the grid of the graph's tensor where it holds integer codes of reals. */
static struct pk_codes codes_of(const struct eval_job *j, int k)
{
    struct pk_codes c = {.type = PK_DT_F32};
    if (!op_has(&j->o, k)) {
        return c;
    }
    const struct pare_quant *q = j->g->tensors[j->o.node->in[k]].quant;
    c.type = eval_type(&j->o.in[k]);
    c.data = j->o.in[k].data;
    if (q != NULL && !pk_dtype_is_float(c.type)) {
        c.n = q->n;
        c.scale = q->scale;
        c.zero_point = q->zero_point;
    }
    return c;
}

enum pare_status eval_conv(const struct eval_job *j)
{
    struct pk_window w = make_window(j);
    struct pk_codes weights = codes_of(j, 1), bias = codes_of(j, 2);
    enum pk_dtype t = eval_type(&j->o.in[0]);
    const void *x = j->o.in[0].data;
    void *y = j->out[0].data;
    switch (j->o.node->op) {
    case PARE_OP_DEPTHWISE:
        return eval_done(j, pk_depthwise_nd(&w, t, x, &weights, &bias, y));
    case PARE_OP_CONV_TRANSPOSE:
        return eval_done(j, pk_conv_transpose_nd(&w, t, x, &weights, &bias, y));
    default:
        return eval_done(j, pk_conv_nd(&w, t, x, &weights, &bias, y));
    }
}

/* A convolution with a window of one pixel over all rows. */
enum pare_status eval_fully_connected(const struct eval_job *j)
{
    const struct pare_view *x = &j->o.in[0], *w = &j->o.in[1];
    struct pk_codes weights = codes_of(j, 1), bias = codes_of(j, 2);
    int64_t rows = 1;
    for (int i = 0; i < x->rank - 1; i++) {
        rows *= x->dims[i];
    }
    struct pk_window k = {rows,      {1, 1, 1}, {1, 1, 1}, w->dims[1], w->dims[0], {1, 1, 1},
                          {1, 1, 1}, {1, 1, 1}, {0},       {0},        1};
    return eval_done(j, pk_conv_nd(&k, eval_type(x), x->data, &weights, &bias, j->out[0].data));
}

enum pare_status eval_matmul(const struct eval_job *j)
{
    struct pare_view a = j->o.in[0], b = j->o.in[1];
    int64_t dims[PARE_MAX_RANK], a_step[PARE_MAX_RANK], b_step[PARE_MAX_RANK],
        at[PARE_MAX_RANK] = {0};
    bool a_row = a.rank == 1, b_column = b.rank == 1;
    if (a.dtype != b.dtype) {
        return op_fail(&j->o, "operands of %s and %s", pare_dtype_name(a.dtype),
                       pare_dtype_name(b.dtype));
    }
    struct pk_matmul p = {.alpha = 1.0f, .beta = 1.0f};
    p.k = a.dims[a.rank - 1];
    p.m = a_row ? 1 : a.dims[a.rank - 2];
    p.n = b_column ? 1 : b.dims[b.rank - 1];
    p.a_row = p.k;
    p.a_col = 1;
    p.b_row = p.n;
    p.b_col = 1;
    a.rank -= a_row ? 1 : 2;
    b.rank -= b_column ? 1 : 2;
    int rank = a.rank > b.rank ? a.rank : b.rank;
    eval_broadcast_steps(&a, rank, a_step);
    eval_broadcast_steps(&b, rank, b_step);
    int64_t batches = 1;
    for (int i = 0; i < rank; i++) {
        dims[i] = j->out[0].dims[i];
        batches *= dims[i];
    }
    size_t elem = pk_dtype_size(eval_type(&a));
    for (int64_t n = 0; n < batches; n++) {
        int64_t from_a = 0, from_b = 0;
        for (int i = 0; i < rank; i++) {
            from_a += at[i] * a_step[i] * p.m * p.k;
            from_b += at[i] * b_step[i] * p.k * p.n;
        }
        if (!pk_matmul(&p, eval_type(&a), (const char *)a.data + (size_t)from_a * elem,
                       (const char *)b.data + (size_t)from_b * elem,
                       (char *)j->out[0].data + (size_t)(n * p.m * p.n) * elem)) {
            return eval_refuse(j, a.dtype);
        }
        for (int i = rank - 1; i >= 0 && ++at[i] == dims[i]; i--) {
            at[i] = 0;
        }
    }
    return PARE_OK;
}

enum pare_status eval_gemm(const struct eval_job *j)
{
    const struct pare_attr *attr = &j->o.node->attr;
    const struct pare_view *a = &j->o.in[0], *b = &j->o.in[1];
    int64_t c_step[2] = {0, 0};
    if (a->dtype != b->dtype || (op_has(&j->o, 2) && j->o.in[2].dtype != a->dtype)) {
        return op_fail(&j->o, "operands of different types");
    }
    struct pk_matmul p = {.alpha = attr->alpha, .beta = attr->beta};
    p.m = j->out[0].dims[0];
    p.n = j->out[0].dims[1];
    p.k = a->dims[attr->trans_a ? 0 : 1];
    p.a_row = attr->trans_a ? 1 : p.k;
    p.a_col = attr->trans_a ? p.m : 1;
    p.b_row = attr->trans_b ? 1 : p.n;
    p.b_col = attr->trans_b ? p.k : 1;
    if (op_has(&j->o, 2)) {
        eval_broadcast_steps(&j->o.in[2], 2, c_step);
        p.c = j->o.in[2].data;
        p.c_row = c_step[0];
        p.c_col = c_step[1];
    }
    return eval_done(j, pk_matmul(&p, eval_type(a), a->data, b->data, j->out[0].data));
}

enum pare_status eval_batch_norm(const struct eval_job *j)
{
    const struct pare_view *in = j->o.in;
    size_t channels = (size_t)in[0].dims[in[0].rank - 1];
    for (int k = 1; k < 5; k++) {
        if (in[k].dtype != in[0].dtype) {
            return op_fail(&j->o, "input %d is %s, the first %s", k, pare_dtype_name(in[k].dtype),
                           pare_dtype_name(in[0].dtype));
        }
    }
    size_t rows = channels > 0 ? eval_count(&in[0]) / channels : 0;
    return eval_done(j, pk_batch_norm(eval_type(&in[0]), rows, channels, in[0].data, in[1].data,
                                      in[2].data, in[3].data, in[4].data, j->o.node->attr.epsilon,
                                      j->out[0].data));
}

enum pare_status eval_pool(const struct eval_job *j)
{
    const struct pare_attr *a = &j->o.node->attr;
    struct pk_window w = make_window(j);
    enum pk_dtype t = eval_type(&j->o.in[0]);
    if (j->out[0].data == NULL) {
        return op_fail(&j->o, "the pool's values are not wanted, which is not supported");
    }
    if (j->o.node->op == PARE_OP_AVG_POOL) {
        return eval_done(j,
                         pk_avg_pool(&w, t, a->count_include_pad, j->o.in[0].data, j->out[0].data));
    }
    int64_t *index = j->o.node->n_out > 1 ? j->out[1].data : NULL;
    return eval_done(
        j, pk_max_pool(&w, t, j->o.in[0].data, j->out[0].data, index, a->storage_order != 0));
}
