/* tflite_const.c: constants of a TFLite file in other forms: codes as real numbers, depthwise
 * weights. */
#include <string.h>

#include "model/tflite_reader.h"
#include "pk.h"

bool tfl_is_code(enum pare_dtype t)
{
    return t == PARE_I8 || t == PARE_U8 || t == PARE_I16 || t == PARE_I4 || t == PARE_I2 ||
           t == PARE_U4;
}

static int code_at(const struct pare_tensor *t, int64_t i)
{
    const uint8_t *bytes = t->data;
    switch (t->dtype) {
    case PARE_I8:
        return ((const int8_t *)t->data)[i];
    case PARE_U8:
        return bytes[i];
    case PARE_I16:
        return ((const int16_t *)t->data)[i];
    case PARE_I4:
        return (int)((bytes[i / 2] >> (i % 2 * 4)) & 15) - ((bytes[i / 2] >> (i % 2 * 4)) & 8) * 2;
    case PARE_U4:
        return (bytes[i / 2] >> (i % 2 * 4)) & 15;
    case PARE_I2:
        return (int)((bytes[i / 4] >> (i % 4 * 2)) & 3) - ((bytes[i / 4] >> (i % 4 * 2)) & 2) * 2;
    default:
        return 0;
    }
}

/* [elements of t] real values, or NULL (no memory, over budget). */
static float *real_values(struct pare_tflite *r, const struct pare_tensor *t)
{
    int64_t n = pare_tensor_elements(t);
    if (!pare_fb_charge(&r->fb, t->file_offset, t->size_bytes)) {
        return NULL;
    }
    float *values = pare_arena_array(&r->g->arena, (size_t)n, sizeof *values);
    if (values == NULL) {
        return NULL;
    }
    if (t->dtype == PARE_F16) {
        pk_f16_to_f32(PK_REF, t->data, (size_t)n, values);
        return values;
    }
    const struct pare_quant *q = t->quant;
    int64_t inner = 1;
    for (int i = q->axis + 1; q->axis >= 0 && i < t->rank; i++) {
        inner *= t->dims[i];
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t c = q->n > 1 ? i / inner % q->n : 0;
        values[i] = q->scale[c] * (float)(code_at(t, i) - q->zero_point[c]);
    }
    return values;
}

static bool needs_float(const struct pare_tensor *t)
{
    return t->data != NULL && (t->dtype == PARE_F16 || (t->quant != NULL && tfl_is_code(t->dtype)));
}

int tfl_as_float(struct pare_tflite *r, int tensor)
{
    if (tensor < 0 || tensor >= r->n_tensors || !needs_float(&r->g->tensors[tensor])) {
        return tensor;
    }
    if (r->tensors[tensor].as_float >= 0) {
        return r->tensors[tensor].as_float;
    }
    struct pare_tensor copy = r->g->tensors[tensor];
    float *values = real_values(r, &copy);
    int made = values != NULL ? pare_graph_add_tensor(r->g, "", PARE_F32) : -1;
    if (made >= 0) {
        copy.dtype = PARE_F32;
        copy.size_bytes = pare_dtype_bytes(PARE_F32, pare_tensor_elements(&copy));
        copy.data = values;
        copy.quant =
            copy.quant != NULL && copy.quant->n == 1 ? copy.quant : NULL; /* a grid is per tensor */
        r->g->tensors[made] = copy;
        r->tensors[tensor].as_float = made;
    }
    return made;
}

int tfl_as_depthwise(struct pare_tflite *r, int tensor)
{
    bool of_file = tensor < r->n_tensors;
    if (of_file && r->tensors[tensor].as_depthwise >= 0) {
        return r->tensors[tensor].as_depthwise;
    }
    struct pare_tensor copy = r->g->tensors[tensor];
    int made = pare_graph_add_tensor(r->g, "", copy.dtype);
    if (made < 0) {
        return -1;
    }
    copy.rank = 3;
    memmove(copy.dims, copy.dims + 1, 3 * sizeof copy.dims[0]);
    if (copy.quant != NULL && copy.quant->axis >= 0) {
        struct pare_quant *quant = pare_arena_alloc(&r->g->arena, sizeof *quant);
        if (quant == NULL) {
            return -1;
        }
        *quant = *copy.quant;
        quant->axis--;
        copy.quant = quant;
    }
    r->g->tensors[made] = copy;
    if (of_file) {
        r->tensors[tensor].as_depthwise = made;
    }
    return made;
}

enum pare_status tfl_fold_dequantize(struct pare_tflite *r, int from, int to, bool *folded)
{
    const struct pare_tensor *source = &r->g->tensors[from];
    const struct pare_tensor *target = &r->g->tensors[to];
    *folded = false;
    if (!needs_float(source) || target->data != NULL || target->dtype != PARE_F32) {
        return PARE_OK;
    }
    if (pare_tensor_elements(target) != pare_tensor_elements(source) && target->rank >= 0) {
        return tfl_fail(r, "DEQUANTIZE makes tensor %d '%.100s' with another number of elements",
                        to, target->name);
    }
    int made = tfl_as_float(r, from);
    if (made < 0) {
        return pare_fb_failed(&r->fb) ? tfl_check(r) : pare_error_nomem(r->err);
    }
    struct pare_tensor *t = &r->g->tensors[to];
    const struct pare_tensor *values = &r->g->tensors[made];
    t->rank = values->rank;
    memcpy(t->dims, values->dims, sizeof t->dims);
    t->data = values->data;
    t->size_bytes = values->size_bytes;
    t->file_offset = values->file_offset;
    *folded = true;
    return PARE_OK;
}
