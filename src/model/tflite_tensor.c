/*
 * tflite_tensor.c: tensors of a TFLite file. Shapes, types, constant data, quantization, sparsity:
 * everything is checked against everything else here, so that the operators' handlers may rely on a
 * tensor.
 */
#include <math.h>
#include <string.h>

#include "model/tflite_reader.h"

static const char *const type_names[TFL_TYPE_COUNT] = {
    "float32",  "float16",  "int32",     "uint8",       "int64",       "string",
    "bool",     "int16",    "complex64", "int8",        "float64",     "complex128",
    "uint64",   "resource", "variant",   "uint32",      "uint16",      "int4",
    "bfloat16", "int2",     "uint4",     "float8_e4m3", "float8_e5m2",
};

/* The graph's type, or -1 for those that it does not have. */
static int graph_dtype(int type)
{
    switch (type) {
    case TFL_FLOAT32:
        return PARE_F32;
    case TFL_FLOAT16:
        return PARE_F16;
    case TFL_INT32:
        return PARE_I32;
    case TFL_UINT8:
        return PARE_U8;
    case TFL_INT64:
        return PARE_I64;
    case TFL_STRING:
        return PARE_STRING;
    case TFL_BOOL:
        return PARE_BOOL;
    case TFL_INT16:
        return PARE_I16;
    case TFL_INT8:
        return PARE_I8;
    case TFL_FLOAT64:
        return PARE_F64;
    case TFL_UINT64:
        return PARE_U64;
    case TFL_UINT32:
        return PARE_U32;
    case TFL_UINT16:
        return PARE_U16;
    case TFL_INT4:
        return PARE_I4;
    case TFL_BFLOAT16:
        return PARE_BF16;
    case TFL_INT2:
        return PARE_I2;
    case TFL_UINT4:
        return PARE_U4;
    default:
        return -1;
    }
}

static bool zero_point_fits(enum pare_dtype t, int64_t zero)
{
    switch (t) {
    case PARE_I8:
        return zero >= -128 && zero <= 127;
    case PARE_U8:
        return zero >= 0 && zero <= 255;
    case PARE_I16:
        return zero >= -32768 && zero <= 32767;
    case PARE_I4:
        return zero >= -8 && zero <= 7;
    case PARE_U4:
        return zero >= 0 && zero <= 15;
    case PARE_I2:
        return zero >= -2 && zero <= 1;
    default:
        return zero == 0; /* biases */
    }
}

static enum pare_status read_shape(struct pare_tflite *r, int index,
                                   const struct pare_fb_table *table)
{
    struct pare_tensor *t = &r->g->tensors[index];
    struct pare_fb_vector shape = pare_fb_vec(table, TENSOR_SHAPE, 4);
    struct pare_fb_vector signature = pare_fb_vec(table, TENSOR_SHAPE_SIGNATURE, 4);
    if (shape.n > PARE_MAX_RANK || signature.n > PARE_MAX_RANK) {
        return tfl_fail(r, "tensor %d '%.100s' has %zu dimensions; at most %d are supported", index,
                        t->name, shape.n > signature.n ? shape.n : signature.n, PARE_MAX_RANK);
    }
    t->rank = (int)shape.n;
    for (int i = 0; i < t->rank; i++) {
        t->dims[i] = pare_fb_vec_i32(&shape, (size_t)i);
        if (t->dims[i] < 0) {
            return tfl_fail(r, "tensor %d '%.100s': dimension %d is %lld", index, t->name, i,
                            (long long)t->dims[i]);
        }
    }
    if (pare_tensor_elements(t) < 0 ||
        pare_dtype_bytes(t->dtype, pare_tensor_elements(t)) > INT64_MAX) {
        return tfl_fail(r, "tensor %d '%.100s': the product of its dimensions overflows", index,
                        t->name);
    }
    if (signature.present && signature.n > 0 && signature.n != shape.n) {
        return tfl_fail(r, "tensor %d '%.100s': shape has %zu dimensions, its signature %zu", index,
                        t->name, shape.n, signature.n);
    }
    r->tensors[index].shape_known = shape.n > 0 || pare_fb_u8(table, TENSOR_HAS_RANK, 0) != 0;
    return tfl_check(r);
}

/* True when the signature has a free dimension besides the batch: the file's default shape is used
 * then. */
static bool has_free_dimension(const struct pare_fb_table *table)
{
    struct pare_fb_vector signature = pare_fb_vec(table, TENSOR_SHAPE_SIGNATURE, 4);
    for (size_t i = 1; i < signature.n; i++) {
        if (pare_fb_vec_i32(&signature, i) < 0) {
            return true;
        }
    }
    return false;
}

