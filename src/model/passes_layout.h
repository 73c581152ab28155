/*
 * passes_layout.h: the layout pass's state. One sweep in topological order builds the graph anew
 * and never lets a transpose happen before it must: each tensor of the old graph is a *view* (base
 * tensor, permutation), meaning TRANSPOSE(base, perm). TRANSPOSE nodes only compose permutations.
 * Operators that do not care about the order of axes run on the bases, with their axes and
 * constants permuted. The others get their inputs materialized: where the composed permutation is
 * the identity the base itself serves, and the pair is gone.
 */
#ifndef PARE_PASSES_LAYOUT_H
#define PARE_PASSES_LAYOUT_H

#include "model/passes.h"

struct view {
    int base;                        /* tensor of the new graph */
    int rank;                        /* -1 = unknown: base is the tensor itself */
    signed char perm[PARE_MAX_RANK]; /* axis i of the view is axis perm[i] of the base */
};

/* Tensors that hold TRANSPOSE(base, perm), so that each is made once. */
struct copy_of {
    signed char perm[PARE_MAX_RANK];
    int tensor, next;
};

struct layout {
    struct pass *p;
    struct pare_graph *g;
    int n_old;          /* tensors of the old graph */
    struct view *views; /* [n_old] */
    int *first_copy;    /* [cap_copies] by base; -1 = none */
    int cap_bases;
    struct copy_of *copies;
    int n_copies, cap_copies;
    bool failed; /* memory is out */
};

struct view layout_view(const struct layout *l, int t);
bool layout_is_plain(const struct view *v);
/* The two views order their axes alike (axes of size 1 do not count). */
bool layout_same(const struct layout *l, const struct view *a, const struct view *b);
/* A tensor whose contents are the view; made (a node, or a permuted constant) when there is none.
 * -1 and failed when memory is out. name_of: the old tensor that it stands for, or -1. */
int layout_materialize(struct layout *l, const struct view *v, int name_of);
/* A tensor w such that v = TRANSPOSE(w, perm). */
int layout_under(struct layout *l, const struct view *v, const signed char *perm);
/* Adds the node with these inputs; its outputs become bases under `perm` with rank `rank` (dims
 * permuted from the old outputs' dims). perm NULL: outputs are plain. Returns the node, -1 on
 * failure. */
int layout_emit(struct layout *l, const struct pare_node *old, int n_in, const int *in,
                const signed char *perm);
/* The same for a helper node without old outputs. */
int layout_add(struct layout *l, enum pare_op op, const char *name, int n_in, const int *in,
               int out);

/* Rules: return true when they took the node. */
bool layout_rule(struct layout *l, const struct pare_node *n);
bool layout_reshape(struct layout *l, const struct pare_node *n);

#endif
