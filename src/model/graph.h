/*
 * graph.h: the one intermediate representation of a network. Readers make it, passes rewrite it, the
 * planner runs it.
 *
 * Activations mean real numbers. An int8/uint8 TFLite file becomes a graph of F32 activation tensors whose
 * `quant` is the grid that the file fixes; its weights keep their integer codes with `quant`, its biases
 * their int32 (scale = s_x * s_w). Operators that work on true integers (indices, shapes, ONNX
 * QuantizeLinear) have integer dtypes and no `quant` on activations.
 *
 * Elementwise activations are nodes of their own (a TFLite fused activation becomes a node RELU/CLIP/TANH);
 * the planner fuses them into the layer's epilogue.
 *
 * All memory belongs to graph->arena, except constant data that points into the mapped file, which the
 * graph also owns (closed by pare_graph_free). Constant data is host-endian and aligned for its dtype.
 */
#ifndef PARE_GRAPH_H
#define PARE_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/status.h"

#define PARE_MAX_RANK 8

enum pare_dtype {
    PARE_F32, PARE_F16, PARE_BF16, PARE_F64,
    PARE_I8, PARE_U8, PARE_I16, PARE_U16, PARE_I32, PARE_U32, PARE_I64, PARE_U64,
    PARE_BOOL,
    PARE_I4, PARE_U4, PARE_I2, PARE_U2, /* packed, least significant bits first */
    PARE_STRING,
    PARE_DTYPE_COUNT
};

/* Bits of one element (I4: 4; STRING: 0) and the name ("float32"). */
int pare_dtype_bits(enum pare_dtype t);
const char *pare_dtype_name(enum pare_dtype t);

enum pare_op {
#define PARE_OPS_X(name, text, is_layer) PARE_OP_##name,
#include "model/ops.inc"
    PARE_OP_COUNT
};
const char *pare_op_name(enum pare_op op);

/* real = scale[i] * (code - zero_point[i]); i = 0 (per tensor) or the index along `axis`. */
struct pare_quant {
    int n;                      /* 1, or the size of dims[axis] */
    int axis;                   /* -1 = per tensor */
    const float *scale;         /* [n], finite, > 0 */
    const int32_t *zero_point;  /* [n] */
    enum pare_dtype dtype;      /* of the codes in the file: I8, U8, I16, I4, I32 */
};

struct pare_tensor {
    const char *name;           /* UTF-8 as in the file; escape before printing */
    const char *source;         /* the file's tensor that this is in another layout, NULL = it is the file's own, or made here */
    enum pare_dtype dtype;
    int rank;                   /* -1 = unknown */
    int64_t dims[PARE_MAX_RANK];/* -1 = unknown */
    const void *data;           /* constant data, or NULL */
    size_t size_bytes;          /* of data */
    const struct pare_quant *quant; /* or NULL */
    int producer;               /* node index, -1 = graph input or constant */
    bool is_input, is_output;
    size_t file_offset;         /* of constant data in its file, for messages; 0 = unknown */
};

enum pare_auto_pad { PARE_PAD_EXPLICIT, PARE_PAD_SAME_UPPER, PARE_PAD_SAME_LOWER, PARE_PAD_VALID };
enum pare_pad_mode { PARE_PAD_CONSTANT, PARE_PAD_REFLECT, PARE_PAD_EDGE, PARE_PAD_WRAP, PARE_PAD_SYMMETRIC };

struct pare_window {
    int n_spatial; /* 1..3; index 0 is the outermost spatial axis */
    int kernel[3], stride[3], dilation[3];
    int pad_before[3], pad_after[3], output_padding[3];
    int output_shape[3];        /* CONV_TRANSPOSE: wanted spatial sizes, 0 = not given */
    enum pare_auto_pad auto_pad; /* shape inference resolves it into pad_before/after and sets EXPLICIT */
};

