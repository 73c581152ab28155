/* tflite_op.c: the table of builtin operators, and what their handlers share. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model/tflite_reader.h"

struct op_entry {
    int code;
    const char *name;
    int min_in, max_in, min_out, max_out;
    int options_type; /* of BuiltinOptions; -1 = the handler reads none */
    enum pare_status (*import)(const struct tfl_op *o);
};

#define MANY 0x7fffffff

static const struct op_entry op_table[] = {
    {0, "ADD", 2, 2, 1, 1, 11, tfl_op_binary},
    {1, "AVERAGE_POOL_2D", 1, 1, 1, 1, 5, tfl_op_pool},
    {2, "CONCATENATION", 1, MANY, 1, 1, 10, tfl_op_concat},
    {3, "CONV_2D", 2, 3, 1, 1, 1, tfl_op_conv},
    {4, "DEPTHWISE_CONV_2D", 2, 3, 1, 1, 2, tfl_op_depthwise},
    {5, "DEPTH_TO_SPACE", 1, 1, 1, 1, 94, tfl_op_block},
    {6, "DEQUANTIZE", 1, 1, 1, 1, -1, tfl_op_unary},
    {8, "FLOOR", 1, 1, 1, 1, -1, tfl_op_unary},
    {9, "FULLY_CONNECTED", 2, 3, 1, 1, 8, tfl_op_fully_connected},
    {14, "LOGISTIC", 1, 1, 1, 1, -1, tfl_op_unary},
    {17, "MAX_POOL_2D", 1, 1, 1, 1, 5, tfl_op_pool},
    {18, "MUL", 2, 2, 1, 1, 21, tfl_op_binary},
    {19, "RELU", 1, 1, 1, 1, -1, tfl_op_unary},
    {20, "RELU_N1_TO_1", 1, 1, 1, 1, -1, tfl_op_unary},
    {21, "RELU6", 1, 1, 1, 1, -1, tfl_op_unary},
    {22, "RESHAPE", 1, 2, 1, 1, 17, tfl_op_reshape},
    {23, "RESIZE_BILINEAR", 2, 2, 1, 1, 15, tfl_op_resize},
    {25, "SOFTMAX", 1, 1, 1, 1, 9, tfl_op_softmax},
    {26, "SPACE_TO_DEPTH", 1, 1, 1, 1, 19, tfl_op_block},
    {28, "TANH", 1, 1, 1, 1, -1, tfl_op_unary},
    {34, "PAD", 2, 2, 1, 1, -1, tfl_op_pad},
    {36, "GATHER", 2, 2, 1, 1, 23, tfl_op_gather},
    {39, "TRANSPOSE", 2, 2, 1, 1, -1, tfl_op_transpose},
    {40, "MEAN", 2, 2, 1, 1, 27, tfl_op_reduce},
    {41, "SUB", 2, 2, 1, 1, 28, tfl_op_binary},
    {42, "DIV", 2, 2, 1, 1, 29, tfl_op_binary},
    {43, "SQUEEZE", 1, 1, 1, 1, 30, tfl_op_squeeze},
    {45, "STRIDED_SLICE", 4, 4, 1, 1, 32, tfl_op_strided_slice},
    {47, "EXP", 1, 1, 1, 1, -1, tfl_op_unary},
    {49, "SPLIT", 2, 2, 1, MANY, 35, tfl_op_split},
    {53, "CAST", 1, 1, 1, 1, -1, tfl_op_cast},
    {54, "PRELU", 2, 2, 1, 1, -1, tfl_op_binary},
    {55, "MAXIMUM", 2, 2, 1, 1, -1, tfl_op_binary},
    {56, "ARG_MAX", 2, 2, 1, 1, -1, tfl_op_arg},
    {57, "MINIMUM", 2, 2, 1, 1, -1, tfl_op_binary},
    {59, "NEG", 1, 1, 1, 1, -1, tfl_op_unary},
    {60, "PADV2", 3, 3, 1, 1, -1, tfl_op_pad},
    {65, "SLICE", 3, 3, 1, 1, -1, tfl_op_slice},
    {67, "TRANSPOSE_CONV", 3, 4, 1, 1, 49, tfl_op_transpose_conv},
    {69, "TILE", 2, 2, 1, 1, -1, tfl_op_tile},
    {70, "EXPAND_DIMS", 2, 2, 1, 1, -1, tfl_op_expand_dims},
    {73, "LOG", 1, 1, 1, 1, -1, tfl_op_unary},
    {74, "SUM", 2, 2, 1, 1, 27, tfl_op_reduce},
    {75, "SQRT", 1, 1, 1, 1, -1, tfl_op_unary},
    {76, "RSQRT", 1, 1, 1, 1, -1, tfl_op_unary},
    {77, "SHAPE", 1, 1, 1, 1, -1, tfl_op_shape},
    {78, "POW", 2, 2, 1, 1, -1, tfl_op_binary},
    {79, "ARG_MIN", 2, 2, 1, 1, -1, tfl_op_arg},
    {82, "REDUCE_MAX", 2, 2, 1, 1, 27, tfl_op_reduce},
    {83, "PACK", 1, MANY, 1, 1, 59, tfl_op_pack},
    {88, "UNPACK", 1, 1, 1, MANY, 64, tfl_op_unpack},
    {89, "REDUCE_MIN", 2, 2, 1, 1, 27, tfl_op_reduce},
    {92, "SQUARE", 1, 1, 1, 1, -1, tfl_op_square},
    {94, "FILL", 2, 2, 1, 1, -1, tfl_op_fill},
    {96, "RANGE", 3, 3, 1, 1, -1, tfl_op_range},
    {97, "RESIZE_NEAREST_NEIGHBOR", 2, 2, 1, 1, 74, tfl_op_resize},
    {98, "LEAKY_RELU", 1, 1, 1, 1, 75, tfl_op_unary},
    {99, "SQUARED_DIFFERENCE", 2, 2, 1, 1, -1, tfl_op_square},
    {100, "MIRROR_PAD", 2, 2, 1, 1, 77, tfl_op_pad},
    {101, "ABS", 1, 1, 1, 1, -1, tfl_op_unary},
    {102, "SPLIT_V", 3, 3, 1, MANY, 79, tfl_op_split},
    {104, "CEIL", 1, 1, 1, 1, -1, tfl_op_unary},
    {106, "ADD_N", 1, MANY, 1, 1, -1, tfl_op_add_n},
    {111, "ELU", 1, 1, 1, 1, -1, tfl_op_unary},
    {114, "QUANTIZE", 1, 1, 1, 1, -1, tfl_op_unary},
    {116, "ROUND", 1, 1, 1, 1, -1, tfl_op_unary},
    {117, "HARD_SWISH", 1, 1, 1, 1, -1, tfl_op_unary},
    {126, "BATCH_MATMUL", 2, 2, 1, 1, 101, tfl_op_batch_matmul},
    {130, "BROADCAST_TO", 2, 2, 1, 1, -1, tfl_op_tile},
    {152, "RELU_0_TO_1", 1, 1, 1, 1, -1, tfl_op_unary},
};

