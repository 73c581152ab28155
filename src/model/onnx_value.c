/*
 * onnx_value.c: ValueInfoProto, the declared type and shape of a tensor (input, output or in
 * between), and the small constants that the reader itself makes.
 */
#include "model/onnx.h"

#include <stdio.h>

struct pare_pb_span onnx_value_name(struct pare_pb_span proto)
{
    struct pare_pb r = pare_pb_open(proto);
    struct pare_pb_field f;
    struct pare_pb_span name = {proto.data, 0};
    while (pare_pb_next(&r, &f)) {
        if (f.number == 1) {
            name = f.bytes;
        }
    }
    return name;
}

/* A dimension's number; -1 when it is a name or not given. */
static int64_t read_dim(struct onnx_importer *c, struct pare_pb_span proto, const uint8_t *at,
                        const char *what)
{
    struct pare_pb r = pare_pb_open(proto);
    struct pare_pb_field f;
    int64_t dim = -1;
    bool given = false;
    while (pare_pb_next(&r, &f)) {
        if (f.number == 1 || f.number == 2) { /* one of the two: the last counts */
            given = f.number == 1;
            dim = given ? (int64_t)f.value : -1;
        }
    }
    if (given && dim < 0) {
        onnx_fail(c, at, "'%s' has a dimension of %lld, expected 0 or more", what, (long long)dim);
    }
    return dim;
}

static void read_shape(struct onnx_importer *c, struct pare_pb_span proto,
                       struct pare_tensor *tensor)
{
    struct pare_pb r = pare_pb_open(proto);
    struct pare_pb_field f;
    int rank = 0;
    int64_t known = 1;
    while (c->status == PARE_OK && pare_pb_next(&r, &f)) {
        if (f.number != 1) {
            continue;
        }
        if (rank == PARE_MAX_RANK) {
            onnx_fail(c, f.at, "'%.200s' has more than %d dimensions", tensor->name, PARE_MAX_RANK);
            return;
        }
        int64_t dim = read_dim(c, f.bytes, f.at, tensor->name);
        tensor->dims[rank++] = dim;
        if (dim > 0 && (__builtin_mul_overflow(known, dim, &known) || known > INT64_MAX / 8)) {
            onnx_fail(c, f.at, "'%.200s': the product of its dimensions overflows", tensor->name);
        }
    }
    tensor->rank = rank;
}

void onnx_read_value(struct onnx_importer *c, struct pare_pb_span proto, int t)
{
    struct pare_pb r = pare_pb_open(proto);
    struct pare_pb_field f;
    struct pare_pb_span type = {NULL, 0}, tensor_type = {NULL, 0}, shape = {NULL, 0};
    int64_t elem = 0;
    bool has_shape = false, is_tensor = false;
    while (pare_pb_next(&r, &f)) {
        if (f.number == 2) {
            type = f.bytes;
        }
    }
    r = pare_pb_open(type);
    while (pare_pb_next(&r, &f)) {
        if (f.number != 6) { /* one kind of type: the last counts; 6 is a remark */
            is_tensor = f.number == 1;
            tensor_type = f.bytes;
        }
    }
    if (!is_tensor) {
        return;
    }
    r = pare_pb_open(tensor_type);
    while (pare_pb_next(&r, &f)) {
        if (f.number == 1) {
            elem = (int64_t)f.value;
        } else if (f.number == 2) {
            shape = f.bytes;
            has_shape = true;
        }
    }
    struct pare_tensor *tensor = &c->g->tensors[t];
    int dtype = onnx_dtype(elem);
    if (dtype < 0 && elem != 0) {
        char what[160];
        snprintf(what, sizeof what, "'%.120s'", tensor->name);
        onnx_fail_type(c, proto.data, what, elem);
        return;
    }
    if (dtype >= 0) {
        tensor->dtype = (enum pare_dtype)dtype;
    }
    if (has_shape) {
        read_shape(c, shape, tensor);
    }
}

/* ---- constants that the reader makes ---- */

static int add_const(struct onnx_node *n, const char *suffix, enum pare_dtype dtype, int rank,
                     const int64_t *dims, const void *data, size_t bytes)
{
    char name[256];
    snprintf(name, sizeof name, "%.200s%s", n->label, suffix);
    int t = pare_graph_add_const(n->c->g, name, dtype, rank, dims, data, bytes);
    if (t < 0) {
        onnx_fail_nomem(n->c);
    }
    return t;
}

int onnx_const_ints(struct onnx_node *n, const char *suffix, const int64_t *values, int count)
{
    int64_t dims[1] = {count};
    return add_const(n, suffix, PARE_I64, 1, dims, values, (size_t)count * sizeof *values);
}

int onnx_const_float(struct onnx_node *n, const char *suffix, float value)
{
    return add_const(n, suffix, PARE_F32, 0, NULL, &value, sizeof value);
}

int onnx_const_floats(struct onnx_node *n, const char *suffix, const float *values, int count)
{
    int64_t dims[1] = {count};
    return add_const(n, suffix, PARE_F32, 1, dims, values, (size_t)count * sizeof *values);
}