enum pare_resize_mode { PARE_RESIZE_NEAREST, PARE_RESIZE_LINEAR, PARE_RESIZE_CUBIC };
enum pare_resize_coord {
    PARE_COORD_HALF_PIXEL, PARE_COORD_HALF_PIXEL_SYMMETRIC, PARE_COORD_PYTORCH_HALF_PIXEL,
    PARE_COORD_ALIGN_CORNERS, PARE_COORD_ASYMMETRIC, PARE_COORD_TF_CROP_AND_RESIZE
};
enum pare_resize_nearest {
    PARE_NEAREST_ROUND_PREFER_FLOOR, PARE_NEAREST_ROUND_PREFER_CEIL, PARE_NEAREST_FLOOR, PARE_NEAREST_CEIL
};
enum pare_aspect { PARE_ASPECT_STRETCH, PARE_ASPECT_NOT_LARGER, PARE_ASPECT_NOT_SMALLER };

struct pare_resize {
    enum pare_resize_mode mode;
    enum pare_resize_coord coord;
    enum pare_resize_nearest nearest;
    enum pare_aspect aspect;
    float cubic_a, extrapolation;
    bool exclude_outside, antialias;
};

/* TFLite_Detection_PostProcess: inputs box encodings [1,n,4], class predictions [1,n,classes(+1)], anchors [n,4] */
struct pare_detection {
    int max_detections, max_classes_per_detection, detections_per_class, n_classes;
    bool use_regular_nms;
    float score_threshold, iou_threshold;
    float y_scale, x_scale, h_scale, w_scale;
};

struct pare_attr {
    struct pare_window window;
    int groups;
    bool ceil_mode, count_include_pad;
    int axis;
    int n_axes;                 /* entries used in axes/begin/end/step/pad_*; -1 = not given (take the input) */
    int axes[PARE_MAX_RANK];
    int64_t begin[PARE_MAX_RANK], end[PARE_MAX_RANK], step[PARE_MAX_RANK];
    int64_t pad_before[PARE_MAX_RANK], pad_after[PARE_MAX_RANK];
    int perm[PARE_MAX_RANK];
    int n_sizes;                /* SPLIT; -1 = not given */
    const int64_t *sizes;
    bool keep_dims, select_last, allow_zero, noop_with_empty_axes;
    bool trans_a, trans_b, crd;
    float alpha, beta, epsilon, lo, hi, value;
    enum pare_pad_mode pad_mode;
    int block, block_size;
    enum pare_dtype to;
    bool saturate;
    struct pare_resize resize;
    struct pare_detection post;
    int64_t max_boxes_per_class; /* unused by readers; NMS takes inputs */
    bool center_point_box;
    bool newer_softmax;          /* ONNX opset >= 13: softmax over one axis; older: over all from axis on */
    int storage_order;
    const char *op_name;         /* as written in the file ("Conv", "CONV_2D", custom code) */
};

/* BatchNorm statistics kept when a BATCH_NORM was folded into this layer; [n] each, in the folded layer's
 * output channels; used by data-free methods: y ~ N(beta, gamma^2) before the activation. */
struct pare_bn_stats {
    int n;
    const float *gamma, *beta, *mean, *variance;
};

#define PARE_MAX_INPUTS 64 /* a node may have more: see in_many */

struct pare_node {
    enum pare_op op;
    const char *name;           /* layer name: the node's, or its first output tensor's; unique in the graph */
    int n_in, n_out;
    int *in, *out;              /* tensor indices; in[i] = -1 when absent */
    struct pare_attr attr;
    const struct pare_bn_stats *bn; /* or NULL */
    size_t file_offset;         /* of the node in its file, 0 = unknown */
};

enum pare_format { PARE_FORMAT_ONNX, PARE_FORMAT_TFLITE };

struct pare_graph {
    struct pare_arena arena;
    struct pare_file file;
    enum pare_format format;
    int64_t opset;              /* ONNX default-domain opset; TFLite schema version */
    const char *producer;       /* text for `pare info`, or "" */
    int n_tensors, cap_tensors;
    struct pare_tensor *tensors;
    int n_nodes, cap_nodes;
    struct pare_node *nodes;    /* in topological order after pare_graph_finish */
    int n_inputs, n_outputs;
    int *inputs, *outputs;      /* tensor indices, in the file's order */
    int n_unknown;              /* nodes of op UNKNOWN */
    int n_warnings;
    const char *warnings[32];   /* accepted with a warning; already escaped */
};

/* An empty graph; NULL when memory is out. */
struct pare_graph *pare_graph_new(void);
void pare_graph_free(struct pare_graph *g); /* NULL is fine */

