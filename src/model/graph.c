#include "model/graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

int pare_dtype_bits(enum pare_dtype t)
{
    static const int bits[PARE_DTYPE_COUNT] = {
        [PARE_F32] = 32, [PARE_F16] = 16, [PARE_BF16] = 16, [PARE_F64] = 64, [PARE_I8] = 8,
        [PARE_U8] = 8,   [PARE_I16] = 16, [PARE_U16] = 16,  [PARE_I32] = 32, [PARE_U32] = 32,
        [PARE_I64] = 64, [PARE_U64] = 64, [PARE_BOOL] = 8,  [PARE_I4] = 4,   [PARE_U4] = 4,
        [PARE_I2] = 2,   [PARE_U2] = 2,   [PARE_STRING] = 0,
    };
    return (unsigned)t < PARE_DTYPE_COUNT ? bits[t] : 0;
}

const char *pare_dtype_name(enum pare_dtype t)
{
    static const char *const names[PARE_DTYPE_COUNT] = {
        "float32", "float16", "bfloat16", "float64", "int8", "uint8", "int16", "uint16", "int32",
        "uint32",  "int64",   "uint64",   "bool",    "int4", "uint4", "int2",  "uint2",  "string",
    };
    return (unsigned)t < PARE_DTYPE_COUNT ? names[t] : "?";
}

const char *pare_op_name(enum pare_op op)
{
    static const char *const names[PARE_OP_COUNT] = {
#define PARE_OPS_X(name, text, is_layer) text,
#include "model/ops.inc"
    };
    return (unsigned)op < PARE_OP_COUNT ? names[op] : "?";
}

struct pare_graph *pare_graph_new(void)
{
    return calloc(1, sizeof(struct pare_graph));
}

void pare_graph_free(struct pare_graph *g)
{
    if (g == NULL) {
        return;
    }
    pare_arena_clear(&g->arena);
    pare_file_close(&g->file);
    free(g->tensors);
    free(g->nodes);
    free(g->inputs);
    free(g->outputs);
    free(g);
}

/* Doubles *array when count has reached *cap. */
static bool grow(void **array, int *cap, int count, size_t size)
{
    if (count < *cap) {
        return true;
    }
    int new_cap = *cap > 0 ? *cap * 2 : 64;
    void *memory = realloc(*array, (size_t)new_cap * size);
    if (memory == NULL) {
        return false;
    }
    *array = memory;
    *cap = new_cap;
    return true;
}

int pare_graph_add_tensor(struct pare_graph *g, const char *name, enum pare_dtype dtype)
{
    void *array = g->tensors;
    if (!grow(&array, &g->cap_tensors, g->n_tensors, sizeof *g->tensors)) {
        return -1;
    }
    g->tensors = array;
    struct pare_tensor *t = &g->tensors[g->n_tensors];
    memset(t, 0, sizeof *t);
    t->name = pare_arena_strdup(&g->arena, name);
    if (t->name == NULL) {
        return -1;
    }
    t->dtype = dtype;
    t->rank = -1;
    t->producer = -1;
    return g->n_tensors++;
}

int pare_graph_add_node(struct pare_graph *g, enum pare_op op, const char *name, int n_in, const int *in,
                        int n_out, const int *out)
{
    void *array = g->nodes;
    if (!grow(&array, &g->cap_nodes, g->n_nodes, sizeof *g->nodes)) {
        return -1;
    }
    g->nodes = array;
    struct pare_node *node = &g->nodes[g->n_nodes];
    memset(node, 0, sizeof *node);
    node->op = op;
    node->name = pare_arena_strdup(&g->arena, name);
    node->in = pare_arena_array(&g->arena, (size_t)n_in, sizeof *node->in);
    node->out = pare_arena_array(&g->arena, (size_t)n_out, sizeof *node->out);
    if (node->name == NULL || node->in == NULL || node->out == NULL) {
        return -1;
    }
    node->n_in = n_in;
    node->n_out = n_out;
    for (int i = 0; i < n_in; i++) {
        node->in[i] = in[i];
    }
    for (int i = 0; i < n_out; i++) {
        node->out[i] = out[i];
        if (out[i] >= 0 && out[i] < g->n_tensors) {
            g->tensors[out[i]].producer = g->n_nodes;
        }
    }
    node->attr.groups = 1;
    node->attr.n_axes = -1;
    node->attr.n_sizes = -1;
    node->attr.alpha = 1.0f;
    node->attr.beta = 1.0f;
    for (int i = 0; i < 3; i++) {
        node->attr.window.stride[i] = 1;
        node->attr.window.dilation[i] = 1;
    }
    return g->n_nodes++;
}

int pare_graph_add_const(struct pare_graph *g, const char *name, enum pare_dtype dtype, int rank,
                         const int64_t *dims, const void *data, size_t size_bytes)
{
    int index = pare_graph_add_tensor(g, name, dtype);
    void *copy = pare_arena_alloc(&g->arena, size_bytes);
    if (index < 0 || copy == NULL || rank > PARE_MAX_RANK) {
        return -1;
    }
    if (size_bytes > 0) {
        memcpy(copy, data, size_bytes);
    }
    struct pare_tensor *t = &g->tensors[index];
    t->rank = rank;
    for (int i = 0; i < rank; i++) {
        t->dims[i] = dims[i];
    }
    t->data = copy;
    t->size_bytes = size_bytes;
    return index;
}

