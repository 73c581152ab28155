/* pass_layout.c: moves transposes as far down as they go and cancels them; see passes_layout.h. */
#include <stdlib.h>
#include <string.h>

#include "model/passes_layout.h"

struct view layout_view(const struct layout *l, int t)
{
    struct view v = {t, l->g->tensors[t].rank, {0, 1, 2, 3, 4, 5, 6, 7}};
    return t < l->n_old ? l->views[t] : v;
}

bool layout_is_plain(const struct view *v)
{
    for (int i = 0; i < v->rank; i++) {
        if (v->perm[i] != i) {
            return false;
        }
    }
    return true;
}

/* Order of the axes that are larger than 1; n of them in order[]. */
static int real_axes(const struct layout *l, const struct view *v, signed char *order)
{
    const struct pare_tensor *base = &l->g->tensors[v->base];
    int n = 0;
    for (int i = 0; i < v->rank; i++) {
        if (base->dims[v->perm[i]] != 1) {
            order[n++] = v->perm[i];
        }
    }
    return n;
}

bool layout_same(const struct layout *l, const struct view *a, const struct view *b)
{
    signed char of_a[PARE_MAX_RANK], of_b[PARE_MAX_RANK];
    if (a->rank != b->rank || a->rank < 0) {
        return false;
    }
    if (memcmp(a->perm, b->perm, (size_t)a->rank) == 0) {
        return true;
    }
    int n_a = real_axes(l, a, of_a), n_b = real_axes(l, b, of_b);
    return n_a == n_b && memcmp(of_a, of_b, (size_t)n_a) == 0;
}

/* Does the permutation move axes of size 1 only? Then a reshape does it. */
static bool moves_ones_only(const struct layout *l, const struct view *v)
{
    signed char order[PARE_MAX_RANK];
    int n = real_axes(l, v, order);
    for (int i = 1; i < n; i++) {
        if (order[i] < order[i - 1]) {
            return false;
        }
    }
    return pass_shape_known(&l->g->tensors[v->base]);
}

int layout_add(struct layout *l, enum pare_op op, const char *name, int n_in, const int *in,
               int out)
{
    int node = pare_graph_add_node(l->g, op, name, n_in, in, 1, &out);
    l->failed = l->failed || node < 0;
    return node;
}

/* ---- copies: which tensors hold a base under a permutation ---- */

static int find_copy(const struct layout *l, const struct view *v)
{
    int i = v->base < l->cap_bases ? l->first_copy[v->base] : -1;
    while (i >= 0 && memcmp(l->copies[i].perm, v->perm, (size_t)v->rank) != 0) {
        i = l->copies[i].next;
    }
    return i >= 0 ? l->copies[i].tensor : -1;
}

static void remember_copy(struct layout *l, const struct view *v, int tensor)
{
    if (v->base >= l->cap_bases) {
        int cap = 2 * v->base + 64;
        int *grown = realloc(l->first_copy, (size_t)cap * sizeof *grown);
        if (grown == NULL) {
            l->failed = true;
            return;
        }
        for (int i = l->cap_bases; i < cap; i++) {
            grown[i] = -1;
        }
        l->first_copy = grown;
        l->cap_bases = cap;
    }
    if (l->n_copies == l->cap_copies) {
        int cap = 2 * l->cap_copies + 64;
        struct copy_of *grown = realloc(l->copies, (size_t)cap * sizeof *grown);
        if (grown == NULL) {
            l->failed = true;
            return;
        }
        l->copies = grown;
        l->cap_copies = cap;
    }
    struct copy_of *c = &l->copies[l->n_copies];
    memcpy(c->perm, v->perm, sizeof c->perm);
    c->tensor = tensor;
    c->next = l->first_copy[v->base];
    l->first_copy[v->base] = l->n_copies++;
}

/* A tensor for the view's contents: the old one that it stands for, or a new one. */
static int copy_target(struct layout *l, const struct view *v, int name_of)
{
    struct pare_graph *g = l->g;
    if (name_of >= 0) {
        return name_of;
    }
    int t = pass_new_like(l->p, v->base);
    if (t >= 0) {
        for (int i = 0; i < v->rank; i++) {
            g->tensors[t].dims[i] = g->tensors[v->base].dims[v->perm[i]];
        }
    }
    return t;
}

