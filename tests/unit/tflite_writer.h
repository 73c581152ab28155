/*
 * tflite_writer.h: writes small TFLite models, right and wrong ones, for tests and fuzz seeds. A
 * model is described in structs (any number may be nonsense) and written front to back: parents
 * first, references patched when the child is written. Where things stand in the bytes is kept in
 * `marks`, so that a test may damage them.
 */
#ifndef PARE_TFLITE_WRITER_H
#define PARE_TFLITE_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TW_UNUSED __attribute__((unused)) static

struct tw_bytes {
    uint8_t *data;
    size_t n, cap;
};

struct tw_tensor {
    const char *name;
    int rank, type;
    int32_t shape[10];
    uint32_t buffer;
    int n_scale, n_zero, quant_dimension;
    float scale[8];
    int64_t zero[8];
    bool is_variable;
    int n_signature;
    int32_t signature[10];
    int sparsity; /* 0 none, 1 well-formed, 2 too few dimensions, 3 order names an axis twice */
};

struct tw_option {
    int field, size; /* size 1, 4; or -n: a vector of n int32 from `list` */
    int64_t value;
    int32_t list[10];
};

struct tw_op {
    uint32_t code;
    int n_in, n_out;
    int32_t in[6], out[4];
    int options_type, n_options;
    struct tw_option options[8];
    const void *custom;
    size_t n_custom;
    const int32_t *long_in; /* n_in inputs; NULL = in[] */
};

struct tw_code {
    int old_code, code;
    const char *custom;
};

struct tw_buffer {
    const void *data;
    size_t n;
    uint64_t offset, size;
};

struct tw_subgraph {
    int n_tensors, n_ops, n_in, n_out;
    struct tw_tensor tensors[12];
    struct tw_op ops[6];
    int32_t in[4], out[4];
    int repeat_ops; /* so many more entries that all refer to the last operator */
};

struct tw_model {
    uint32_t version;
    int n_codes, n_subgraphs, n_buffers;
    int repeat_subgraphs; /* so many more entries that all refer to the last one */
    struct tw_code codes[6];
    struct tw_subgraph subgraphs[3];
    struct tw_buffer buffers[8];
};

struct tw_marks {
    size_t root, subgraph, tensors, operators, tensor[12], tensor_name[12], tensor_shape[12], op[6],
        op_in[6];
};

TW_UNUSED void tw_put(struct tw_bytes *b, const void *data, size_t n)
{
    if (b->n + n > b->cap) {
        b->cap = 2 * (b->n + n) + 256;
        b->data = realloc(b->data, b->cap);
    }
    if (n > 0) {
        memcpy(b->data + b->n, data, n);
    }
    b->n += n;
}

TW_UNUSED void tw_align(struct tw_bytes *b, size_t to)
{
    while (b->n % to != 0) {
        tw_put(b, "", 1);
    }
}

TW_UNUSED void tw_u32(struct tw_bytes *b, uint32_t v)
{
    tw_put(b, &v, 4);
}

TW_UNUSED void tw_set_u32(struct tw_bytes *b, size_t at, uint32_t v)
{
    memcpy(b->data + at, &v, 4);
}

/* The reference at `slot` leads to the end of the bytes. */
TW_UNUSED void tw_here(struct tw_bytes *b, size_t slot)
{
    tw_set_u32(b, slot, (uint32_t)(b->n - slot));
}

/* A table with fields of these sizes (0 = absent); at[i] tells where field i stands. Returns where
 * it stands. */
TW_UNUSED size_t tw_table(struct tw_bytes *b, int n, const int *sizes, size_t *at)
{
    uint16_t head[2] = {(uint16_t)(4 + 2 * n), 4}, offsets[16] = {0};
    for (int i = 0; i < n; i++) {
        offsets[i] = sizes[i] > 0 ? head[1] : 0;
        head[1] = (uint16_t)(head[1] + (sizes[i] > 0 && sizes[i] < 4 ? 4 : sizes[i]));
    }
    tw_align(b, 4);
    size_t vtable = b->n;
    tw_put(b, head, 4);
    tw_put(b, offsets, 2 * (size_t)n);
    tw_align(b, 4);
    size_t table = b->n;
    tw_u32(b, (uint32_t)(table - vtable));
    for (int i = 0; i < n; i++) {
        at[i] = table + offsets[i];
    }
    for (size_t i = 4; i < head[1]; i++) {
        tw_put(b, "", 1);
    }
    return table;
}