/* Names of those that are only listed. */
static const struct {
    int code;
    const char *name;
} other_names[] = {
    {7, "EMBEDDING_LOOKUP"},
    {10, "HASHTABLE_LOOKUP"},
    {11, "L2_NORMALIZATION"},
    {12, "L2_POOL_2D"},
    {13, "LOCAL_RESPONSE_NORMALIZATION"},
    {15, "LSH_PROJECTION"},
    {16, "LSTM"},
    {24, "RNN"},
    {27, "SVDF"},
    {29, "CONCAT_EMBEDDINGS"},
    {30, "SKIP_GRAM"},
    {31, "CALL"},
    {33, "EMBEDDING_LOOKUP_SPARSE"},
    {35, "UNIDIRECTIONAL_SEQUENCE_RNN"},
    {37, "BATCH_TO_SPACE_ND"},
    {38, "SPACE_TO_BATCH_ND"},
    {44, "UNIDIRECTIONAL_SEQUENCE_LSTM"},
    {46, "BIDIRECTIONAL_SEQUENCE_RNN"},
    {48, "TOPK_V2"},
    {50, "LOG_SOFTMAX"},
    {51, "DELEGATE"},
    {52, "BIDIRECTIONAL_SEQUENCE_LSTM"},
    {58, "LESS"},
    {61, "GREATER"},
    {62, "GREATER_EQUAL"},
    {63, "LESS_EQUAL"},
    {64, "SELECT"},
    {66, "SIN"},
    {68, "SPARSE_TO_DENSE"},
    {71, "EQUAL"},
    {72, "NOT_EQUAL"},
    {80, "FAKE_QUANT"},
    {81, "REDUCE_PROD"},
    {84, "LOGICAL_OR"},
    {85, "ONE_HOT"},
    {86, "LOGICAL_AND"},
    {87, "LOGICAL_NOT"},
    {90, "FLOOR_DIV"},
    {91, "REDUCE_ANY"},
    {93, "ZEROS_LIKE"},
    {95, "FLOOR_MOD"},
    {103, "UNIQUE"},
    {105, "REVERSE_V2"},
    {107, "GATHER_ND"},
    {108, "COS"},
    {109, "WHERE"},
    {110, "RANK"},
    {112, "REVERSE_SEQUENCE"},
    {113, "MATRIX_DIAG"},
    {115, "MATRIX_SET_DIAG"},
    {118, "IF"},
    {119, "WHILE"},
    {120, "NON_MAX_SUPPRESSION_V4"},
    {121, "NON_MAX_SUPPRESSION_V5"},
    {122, "SCATTER_ND"},
    {123, "SELECT_V2"},
    {124, "DENSIFY"},
    {125, "SEGMENT_SUM"},
    {128, "CUMSUM"},
    {129, "CALL_ONCE"},
    {132, "CONV_3D"},
    {140, "REDUCE_ALL"},
    {141, "CONV_3D_TRANSPOSE"},
    {142, "VAR_HANDLE"},
    {143, "READ_VARIABLE"},
    {144, "ASSIGN_VARIABLE"},
    {145, "BROADCAST_ARGS"},
    {150, "GELU"},
    {151, "DYNAMIC_UPDATE_SLICE"},
    {158, "SIGN"},
    {206, "STABLEHLO_COMPOSITE"},
};

