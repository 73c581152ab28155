/*
 * onnx.h: what the files of the ONNX importer share (onnx*.c only; everybody else reads graph.h).
 *
 * onnx.c        file, model, graph: in what order things are read
 * onnx_schema.c the messages of onnx.proto, as a table for pare_pb_check
 * onnx_names.c  hash map from names to tensor indices
 * onnx_base.c   failures, tensors by name
 * onnx_tensor.c TensorProto to constant tensors
 * onnx_value.c  ValueInfoProto to declared shapes; constants that the reader makes
 * onnx_node.c   NodeProto: from name to reader; onnx_attr.c: its attributes
 * onnx_emit.c   adding nodes, layout transposes
 * onnx_functions.c local functions may not call themselves
 * onnx_ops.c    one entry per operator; onnx_ops_*.c: what they do
 *
 * Decoders run on a file that pare_pb_check has accepted, so they need not look for damage again.
 * The first failure is kept in importer->status; later steps then do nothing of value but stay in
 * bounds.
 */
#ifndef PARE_ONNX_H
#define PARE_ONNX_H

#include "model/graph.h"
#include "model/protobuf.h"

#define ONNX_OLDEST_OPSET 1
#define ONNX_NEWEST_OPSET 25

enum onnx_message {
    ONNX_MODEL,
    ONNX_GRAPH,
    ONNX_NODE,
    ONNX_ATTRIBUTE,
    ONNX_TENSOR,
    ONNX_SEGMENT,
    ONNX_SPARSE,
    ONNX_VALUE_INFO,
    ONNX_TYPE,
    ONNX_TYPE_TENSOR,
    ONNX_TYPE_LIST,
    ONNX_TYPE_MAP,
    ONNX_SHAPE,
    ONNX_DIM,
    ONNX_OPSET,
    ONNX_PAIR,
    ONNX_ANNOTATION,
    ONNX_FUNCTION,
    ONNX_TRAINING,
    ONNX_MESSAGE_COUNT
};
extern const struct pare_pb_message onnx_messages[ONNX_MESSAGE_COUNT];

/* Names (any bytes) to integers. Memory grows with the names that were put in. */
struct onnx_names {
    struct onnx_name_slot *slots;
    size_t n_slots, n_used;
    uint64_t seed;
};
struct onnx_name_slot {
    struct pare_pb_span name;
    uint64_t hash;
    int value; /* a slot whose name.data is NULL is free */
};
/* Where name's value is, made with -1 when it was not there; NULL when memory is out. Valid until
 * the next call. */
int *onnx_names_at(struct onnx_names *names, struct pare_pb_span name);
int onnx_names_find(const struct onnx_names *names, struct pare_pb_span name); /* -1 = not there */
void onnx_names_clear(struct onnx_names *names);

struct onnx_attr {
    struct pare_pb_span name, body; /* body: the AttributeProto */
};

struct onnx_importer {
    struct pare_pb_span file;
    const char *where;
    struct pare_error *err;
    enum pare_status status;
    struct pare_graph *g;
    int64_t opset;           /* of the default domain */
    struct onnx_names names; /* tensors by name */
    struct onnx_names ops;   /* entries of the operator table by name */
    struct onnx_extra {      /* per tensor, [cap_extra]; see onnx_extra_at */
        int nhwc;            /* the same values with channels last, -1 = none yet */
        int rank;            /* as far as the reader knows, -1 = not */
        bool declared;       /* graph input, initializer or constant: may not be made again */
    } * extra;
    int cap_extra;
    int *ends; /* scratch of the current node: inputs, then outputs */
    int cap_ends;
    struct onnx_attr *attrs;
    int cap_attrs;
    struct pare_attr scratch; /* what emitters return after a failure; never read */
};

struct onnx_node {
    struct onnx_importer *c;
    struct pare_pb_span name, op_type, domain;
    const char *label; /* layer name: in the graph's arena */
    const char *op;    /* operator's name, static or in the arena */
    const uint8_t *at;
    int n_in, n_out;
    const int *in, *out; /* tensors, -1 = absent; trailing absent ones are dropped */
    int n_attr;
    const struct onnx_attr *attr;
    const char *unknown; /* why it cannot be translated, or NULL */
};

/* ---- onnx_base.c ---- */