TW_UNUSED size_t tw_vector(struct tw_bytes *b, size_t slot, size_t n, const void *data,
                           size_t element)
{
    tw_align(b, 4);
    if (element == 8) { /* elements of 8 bytes are aligned, so the length stands 4 before */
        tw_align(b, 8);
        tw_u32(b, 0);
    }
    tw_here(b, slot);
    size_t at = b->n;
    tw_u32(b, (uint32_t)n);
    tw_put(b, data, n * element);
    return at;
}

TW_UNUSED void tw_string(struct tw_bytes *b, size_t slot, const char *s)
{
    tw_vector(b, slot, strlen(s), s, 1);
    tw_put(b, "", 1);
}

/* A vector of references, to be patched; returns where the first stands. */
TW_UNUSED size_t tw_references(struct tw_bytes *b, size_t slot, size_t n)
{
    tw_align(b, 4);
    tw_here(b, slot);
    tw_u32(b, (uint32_t)n);
    size_t first = b->n;
    for (size_t i = 0; i < n; i++) {
        tw_u32(b, 0);
    }
    return first;
}

TW_UNUSED void tw_sparsity(struct tw_bytes *b, size_t slot, const struct tw_tensor *t)
{
    static const int sizes[3] = {4, 0, 4}, dense[2] = {1, 4};
    size_t at[3], d[2];
    int32_t order[10];
    int n = t->sparsity == 2 ? t->rank - 1 : t->rank;
    for (int i = 0; i < 10; i++) {
        order[i] = t->sparsity == 3 ? 0 : i;
    }
    size_t table = tw_table(b, 3, sizes, at);
    tw_set_u32(b, slot, (uint32_t)(table - slot));
    tw_vector(b, at[0], (size_t)n, order, 4);
    size_t refs = tw_references(b, at[2], (size_t)n);
    for (int i = 0; i < n; i++) {
        size_t dim = tw_table(b, 2, dense, d);
        tw_set_u32(b, refs + 4 * (size_t)i, (uint32_t)(dim - refs - 4 * (size_t)i));
        tw_set_u32(b, d[1], (uint32_t)t->shape[i]);
    }
}

TW_UNUSED size_t tw_write_tensor(struct tw_bytes *b, const struct tw_tensor *t, struct tw_marks *m,
                                 int index)
{
    int sizes[8] = {4,
                    1,
                    4,
                    4,
                    t->n_scale > 0 || t->n_zero > 0 ? 4 : 0,
                    t->is_variable ? 1 : 0,
                    t->sparsity != 0 ? 4 : 0,
                    t->n_signature > 0 ? 4 : 0};
    static const int quant_sizes[7] = {0, 0, 4, 4, 0, 0, 4};
    size_t at[8], q[7], table = tw_table(b, 8, sizes, at);
    b->data[at[1]] = (uint8_t)t->type;
    tw_set_u32(b, at[2], t->buffer);
    m->tensor[index] = table;
    m->tensor_shape[index] = tw_vector(b, at[0], (size_t)t->rank, t->shape, 4);
    tw_align(b, 4);
    m->tensor_name[index] = b->n;
    tw_string(b, at[3], t->name != NULL ? t->name : "t");
    if (sizes[4] != 0) {
        size_t quant = tw_table(b, 7, quant_sizes, q);
        tw_set_u32(b, at[4], (uint32_t)(quant - at[4]));
        tw_set_u32(b, q[6], (uint32_t)t->quant_dimension);
        tw_vector(b, q[2], (size_t)t->n_scale, t->scale, 4);
        tw_vector(b, q[3], (size_t)t->n_zero, t->zero, 8);
    }
    if (t->is_variable) {
        b->data[at[5]] = 1;
    }
    if (t->sparsity != 0) {
        tw_sparsity(b, at[6], t);
    }
    if (t->n_signature > 0) {
        tw_vector(b, at[7], (size_t)t->n_signature, t->signature, 4);
    }
    return table;
}

