/*
 * tflite_reader.h: what the files of the TFLite reader share. tflite.c checks the model and drives;
 * tflite_tensor.c turns tensors and their quantization into the graph's; tflite_op.c turns
 * operators into nodes, with one handler each in tflite_ops_*.c; tflite_flex.c reads the options of
 * custom operators.
 *
 * Tensor i of subgraph 0 is tensor i of the graph. Handlers trust nothing: every number of the file
 * is checked where it is used, and every failure names the operator or tensor.
 */
#ifndef PARE_TFLITE_READER_H
#define PARE_TFLITE_READER_H

#include "model/flatbuffer.h"
#include "model/graph.h"

/* Facts of the schema (version 3): field numbers of the tables that are read. */
enum { MODEL_VERSION, MODEL_OPERATOR_CODES, MODEL_SUBGRAPHS, MODEL_DESCRIPTION, MODEL_BUFFERS };
enum { OPCODE_OLD_CODE, OPCODE_CUSTOM, OPCODE_VERSION, OPCODE_CODE };
enum { SUBGRAPH_TENSORS, SUBGRAPH_INPUTS, SUBGRAPH_OUTPUTS, SUBGRAPH_OPERATORS, SUBGRAPH_NAME };
enum {
    TENSOR_SHAPE,
    TENSOR_TYPE,
    TENSOR_BUFFER,
    TENSOR_NAME,
    TENSOR_QUANTIZATION,
    TENSOR_IS_VARIABLE,
    TENSOR_SPARSITY,
    TENSOR_SHAPE_SIGNATURE,
    TENSOR_HAS_RANK,
    TENSOR_VARIANTS,
    TENSOR_EXTERNAL_BUFFER
};
enum {
    QUANT_MIN,
    QUANT_MAX,
    QUANT_SCALE,
    QUANT_ZERO_POINT,
    QUANT_DETAILS_TYPE,
    QUANT_DETAILS,
    QUANT_DIMENSION
};
enum { BUFFER_DATA, BUFFER_OFFSET, BUFFER_SIZE };
enum {
    OPERATOR_CODE,
    OPERATOR_INPUTS,
    OPERATOR_OUTPUTS,
    OPERATOR_OPTIONS_TYPE,
    OPERATOR_OPTIONS,
    OPERATOR_CUSTOM_OPTIONS,
    OPERATOR_CUSTOM_FORMAT,
    OPERATOR_MUTATING,
    OPERATOR_INTERMEDIATES,
    OPERATOR_LARGE_OFFSET,
    OPERATOR_LARGE_SIZE,
    OPERATOR_OPTIONS2_TYPE,
    OPERATOR_OPTIONS2
};

/* Tensor types of the schema. */
enum {
    TFL_FLOAT32,
    TFL_FLOAT16,
    TFL_INT32,
    TFL_UINT8,
    TFL_INT64,
    TFL_STRING,
    TFL_BOOL,
    TFL_INT16,
    TFL_COMPLEX64,
    TFL_INT8,
    TFL_FLOAT64,
    TFL_COMPLEX128,
    TFL_UINT64,
    TFL_RESOURCE,
    TFL_VARIANT,
    TFL_UINT32,
    TFL_UINT16,
    TFL_INT4,
    TFL_BFLOAT16,
    TFL_INT2,
    TFL_UINT4,
    TFL_FLOAT8_E4M3,
    TFL_FLOAT8_E5M2,
    TFL_TYPE_COUNT
};

enum { TFL_CUSTOM = 32, TFL_MAX_CODE = 209 };

struct tfl_opcode {
    int builtin;        /* TFL_CUSTOM for custom */
    const char *custom; /* code of a custom operator, else NULL */
};

struct tfl_tensor {
    enum pare_dtype file_dtype;
    const struct pare_quant
        *quant;       /* of the file, also where the graph's tensor does not carry it */
    int as_float;     /* graph tensor with the dequantized constant; -1 = not made */
    int as_depthwise; /* graph tensor [kh, kw, C]; -1 = not made */
    bool shape_known;
};

struct pare_tflite {
    struct pare_fb fb;
    const char *where;
    struct pare_graph *g;
    struct pare_error *err;
    int n_opcodes;
    struct tfl_opcode *opcodes;
    struct pare_fb_vector subgraphs, buffers;
    int n_tensors;              /* of subgraph 0 */
    struct tfl_tensor *tensors; /* [n_tensors] */
};

/* One operator while it is imported. */
struct tfl_op {
    struct pare_tflite *r;
    int index;        /* in the file */
    int code;         /* builtin */
    const char *type; /* "CONV_2D", or the custom code */
    const char *name; /* layer name: first part of the output's name */
    struct pare_fb_table options;
    struct pare_fb_vector custom_options;
    int n_in, n_out;
    const int *in, *out; /* graph tensors; -1 = absent */
    size_t file_offset;
};

/* Errors: `return tfl_fail(r, "tensor %d ...", ...)`; tfl_op_fail puts the operator's number, type,
 * name in front. */
