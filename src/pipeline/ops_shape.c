#include "pipeline/ops.h"

#include <string.h>

static enum pare_status check_axis(const struct pare_value *v, int axis, struct pare_error *err)
{
    if (axis < 0 || axis >= v->rank) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "there is no axis %d in %d dimensions",
                          axis + 1, v->rank);
    }
    return PARE_OK;
}

enum pare_status pare_op_reshape(const struct pare_value *v, int rank, const int64_t *dims,
                                 struct pare_arena *arena, struct pare_value **out,
                                 struct pare_error *err)
{
    const int64_t n = pare_value_elements(v);
    int64_t shape[PARE_MAX_RANK], known = 1;
    int open = -1;
    if (rank < 0 || rank > PARE_MAX_RANK) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "%d dimensions, at most %d", rank,
                          PARE_MAX_RANK);
    }
    for (int i = 0; i < rank; i++) {
        shape[i] = dims[i];
        if (dims[i] == -1 && open < 0) {
            open = i;
        } else if (dims[i] < 0 || dims[i] > n || (dims[i] > 0 && known > n / dims[i])) {
            return pare_error(err, PARE_ERR_USAGE, NULL, "%lld elements do not fit this shape",
                              (long long)n);
        } else {
            known *= dims[i];
        }
    }
    if (open >= 0) {
        shape[open] = known > 0 ? n / known : 0;
        known *= shape[open];
    }
    if (known != n) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "%lld elements do not fit this shape",
                          (long long)n);
    }
    *out = pare_value_new(arena, rank, shape);
    if (*out == NULL) {
        return pare_error_nomem(err);
    }
    memcpy((*out)->data, v->data, (size_t)n * sizeof(float));
    return PARE_OK;
}

/* Elements before and behind an axis. */
static void around(const struct pare_value *v, int axis, int64_t *outer, int64_t *inner)
{
    *outer = *inner = 1;
    for (int i = 0; i < v->rank; i++) {
        if (i < axis) {
            *outer *= v->dims[i];
        } else if (i > axis) {
            *inner *= v->dims[i];
        }
    }
}

enum pare_status pare_op_slice(const struct pare_value *v, int axis, int64_t first, int64_t last,
                               struct pare_arena *arena, struct pare_value **out,
                               struct pare_error *err)
{
    const enum pare_status status = check_axis(v, axis, err);
    if (status != PARE_OK) {
        return status;
    }
    if (first < 0 || last < first || last >= v->dims[axis]) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "no indices %lld to %lld in an axis of %lld",
                          (long long)first + 1, (long long)last + 1, (long long)v->dims[axis]);
    }
    int64_t dims[PARE_MAX_RANK], outer, inner;
    memcpy(dims, v->dims, sizeof dims);
    dims[axis] = last - first + 1;
    *out = pare_value_new(arena, v->rank, dims);
    if (*out == NULL) {
        return pare_error_nomem(err);
    }
    around(v, axis, &outer, &inner);
    for (int64_t o = 0; o < outer; o++) {
        memcpy((*out)->data + o * dims[axis] * inner, v->data + (o * v->dims[axis] + first) * inner,
               (size_t)(dims[axis] * inner) * sizeof(float));
    }
    return PARE_OK;
}

enum pare_status pare_op_concat(const struct pare_value *const *v, int n, int axis,
                                struct pare_arena *arena, struct pare_value **out,
                                struct pare_error *err)
{
    if (n < 1) {
        return pare_error(err, PARE_ERR_USAGE, NULL, "nothing to concatenate");
    }
    const enum pare_status status = check_axis(v[0], axis, err);
    if (status != PARE_OK) {
        return status;
    }
    int64_t dims[PARE_MAX_RANK], outer, inner, done = 0;
    memcpy(dims, v[0]->dims, sizeof dims);
    for (int k = 1; k < n; k++) {
        bool fits = v[k]->rank == v[0]->rank;
        for (int i = 0; fits && i < v[0]->rank; i++) {
            fits = i == axis || v[k]->dims[i] == v[0]->dims[i];
        }
        if (!fits) {
            return pare_error(err, PARE_ERR_USAGE, NULL,
                              "tensor %d has another shape than tensor 1", k + 1);
        }
        dims[axis] += v[k]->dims[axis]; /* each at most 2^27, n is a few: no overflow */
    }
    *out = pare_value_new(arena, v[0]->rank, dims);
    if (*out == NULL) {
        return pare_error_nomem(err);
    }
    around(v[0], axis, &outer, &inner);
    for (int k = 0; k < n; k++) {
        const int64_t run = v[k]->dims[axis] * inner;
        for (int64_t o = 0; o < outer; o++) {
            memcpy((*out)->data + (o * dims[axis] + done) * inner, v[k]->data + o * run,
                   (size_t)run * sizeof(float));
        }
        done += v[k]->dims[axis];
    }
    return PARE_OK;
}

enum pare_status pare_op_transpose(const struct pare_value *v, const int *perm,
                                   struct pare_arena *arena, struct pare_value **out,
                                   struct pare_error *err)
{
    int64_t dims[PARE_MAX_RANK] = {0}, stride[PARE_MAX_RANK], at[PARE_MAX_RANK] = {0};
    unsigned seen = 0;
    for (int i = 0; i < v->rank; i++) {
        if (perm[i] < 0 || perm[i] >= v->rank || (seen >> perm[i] & 1) != 0) {
            return pare_error(err, PARE_ERR_USAGE, NULL, "expected each axis 1 to %d once",
                              v->rank);
        }
        seen |= 1u << perm[i];
        dims[i] = v->dims[perm[i]];
        stride[i] = 1;
        for (int j = perm[i] + 1; j < v->rank; j++) {
            stride[i] *= v->dims[j];
        }
    }
    *out = pare_value_new(arena, v->rank, dims);
    if (*out == NULL) {
        return pare_error_nomem(err);
    }
    const int last = v->rank - 1;
    const int64_t n = pare_value_elements(v), run = v->rank > 0 ? dims[last] : 1, step = v->rank > 0 ? stride[last] : 1;
    int64_t from = 0;
    for (int64_t i = 0; i < n; i += run) {
        const float *x = v->data + from;
        float *y = (*out)->data + i;
        for (int64_t k = 0; k < run; k++) {
            y[k] = x[k * step];
        }
        for (int a = last - 1; a >= 0; a--) { /* the outer axes count up like an odometer */
            from += stride[a];
            if (++at[a] < dims[a]) {
                break;
            }
            from -= stride[a] * dims[a];
            at[a] = 0;
        }
    }
    return PARE_OK;
}