TW_UNUSED size_t tw_write_op(struct tw_bytes *b, const struct tw_op *o, struct tw_marks *m,
                             int index)
{
    int sizes[6] = {4, 4, 4, 1, o->n_options > 0 ? 4 : 0, o->custom != NULL ? 4 : 0},
        option_sizes[16] = {0};
    size_t at[6], f[16], table = tw_table(b, 6, sizes, at);
    int n_fields = 0;
    m->op[index] = table;
    tw_set_u32(b, at[0], o->code);
    b->data[at[3]] = (uint8_t)o->options_type;
    m->op_in[index] =
        tw_vector(b, at[1], (size_t)o->n_in, o->long_in != NULL ? o->long_in : o->in, 4);
    tw_vector(b, at[2], (size_t)o->n_out, o->out, 4);
    if (o->custom != NULL) {
        tw_vector(b, at[5], o->n_custom, o->custom, 1);
    }
    for (int i = 0; i < o->n_options; i++) {
        option_sizes[o->options[i].field] = o->options[i].size < 0 ? 4 : o->options[i].size;
        n_fields = o->options[i].field >= n_fields ? o->options[i].field + 1 : n_fields;
    }
    if (o->n_options > 0) {
        size_t options = tw_table(b, n_fields, option_sizes, f);
        tw_set_u32(b, at[4], (uint32_t)(options - at[4]));
        for (int i = 0; i < o->n_options; i++) {
            const struct tw_option *option = &o->options[i];
            if (option->size < 0) {
                tw_vector(b, f[option->field], (size_t)-option->size, option->list, 4);
            } else {
                memcpy(b->data + f[option->field], &option->value, (size_t)option->size);
            }
        }
    }
    return table;
}

TW_UNUSED size_t tw_write_subgraph(struct tw_bytes *b, const struct tw_subgraph *s,
                                   struct tw_marks *m)
{
    static const int sizes[4] = {4, 4, 4, 4};
    struct tw_marks ignored;
    size_t at[4], table = tw_table(b, 4, sizes, at);
    m = m != NULL ? m : &ignored;
    m->subgraph = table;
    tw_vector(b, at[1], (size_t)s->n_in, s->in, 4);
    tw_vector(b, at[2], (size_t)s->n_out, s->out, 4);
    size_t tensors = tw_references(b, at[0], (size_t)s->n_tensors);
    size_t ops = tw_references(b, at[3], (size_t)(s->n_ops + s->repeat_ops)), child = 0;
    m->tensors = tensors;
    m->operators = ops;
    for (int i = 0; i < s->n_tensors; i++) {
        size_t slot = tensors + 4 * (size_t)i;
        child = tw_write_tensor(b, &s->tensors[i], m, i);
        tw_set_u32(b, slot, (uint32_t)(child - slot));
    }
    for (int i = 0; i < s->n_ops + s->repeat_ops; i++) {
        size_t slot = ops + 4 * (size_t)i;
        child = i < s->n_ops ? tw_write_op(b, &s->ops[i], m, i) : child;
        tw_set_u32(b, slot, (uint32_t)(child - slot));
    }
    return table;
}

TW_UNUSED void tw_write_codes(struct tw_bytes *b, size_t slot, const struct tw_model *m)
{
    size_t refs = tw_references(b, slot, (size_t)m->n_codes), c[4];
    for (int i = 0; i < m->n_codes; i++) {
        int sizes[4] = {1, m->codes[i].custom != NULL ? 4 : 0, 0, 4};
        size_t table = tw_table(b, 4, sizes, c), ref = refs + 4 * (size_t)i;
        tw_set_u32(b, ref, (uint32_t)(table - ref));
        b->data[c[0]] = (uint8_t)m->codes[i].old_code;
        tw_set_u32(b, c[3], (uint32_t)m->codes[i].code);
        if (m->codes[i].custom != NULL) {
            tw_string(b, c[1], m->codes[i].custom);
        }
    }
}