void pare_graph_warn(struct pare_graph *g, const char *format, ...)
{
    char raw[512], escaped[768];
    va_list args;
    if (g->n_warnings >= (int)(sizeof g->warnings / sizeof g->warnings[0])) {
        return;
    }
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    pare_escape(raw, strlen(raw), escaped, sizeof escaped);
    const char *copy = pare_arena_strdup(&g->arena, escaped);
    if (copy != NULL) {
        g->warnings[g->n_warnings++] = copy;
    }
}

int64_t pare_tensor_elements(const struct pare_tensor *t)
{
    int64_t n = 1;
    if (t->rank < 0) {
        return -1;
    }
    for (int i = 0; i < t->rank; i++) {
        if (t->dims[i] < 0 || __builtin_mul_overflow(n, t->dims[i], &n)) {
            return -1;
        }
    }
    return n;
}

size_t pare_dtype_bytes(enum pare_dtype t, int64_t elements)
{
    size_t bits;
    if (elements < 0 || __builtin_mul_overflow((size_t)elements, (size_t)pare_dtype_bits(t), &bits) ||
        bits > SIZE_MAX - 7) {
        return SIZE_MAX;
    }
    return (bits + 7) / 8;
}

void pare_tensor_shape_text(const struct pare_tensor *t, char *buf, size_t size)
{
    size_t used = 0;
    if (size == 0) {
        return;
    }
    buf[0] = '\0';
    if (t->rank <= 0) {
        snprintf(buf, size, "%s", t->rank == 0 ? "scalar" : "?");
        return;
    }
    for (int i = 0; i < t->rank && used < size; i++) {
        int n = t->dims[i] < 0 ? snprintf(buf + used, size - used, "%s?", i > 0 ? "x" : "")
                               : snprintf(buf + used, size - used, "%s%lld", i > 0 ? "x" : "",
                                          (long long)t->dims[i]);
        used += n > 0 ? (size_t)n : 0;
    }
}

int pare_tensor_const_ints(const struct pare_tensor *t, int64_t *values, int max)
{
    int64_t n = pare_tensor_elements(t);
    if (t->data == NULL || n < 0 || n > max || t->size_bytes < pare_dtype_bytes(t->dtype, n)) {
        return -1;
    }
    for (int i = 0; i < (int)n; i++) {
        switch (t->dtype) {
        case PARE_I64: memcpy(&values[i], (const char *)t->data + 8 * (size_t)i, 8); break;
        case PARE_I32: values[i] = ((const int32_t *)t->data)[i]; break;
        case PARE_I16: values[i] = ((const int16_t *)t->data)[i]; break;
        case PARE_I8: values[i] = ((const int8_t *)t->data)[i]; break;
        case PARE_U8:
        case PARE_BOOL: values[i] = ((const uint8_t *)t->data)[i]; break;
        default: return -1;
        }
    }
    return (int)n;
}

int pare_graph_consumers(const struct pare_graph *g, int tensor)
{
    int count = g->tensors[tensor].is_output ? 1 : 0;
    for (int i = 0; i < g->n_nodes; i++) {
        for (int k = 0; k < g->nodes[i].n_in; k++) {
            count += g->nodes[i].in[k] == tensor;
        }
    }
    return count;
}

static bool op_is_layer(enum pare_op op)
{
    static const bool is_layer_op[PARE_OP_COUNT] = {
#define PARE_OPS_X(name, text, is_layer) is_layer,
#include "model/ops.inc"
    };
    return (unsigned)op < PARE_OP_COUNT && is_layer_op[op];
}

bool pare_node_is_layer(const struct pare_graph *g, int node)
{
    const struct pare_node *n = &g->nodes[node];
    return op_is_layer(n->op) && n->n_in >= 2 && n->in[1] >= 0 && g->tensors[n->in[1]].data != NULL &&
           g->tensors[n->in[0]].data == NULL;
}

int64_t pare_node_weights(const struct pare_graph *g, int node)
{
    return pare_node_is_layer(g, node) ? pare_tensor_elements(&g->tensors[g->nodes[node].in[1]]) : 0;
}

int64_t pare_node_biases(const struct pare_graph *g, int node)
{
    const struct pare_node *n = &g->nodes[node];
    return pare_node_is_layer(g, node) && n->n_in > 2 && n->in[2] >= 0
               ? pare_tensor_elements(&g->tensors[n->in[2]])
               : 0;
}

int64_t pare_node_out_channels(const struct pare_graph *g, int node)
{
    const struct pare_node *n = &g->nodes[node];
    if (!pare_node_is_layer(g, node)) {
        return 0;
    }
    const struct pare_tensor *w = &g->tensors[n->in[1]];
    return n->op == PARE_OP_DEPTHWISE ? w->dims[w->rank - 1] : w->dims[0];
}

int64_t pare_node_macs(const struct pare_graph *g, int node)
{
    const struct pare_node *n = &g->nodes[node];
    int64_t channels = pare_node_out_channels(g, node), weights = pare_node_weights(g, node);
    if (channels <= 0 || weights < 0) {
        return 0;
    }
    /* Transposed convolution: every input pixel meets every weight of its group; others: every output pixel. */
    const struct pare_tensor *pixels = &g->tensors[n->op == PARE_OP_CONV_TRANSPOSE ? n->in[0] : n->out[0]];
    int64_t elements = pare_tensor_elements(pixels);
    int64_t last = pixels->rank > 0 ? pixels->dims[pixels->rank - 1] : 1;
    return elements > 0 && last > 0 ? elements / last * weights : 0;
}
