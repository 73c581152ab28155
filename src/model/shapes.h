/*
 * shapes.h: what shape inference (shapes*.c) and evaluation (eval*.c) share: one node with views of
 * its inputs, and its parameters decoded from attributes or constant inputs, so that both read them
 * alike.
 */
#ifndef PARE_SHAPES_H
#define PARE_SHAPES_H

#include "model/eval.h"

/* No tensor that inference makes is larger (16 TB ConstantOfShape and the like end here). */
#define SHAPES_MAX_DIM ((int64_t)1 << 31)
#define SHAPES_MAX_ELEMENTS ((int64_t)1 << 31)

/* One node at work. in[k].data is NULL where input k is absent or (in inference) not constant. */
struct op_node {
    struct pare_graph *g; /* inference; NULL in evaluation */
    const struct pare_node *node;
    const char *where; /* the file's name for messages, or NULL */
    struct pare_error *err;
    const struct pare_view *in;
};

/* "node 'name' (op): ..." */
enum pare_status op_fail(const struct op_node *o, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Is input k there? */
bool op_has(const struct op_node *o, int k);
int64_t view_elements(const struct pare_view *v);
/* "1x24x24x32" into the caller's buffer, which is returned. */
const char *view_text(const struct pare_view *v, char *buf, size_t size);
/* Integers of a view with data; their count, or -1 (not constant, not integer, more than max). */
int view_ints(const struct pare_view *v, int64_t *values, int max);
/* Element i of any dtype but the packed ones, as double; 0 for others. */
double view_number(const struct pare_view *v, int64_t i);

/* axis in [-rank, rank) to [0, rank). */
enum pare_status op_axis(const struct op_node *o, int64_t axis, int rank, int *out);
/* attr.axes or constant input k (k < 0: only attr); *n = -1 when neither is given. Sorted out: in
 * [0, rank), distinct. */
enum pare_status op_axes(const struct op_node *o, int k, int rank, int *n, int *axes);
/* Integers of input k, which must be constant. */
enum pare_status op_ints(const struct op_node *o, int k, const char *what, int64_t *values, int max,
                         int *n);

/* SLICE: for every axis of x where it begins, its step, and how many elements. */
struct op_slice {
    int64_t begin[PARE_MAX_RANK], step[PARE_MAX_RANK], count[PARE_MAX_RANK];
};
enum pare_status op_slice(const struct op_node *o, struct op_slice *s);
/* PAD: for every axis; negative numbers crop. */
enum pare_status op_pads(const struct op_node *o, int64_t *before, int64_t *after);
/* RESIZE: for every axis of x. */
struct op_resize {
    bool resized[PARE_MAX_RANK];
    double scale[PARE_MAX_RANK], roi_begin[PARE_MAX_RANK], roi_end[PARE_MAX_RANK];
    int64_t size[PARE_MAX_RANK];
};
enum pare_status op_resize(const struct op_node *o, struct op_resize *r);
/* Axes that REDUCE_* reduces, as a mask over x's axes. */
enum pare_status op_reduced(const struct op_node *o, bool *reduced);
/* SPLIT: size of output k. */
enum pare_status op_split(const struct op_node *o, int *axis, int64_t *sizes, int n_out);
/* TRANSPOSE: checked permutation of x's axes. */
enum pare_status op_perm(const struct op_node *o, int *perm);
/* How many elements RANGE makes. */
enum pare_status op_range(const struct op_node *o, int64_t *count);

/* ---- inference ---- */

struct shape_walk {
    struct pare_graph *g;
    const char *where;
    struct pare_error *err;
    struct pare_view *views; /* [most inputs of a node] those of the current node */
    int *consumers;          /* [tensors at the start] readers among the nodes */
    bool *folded;            /* [n_nodes] the node became constants and is to go */
};
/* A constant: has data, or is empty and nothing makes it. */
bool shape_is_constant(const struct pare_tensor *t);
struct pare_view shape_view_of(const struct pare_tensor *t, const void *data);
/* May this node, whose shapes are known, become constants? */
bool shape_can_fold(const struct shape_walk *s, int node);
/* Evaluates the node into constants. It goes, unless the graph returns one of its outputs: then it
 * stays for that, and its readers get a constant copy. */
enum pare_status shape_fold(struct shape_walk *s, int node);

/* Sets output k: checks sizes and what the file declared. Absent outputs are fine. */
enum pare_status shape_out(const struct op_node *o, int k, enum pare_dtype dtype, int rank,
                           const int64_t *dims);
/* The same without the check against the file (outputs whose true size depends on data). */
enum pare_status shape_out_bound(const struct op_node *o, int k, enum pare_dtype dtype, int rank,
                                 const int64_t *dims);
/* Output k is like a view. */
enum pare_status shape_like(const struct op_node *o, int k, const struct pare_view *v);
/* numpy broadcasting of a and b into dims; fails with a message. */
enum pare_status shape_broadcast(const struct op_node *o, const struct pare_view *a,
                                 const struct pare_view *b, int *rank, int64_t *dims);
/* The node, to resolve its attributes in place. */
struct pare_attr *shape_attr(const struct op_node *o);

enum pare_status shape_conv(const struct op_node *o);
enum pare_status shape_depthwise(const struct op_node *o);
enum pare_status shape_conv_transpose(const struct op_node *o);
enum pare_status shape_fully_connected(const struct op_node *o);
enum pare_status shape_matmul(const struct op_node *o);
enum pare_status shape_gemm(const struct op_node *o);
enum pare_status shape_batch_norm(const struct op_node *o);
enum pare_status shape_pool(const struct op_node *o);

enum pare_status shape_concat(const struct op_node *o);
enum pare_status shape_split(const struct op_node *o);
enum pare_status shape_pack(const struct op_node *o);
enum pare_status shape_unpack(const struct op_node *o);
enum pare_status shape_reshape(const struct op_node *o);
enum pare_status shape_squeeze(const struct op_node *o);
enum pare_status shape_unsqueeze(const struct op_node *o);
enum pare_status shape_flatten(const struct op_node *o);
enum pare_status shape_transpose(const struct op_node *o);
enum pare_status shape_slice(const struct op_node *o);
enum pare_status shape_gather(const struct op_node *o);
enum pare_status shape_gather_elements(const struct op_node *o);
enum pare_status shape_pad(const struct op_node *o);
enum pare_status shape_shape(const struct op_node *o);
enum pare_status shape_expand(const struct op_node *o);
enum pare_status shape_tile(const struct op_node *o);
enum pare_status shape_fill(const struct op_node *o);
enum pare_status shape_range(const struct op_node *o);
enum pare_status shape_blocks(const struct op_node *o);

enum pare_status shape_same(const struct op_node *o);
enum pare_status shape_cast(const struct op_node *o);
enum pare_status shape_softmax(const struct op_node *o);
enum pare_status shape_prelu(const struct op_node *o);
enum pare_status shape_binary(const struct op_node *o);
enum pare_status shape_reduce(const struct op_node *o);
enum pare_status shape_arg(const struct op_node *o);
enum pare_status shape_resize(const struct op_node *o);
enum pare_status shape_quantize(const struct op_node *o);
enum pare_status shape_dequantize(const struct op_node *o);
enum pare_status shape_dynamic_quantize(const struct op_node *o);
enum pare_status shape_nms(const struct op_node *o);
enum pare_status shape_detection(const struct op_node *o);

#endif
