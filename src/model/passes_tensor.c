/* passes_tensor.c: small questions about tensors, and new constants, for the passes. */
#include <string.h>

#include "model/passes.h"

bool pass_shape_known(const struct pare_tensor *t)
{
    return pare_tensor_elements(t) >= 0;
}

bool pass_same_shape(const struct pare_tensor *a, const struct pare_tensor *b)
{
    if (!pass_shape_known(a) || !pass_shape_known(b) || a->rank != b->rank) {
        return false;
    }
    return memcmp(a->dims, b->dims, (size_t)a->rank * sizeof a->dims[0]) == 0;
}

bool pass_is_const(const struct pare_graph *g, int t)
{
    return t >= 0 && g->tensors[t].data != NULL;
}

const float *pass_const_f32(const struct pare_graph *g, int t)
{
    return pass_is_const(g, t) && g->tensors[t].dtype == PARE_F32 ? g->tensors[t].data : NULL;
}

bool pass_scalar(const struct pare_graph *g, int t, float *value)
{
    const float *data = pass_const_f32(g, t);
    if (data == NULL || pare_tensor_elements(&g->tensors[t]) != 1) {
        return false;
    }
    *value = data[0];
    return true;
}

const float *pass_vector(const struct pare_graph *g, int t, int64_t *n)
{
    const float *data = pass_const_f32(g, t);
    if (data == NULL) {
        return NULL;
    }
    const struct pare_tensor *c = &g->tensors[t];
    *n = c->rank > 0 ? c->dims[c->rank - 1] : 1;
    return *n > 0 && pare_tensor_elements(c) == *n ? data : NULL;
}

int pass_new_f32(struct pass *p, const char *name, int rank, const int64_t *dims, float **data)
{
    struct pare_graph *g = p->g;
    int index = pare_graph_add_tensor(g, name, PARE_F32);
    if (index < 0) {
        return -1;
    }
    struct pare_tensor *t = &g->tensors[index];
    t->rank = rank;
    memcpy(t->dims, dims, (size_t)rank * sizeof t->dims[0]);
    t->size_bytes = pare_dtype_bytes(PARE_F32, pare_tensor_elements(t));
    *data = t->size_bytes != SIZE_MAX ? pare_arena_alloc(&g->arena, t->size_bytes) : NULL;
    t->data = *data;
    return *data != NULL ? index : -1;
}

int pass_new_ints(struct pass *p, const char *name, int n, const int64_t *values)
{
    int64_t dims[1] = {n};
    return pare_graph_add_const(p->g, name, PARE_I64, 1, dims, values, (size_t)n * sizeof *values);
}

int pass_new_like(struct pass *p, int like)
{
    struct pare_graph *g = p->g;
    int index = pare_graph_add_tensor(g, "", g->tensors[like].dtype);
    if (index >= 0) {
        struct pare_tensor *t = &g->tensors[index];
        const struct pare_tensor *from = &g->tensors[like];
        t->name = from->name;
        t->rank = from->rank;
        memcpy(t->dims, from->dims, sizeof t->dims);
        t->quant = from->quant;
    }
    return index;
}

bool pass_can_permute(const struct pare_tensor *t)
{
    int bits = pare_dtype_bits(t->dtype);
    return bits >= 8 && pass_shape_known(t);
}

static void permute_bytes(const struct pare_tensor *t, const int *perm, char *out)
{
    int64_t stride[PARE_MAX_RANK], index[PARE_MAX_RANK] = {0};
    int rank = t->rank, size = pare_dtype_bits(t->dtype) / 8;
    int64_t n = pare_tensor_elements(t), step[PARE_MAX_RANK], run = 1;
    for (int i = rank - 1; i >= 0; i--) {
        stride[i] = run;
        run *= t->dims[i];
    }
    for (int i = 0; i < rank; i++) {
        step[i] = stride[perm[i]];
    }
    const char *in = t->data;
    int64_t from = 0;
    for (int64_t k = 0; k < n; k++) {
        memcpy(out + k * size, in + from * size, (size_t)size);
        for (int i = rank - 1; i >= 0; i--) { /* count up in the new order */
            from += step[i];
            if (++index[i] < t->dims[perm[i]]) {
                break;
            }
            from -= step[i] * index[i];
            index[i] = 0;
        }
    }
}

int pass_permute_const(struct pass *p, int t, const int *perm)
{
    struct pare_graph *g = p->g;
    struct pare_tensor copy = g->tensors[t];
    if (!pass_can_permute(&copy)) {
        return -1;
    }
    char *data = pare_arena_alloc(&g->arena, copy.size_bytes);
    int index = data != NULL ? pare_graph_add_tensor(g, "", copy.dtype) : -1;
    if (index < 0) {
        return -1;
    }
    permute_bytes(&copy, perm, data);
    copy.data = data;
    for (int i = 0; i < copy.rank; i++) {
        copy.dims[i] = g->tensors[t].dims[perm[i]];
    }
    if (copy.quant != NULL && copy.quant->axis >= 0) {
        struct pare_quant *quant = pare_arena_alloc(&g->arena, sizeof *quant);
        if (quant == NULL) {
            return -1;
        }
        *quant = *copy.quant;
        for (int i = 0; i < copy.rank; i++) {
            quant->axis = perm[i] == copy.quant->axis ? i : quant->axis;
        }
        copy.quant = quant;
    }
    copy.is_input = copy.is_output = false;
    g->tensors[index] = copy;
    return index;
}