static const struct op_entry *find_entry(int code)
{
    for (size_t i = 0; i < sizeof op_table / sizeof op_table[0]; i++) {
        if (op_table[i].code == code) {
            return &op_table[i];
        }
    }
    return NULL;
}

const char *tfl_code_name(int code)
{
    const struct op_entry *entry = find_entry(code);
    if (entry != NULL) {
        return entry->name;
    }
    for (size_t i = 0; i < sizeof other_names / sizeof other_names[0]; i++) {
        if (other_names[i].code == code) {
            return other_names[i].name;
        }
    }
    return NULL;
}

enum pare_status tfl_op_fail(const struct tfl_op *o, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return tfl_fail(o->r, "operator %d (%.60s '%.150s'): %s", o->index, o->type, o->name, text);
}

enum pare_status tfl_no_memory(const struct tfl_op *o)
{
    return pare_fb_failed(&o->r->fb) ? tfl_check(o->r) : pare_error_nomem(o->r->err);
}

enum pare_status tfl_unknown(const struct tfl_op *o, const char *why)
{
    struct pare_graph *g = o->r->g;
    int *in = pare_arena_array(&g->arena, (size_t)o->n_in, sizeof *in);
    for (int i = 0; in != NULL && i < o->n_in; i++) {
        in[i] = o->in[i];
    }
    int node = in != NULL
                   ? pare_graph_add_node(g, PARE_OP_UNKNOWN, o->name, o->n_in, in, o->n_out, o->out)
                   : -1;
    if (node < 0) {
        return tfl_no_memory(o);
    }
    g->nodes[node].attr.op_name = o->type;
    g->nodes[node].file_offset = o->file_offset;
    pare_graph_warn(g, "operator %d '%.150s' of type %.60s %s", o->index, o->name, o->type, why);
    return PARE_OK;
}

enum pare_status tfl_import_op(struct tfl_op *o)
{
    const struct op_entry *entry = o->code == TFL_CUSTOM ? NULL : find_entry(o->code);
    if (o->code == TFL_CUSTOM && strcmp(o->type, "TFLite_Detection_PostProcess") == 0) {
        return tfl_op_detection(o);
    }
    if (entry == NULL) {
        return tfl_unknown(o, "is not known; the model can be listed, not run");
    }
    if (o->n_in < entry->min_in || o->n_in > entry->max_in || o->n_out < entry->min_out ||
        o->n_out > entry->max_out) {
        return tfl_op_fail(o, "has %d inputs and %d outputs", o->n_in, o->n_out);
    }
    for (int i = 0; i < entry->min_in && i < o->n_in; i++) {
        if (o->in[i] < 0) {
            return tfl_op_fail(o, "lacks input %d", i);
        }
    }
    for (int i = 0; i < o->n_out; i++) {
        if (o->out[i] < 0) {
            return tfl_op_fail(o, "lacks output %d", i);
        }
    }
    return entry->import(o);
}

bool tfl_options_match(int code, int options_type)
{
    const struct op_entry *entry = find_entry(code);
    return entry == NULL || entry->options_type < 0 || options_type == 0 ||
           options_type == entry->options_type;
}

int tfl_input(const struct tfl_op *o, int k)
{
    return k < o->n_in ? tfl_as_float(o->r, o->in[k]) : -1;
}