enum pare_status tfl_fail(struct pare_tflite *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum pare_status tfl_op_fail(const struct tfl_op *o, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* OK, or the FlatBuffers reader's failure as an error. */
enum pare_status tfl_check(struct pare_tflite *r);
/* A string field as a C string in the graph's arena ("" when absent; what follows a NUL in it is
 * cut). */
enum pare_status tfl_string(struct pare_tflite *r, const struct pare_fb_table *t, int field,
                            const char **s);

/* ---- tflite_tensor.c ---- */

/* Adds all tensors of a subgraph. */
enum pare_status tfl_read_tensors(struct pare_tflite *r, const struct pare_fb_vector *tensors);
/* ---- tflite_const.c ---- */

/* Codes that stand for real numbers when a scale comes with them. */
bool tfl_is_code(enum pare_dtype t);
/* A constant's codes as a float32 constant (new tensor, made once); other tensors as they are. -1:
 * no memory or over budget (tfl_check tells). */
int tfl_as_float(struct pare_tflite *r, int tensor);
/* Constant weights [1, kh, kw, C] as [kh, kw, C], made once. */
int tfl_as_depthwise(struct pare_tflite *r, int tensor);
/* Folds DEQUANTIZE of a constant: `to` becomes a float32 constant with from's values. */
enum pare_status tfl_fold_dequantize(struct pare_tflite *r, int from, int to, bool *folded);

/* ---- tflite_op.c ---- */

/* Imports one operator. in/out are checked tensor indices. */
enum pare_status tfl_import_op(struct tfl_op *o);
/* May options of this type belong to an operator of this code? */
bool tfl_options_match(int code, int options_type);
/* Name of a builtin operator code, or NULL when it is not known. */
const char *tfl_code_name(int code);

/* Helpers of handlers. Those that return an index give -1 when memory is out (report with
 * tfl_no_memory). */
enum pare_status tfl_no_memory(const struct tfl_op *o);
/* Input k as a tensor of real numbers (or true integers); -1 when absent. */
int tfl_input(const struct tfl_op *o, int k);
const struct pare_tensor *tfl_tensor_of(const struct tfl_op *o, int tensor);
/* Constant integers of input k into values; count, or -1 when absent, not constant or more than
 * max. */
int tfl_ints(const struct tfl_op *o, int k, int64_t *values, int max);
/* Adds a node that writes `out`. suffix NULL: it is the operator itself; else name/suffix. */
int tfl_node(const struct tfl_op *o, enum pare_op op, const char *suffix, int n_in, const int *in,
             int out);
/* The same, but a fused activation (schema's number) follows as a node of its own. Returns the
 * first node. */
int tfl_node_act(const struct tfl_op *o, enum pare_op op, int n_in, const int *in, int activation);
/* An intermediate tensor: name of the output + "/suffix", dtype, shape unknown. */
int tfl_temp(const struct tfl_op *o, const char *suffix, enum pare_dtype dtype);
/* A constant I64 vector. */
int tfl_const_ints(const struct tfl_op *o, const char *suffix, int n, const int64_t *values);
/* Adds the operator as UNKNOWN, with a warning. */
enum pare_status tfl_unknown(const struct tfl_op *o, const char *why);
/* attr.axes from axes of a tensor of this rank (negative ones count from the end; rank -1 =
 * unknown: kept). */
enum pare_status tfl_axes(const struct tfl_op *o, int node, int n, const int64_t *axes, int rank);
/* Is this fused activation one that we know? */
bool tfl_activation_ok(int activation);

/* Handlers, in tflite_ops_*.c. */
enum pare_status tfl_op_conv(const struct tfl_op *o);
enum pare_status tfl_op_depthwise(const struct tfl_op *o);
enum pare_status tfl_op_transpose_conv(const struct tfl_op *o);
enum pare_status tfl_op_fully_connected(const struct tfl_op *o);
enum pare_status tfl_op_batch_matmul(const struct tfl_op *o);
enum pare_status tfl_op_pool(const struct tfl_op *o);

enum pare_status tfl_op_unary(const struct tfl_op *o);
enum pare_status tfl_op_binary(const struct tfl_op *o);
enum pare_status tfl_op_square(const struct tfl_op *o);
enum pare_status tfl_op_add_n(const struct tfl_op *o);
enum pare_status tfl_op_softmax(const struct tfl_op *o);
enum pare_status tfl_op_cast(const struct tfl_op *o);
enum pare_status tfl_op_reduce(const struct tfl_op *o);
enum pare_status tfl_op_arg(const struct tfl_op *o);
enum pare_status tfl_op_resize(const struct tfl_op *o);
enum pare_status tfl_op_detection(const struct tfl_op *o);

enum pare_status tfl_op_concat(const struct tfl_op *o);
enum pare_status tfl_op_split(const struct tfl_op *o);
enum pare_status tfl_op_pack(const struct tfl_op *o);
enum pare_status tfl_op_unpack(const struct tfl_op *o);
enum pare_status tfl_op_reshape(const struct tfl_op *o);
enum pare_status tfl_op_squeeze(const struct tfl_op *o);
enum pare_status tfl_op_expand_dims(const struct tfl_op *o);
enum pare_status tfl_op_transpose(const struct tfl_op *o);
enum pare_status tfl_op_slice(const struct tfl_op *o);
enum pare_status tfl_op_strided_slice(const struct tfl_op *o);
enum pare_status tfl_op_gather(const struct tfl_op *o);
enum pare_status tfl_op_pad(const struct tfl_op *o);
enum pare_status tfl_op_shape(const struct tfl_op *o);
enum pare_status tfl_op_tile(const struct tfl_op *o);
enum pare_status tfl_op_fill(const struct tfl_op *o);
enum pare_status tfl_op_range(const struct tfl_op *o);
enum pare_status tfl_op_block(const struct tfl_op *o);

/* ---- tflite_flex.c ---- */

/* Reads a FlexBuffers map of numbers. Returns false when the bytes are no such map. */
struct tfl_flex {
    const uint8_t *data;
    size_t size;
    size_t keys, values, n; /* of the map */
    unsigned key_width, width;
};
bool tfl_flex_open(struct tfl_flex *f, const uint8_t *data, size_t size);
/* The number (or bool) under key; false when there is none or it is no number. */
bool tfl_flex_number(const struct tfl_flex *f, const char *key, double *value);

#endif
