/*
 * onnx_tensor.c: TensorProto to constant tensors. Values come as raw little-endian bytes or in a
 * typed field (packed or one by one): float_data 4 (float32), int32_data 5 (up to 32 bits, float16
 * as bits, packed 4- and 2-bit values a byte each), int64_data 7, double_data 10, uint64_data 11
 * (uint32, uint64).
 */
#include "model/onnx.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "constant data is used in place, which needs a little-endian machine"
#endif

static const char *const type_names[] = {
    "undefined",      "float32",    "uint8",          "int8",       "uint16",   "int16",
    "int32",          "int64",      "string",         "bool",       "float16",  "float64",
    "uint32",         "uint64",     "complex64",      "complex128", "bfloat16", "float8e4m3fn",
    "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",      "int4",     "float4e2m1",
    "float8e8m0",     "uint2",      "int2",
};
#define N_TYPES ((int64_t)(sizeof type_names / sizeof type_names[0]))

int onnx_dtype(int64_t type)
{
    static const int dtypes[] = {
        -1,       PARE_F32,    PARE_U8,   PARE_I8,  PARE_U16, PARE_I16, PARE_I32,
        PARE_I64, PARE_STRING, PARE_BOOL, PARE_F16, PARE_F64, PARE_U32, PARE_U64,
        -1,       -1,          PARE_BF16, -1,       -1,       -1,       -1,
        PARE_U4,  PARE_I4,     -1,        -1,       PARE_U2,  PARE_I2,
    };
    return type >= 0 && type < N_TYPES ? dtypes[type] : -1;
}

void onnx_fail_type(struct onnx_importer *c, const uint8_t *at, const char *what, int64_t type)
{
    if (type >= 0 && type < N_TYPES) {
        onnx_fail(c, at, "%s has the type %s, which is not supported", what, type_names[type]);
    } else {
        onnx_fail(c, at, "%s has the type number %lld, expected 1 to %lld", what, (long long)type,
                  (long long)N_TYPES - 1);
    }
}

enum {
    FIELD_FLOAT = 4,
    FIELD_INT32 = 5,
    FIELD_STRING = 6,
    FIELD_INT64 = 7,
    FIELD_DOUBLE = 10,
    FIELD_UINT64 = 11
};

struct tensor_proto {
    struct pare_pb_span all, raw;
    const char *what;
    int rank; /* may be more than PARE_MAX_RANK: only that many dims are kept */
    int64_t dims[PARE_MAX_RANK];
    int64_t type;
    bool has_raw, external, segment;
    uint32_t typed; /* the field that holds values, 0 = none */
    bool two_typed;
    int64_t n_values; /* in the typed field */
    struct pare_pb_span
        chunk; /* the only packed chunk of the typed field; data NULL when there are others */
};

static int64_t count_varints(struct pare_pb_span bytes)
{
    int64_t n = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        n += (bytes.data[i] & 0x80u) == 0;
    }
    return n;
}

static void add_dim(struct tensor_proto *p, uint64_t value)
{
    if (p->rank < PARE_MAX_RANK) {
        p->dims[p->rank] = (int64_t)value;
    }
    if (p->rank < INT32_MAX) {
        p->rank++;
    }
}

static void scan_dims(struct tensor_proto *p, const struct pare_pb_field *f)
{
    if (f->wire != PARE_PB_BYTES) {
        add_dim(p, f->value);
        return;
    }
    const uint8_t *at = f->bytes.data, *end = at + f->bytes.size;
    uint64_t value;
    while (at != end && pare_pb_varint(&at, end, &value) == NULL) {
        add_dim(p, value);
    }
}

static void scan_typed(struct tensor_proto *p, const struct pare_pb_field *f)
{
    bool packed = f->wire == PARE_PB_BYTES && f->number != FIELD_STRING;
    int64_t n = 1;
    if (packed) {
        n = f->number == FIELD_FLOAT    ? (int64_t)(f->bytes.size / 4)
            : f->number == FIELD_DOUBLE ? (int64_t)(f->bytes.size / 8)
                                        : count_varints(f->bytes);
    }
    if (n == 0) {
        return;
    }
    p->two_typed = p->two_typed || (p->typed != 0 && p->typed != f->number);
    p->chunk = p->n_values == 0 && packed ? f->bytes : (struct pare_pb_span){NULL, 0};
    p->typed = f->number;
    p->n_values += n;
}

static struct tensor_proto scan_tensor(struct pare_pb_span proto, const char *what)
{
    struct tensor_proto p = {.all = proto, .what = what};
    struct pare_pb r = pare_pb_open(proto);
    struct pare_pb_field f;
    while (pare_pb_next(&r, &f)) {
        switch (f.number) {
        case 1:
            scan_dims(&p, &f);
            break;
        case 2:
            p.type = (int64_t)f.value;
            break;
        case 3:
            p.segment = true;
            break;
        case FIELD_FLOAT:
        case FIELD_INT32:
        case FIELD_STRING:
        case FIELD_INT64:
        case FIELD_DOUBLE:
        case FIELD_UINT64:
            scan_typed(&p, &f);
            break;
        case 9:
            p.raw = f.bytes;
            p.has_raw = true;
            break;
        case 13:
            p.external = true;
            break;
        case 14:
            p.external = p.external || f.value != 0;
            break;
        default:
            break;
        }
    }
    return p;
}