const struct pare_tensor *tfl_tensor_of(const struct tfl_op *o, int tensor)
{
    return &o->r->g->tensors[tensor];
}

int tfl_ints(const struct tfl_op *o, int k, int64_t *values, int max)
{
    const struct pare_tensor *t = k < o->n_in && o->in[k] >= 0 ? &o->r->g->tensors[o->in[k]] : NULL;
    if (t != NULL && t->rank >= 0 && pare_tensor_elements(t) == 0) {
        return 0;
    }
    return t != NULL ? pare_tensor_const_ints(t, values, max) : -1;
}

int tfl_node(const struct tfl_op *o, enum pare_op op, const char *suffix, int n_in, const int *in,
             int out)
{
    struct pare_graph *g = o->r->g;
    const char *name =
        suffix == NULL ? o->name : pare_arena_printf(&g->arena, "%s/%s", o->name, suffix);
    int node = name != NULL ? pare_graph_add_node(g, op, name, n_in, in, 1, &out) : -1;
    if (node >= 0) {
        g->nodes[node].attr.op_name = o->type;
        g->nodes[node].file_offset = o->file_offset;
    }
    return node;
}

int tfl_temp(const struct tfl_op *o, const char *suffix, enum pare_dtype dtype)
{
    struct pare_graph *g = o->r->g;
    const char *name = pare_arena_printf(&g->arena, "%s/%s", o->name, suffix);
    return name != NULL ? pare_graph_add_tensor(g, name, dtype) : -1;
}

int tfl_const_ints(const struct tfl_op *o, const char *suffix, int n, const int64_t *values)
{
    struct pare_graph *g = o->r->g;
    const char *name = pare_arena_printf(&g->arena, "%s/%s", o->name, suffix);
    int64_t dims[1] = {n};
    return name != NULL ? pare_graph_add_const(g, name, PARE_I64, 1, dims, values, (size_t)n * 8)
                        : -1;
}

bool tfl_activation_ok(int activation)
{
    return activation >= 0 && activation <= 4; /* none, relu, relu_n1_to_1, relu6, tanh */
}

int tfl_node_act(const struct tfl_op *o, enum pare_op op, int n_in, const int *in, int activation)
{
    static const enum pare_op acts[5] = {PARE_OP_IDENTITY, PARE_OP_RELU, PARE_OP_CLIP, PARE_OP_CLIP,
                                         PARE_OP_TANH};
    static const char *const names[5] = {"", "relu", "relu_n1_to_1", "relu6", "tanh"};
    struct pare_graph *g = o->r->g;
    if (activation == 0) {
        return tfl_node(o, op, NULL, n_in, in, o->out[0]);
    }
    int before = tfl_temp(o, "linear", g->tensors[o->out[0]].dtype);
    int node = before >= 0 ? tfl_node(o, op, NULL, n_in, in, before) : -1;
    int act =
        node >= 0 ? tfl_node(o, acts[activation], names[activation], 1, &before, o->out[0]) : -1;
    if (act < 0) {
        return -1;
    }
    g->nodes[act].attr.lo = activation == 2 ? -1.0f : 0.0f;
    g->nodes[act].attr.hi = activation == 2 ? 1.0f : 6.0f;
    g->tensors[before].rank = g->tensors[o->out[0]].rank;
    memcpy(g->tensors[before].dims, g->tensors[o->out[0]].dims, sizeof g->tensors[before].dims);
    return node;
}

enum pare_status tfl_axes(const struct tfl_op *o, int node, int n, const int64_t *axes, int rank)
{
    struct pare_attr *attr = &o->r->g->nodes[node].attr;
    unsigned seen = 0;
    if (n > PARE_MAX_RANK) {
        return tfl_op_fail(o, "has %d axes", n);
    }
    attr->n_axes = 0;
    for (int i = 0; i < n; i++) {
        int64_t axis = rank >= 0 && axes[i] < 0 ? axes[i] + rank : axes[i];
        if (axis < (rank >= 0 ? 0 : -PARE_MAX_RANK) || axis >= (rank >= 0 ? rank : PARE_MAX_RANK)) {
            return tfl_op_fail(o, "axis %lld is not in a tensor of rank %d", (long long)axes[i],
                               rank);
        }
        if (rank >= 0 && (seen & (1u << axis)) != 0) {
            continue; /* named twice means once */
        }
        seen |= rank >= 0 ? 1u << axis : 0;
        attr->axes[attr->n_axes++] = (int)axis;
    }
    return PARE_OK;
}
