/*
 * onnx_emit.c: the means by which the operators' readers add nodes to the graph. Spatial operators
 * of ONNX have channels second, ours have them last: their readers put TRANSPOSE nodes around, and
 * remember for every tensor its channels-last twin, so that chains of such operators are connected
 * directly.
 */
#include "model/onnx.h"

#include <stdio.h>
#include <string.h>

/* ---- ends ---- */

int onnx_input(const struct onnx_node *n, int i)
{
    return i < n->n_in ? n->in[i] : -1;
}

int onnx_output(const struct onnx_node *n, int i)
{
    return i < n->n_out ? n->out[i] : -1;
}

int onnx_rank(struct onnx_importer *c, int t)
{
    if (t < 0) {
        return -1;
    }
    if (c->g->tensors[t].rank >= 0) {
        return c->g->tensors[t].rank;
    }
    const struct onnx_extra *extra = onnx_extra_at(c, t);
    return extra != NULL ? extra->rank : -1;
}

void onnx_set_rank(struct onnx_importer *c, int t, int rank)
{
    struct onnx_extra *extra = t >= 0 ? onnx_extra_at(c, t) : NULL;
    if (extra != NULL && rank >= 0 && rank <= PARE_MAX_RANK) {
        extra->rank = rank;
    }
}

/* ---- emitting ---- */

static struct pare_attr *add_node(struct onnx_node *n, enum pare_op op, const char *name, int n_in,
                                  const int *in, int n_out, const int *out)
{
    struct pare_graph *g = n->c->g;
    int node =
        n->c->status == PARE_OK ? pare_graph_add_node(g, op, name, n_in, in, n_out, out) : -1;
    if (node < 0) {
        onnx_fail_nomem(n->c);
        return &n->c->scratch;
    }
    g->nodes[node].file_offset = (size_t)(n->at - n->c->file.data);
    g->nodes[node].attr.op_name = n->op;
    return &g->nodes[node].attr;
}

struct pare_attr *onnx_emit(struct onnx_node *n, enum pare_op op, int n_in, const int *in,
                            int n_out, const int *out)
{
    return add_node(n, op, n->label, n_in, in, n_out, out);
}

struct pare_attr *onnx_emit_helper(struct onnx_node *n, enum pare_op op, const char *suffix,
                                   int n_in, const int *in, int n_out, const int *out)
{
    char name[256];
    snprintf(name, sizeof name, "%.200s%s", n->label, suffix);
    return add_node(n, op, name, n_in, in, n_out, out);
}

int onnx_fresh(struct onnx_node *n, const char *suffix, enum pare_dtype dtype)
{
    char name[256];
    snprintf(name, sizeof name, "%.200s%s", n->label, suffix);
    int t = n->c->status == PARE_OK ? pare_graph_add_tensor(n->c->g, name, dtype) : -1;
    if (t < 0) {
        onnx_fail_nomem(n->c);
        return 0; /* tensor 0 exists: every node has an output */
    }
    return t;
}

static enum pare_dtype dtype_of(const struct onnx_node *n, int t)
{
    return n->c->g->tensors[t].dtype;
}

/* y holds what x holds, laid out another way. */
static void same_values(struct onnx_node *n, int x, int y)
{
    const struct pare_tensor *from = &n->c->g->tensors[x];
    n->c->g->tensors[y].source = from->source != NULL ? from->source : from->name;
}

int onnx_transpose(struct onnx_node *n, int x, int rank, const int *perm, const char *suffix)
{
    int y = onnx_fresh(n, suffix, dtype_of(n, x));
    struct pare_attr *a = onnx_emit_helper(n, PARE_OP_TRANSPOSE, suffix, 1, &x, 1, &y);
    for (int i = 0; i < rank; i++) {
        a->perm[i] = perm[i];
    }
    same_values(n, x, y);
    onnx_set_rank(n->c, y, rank);
    return y;
}

int onnx_reshape(struct onnx_node *n, int x, int rank, const int64_t *dims, const char *suffix)
{
    char shape_suffix[64];
    snprintf(shape_suffix, sizeof shape_suffix, "%s/shape", suffix);
    int shape = onnx_const_ints(n, shape_suffix, dims, rank);
    int y = onnx_fresh(n, suffix, dtype_of(n, x));
    onnx_emit_helper(n, PARE_OP_RESHAPE, suffix, 2, (int[]){x, shape}, 1, &y);
    same_values(n, x, y);
    onnx_set_rank(n->c, y, rank);
    return y;
}

int onnx_cast(struct onnx_node *n, int x, enum pare_dtype to, const char *suffix)
{
    int y = onnx_fresh(n, suffix, to);
    struct pare_attr *a = onnx_emit_helper(n, PARE_OP_CAST, suffix, 1, &x, 1, &y);
    a->to = to;
    a->saturate = true;
    onnx_set_rank(n->c, y, onnx_rank(n->c, x));
    return y;
}

int onnx_unsqueeze_end(struct onnx_node *n, int x, int rank, int count, const char *suffix)
{
    if (count <= 0) {
        return x;
    }
    int y = onnx_fresh(n, suffix, dtype_of(n, x));
    struct pare_attr *a = onnx_emit_helper(n, PARE_OP_UNSQUEEZE, suffix, 1, &x, 1, &y);
    a->n_axes = count;
    for (int i = 0; i < count; i++) {
        a->axes[i] = rank + i;
    }
    onnx_set_rank(n->c, y, rank + count);
    return y;
}

/* ---- channels last ---- */

int onnx_to_nhwc(struct onnx_node *n, int x, int rank, const char *suffix)
{
    int perm[PARE_MAX_RANK];
    if (rank < 3) {
        return x; /* channels are last already */
    }
    struct onnx_extra *extra = onnx_extra_at(n->c, x);
    if (extra == NULL || (extra->nhwc >= 0 && extra->rank == rank)) {
        return extra == NULL ? x : extra->nhwc;
    }
    for (int i = 0; i < rank; i++) {
        perm[i] = i == 0 ? 0 : i == rank - 1 ? 1 : i + 1;
    }
    int xt = onnx_transpose(n, x, rank, perm, suffix);
    extra = onnx_extra_at(n->c, x);
    if (extra != NULL) {
        extra->nhwc = xt;
        extra->rank = rank;
    }
    return xt;
}

int onnx_nhwc_of(struct onnx_node *n, int y, int rank)
{
    return rank < 3 ? y : onnx_fresh(n, "/nhwc", dtype_of(n, y));
}

void onnx_from_nhwc(struct onnx_node *n, int yt, int y, int rank, const char *suffix)
{
    onnx_set_rank(n->c, y, rank);
    if (yt == y) {
        return;
    }
    struct pare_attr *a = onnx_emit_helper(n, PARE_OP_TRANSPOSE, suffix, 1, &yt, 1, &y);
    for (int i = 0; i < rank; i++) {
        a->perm[i] = i == 0 ? 0 : i == 1 ? rank - 1 : i - 1;
    }
    struct onnx_extra *extra = onnx_extra_at(n->c, y);
    if (extra != NULL) {
        extra->nhwc = yt;
        extra->rank = rank;
    }
}