/* The bytes of a tensor's buffer: *data stays NULL for an empty one. */
static enum pare_status find_data(struct pare_tflite *r, int index,
                                  const struct pare_fb_table *table, const uint8_t **data,
                                  size_t *size)
{
    const char *name = r->g->tensors[index].name;
    uint32_t buffer = pare_fb_u32(table, TENSOR_BUFFER, 0);
    if (buffer >= r->buffers.n) {
        return buffer == 0 ? PARE_OK
                           : tfl_fail(r, "tensor %d '%.100s' refers to buffer %u of %zu", index,
                                      name, buffer, r->buffers.n);
    }
    if (pare_fb_u32(table, TENSOR_EXTERNAL_BUFFER, 0) != 0) {
        return tfl_fail(r,
                        "tensor %d '%.100s' keeps its data in another file, which is not supported",
                        index, name);
    }
    struct pare_fb_table b = pare_fb_vec_table(&r->buffers, buffer);
    struct pare_fb_vector blob = pare_fb_blob(&b, BUFFER_DATA);
    uint64_t offset = pare_fb_u64(&b, BUFFER_OFFSET, 0), bytes = pare_fb_u64(&b, BUFFER_SIZE, 0);
    if (offset > 1) { /* data behind the FlatBuffer; 0 and 1 are placeholders */
        if (offset > r->fb.size || bytes > r->fb.size - offset) {
            return tfl_fail(r, "buffer %u lies at %llu + %llu, past the end of the file", buffer,
                            (unsigned long long)offset, (unsigned long long)bytes);
        }
        *data = bytes > 0 ? r->fb.data + offset : NULL;
        *size = (size_t)bytes;
    } else if (blob.present && blob.n > 0) {
        *data = r->fb.data + blob.at;
        *size = blob.n;
    }
    return tfl_check(r);
}

static enum pare_status read_data(struct pare_tflite *r, int index,
                                  const struct pare_fb_table *table)
{
    struct pare_tensor *t = &r->g->tensors[index];
    const uint8_t *data = NULL;
    size_t size = 0;
    enum pare_status status = find_data(r, index, table, &data, &size);
    if (status != PARE_OK || data == NULL) {
        return status;
    }
    size_t expected = pare_dtype_bytes(t->dtype, pare_tensor_elements(t));
    if (t->dtype != PARE_STRING && expected != size) {
        char shape[96];
        pare_tensor_shape_text(t, shape, sizeof shape);
        return tfl_fail(r, "tensor %d '%.100s' (%s %s) needs %zu bytes of data, its buffer has %zu",
                        index, t->name, pare_dtype_name(t->dtype), shape, expected, size);
    }
    size_t align = (size_t)(pare_dtype_bits(t->dtype) + 7) / 8;
    t->file_offset = (size_t)(data - r->fb.data);
    t->size_bytes = size;
    t->data = data;
    if (align > 1 && (uintptr_t)data % align != 0) {
        if (!pare_fb_charge(&r->fb, t->file_offset, size)) {
            return tfl_check(r);
        }
        void *copy = pare_arena_alloc(&r->g->arena, size);
        if (copy == NULL) {
            return pare_error_nomem(r->err);
        }
        memcpy(copy, data, size);
        t->data = copy;
    }
    return PARE_OK;
}

static enum pare_status check_scale(struct pare_tflite *r, int index,
                                    const struct pare_fb_vector *scale,
                                    const struct pare_fb_vector *zero, int32_t dimension)
{
    const struct pare_tensor *t = &r->g->tensors[index];
    if (zero->present && zero->n != scale->n) {
        return tfl_fail(r, "tensor %d '%.100s' has %zu scales and %zu zero points", index, t->name,
                        scale->n, zero->n);
    }
    if (scale->n > 1 && (dimension < 0 || dimension >= t->rank)) {
        return tfl_fail(r, "tensor %d '%.100s' is quantized along dimension %d of %d", index,
                        t->name, dimension, t->rank);
    }
    if (scale->n > 1 && (int64_t)scale->n != t->dims[dimension]) {
        return tfl_fail(r, "tensor %d '%.100s' has %zu scales for %lld channels", index, t->name,
                        scale->n, (long long)t->dims[dimension]);
    }
    for (size_t i = 0; i < scale->n; i++) {
        float s = pare_fb_vec_f32(scale, i);
        int64_t z = zero->present ? pare_fb_vec_i64(zero, i) : 0;
        if (!(s > 0.0f) || !isfinite(s)) {
            return tfl_fail(r, "tensor %d '%.100s': scale %zu is %g", index, t->name, i, (double)s);
        }
        if (!zero_point_fits(t->dtype, z)) {
            return tfl_fail(r, "tensor %d '%.100s': zero point %lld does not fit %s", index,
                            t->name, (long long)z, pare_dtype_name(t->dtype));
        }
    }
    return PARE_OK;
}