/* Adds and returns the index, -1 when memory is out. Pointers to tensors/nodes move: hold indices. */
int pare_graph_add_tensor(struct pare_graph *g, const char *name, enum pare_dtype dtype);
/* in/out are copied. Defaults: groups 1, n_axes -1, n_sizes -1, strides and dilations 1, alpha 1, beta 1. */
int pare_graph_add_node(struct pare_graph *g, enum pare_op op, const char *name, int n_in, const int *in,
                        int n_out, const int *out);
/* A constant tensor with a copy of data (arena). */
int pare_graph_add_const(struct pare_graph *g, const char *name, enum pare_dtype dtype, int rank,
                         const int64_t *dims, const void *data, size_t size_bytes);
void pare_graph_warn(struct pare_graph *g, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* product(dims), -1 when unknown or when it overflows int64. Rank 0 = 1. */
int64_t pare_tensor_elements(const struct pare_tensor *t);
/* Bytes of that many elements (packed types round up); SIZE_MAX on overflow. */
size_t pare_dtype_bytes(enum pare_dtype t, int64_t elements);
/* "1x24x24x32" into buf */
void pare_tensor_shape_text(const struct pare_tensor *t, char *buf, size_t size);
/* Constant integer tensor (I64/I32/...) as int64; returns the count, -1 when not constant or not integer. */
int pare_tensor_const_ints(const struct pare_tensor *t, int64_t *values, int max);

/* Number of nodes that read tensor t, plus 1 when it is a graph output. */
int pare_graph_consumers(const struct pare_graph *g, int tensor);

/* Is this node a layer (quantizable: conv, depthwise, transposed conv, fully connected with constant weights)? */
bool pare_node_is_layer(const struct pare_graph *g, int node);
/* Multiply-accumulates of one run of a layer (0 for others), and its parameters (weights, biases). */
int64_t pare_node_macs(const struct pare_graph *g, int node);
int64_t pare_node_weights(const struct pare_graph *g, int node); /* number of weights, without biases */
int64_t pare_node_biases(const struct pare_graph *g, int node);
/* Output channels and weights per channel (K) of a layer. */
int64_t pare_node_out_channels(const struct pare_graph *g, int node);

/* ---- the steps from file to runnable graph (model.c calls them in this order) ---- */

/* Checks all indices, single producers, no cycles, unique layer names (made unique with a warning);
 * sorts nodes topologically. `where` names the file in messages. */
enum pare_status pare_graph_finish(struct pare_graph *g, const char *where, struct pare_error *err);

/* Infers and checks all shapes (static; unknown batch = 1), folds constant integer shape arithmetic, resolves
 * auto_pad. A shape that disagrees with the file's is an error naming the node. */
enum pare_status pare_shapes_infer(struct pare_graph *g, const char *where, struct pare_error *err);

struct pare_pass_report {
    int n_bn_folded, n_prelu_fused, n_transposes_removed, n_dead_removed, n_constants_folded;
};
/* Semantics-preserving rewrites: constants folded, BatchNorm folded with its statistics kept, PReLU written as
 * Relu/Neg/Mul/Add fused again, swish/hard-swish recognised, depthwise recognised, matmul/gemm -> fully
 * connected, layout transposes moved and cancelled, identities and dead nodes removed. */
enum pare_status pare_passes_run(struct pare_graph *g, const char *where, struct pare_pass_report *report,
                                 struct pare_error *err);

/* Readers. They map the file; data stays valid as long as the graph. max_bytes caps the file's size. */
enum pare_status pare_onnx_read(const char *path, struct pare_graph **graph, struct pare_error *err);
enum pare_status pare_tflite_read(const char *path, struct pare_graph **graph, struct pare_error *err);
/* The same from memory (fuzzing, tests); data must outlive the graph. `where` is used in messages. */
enum pare_status pare_onnx_parse(const void *data, size_t size, const char *where,
                                 struct pare_graph **graph, struct pare_error *err);
enum pare_status pare_tflite_parse(const void *data, size_t size, const char *where,
                                   struct pare_graph **graph, struct pare_error *err);

/* Opens by content (TFL3 at byte 4 = TFLite, else ONNX), finish + shapes + passes + shapes. */
enum pare_status pare_model_open(const char *path, struct pare_graph **graph, struct pare_error *err);

#endif
