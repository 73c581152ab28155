/*
 * onnx_writer.h: writes ONNX files byte by byte for tests, right or wrong as the test wants. A
 * message is a struct bytes; onnx_put_* append fields; onnx_put_message takes the inner message and
 * frees it.
 */
#ifndef PARE_TEST_ONNX_WRITER_H
#define PARE_TEST_ONNX_WRITER_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
    uint8_t *data;
    size_t size, capacity;
};

static inline void onnx_put(struct bytes *b, const void *data, size_t n)
{
    if (b->size + n > b->capacity) {
        b->capacity = (b->size + n) * 2 + 64;
        b->data = realloc(b->data, b->capacity);
    }
    if (n > 0) {
        memcpy(b->data + b->size, data, n);
    }
    b->size += n;
}

static inline void onnx_put_varint(struct bytes *b, uint64_t v)
{
    uint8_t out[10];
    size_t n = 0;
    do {
        out[n++] = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        v >>= 7;
    } while (v != 0);
    onnx_put(b, out, n);
}

static inline void onnx_put_tag(struct bytes *b, unsigned field, unsigned wire)
{
    onnx_put_varint(b, (uint64_t)field << 3 | wire);
}

static inline void onnx_put_int(struct bytes *b, unsigned field, int64_t v)
{
    onnx_put_tag(b, field, 0);
    onnx_put_varint(b, (uint64_t)v);
}

static inline void onnx_put_float(struct bytes *b, unsigned field, float v)
{
    onnx_put_tag(b, field, 5);
    onnx_put(b, &v, sizeof v);
}

static inline void onnx_put_bytes(struct bytes *b, unsigned field, const void *data, size_t n)
{
    onnx_put_tag(b, field, 2);
    onnx_put_varint(b, n);
    onnx_put(b, data, n);
}

static inline void onnx_put_text(struct bytes *b, unsigned field, const char *text)
{
    onnx_put_bytes(b, field, text, strlen(text));
}

static inline void onnx_put_message(struct bytes *b, unsigned field, struct bytes inner)
{
    onnx_put_bytes(b, field, inner.data, inner.size);
    free(inner.data);
}

/* ---- attributes: each is an AttributeProto that onnx_node takes ---- */

static inline struct bytes onnx_attr(const char *name, int type)
{
    struct bytes a = {0};
    onnx_put_text(&a, 1, name);
    onnx_put_int(&a, 20, type);
    return a;
}

static inline void onnx_attr_int(struct bytes *node, const char *name, int64_t v)
{
    struct bytes a = onnx_attr(name, 2);
    onnx_put_int(&a, 3, v);
    onnx_put_message(node, 5, a);
}

static inline void onnx_attr_float(struct bytes *node, const char *name, float v)
{
    struct bytes a = onnx_attr(name, 1);
    onnx_put_float(&a, 2, v);
    onnx_put_message(node, 5, a);
}

static inline void onnx_attr_text(struct bytes *node, const char *name, const char *v)
{
    struct bytes a = onnx_attr(name, 3);
    onnx_put_text(&a, 4, v);
    onnx_put_message(node, 5, a);
}

static inline void onnx_attr_ints(struct bytes *node, const char *name, int n, const int64_t *v)
{
    struct bytes a = onnx_attr(name, 7);
    for (int i = 0; i < n; i++) {
        onnx_put_int(&a, 8, v[i]);
    }
    onnx_put_message(node, 5, a);
}

static inline void onnx_attr_floats(struct bytes *node, const char *name, int n, const float *v)
{
    struct bytes a = onnx_attr(name, 6);
    onnx_put_bytes(&a, 7, v, (size_t)n * sizeof *v); /* packed */
    onnx_put_message(node, 5, a);
}

static inline void onnx_attr_tensor(struct bytes *node, const char *name, struct bytes tensor)
{
    struct bytes a = onnx_attr(name, 4);
    onnx_put_message(&a, 5, tensor);
    onnx_put_message(node, 5, a);
}

/* ---- larger messages ---- */

/* "a,b,,c" as repeated strings of one field */
static inline void onnx_put_names(struct bytes *b, unsigned field, const char *list)
{
    while (list != NULL && *list != '\0') {
        size_t n = strcspn(list, ",");
        onnx_put_bytes(b, field, list, n);
        list += n;
        if (*list == ',' && *++list == '\0') {
            onnx_put_bytes(b, field, "", 0);
        }
    }
}