/* Writes the model; marks may be NULL. The caller frees bytes.data. */
TW_UNUSED struct tw_bytes tw_write(const struct tw_model *m, struct tw_marks *marks)
{
    static const int sizes[5] = {4, 4, 4, 4, 4}, buffer_sizes[3] = {4, 8, 8};
    struct tw_bytes b = {0};
    size_t at[5], f[3];
    tw_u32(&b, 0);
    tw_put(&b, "TFL3", 4);
    size_t root = tw_table(&b, 5, sizes, at);
    tw_set_u32(&b, 0, (uint32_t)root);
    if (marks != NULL) {
        marks->root = root;
    }
    tw_set_u32(&b, at[0], m->version);
    tw_write_codes(&b, at[1], m);
    tw_string(&b, at[3], "written by a test");
    size_t buffers = tw_references(&b, at[4], (size_t)m->n_buffers);
    for (int i = 0; i < m->n_buffers; i++) {
        size_t table = tw_table(&b, 3, buffer_sizes, f), slot = buffers + 4 * (size_t)i;
        tw_set_u32(&b, slot, (uint32_t)(table - slot));
        memcpy(b.data + f[1], &m->buffers[i].offset, 8);
        memcpy(b.data + f[2], &m->buffers[i].size, 8);
        tw_vector(&b, f[0], m->buffers[i].n, m->buffers[i].data, 1);
    }
    size_t n = (size_t)(m->n_subgraphs + m->repeat_subgraphs),
           subgraphs = tw_references(&b, at[2], n), last = 0;
    for (size_t i = 0; i < n; i++) {
        size_t slot = subgraphs + 4 * i;
        if (i < (size_t)m->n_subgraphs) {
            last = tw_write_subgraph(&b, &m->subgraphs[i], i == 0 ? marks : NULL);
        }
        tw_set_u32(&b, slot, (uint32_t)(last - slot));
    }
    return b;
}

/* A convolution 1x4x4x2 -> 1x4x4x3 with bias and a fused ReLU: right in every field. Tensors: 0
 * input, 1 weights, 2 bias, 3 output. */
TW_UNUSED void tw_conv_model(struct tw_model *m)
{
    static const float weights[6] = {1, 2, 3, 4, 5, 6}, bias[3] = {0.5f, -0.5f, 0};
    memset(m, 0, sizeof *m);
    m->version = 3;
    m->n_codes = 1;
    m->codes[0].old_code = m->codes[0].code = 3;
    m->n_buffers = 3;
    m->buffers[1].data = weights;
    m->buffers[1].n = sizeof weights;
    m->buffers[2].data = bias;
    m->buffers[2].n = sizeof bias;
    m->n_subgraphs = 1;
    struct tw_subgraph *s = &m->subgraphs[0];
    s->n_tensors = 4;
    s->tensors[0] = (struct tw_tensor){.name = "x", .rank = 4, .shape = {1, 4, 4, 2}};
    s->tensors[1] = (struct tw_tensor){.name = "w", .rank = 4, .shape = {3, 1, 1, 2}, .buffer = 1};
    s->tensors[2] = (struct tw_tensor){.name = "b", .rank = 1, .shape = {3}, .buffer = 2};
    s->tensors[3] =
        (struct tw_tensor){.name = "conv/Relu;conv/BiasAdd", .rank = 4, .shape = {1, 4, 4, 3}};
    s->n_in = s->n_out = 1;
    s->in[0] = 0;
    s->out[0] = 3;
    s->n_ops = 1;
    s->ops[0] =
        (struct tw_op){.n_in = 3,
                       .in = {0, 1, 2},
                       .n_out = 1,
                       .out = {3},
                       .options_type = 1,
                       .n_options = 4,
                       .options = {{0, 1, 0, {0}}, {1, 4, 1, {0}}, {2, 4, 1, {0}}, {3, 1, 1, {0}}}};
}

/* The same network in int8: weights per channel, int32 bias. */
TW_UNUSED void tw_int8_model(struct tw_model *m)
{
    static const int8_t weights[6] = {1, -2, 3, -4, 5, 127};
    static const int32_t bias[3] = {100, -100, 0};
    tw_conv_model(m);
    m->buffers[1] = (struct tw_buffer){weights, sizeof weights, 0, 0};
    m->buffers[2] = (struct tw_buffer){bias, sizeof bias, 0, 0};
    struct tw_tensor *t = m->subgraphs[0].tensors;
    for (int i = 0; i < 4; i++) {
        t[i].type = i == 2 ? 2 : 9;
        t[i].n_scale = t[i].n_zero = i == 0 || i == 3 ? 1 : 3;
        for (int c = 0; c < 3; c++) {
            t[i].scale[c] = i == 0   ? 0.5f
                            : i == 3 ? 2.0f
                            : i == 1 ? 0.25f * (float)(c + 1)
                                     : 0.125f * (float)(c + 1);
        }
    }
    t[0].zero[0] = -3;
    t[3].zero[0] = -128;
}

#endif