static uint32_t field_of(enum pare_dtype dtype)
{
    switch (dtype) {
    case PARE_F32:
        return FIELD_FLOAT;
    case PARE_F64:
        return FIELD_DOUBLE;
    case PARE_I64:
        return FIELD_INT64;
    case PARE_U32:
    case PARE_U64:
        return FIELD_UINT64;
    default:
        return FIELD_INT32;
    }
}

/* Elements of the shape; -1 after a failure. Zeros are left out of the overflow check, so that
 * strides that are made of the other dimensions are safe too. */
static int64_t check_shape(struct onnx_importer *c, const struct tensor_proto *p)
{
    int64_t others = 1;
    bool empty = false;
    if (p->rank > PARE_MAX_RANK) {
        onnx_fail(c, p->all.data, "%s has rank %d, expected at most %d", p->what, p->rank,
                  PARE_MAX_RANK);
        return -1;
    }
    for (int i = 0; i < p->rank; i++) {
        if (p->dims[i] < 0) {
            onnx_fail(c, p->all.data, "%s: dimension %d is %lld, expected 0 or more", p->what, i,
                      (long long)p->dims[i]);
            return -1;
        }
    }
    for (int i = 0; i < p->rank; i++) {
        empty = empty || p->dims[i] == 0;
        if (p->dims[i] > 0 &&
            (__builtin_mul_overflow(others, p->dims[i], &others) || others > INT64_MAX / 8)) {
            onnx_fail(c, p->all.data, "%s: the product of its dimensions overflows", p->what);
            return -1;
        }
    }
    return empty ? 0 : others;
}

/* Where the values are, and how many: bytes (raw) or entries (typed). */
static bool check_payload(struct onnx_importer *c, const struct tensor_proto *p,
                          enum pare_dtype dtype, int64_t n)
{
    size_t bytes = pare_dtype_bytes(dtype, n);
    if (p->external) {
        onnx_fail(c, p->all.data, "%s keeps its values in another file; save the model as one file",
                  p->what);
    } else if (p->segment) {
        onnx_fail(c, p->all.data, "%s is one segment of a tensor, which is not supported", p->what);
    } else if (p->two_typed || (p->has_raw && p->raw.size > 0 && p->typed != 0)) {
        onnx_fail(c, p->all.data, "%s has values in two fields, expected one", p->what);
    } else if (p->typed == 0) {
        if (p->raw.size != bytes) {
            onnx_fail(c, p->has_raw ? p->raw.data : p->all.data,
                      "%s has %zu bytes of values, expected %zu (%lld of %s)", p->what, p->raw.size,
                      bytes, (long long)n, pare_dtype_name(dtype));
        }
    } else if (p->typed != field_of(dtype)) {
        onnx_fail(c, p->all.data, "%s is %s, but its values are in field %u, expected field %u",
                  p->what, pare_dtype_name(dtype), p->typed, field_of(dtype));
    } else {
        int bits = pare_dtype_bits(dtype);
        int64_t entries = bits < 8 ? (int64_t)bytes : n;
        if (p->n_values != entries) {
            onnx_fail(c, p->all.data, "%s has %lld values, expected %lld", p->what,
                      (long long)p->n_values, (long long)entries);
        }
    }
    return c->status == PARE_OK;
}

/* Does an int32_data entry fit its type? float16 and packed values come as unsigned bits. */
static bool entry_fits(enum pare_dtype dtype, int64_t v)
{
    switch (dtype) {
    case PARE_I8:
        return v >= INT8_MIN && v <= INT8_MAX;
    case PARE_I16:
        return v >= INT16_MIN && v <= INT16_MAX;
    case PARE_U8:
        return v >= 0 && v <= UINT8_MAX;
    case PARE_U16:
    case PARE_F16:
    case PARE_BF16:
        return v >= 0 && v <= UINT16_MAX;
    case PARE_BOOL:
        return v == 0 || v == 1;
    case PARE_I4:
    case PARE_U4:
    case PARE_I2:
    case PARE_U2:
        return v >= INT8_MIN && v <= UINT8_MAX;
    case PARE_U32:
        return v >= 0 && v <= UINT32_MAX;
    default:
        return true;
    }
}

struct sink {
    struct onnx_importer *c;
    const struct tensor_proto *p;
    enum pare_dtype dtype;
    uint8_t *at;
    size_t width;
};