/* A NodeProto; attributes may be appended. */
static inline struct bytes onnx_node(const char *op, const char *name, const char *in,
                                     const char *out)
{
    struct bytes n = {0};
    onnx_put_names(&n, 1, in);
    onnx_put_names(&n, 2, out);
    if (name[0] != '\0') {
        onnx_put_text(&n, 3, name);
    }
    onnx_put_text(&n, 4, op);
    return n;
}

/* A TensorProto without values. */
static inline struct bytes onnx_tensor(const char *name, int64_t type, int rank,
                                       const int64_t *dims)
{
    struct bytes t = {0};
    for (int i = 0; i < rank; i++) {
        onnx_put_int(&t, 1, dims[i]);
    }
    onnx_put_int(&t, 2, type);
    if (name[0] != '\0') {
        onnx_put_text(&t, 8, name);
    }
    return t;
}

static inline struct bytes onnx_raw_tensor(const char *name, int64_t type, int rank,
                                           const int64_t *dims, const void *data, size_t n)
{
    struct bytes t = onnx_tensor(name, type, rank, dims);
    onnx_put_bytes(&t, 9, data, n);
    return t;
}

/* A ValueInfoProto; dims < -1 are written as given, -1 as a named dimension. */
static inline struct bytes onnx_value(const char *name, int64_t type, int rank, const int64_t *dims)
{
    struct bytes v = {0}, t = {0}, tensor = {0}, shape = {0};
    for (int i = 0; i < rank; i++) {
        struct bytes d = {0};
        if (dims[i] == -1) {
            onnx_put_text(&d, 2, "n");
        } else {
            onnx_put_int(&d, 1, dims[i]);
        }
        onnx_put_message(&shape, 1, d);
    }
    onnx_put_int(&tensor, 1, type);
    onnx_put_message(&tensor, 2, shape);
    onnx_put_message(&t, 1, tensor);
    onnx_put_text(&v, 1, name);
    onnx_put_message(&v, 2, t);
    return v;
}

/* Takes the graph: ir_version, the default domain's opset, the graph. */
static inline struct bytes onnx_model(int64_t opset, struct bytes graph)
{
    struct bytes m = {0}, o = {0};
    onnx_put_int(&m, 1, 8);
    onnx_put_int(&o, 2, opset);
    onnx_put_message(&m, 8, o);
    onnx_put_message(&m, 7, graph);
    return m;
}

enum {
    ONNX_FLOAT = 1,
    ONNX_UINT8 = 2,
    ONNX_INT8 = 3,
    ONNX_INT32 = 6,
    ONNX_INT64 = 7,
    ONNX_STRING = 8,
    ONNX_BOOL = 9,
    ONNX_HALF = 10,
    ONNX_DOUBLE = 11,
    ONNX_UINT4 = 21,
    ONNX_INT4 = 22
};

/* x [1,2,4,4] -> Conv (w [3,2,3,3], b [3]) -> Relu -> MaxPool -> y, with constants in two encodings
 */
static inline struct bytes onnx_small_graph(void)
{
    struct bytes g = {0}, n, t;
    float w[54];
    for (int i = 0; i < 54; i++) {
        w[i] = (float)(i % 7 - 3) * 0.25f;
    }
    n = onnx_node("Conv", "conv", "x,w,b", "c");
    onnx_attr_ints(&n, "kernel_shape", 2, (int64_t[]){3, 3});
    onnx_attr_ints(&n, "pads", 4, (int64_t[]){1, 1, 1, 1});
    onnx_put_message(&g, 1, n);
    onnx_put_message(&g, 1, onnx_node("Relu", "", "c", "r"));
    n = onnx_node("MaxPool", "pool", "r", "y");
    onnx_attr_ints(&n, "kernel_shape", 2, (int64_t[]){2, 2});
    onnx_attr_ints(&n, "strides", 2, (int64_t[]){2, 2});
    onnx_put_message(&g, 1, n);
    onnx_put_message(&g, 5,
                     onnx_raw_tensor("w", ONNX_FLOAT, 4, (int64_t[]){3, 2, 3, 3}, w, sizeof w));
    t = onnx_tensor("b", ONNX_FLOAT, 1, (int64_t[]){3});
    for (int i = 0; i < 3; i++) {
        onnx_put_float(&t, 4, (float)i); /* not packed */
    }
    onnx_put_message(&g, 5, t);
    onnx_put_message(&g, 11, onnx_value("x", ONNX_FLOAT, 4, (int64_t[]){1, 2, 4, 4}));
    onnx_put_message(&g, 12, onnx_value("y", ONNX_FLOAT, 4, (int64_t[]){1, 3, 2, 2}));
    return g;
}

#endif