static enum pare_status read_quant(struct pare_tflite *r, int index,
                                   const struct pare_fb_table *table)
{
    struct pare_tensor *t = &r->g->tensors[index];
    struct pare_fb_table q = pare_fb_subtable(table, TENSOR_QUANTIZATION);
    struct pare_fb_vector scale = pare_fb_vec(&q, QUANT_SCALE, 4),
                          zero = pare_fb_vec(&q, QUANT_ZERO_POINT, 8);
    int32_t dimension = pare_fb_i32(&q, QUANT_DIMENSION, 0);
    bool wide = t->dtype == PARE_I32 || t->dtype == PARE_I64;
    if (pare_fb_u8(&q, QUANT_DETAILS_TYPE, 0) != 0) {
        return tfl_fail(
            r, "tensor %d '%.100s' has block-wise or custom quantization, which is not supported",
            index, t->name);
    }
    if (scale.n == 0 || !(tfl_is_code(t->dtype) || (wide && t->data != NULL))) {
        return tfl_check(r); /* float tensors may keep the ranges of their training */
    }
    enum pare_status status = check_scale(r, index, &scale, &zero, dimension);
    if (status != PARE_OK) {
        return status;
    }
    if (scale.n > 1 && t->data == NULL) {
        return tfl_fail(r, "tensor %d '%.100s' is no constant and has %zu scales", index, t->name,
                        scale.n);
    }
    struct pare_quant *quant = pare_arena_alloc(&r->g->arena, sizeof *quant);
    float *scales = pare_arena_array(&r->g->arena, scale.n, sizeof *scales);
    int32_t *zeros = pare_arena_array(&r->g->arena, scale.n, sizeof *zeros);
    if (quant == NULL || scales == NULL || zeros == NULL) {
        return pare_error_nomem(r->err);
    }
    for (size_t i = 0; i < scale.n; i++) {
        scales[i] = pare_fb_vec_f32(&scale, i);
        zeros[i] = zero.present ? (int32_t)pare_fb_vec_i64(&zero, i) : 0;
    }
    *quant =
        (struct pare_quant){(int)scale.n, scale.n > 1 ? dimension : -1, scales, zeros, t->dtype};
    r->tensors[index].quant = quant;
    if (tfl_is_code(t->dtype)) {
        t->quant = quant;
        t->dtype =
            t->data == NULL ? PARE_F32 : t->dtype; /* activations are real numbers on this grid */
    }
    return tfl_check(r);
}

/* Indices of one dimension of a sparse tensor: a vector of int32, uint16 or uint8 (types 1, 2, 3).
 */
static bool sparse_vector(const struct pare_fb_table *dimension, int type_field,
                          struct pare_fb_vector *v)
{
    static const size_t sizes[4] = {0, 4, 2, 1};
    unsigned type = pare_fb_u8(dimension, type_field, 0);
    struct pare_fb_table holder = pare_fb_subtable(dimension, type_field + 1);
    if (type < 1 || type > 3) {
        return false;
    }
    *v = pare_fb_vec(&holder, 0, sizes[type]);
    return v->present;
}

/* Is this a well-formed description (dimensions and blocks in some order, each dense or
 * compressed)? */
static bool sparsity_ok(const struct pare_tensor *t, const struct pare_fb_table *sparsity)
{
    struct pare_fb_vector order = pare_fb_vec(sparsity, 0, 4), blocks = pare_fb_vec(sparsity, 1, 4);
    struct pare_fb_vector dims = pare_fb_vec(sparsity, 2, 4);
    size_t n = (size_t)t->rank + blocks.n;
    unsigned seen = 0;
    if (order.n != n || dims.n != n || n > 2 * PARE_MAX_RANK) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        int32_t at = pare_fb_vec_i32(&order, i);
        if (at < 0 || (size_t)at >= n || (seen & (1u << at)) != 0) {
            return false;
        }
        seen |= 1u << at;
    }
    for (size_t i = 0; i < blocks.n; i++) {
        int32_t at = pare_fb_vec_i32(&blocks, i);
        if (at < 0 || at >= t->rank) {
            return false;
        }
    }
    for (size_t i = 0; i < n; i++) {
        struct pare_fb_table d = pare_fb_vec_table(&dims, i);
        struct pare_fb_vector segments, indices;
        int format = pare_fb_i8(&d, 0, 0);
        if (format == 0 ? pare_fb_i32(&d, 1, 0) <= 0
                        : format != 1 || !sparse_vector(&d, 2, &segments) ||
                              !sparse_vector(&d, 4, &indices)) {
            return false;
        }
    }
    return true;
}