/* Records a failure (the first one counts). `at` is a place in the file, or NULL. */
void onnx_fail(struct onnx_importer *c, const uint8_t *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void onnx_fail_nomem(struct onnx_importer *c);
/* "node 'label' (Op) at byte N: ..." */
void onnx_node_fail(const struct onnx_node *n, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Index of the tensor of that name, made when it is new; -1 and a failure when memory is out. */
int onnx_tensor_named(struct onnx_importer *c, struct pare_pb_span name);
/* The extra facts of tensor t (valid until the next call); NULL and a failure when memory is out.
 */
struct onnx_extra *onnx_extra_at(struct onnx_importer *c, int t);
/* The name as the graph keeps it (odd ones escaped, with a warning); NULL when memory is out. */
const char *onnx_keep_name(struct onnx_importer *c, struct pare_pb_span name);
/* Printable copy of a name into buf. */
const char *onnx_text(struct pare_pb_span name, char *buf, size_t size);

/* ---- onnx_tensor.c, onnx_value.c ---- */

/* "what has the type ..., which is not supported" */
void onnx_fail_type(struct onnx_importer *c, const uint8_t *at, const char *what, int64_t type);
/* ONNX type number to ours; -1 when there is none. */
int onnx_dtype(int64_t type);
/* Fills tensor t from a TensorProto: type, shape, data (zero-copy where aligned). `what` names it
 * in messages. */
void onnx_read_tensor(struct onnx_importer *c, struct pare_pb_span proto, int t, const char *what);
/* Name and declared type and shape of a ValueInfoProto. */
struct pare_pb_span onnx_value_name(struct pare_pb_span proto);
void onnx_read_value(struct onnx_importer *c, struct pare_pb_span proto, int t);
/* A constant made by the reader. */
int onnx_const_ints(struct onnx_node *n, const char *suffix, const int64_t *values,
                    int count); /* [count] */
int onnx_const_floats(struct onnx_node *n, const char *suffix, const float *values,
                      int count);                                           /* [count] */
int onnx_const_float(struct onnx_node *n, const char *suffix, float value); /* a scalar */

/* ---- onnx_node.c, onnx_attr.c, onnx_emit.c ---- */

void onnx_read_node(struct onnx_importer *c, struct pare_pb_span proto, const uint8_t *at);

bool onnx_has(const struct onnx_node *n, const char *attr);
int64_t onnx_int(const struct onnx_node *n, const char *attr, int64_t fallback);
float onnx_float(const struct onnx_node *n, const char *attr, float fallback);
/* Text of a string attribute; `fallback` when it is not there. */
struct pare_pb_span onnx_string(const struct onnx_node *n, const char *attr, const char *fallback);
/* Integers of a list into values[max]; their count, -1 when the attribute is not there; more than
 * max: failure. */
int onnx_ints(const struct onnx_node *n, const char *attr, int64_t *values, int max);
int onnx_floats(const struct onnx_node *n, const char *attr, float *values, int max);
/* All numbers of a list of any length: int64_t or float, in the arena; NULL and a failure when
 * memory is out. */
const void *onnx_list(const struct onnx_node *n, const char *attr, bool ints, int64_t *count);
/* Axes from the attribute 'axes' or from a constant input 1; -1 when neither is there.
 * axes[PARE_MAX_RANK]. */
int onnx_axes(const struct onnx_node *n, int *axes);
/* An integer attribute that must lie in [lo, hi]. */
int onnx_int_in(const struct onnx_node *n, const char *attr, int64_t fallback, int64_t lo,
                int64_t hi);
bool onnx_flag(const struct onnx_node *n, const char *attr, bool fallback);
/* The tensor of an attribute, as TensorProto; size 0 and data NULL when it is not there. */
struct pare_pb_span onnx_proto(const struct onnx_node *n, const char *attr);

int onnx_input(const struct onnx_node *n, int i); /* -1 when absent */
int onnx_output(const struct onnx_node *n, int i);
int onnx_rank(struct onnx_importer *c, int t); /* -1 = not known */
void onnx_set_rank(struct onnx_importer *c, int t, int rank);

/* Adds a node to the graph with the layer's name and returns its attributes (never NULL: after a
 * failure they are a scratch copy). Valid until the next emission. */
struct pare_attr *onnx_emit(struct onnx_node *n, enum pare_op op, int n_in, const int *in,
                            int n_out, const int *out);
/* The same as a helper of the layer: its name gets the suffix. */
struct pare_attr *onnx_emit_helper(struct onnx_node *n, enum pare_op op, const char *suffix,
                                   int n_in, const int *in, int n_out, const int *out);
/* A new tensor "label/suffix". */
int onnx_fresh(struct onnx_node *n, const char *suffix, enum pare_dtype dtype);
/* One-input helpers that return the new tensor. */
int onnx_transpose(struct onnx_node *n, int x, int rank, const int *perm, const char *suffix);
int onnx_reshape(struct onnx_node *n, int x, int rank, const int64_t *dims, const char *suffix);
int onnx_cast(struct onnx_node *n, int x, enum pare_dtype to, const char *suffix);
int onnx_unsqueeze_end(struct onnx_node *n, int x, int rank, int count, const char *suffix);

/* x (NCHW of that rank) with channels last, and the reverse into the file's tensor y. Below rank 3
 * x itself. */
int onnx_to_nhwc(struct onnx_node *n, int x, int rank, const char *suffix);
int onnx_nhwc_of(struct onnx_node *n, int y,
                 int rank); /* the channels-last tensor that y will be made from */
void onnx_from_nhwc(struct onnx_node *n, int yt, int y, int rank, const char *suffix);

/* ---- onnx_functions.c ---- */

void onnx_check_functions(struct onnx_importer *c);

/* ---- onnx_ops.c ---- */

struct onnx_op {
    const char *name;
    void (*read)(struct onnx_node *n, enum pare_op op);
    enum pare_op op;
    int min_in, max_in; /* the first min_in must be present; max_in -1 = any number */
    int max_out;        /* -1 = any number */
};
/* Puts the operator table's names into c->ops. */
void onnx_ops_init(struct onnx_importer *c);
const struct onnx_op *onnx_op_find(const struct onnx_importer *c, struct pare_pb_span op_type);

/* onnx_ops_spatial.c */
void onnx_op_conv(struct onnx_node *n, enum pare_op op);
void onnx_op_conv_transpose(struct onnx_node *n, enum pare_op op);
void onnx_op_pool(struct onnx_node *n, enum pare_op op);
void onnx_op_global_pool(struct onnx_node *n, enum pare_op op);
void onnx_op_batch_norm(struct onnx_node *n, enum pare_op op);
void onnx_op_depth_space(struct onnx_node *n, enum pare_op op);
/* Window attributes shared with the integer convolutions: fills *w and *groups; false after a
 * failure or when the number of spatial axes is not known (then n->unknown is set). `weights` is
 * the weight tensor, -1 for pools. */
bool onnx_window(struct onnx_node *n, int x, int weights, struct pare_window *w, int *groups);
/* Emits the whole convolution of NCHW x with [O,I/g,k..] w into NCHW y. */
void onnx_emit_conv(struct onnx_node *n, int x, int w, int bias, int y,
                    const struct pare_window *window, int groups);

/* onnx_ops_resize.c */
void onnx_op_resize(struct onnx_node *n, enum pare_op op);
void onnx_op_upsample(struct onnx_node *n, enum pare_op op);

/* onnx_ops_math.c */
void onnx_op_unary(struct onnx_node *n, enum pare_op op);
void onnx_op_binary(struct onnx_node *n, enum pare_op op);
void onnx_op_chain(struct onnx_node *n, enum pare_op op);
void onnx_op_mean(struct onnx_node *n, enum pare_op op);
void onnx_op_clip(struct onnx_node *n, enum pare_op op);
void onnx_op_prelu(struct onnx_node *n, enum pare_op op);
void onnx_op_softmax(struct onnx_node *n, enum pare_op op);
void onnx_op_matmul(struct onnx_node *n, enum pare_op op);
void onnx_op_gemm(struct onnx_node *n, enum pare_op op);
void onnx_op_reduce(struct onnx_node *n, enum pare_op op);
void onnx_op_arg(struct onnx_node *n, enum pare_op op);
void onnx_op_cast(struct onnx_node *n, enum pare_op op);
void onnx_op_nms(struct onnx_node *n, enum pare_op op);

/* onnx_ops_shape.c */
void onnx_op_identity(struct onnx_node *n, enum pare_op op);
void onnx_op_constant(struct onnx_node *n, enum pare_op op);
void onnx_op_dropout(struct onnx_node *n, enum pare_op op);
void onnx_op_concat(struct onnx_node *n, enum pare_op op);
void onnx_op_split(struct onnx_node *n, enum pare_op op);
void onnx_op_reshape(struct onnx_node *n, enum pare_op op);
void onnx_op_squeeze(struct onnx_node *n, enum pare_op op);
void onnx_op_flatten(struct onnx_node *n, enum pare_op op);
void onnx_op_transpose(struct onnx_node *n, enum pare_op op);
void onnx_op_slice(struct onnx_node *n, enum pare_op op);
void onnx_op_gather(struct onnx_node *n, enum pare_op op);
void onnx_op_pad(struct onnx_node *n, enum pare_op op);
void onnx_op_shape(struct onnx_node *n, enum pare_op op);
void onnx_op_fill(struct onnx_node *n, enum pare_op op);

/* onnx_ops_quant.c */
void onnx_op_quantize(struct onnx_node *n, enum pare_op op);
void onnx_op_dynamic_quantize(struct onnx_node *n, enum pare_op op);
void onnx_op_qlinear_conv(struct onnx_node *n, enum pare_op op);
void onnx_op_qlinear_matmul(struct onnx_node *n, enum pare_op op);
void onnx_op_conv_integer(struct onnx_node *n, enum pare_op op);
void onnx_op_matmul_integer(struct onnx_node *n, enum pare_op op);

#endif
