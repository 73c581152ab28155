/*
 * onnx_attr.c: the attributes of a node. They stay in the file and are read when an operator's
 * reader asks for them by name, so that what nobody asks for costs nothing. A wrong type, a name
 * given twice, NaN: failures.
 */
#include "model/onnx.h"

#include <math.h>
#include <string.h>

static const struct onnx_attr *find(const struct onnx_node *n, const char *name)
{
    const struct onnx_attr *found = NULL;
    for (int i = 0; i < n->n_attr; i++) {
        if (pare_pb_is(n->attr[i].name, name)) {
            if (found != NULL) {
                onnx_node_fail(n, "the attribute '%s' is given twice", name);
            }
            found = &n->attr[i];
        }
    }
    return found;
}

/* The last field `number` of an attribute. false = it is not there; `wanted` is for the message. */
static bool attr_field(const struct onnx_node *n, const char *name, uint32_t number,
                       const char *wanted, struct pare_pb_field *out)
{
    static const uint32_t type_of_field[] = {0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
    const struct onnx_attr *attr = find(n, name);
    if (attr == NULL) {
        return false;
    }
    struct pare_pb r = pare_pb_open(attr->body);
    struct pare_pb_field f;
    bool found = false;
    uint64_t type = 0;
    while (pare_pb_next(&r, &f)) {
        if (f.number == number) {
            *out = f;
            found = true;
        } else if (f.number == 20) {
            type = f.value;
        }
    }
    /* proto3 writers leave a zero value out and only name the type. */
    if (type != 0 && type != type_of_field[number]) {
        onnx_node_fail(n, "the attribute '%s' has type %llu, expected %s", name,
                       (unsigned long long)type, wanted);
        return false;
    }
    if (!found && type == 0) {
        onnx_node_fail(n, "the attribute '%s' has no value, expected %s", name, wanted);
        return false;
    }
    if (!found) {
        memset(out, 0, sizeof *out);
        out->bytes.data = attr->body.data;
    }
    return true;
}

bool onnx_has(const struct onnx_node *n, const char *attr)
{
    return find(n, attr) != NULL;
}

int64_t onnx_int(const struct onnx_node *n, const char *attr, int64_t fallback)
{
    struct pare_pb_field f;
    return attr_field(n, attr, 3, "an integer", &f) ? (int64_t)f.value : fallback;
}

float onnx_float(const struct onnx_node *n, const char *attr, float fallback)
{
    struct pare_pb_field f;
    if (!attr_field(n, attr, 2, "a float", &f)) {
        return fallback;
    }
    uint32_t bits = (uint32_t)f.value;
    float value;
    memcpy(&value, &bits, sizeof value);
    bool is_bound =
        strcmp(attr, "min") == 0 || strcmp(attr, "max") == 0 || strcmp(attr, "value") == 0;
    if (isnan(value) || (isinf(value) && !is_bound)) {
        onnx_node_fail(n, "the attribute '%s' is not a finite number", attr);
        return fallback;
    }
    return value;
}

struct pare_pb_span onnx_string(const struct onnx_node *n, const char *attr, const char *fallback)
{
    struct pare_pb_field f;
    if (!attr_field(n, attr, 4, "a string", &f)) {
        return (struct pare_pb_span){(const uint8_t *)fallback, strlen(fallback)};
    }
    return f.bytes;
}

struct pare_pb_span onnx_proto(const struct onnx_node *n, const char *attr)
{
    struct pare_pb_field f;
    return attr_field(n, attr, 5, "a tensor", &f) ? f.bytes : (struct pare_pb_span){NULL, 0};
}

static void put_number(const struct onnx_node *n, const char *attr, uint64_t value,
                       uint64_t *values, int max, int *count)
{
    if (*count == max) {
        onnx_node_fail(n, "the attribute '%s' has more than %d numbers", attr, max);
        return;
    }
    values[(*count)++] = value;
}

/* All numbers of list field `number`, packed or not, as raw bits. */
static int list(const struct onnx_node *n, const char *attr, uint32_t number, const char *wanted,
                uint64_t *values, int max)
{
    struct pare_pb_field f;
    int count = 0;
    if (!attr_field(n, attr, number, wanted, &f)) {
        return -1;
    }
    struct pare_pb r = pare_pb_open(find(n, attr)->body);
    while (n->c->status == PARE_OK && pare_pb_next(&r, &f)) {
        if (f.number != number) {
            continue;
        }
        if (f.wire != PARE_PB_BYTES) {
            put_number(n, attr, f.value, values, max, &count);
            continue;
        }
        const uint8_t *at = f.bytes.data, *end = at + f.bytes.size;
        while (at != end && n->c->status == PARE_OK) {
            uint64_t value = 0;
            if (number == 7) {
                memcpy(&value, at, 4);
                at += 4;
            } else if (pare_pb_varint(&at, end, &value) != NULL) {
                break;
            }
            put_number(n, attr, value, values, max, &count);
        }
    }
    return count;
}

int onnx_ints(const struct onnx_node *n, const char *attr, int64_t *values, int max)
{
    return list(n, attr, 8, "a list of integers", (uint64_t *)values, max);
}

int onnx_floats(const struct onnx_node *n, const char *attr, float *values, int max)
{
    uint64_t bits[64];
    int count = list(n, attr, 7, "a list of floats", bits, max < 64 ? max : 64);
    for (int i = 0; i < count; i++) {
        uint32_t low = (uint32_t)bits[i];
        memcpy(&values[i], &low, sizeof low);
    }
    return count;
}

/* Every entry of a list costs the file at least a byte, so memory stays in proportion to it. */
const void *onnx_list(const struct onnx_node *n, const char *attr, bool ints, int64_t *count)
{
    const struct onnx_attr *found = find(n, attr);
    size_t most = found != NULL ? found->body.size : 0;
    uint64_t *values =
        most <= INT32_MAX ? pare_arena_array(&n->c->g->arena, most, sizeof *values) : NULL;
    if (values == NULL) {
        onnx_fail_nomem(n->c);
        return NULL;
    }
    int n_values = list(n, attr, ints ? 8 : 7, ints ? "a list of integers" : "a list of floats",
                        values, (int)most);
    *count = n_values > 0 ? n_values : 0;
    for (int i = 0; i < n_values && !ints; i++) {
        memcpy((char *)values + 4 * (size_t)i, &values[i], 4);
    }
    return values;
}

int onnx_axes(const struct onnx_node *n, int *axes)
{
    int64_t values[PARE_MAX_RANK];
    int count = onnx_ints(n, "axes", values, PARE_MAX_RANK), input = onnx_input(n, 1);
    if (count < 0 && input >= 0 && n->c->g->tensors[input].data != NULL) {
        count = pare_tensor_const_ints(&n->c->g->tensors[input], values, PARE_MAX_RANK);
        if (count < 0) {
            onnx_node_fail(n, "its axes are no list of at most %d integers", PARE_MAX_RANK);
        }
    }
    for (int i = 0; i < count; i++) {
        if (values[i] < -PARE_MAX_RANK || values[i] >= PARE_MAX_RANK) {
            onnx_node_fail(n, "axis %lld, expected %d to %d", (long long)values[i], -PARE_MAX_RANK,
                           PARE_MAX_RANK - 1);
            return -1;
        }
        axes[i] = (int)values[i];
    }
    return count;
}

int onnx_int_in(const struct onnx_node *n, const char *attr, int64_t fallback, int64_t lo,
                int64_t hi)
{
    int64_t value = onnx_int(n, attr, fallback);
    if (value < lo || value > hi) {
        onnx_node_fail(n, "the attribute '%s' is %lld, expected %lld to %lld", attr,
                       (long long)value, (long long)lo, (long long)hi);
        return (int)(fallback < lo ? lo : fallback > hi ? hi : fallback);
    }
    return (int)value;
}

bool onnx_flag(const struct onnx_node *n, const char *attr, bool fallback)
{
    return onnx_int(n, attr, fallback) != 0;
}
