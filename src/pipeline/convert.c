/*
 * How a value becomes a graph's input. The one place that knows about layouts.
 *
 * Glue handles pictures as [1,H,W,C]. A graph keeps the input layout of its file: an ONNX graph
 * made from PyTorch wants [1,C,H,W], a TFLite graph [1,H,W,C]. So:
 *  1. same shape: used as it is;
 *  2. the input is [N,C,H,W] and the value [N,H,W,C] (and the shapes differ): transposed;
 *  3. same number of elements after dropping sizes of 1, or a value of rank <= 2: only the shape
 *     differs ([1,42] for [1,21,2], [1,63] for [63]), used as it is;
 *  4. anything else is an error that says both shapes.
 * Unknown sizes (-1) of the input match anything. Outputs are returned as the file has them.
 */
#include "pipeline/ops.h"

#include <stdio.h>

static bool dims_match(const struct pare_value *v, const struct pare_tensor *t)
{
    if (v->rank != t->rank) {
        return false;
    }
    for (int i = 0; i < v->rank; i++) {
        if (t->dims[i] >= 0 && t->dims[i] != v->dims[i]) {
            return false;
        }
    }
    return true;
}

static bool channels_first(const struct pare_value *v, const struct pare_tensor *t)
{
    static const int from[4] = {0, 3, 1, 2};
    if (v->rank != 4 || t->rank != 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        if (t->dims[i] >= 0 && t->dims[i] != v->dims[from[i]]) {
            return false;
        }
    }
    return true;
}

static bool same_without_ones(const struct pare_value *v, const struct pare_tensor *t)
{
    int j = 0;
    for (int i = 0; i < v->rank; i++) {
        if (v->dims[i] == 1) {
            continue;
        }
        while (j < t->rank && t->dims[j] == 1) {
            j++;
        }
        if (j == t->rank || (t->dims[j] >= 0 && t->dims[j] != v->dims[i])) {
            return false;
        }
        j++;
    }
    while (j < t->rank && t->dims[j] == 1) {
        j++;
    }
    return j == t->rank;
}

static void shape_text(const struct pare_value *v, char *buf, size_t size)
{
    size_t used = 0;
    buf[0] = '\0';
    for (int i = 0; i < v->rank && used < size; i++) {
        const int n =
            snprintf(buf + used, size - used, "%s%lld", i > 0 ? "x" : "", (long long)v->dims[i]);
        used += n > 0 ? (size_t)n : 0;
    }
}

enum pare_status pare_value_to_input(const struct pare_value *v, const struct pare_tensor *input,
                                     const char *where, struct pare_arena *arena,
                                     const float **data, struct pare_error *err)
{
    const int64_t wanted = pare_tensor_elements(input);
    const int64_t n = pare_value_elements(v);
    if (dims_match(v, input)) {
        *data = v->data;
        return PARE_OK;
    }
    if (channels_first(v, input)) {
        static const int perm[4] = {0, 3, 1, 2};
        struct pare_value *turned;
        const enum pare_status status = pare_op_transpose(v, perm, arena, &turned, err);
        *data = status == PARE_OK ? turned->data : NULL;
        return status;
    }
    if (n == wanted && (v->rank <= 2 || input->rank <= 2 || same_without_ones(v, input))) {
        *data = v->data;
        return PARE_OK;
    }
    char have[128], want[128];
    shape_text(v, have, sizeof have);
    pare_tensor_shape_text(input, want, sizeof want);
    return pare_error(err, PARE_ERR_USAGE, where, "input '%s' is %s, got %s",
                      input->name != NULL ? input->name : "", want, have);
}