static int make_copy(struct layout *l, const struct view *v, int name_of)
{
    struct pare_graph *g = l->g;
    int perm[PARE_MAX_RANK];
    for (int i = 0; i < v->rank; i++) {
        perm[i] = v->perm[i];
    }
    if (pass_is_const(g, v->base) && pass_can_permute(&g->tensors[v->base])) {
        return pass_permute_const(l->p, v->base, perm);
    }
    int t = copy_target(l, v, name_of), in[2] = {v->base, -1};
    if (t < 0) {
        return -1;
    }
    const char *name = pare_arena_printf(&g->arena, "%s/%s", g->tensors[t].name,
                                         moves_ones_only(l, v) ? "reshape" : "transpose");
    if (name == NULL) {
        return -1;
    }
    if (moves_ones_only(l, v)) {
        in[1] = pass_new_ints(l->p, name, v->rank, g->tensors[t].dims);
        return in[1] >= 0 && layout_add(l, PARE_OP_RESHAPE, name, 2, in, t) >= 0 ? t : -1;
    }
    int node = layout_add(l, PARE_OP_TRANSPOSE, name, 1, in, t);
    if (node < 0) {
        return -1;
    }
    memcpy(g->nodes[node].attr.perm, perm, sizeof perm);
    return t;
}

int layout_materialize(struct layout *l, const struct view *v, int name_of)
{
    if (v->rank < 0 || layout_is_plain(v)) {
        return v->base;
    }
    int t = find_copy(l, v);
    if (t >= 0) {
        return t;
    }
    if (name_of >= 0 && (name_of >= l->n_old || l->views[name_of].base == name_of)) {
        name_of = -1; /* that tensor already exists */
    }
    t = make_copy(l, v, name_of);
    if (t < 0) {
        l->failed = true;
        return -1;
    }
    remember_copy(l, v, t);
    return t;
}

int layout_under(struct layout *l, const struct view *v, const signed char *perm)
{
    struct view under = *v; /* w axis perm[i] = v axis i */
    for (int i = 0; i < v->rank; i++) {
        under.perm[perm[i]] = v->perm[i];
    }
    return layout_materialize(l, &under, -1);
}

/* ---- nodes ---- */

int layout_emit(struct layout *l, const struct pare_node *old, int n_in, const int *in,
                const signed char *perm)
{
    struct pare_graph *g = l->g;
    int *out = pare_arena_array(&g->arena, (size_t)old->n_out, sizeof *out);
    for (int i = 0; i < n_in && !l->failed; i++) {
        l->failed = in[i] < -1;
    }
    if (out == NULL || l->failed) {
        l->failed = true;
        return -1;
    }
    for (int k = 0; k < old->n_out; k++) {
        int t = old->out[k], rank = t >= 0 ? g->tensors[t].rank : -1;
        out[k] = t;
        if (t < 0 || perm == NULL) {
            continue;
        }
        int base = pass_new_like(l->p, t);
        if (base < 0) {
            l->failed = true;
            return -1;
        }
        struct view *v = &l->views[t];
        v->base = base;
        v->rank = rank;
        for (int i = 0; i < rank; i++) {
            v->perm[i] = perm[i];
            g->tensors[base].dims[perm[i]] = g->tensors[t].dims[i];
        }
        if (layout_is_plain(v)) {
            v->base = t; /* the spare tensor is dropped with the dead */
            base = t;
        }
        out[k] = base;
    }
    int node = pare_graph_add_node(g, old->op, "", n_in, in, old->n_out, out);
    if (node < 0) {
        l->failed = true;
        return -1;
    }
    struct pare_node *n = &g->nodes[node];
    n->name = old->name;
    n->attr = old->attr;
    n->bn = old->bn;
    n->file_offset = old->file_offset;
    return node;
}