static enum pare_status read_tensor(struct pare_tflite *r, int index,
                                    const struct pare_fb_table *table)
{
    int type = pare_fb_i8(table, TENSOR_TYPE, 0);
    const char *name;
    enum pare_status status = tfl_string(r, table, TENSOR_NAME, &name);
    if (status != PARE_OK) {
        return status;
    }
    if (type < 0 || type >= TFL_TYPE_COUNT) {
        return tfl_fail(r, "tensor %d '%.100s' has the unknown type %d", index, name, type);
    }
    int dtype = graph_dtype(type);
    if (dtype < 0) { /* only operators that we do not know may have these */
        pare_graph_warn(r->g, "tensor %d '%.100s' has type %s, which nothing here reads", index,
                        name, type_names[type]);
        dtype = PARE_STRING;
    }
    if (pare_graph_add_tensor(r->g, "", (enum pare_dtype)dtype) != index) {
        return pare_error_nomem(r->err);
    }
    r->g->tensors[index].name = name;
    r->tensors[index] = (struct tfl_tensor){(enum pare_dtype)dtype, NULL, -1, -1, false};
    status = read_shape(r, index, table);
    struct pare_fb_table sparsity = pare_fb_subtable(table, TENSOR_SPARSITY);
    if (status == PARE_OK && sparsity.fb != NULL) {
        bool ok = sparsity_ok(&r->g->tensors[index], &sparsity);
        return tfl_fail(r, "tensor %d '%.100s' is sparse%s", index, name,
                        ok ? ", which is not supported" : ", and its description is malformed");
    }
    if (status == PARE_OK) {
        status = read_data(r, index, table);
    }
    if (status == PARE_OK) {
        status = read_quant(r, index, table);
    }
    struct pare_tensor *t = &r->g->tensors[index];
    if (status == PARE_OK && t->data == NULL && !r->tensors[index].shape_known) {
        t->rank = -1; /* no shape given; a scalar or unknown: inference tells */
    }
    return status == PARE_OK ? tfl_check(r) : status;
}

/* A variable (state) starts as zeros; the file must be as large as what it asks for. */
static enum pare_status zero_variable(struct pare_tflite *r, int index)
{
    struct pare_tensor *t = &r->g->tensors[index];
    size_t size = pare_dtype_bytes(t->dtype, pare_tensor_elements(t));
    if (t->data != NULL || t->rank < 0 || size > r->fb.size || !pare_fb_charge(&r->fb, 0, size)) {
        return tfl_fail(r, "variable tensor %d '%.100s' is larger than the file or has data", index,
                        t->name);
    }
    pare_graph_warn(r->g, "tensor %d '%.100s' is a variable; it stays at zero", index, t->name);
    t->data = pare_arena_alloc(&r->g->arena, size);
    t->size_bytes = size;
    return t->data != NULL ? PARE_OK : pare_error_nomem(r->err);
}

enum pare_status tfl_read_tensors(struct pare_tflite *r, const struct pare_fb_vector *tensors)
{
    bool free_dimension = false;
    for (int i = 0; i < r->n_tensors; i++) {
        struct pare_fb_table table = pare_fb_vec_table(tensors, (size_t)i);
        enum pare_status status = tfl_check(r);
        if (status == PARE_OK) {
            status = read_tensor(r, i, &table);
        }
        if (status == PARE_OK && pare_fb_u8(&table, TENSOR_IS_VARIABLE, 0) != 0) {
            status = zero_variable(r, i);
        }
        if (status != PARE_OK) {
            return status;
        }
        if (!free_dimension && has_free_dimension(&table)) {
            free_dimension = true;
            pare_graph_warn(
                r->g, "tensor %d '%.100s' has free dimensions; the file's default shape is used", i,
                r->g->tensors[i].name);
        }
    }
    return tfl_check(r);
}
