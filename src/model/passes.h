/*
 * passes.h: what the passes share. A pass is one linear sweep over the nodes in topological order
 * that rewrites in place and leaves removed nodes marked; pass_commit then applies the
 * replacements, drops what is dead and sorts.
 *
 * Rules: a pass adds tensors and nodes freely (indices stay, pointers move); it never changes a
 * constant's data, only makes a new one, because constants may be shared and lie in the mapped
 * file. A tensor that carries a grid
 * (`quant`, from an integer file) is not rewritten away, unless in real numbers and on the grid
 * nothing changes.
 */
#ifndef PARE_PASSES_H
#define PARE_PASSES_H

#include "model/graph.h"

struct pass {
    struct pare_graph *g;
    const char *where;
    struct pare_pass_report *report;
    struct pare_error *err;
    size_t budget; /* bytes that folded constants may still take */
    /* Of this sweep (pass_begin .. pass_commit), for tensors and nodes that existed at its begin:
     */
    int n_tensors, n_nodes;
    int *replaced;   /* [n_tensors] what to read instead; itself where nothing changed */
    int *n_uses;     /* [n_tensors] reading slots, plus 1 for a graph output */
    int *first_user; /* [n_tensors + 1] into users */
    int *users;      /* nodes that read the tensor, one entry per slot */
    bool *dead;      /* [n_nodes] */
    bool changed;
};

enum pare_status pass_begin(struct pass *p);
/* Applies what the sweep did (also after a failure: frees the sweep's memory). */
enum pare_status pass_commit(struct pass *p, enum pare_status status);

/* The tensor to read where the file said t (follows replacements). */
int pass_at(struct pass *p, int t);
/* Everything that reads `from` reads `to`. False (nothing done) when `from` must keep its identity:
 * a graph output that cannot be taken over by to's producer. */
bool pass_replace(struct pass *p, int from, int to);
/* The only reader of t, -1 when there are others, none, or t is a graph output. */
int pass_only_user(struct pass *p, int t);
/* The node that makes t, -1 for inputs and constants. */
int pass_producer(struct pass *p, int t);
/* Marks a node as removed; its outputs must not be read any more. */
void pass_kill(struct pass *p, int node);

enum pare_status pass_no_memory(struct pass *p);

/* ---- tensors ---- */

/* All dimensions known? */
bool pass_shape_known(const struct pare_tensor *t);
bool pass_same_shape(const struct pare_tensor *a, const struct pare_tensor *b);
bool pass_is_const(const struct pare_graph *g, int t);
/* A float32 constant, or NULL. */
const float *pass_const_f32(const struct pare_graph *g, int t);
/* The one value of a float32 constant with one element. */
bool pass_scalar(const struct pare_graph *g, int t, float *value);
/* A float32 constant that broadcasts along the last axis only: n values (n = 1: a scalar), or NULL.
 */
const float *pass_vector(const struct pare_graph *g, int t, int64_t *n);
/* New float32 constant whose data the caller fills (n elements, shape dims); -1 when memory is out.
 */
int pass_new_f32(struct pass *p, const char *name, int rank, const int64_t *dims, float **data);
/* New I64 vector constant. */
int pass_new_ints(struct pass *p, const char *name, int n, const int64_t *values);
/* New activation like `like` (name, dtype, grid, shape). */
int pass_new_like(struct pass *p, int like);
/* Constant t with its axes permuted (out axis i = in axis perm[i]); -1: no memory, or a packed
 * type. */
int pass_permute_const(struct pass *p, int t, const int *perm);
/* Can pass_permute_const do this type? */
bool pass_can_permute(const struct pare_tensor *t);

/* ---- the passes, in their order ---- */

enum pare_status pass_attributes(struct pass *p); /* constant inputs become attributes */
enum pare_status pass_fold(struct pass *p);       /* constants computed */
enum pare_status pass_clean(struct pass *p);      /* nodes that change nothing */
enum pare_status
pass_dead(struct pass *p); /* nodes that nothing reads, tensors that nothing names */
enum pare_status
pass_dense(struct pass *p); /* matmul, gemm -> fully connected; conv -> depthwise */
enum pare_status pass_layout(struct pass *p); /* transposes moved and cancelled */
enum pare_status
pass_reshape(struct pass *p); /* reshapes of reshapes; reductions that keep axes of size 1 */
enum pare_status
pass_flatten(struct pass *p); /* transpose, reshape, fully connected: weights permuted */
enum pare_status
pass_bn(struct pass *p); /* BatchNorm, per-channel add and mul into the layer before */
enum pare_status pass_prelu(struct pass *p); /* Relu/Neg/Mul/Add -> PRELU */
enum pare_status pass_swish(struct pass *p); /* swish, hard-swish, hard-sigmoid spelled out */
enum pare_status pass_pad(struct pass *p);   /* zero padding into the window that follows */

#endif