static bool permutation_ok(const struct pare_node *n, int rank)
{
    unsigned seen = 0;
    for (int i = 0; i < rank; i++) {
        if (n->attr.perm[i] < 0 || n->attr.perm[i] >= rank) {
            return false;
        }
        seen |= 1u << n->attr.perm[i];
    }
    return rank >= 0 && seen == (1u << rank) - 1;
}

static void compose_transpose(struct layout *l, const struct pare_node *n)
{
    struct view from = layout_view(l, n->in[0]), *to = &l->views[n->out[0]];
    to->base = from.base;
    to->rank = from.rank;
    for (int i = 0; i < from.rank; i++) {
        to->perm[i] = from.perm[n->attr.perm[i]];
    }
}

/* Operators that want their inputs as the file ordered them. */
static void plain_node(struct layout *l, const struct pare_node *n)
{
    int *in = pare_arena_array(&l->g->arena, (size_t)n->n_in, sizeof *in);
    for (int k = 0; in != NULL && k < n->n_in; k++) {
        struct view v =
            n->in[k] >= 0 ? layout_view(l, n->in[k]) : (struct view){.base = -1, .rank = -1};
        in[k] = n->in[k] >= 0 ? layout_materialize(l, &v, n->in[k]) : -1;
    }
    if (in == NULL) {
        l->failed = true;
        return;
    }
    layout_emit(l, n, n->n_in, in, NULL);
}

static void visit(struct layout *l, const struct pare_node *n)
{
    bool axes_known = n->n_in > 0 && n->n_out > 0 && n->in[0] >= 0 && n->out[0] >= 0;
    if (axes_known && n->op == PARE_OP_TRANSPOSE &&
        permutation_ok(n, layout_view(l, n->in[0]).rank) &&
        l->g->tensors[n->out[0]].quant == l->g->tensors[n->in[0]].quant) {
        compose_transpose(l, n);
    } else if (!axes_known || !layout_rule(l, n)) {
        plain_node(l, n);
    }
}

/* Graph outputs keep their tensors. */
static void restore_outputs(struct layout *l)
{
    struct pare_graph *g = l->g;
    for (int i = 0; i < g->n_outputs; i++) {
        int t = g->outputs[i];
        struct view v = layout_view(l, t);
        if (v.base == t) {
            continue;
        }
        int made = layout_materialize(l, &v, t);
        if (made >= 0 && made != t) { /* already there under another name */
            layout_add(l, PARE_OP_IDENTITY, g->tensors[t].name, 1, &made, t);
        }
        if (l->failed) {
            return;
        }
        l->views[t] = (struct view){t, g->tensors[t].rank, {0, 1, 2, 3, 4, 5, 6, 7}};
    }
}

static bool has_transposes(const struct pare_graph *g)
{
    for (int i = 0; i < g->n_nodes; i++) {
        if (g->nodes[i].op == PARE_OP_TRANSPOSE) {
            return true;
        }
    }
    return false;
}

enum pare_status pass_layout(struct pass *p)
{
    struct pare_graph *g = p->g;
    struct pare_node *old = g->nodes;
    int n_old_nodes = g->n_nodes, n_warnings = g->n_warnings;
    struct layout l = {.p = p, .g = g, .n_old = g->n_tensors};
    if (!has_transposes(g)) {
        return PARE_OK;
    }
    l.views = malloc(((size_t)l.n_old + 1) * sizeof *l.views);
    if (l.views == NULL) {
        return pass_no_memory(p);
    }
    for (int t = 0; t < l.n_old; t++) {
        l.views[t] = (struct view){t, g->tensors[t].rank, {0, 1, 2, 3, 4, 5, 6, 7}};
    }
    g->nodes = NULL;
    g->n_nodes = g->cap_nodes = 0;
    for (int i = 0; i < n_old_nodes && !l.failed; i++) {
        visit(&l, &old[i]);
    }
    if (!l.failed) {
        restore_outputs(&l);
    }
    free(old);
    free(l.views);
    free(l.first_copy);
    free(l.copies);
    if (l.failed) {
        return pass_no_memory(p);
    }
    enum pare_status status = pare_graph_finish(g, p->where, p->err);
    g->n_warnings = n_warnings;
    return status;
}