static void put_entry(struct sink *s, uint64_t value)
{
    if (s->p->typed == FIELD_INT32) {
        int64_t v = (int32_t)(uint32_t)value;
        if (!entry_fits(s->dtype, v)) {
            onnx_fail(s->c, s->p->all.data, "%s: the value %lld does not fit %s", s->p->what,
                      (long long)v, pare_dtype_name(s->dtype));
        }
    } else if (s->dtype == PARE_U32 && value > UINT32_MAX) {
        onnx_fail(s->c, s->p->all.data, "%s: the value %llu does not fit uint32", s->p->what,
                  (unsigned long long)value);
    }
    memcpy(s->at, &value, s->width);
    s->at += s->width;
}

static void put_chunk(struct sink *s, const struct pare_pb_field *f)
{
    if (f->wire != PARE_PB_BYTES) {
        put_entry(s, f->value);
        return;
    }
    if (f->number == FIELD_FLOAT || f->number == FIELD_DOUBLE) {
        if (f->bytes.size > 0) {
            memcpy(s->at, f->bytes.data, f->bytes.size);
        }
        s->at += f->bytes.size;
        return;
    }
    const uint8_t *at = f->bytes.data, *end = at + f->bytes.size;
    uint64_t value;
    while (at != end && pare_pb_varint(&at, end, &value) == NULL) {
        put_entry(s, value);
    }
}

static bool is_aligned(const void *data, enum pare_dtype dtype)
{
    int bits = pare_dtype_bits(dtype);
    return bits <= 8 || ((uintptr_t)data & ((uintptr_t)bits / 8 - 1)) == 0;
}

/* The values as an array: in the file where they can be used as they are, else in the arena. */
static const void *get_data(struct onnx_importer *c, const struct tensor_proto *p,
                            enum pare_dtype dtype, size_t bytes)
{
    struct pare_pb_span in_place = p->typed == 0 ? p->raw : p->chunk;
    bool usable = p->typed == 0 || p->typed == FIELD_FLOAT || p->typed == FIELD_DOUBLE;
    if (bytes > 0 && usable && in_place.data != NULL && is_aligned(in_place.data, dtype)) {
        return in_place.data;
    }
    uint8_t *copy = pare_arena_alloc(&c->g->arena, bytes);
    if (copy == NULL) {
        onnx_fail_nomem(c);
        return NULL;
    }
    if (bytes > 0 && p->typed == 0) {
        memcpy(copy, p->raw.data, bytes);
    } else if (bytes > 0) {
        int bits = pare_dtype_bits(dtype);
        struct sink s = {c, p, dtype, copy, bits < 8 ? 1 : (size_t)bits / 8};
        struct pare_pb r = pare_pb_open(p->all);
        struct pare_pb_field f;
        while (pare_pb_next(&r, &f)) {
            if (f.number == p->typed) {
                put_chunk(&s, &f);
            }
        }
    }
    return copy;
}

/* Exponent bits all set: infinity or NaN. */
static int64_t count_non_finite(const void *data, enum pare_dtype dtype, int64_t n)
{
    int64_t count = 0;
    if (dtype == PARE_F32) {
        for (int64_t i = 0; i < n; i++) {
            count += (((const uint32_t *)data)[i] & 0x7f800000u) == 0x7f800000u;
        }
    } else if (dtype == PARE_F64) {
        for (int64_t i = 0; i < n; i++) {
            count += !isfinite(((const double *)data)[i]);
        }
    } else if (dtype == PARE_F16 || dtype == PARE_BF16) {
        unsigned mask = dtype == PARE_F16 ? 0x7c00u : 0x7f80u;
        for (int64_t i = 0; i < n; i++) {
            count += (((const uint16_t *)data)[i] & mask) == mask;
        }
    }
    return count;
}

void onnx_read_tensor(struct onnx_importer *c, struct pare_pb_span proto, int t, const char *what)
{
    struct tensor_proto p = scan_tensor(proto, what);
    int dtype = onnx_dtype(p.type);
    if (dtype < 0 || dtype == PARE_STRING) {
        onnx_fail_type(c, proto.data, what, p.type);
        return;
    }
    int64_t n = check_shape(c, &p);
    if (n < 0 || !check_payload(c, &p, (enum pare_dtype)dtype, n)) {
        return;
    }
    size_t bytes = pare_dtype_bytes((enum pare_dtype)dtype, n);
    const void *data = get_data(c, &p, (enum pare_dtype)dtype, bytes);
    if (data == NULL || c->status != PARE_OK) {
        return;
    }
    struct pare_tensor *tensor = &c->g->tensors[t];
    tensor->dtype = (enum pare_dtype)dtype;
    tensor->rank = p.rank;
    for (int i = 0; i < p.rank; i++) {
        tensor->dims[i] = p.dims[i];
    }
    tensor->data = data;
    tensor->size_bytes = bytes;
    const uint8_t *from = p.has_raw ? p.raw.data : proto.data;
    tensor->file_offset = from != NULL ? (size_t)(from - c->file.data) : 0;
    int64_t odd = count_non_finite(data, (enum pare_dtype)dtype, n);
    if (odd > 0) {
        pare_graph_warn(c->g, "%s: %lld of %lld values are NaN or infinite", what, (long long)odd,
                        (long long)n);
    }
}
