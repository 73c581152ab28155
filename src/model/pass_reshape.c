/* pass_reshape.c: a reshape of a reshape is one; a reduction that keeps axes only to have them
 * reshaped away drops them itself. */
#include <string.h>

#include "model/passes.h"

static bool is_reshape(enum pare_op op)
{
    return op == PARE_OP_RESHAPE || op == PARE_OP_FLATTEN || op == PARE_OP_SQUEEZE ||
           op == PARE_OP_UNSQUEEZE;
}

static bool is_reduction(enum pare_op op)
{
    return op == PARE_OP_REDUCE_MEAN || op == PARE_OP_REDUCE_MAX || op == PARE_OP_REDUCE_MIN ||
           op == PARE_OP_REDUCE_SUM;
}

static bool same_grid(const struct pare_quant *a, const struct pare_quant *b)
{
    return a == b || (a != NULL && b != NULL && a->n == 1 && b->n == 1 &&
                      a->scale[0] == b->scale[0] && a->zero_point[0] == b->zero_point[0]);
}

/* Reads what the inner reshape read. */
static enum pare_status skip_inner(struct pass *p, int node, int inner)
{
    struct pare_graph *g = p->g;
    struct pare_node *n = &g->nodes[node];
    const struct pare_tensor *y = &g->tensors[n->out[0]], *between = &g->tensors[n->in[0]];
    int from = g->nodes[inner].in[0];
    if (from < 0 || !pass_shape_known(y) || pare_tensor_elements(y) < 1 ||
        !same_grid(between->quant, y->quant) || !same_grid(g->tensors[from].quant, y->quant)) {
        return PARE_OK;
    }
    int rank = y->rank, shape = pass_new_ints(p, y->name, rank, y->dims);
    int *in = pare_arena_array(&g->arena, 2, sizeof *in);
    if (shape < 0 || in == NULL) {
        return pass_no_memory(p);
    }
    n = &g->nodes[node];
    in[0] = from;
    in[1] = shape;
    n->in = in;
    n->n_in = 2;
    n->op = PARE_OP_RESHAPE;
    p->changed = true;
    return PARE_OK;
}

/* dims of the reduction without the axes that it kept */
static bool drops_kept_axes(const struct pare_graph *g, const struct pare_node *reduce,
                            const struct pare_tensor *y)
{
    const struct pare_tensor *kept = &g->tensors[reduce->out[0]];
    int n = 0;
    for (int i = 0; i < kept->rank; i++) {
        bool reduced = reduce->attr.n_axes < 0;
        for (int k = 0; k < reduce->attr.n_axes; k++) {
            int axis = reduce->attr.axes[k];
            reduced = reduced || (axis < 0 ? axis + kept->rank : axis) == i;
        }
        if (!reduced && (n >= y->rank || y->dims[n++] != kept->dims[i])) {
            return false;
        }
    }
    return n == y->rank;
}

enum pare_status pass_reshape(struct pass *p)
{
    struct pare_graph *g = p->g;
    enum pare_status status = pass_begin(p);
    if (status != PARE_OK) {
        return status;
    }
    for (int i = 0; i < p->n_nodes && status == PARE_OK; i++) {
        struct pare_node *n = &g->nodes[i];
        if (!is_reshape(n->op) || n->n_in < 1 || n->n_out != 1 || n->in[0] < 0) {
            continue;
        }
        int inner = pass_producer(p, n->in[0]);
        if (inner >= 0 && is_reshape(g->nodes[inner].op)) {
            status = skip_inner(p, i, inner);
        } else if (inner >= 0 && is_reduction(g->nodes[inner].op) &&
                   g->nodes[inner].attr.keep_dims && g->nodes[inner].n_in == 1 &&
                   pass_only_user(p, n->in[0]) == i &&
                   same_grid(g->tensors[n->in[0]].quant, g->tensors[n->out[0]].quant) &&
                   pass_shape_known(&g->tensors[n->out[0]]) &&
                   drops_kept_axes(g, &g->nodes[inner], &g->tensors[n->out[0]])) {
            g->nodes[inner].attr.keep_dims = false;
            g->nodes[inner].out[0] = n->out[0];
            g->tensors[n->out[0]].producer = inner;
            pass_kill(p, i);
        }
    }
    return pass_commit(p, status);
}
