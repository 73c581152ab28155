/*
 * kernel_case.h: one random layer for testing and timing kernels: shape, inputs, weights,
 * epilogue, outputs.
 * Every array lies against a page that may not be touched: at its end or, by coin, at its start.
 */
#ifndef PARE_KERNEL_CASE_H
#define PARE_KERNEL_CASE_H

#include "pk.h"

enum { KERNEL_CASE_MAX_BUFFERS = 48, KERNEL_CASE_MAX_STEPS = 4 };

/* What the numbers are like. */
enum kernel_values {
    KERNEL_EXACT,   /* integers: any code; floats: multiples of 1/32, exact sums in any order */
    KERNEL_EXTREME, /* integers: only the end codes 0, 255, -128, 127; floats as KERNEL_EXACT */
    KERNEL_REAL     /* floats: uniform in [-1, 1] */
};

struct kernel_case {
    enum pk_family family;
    struct pk_conv conv;
    enum kernel_values values;
    int pad_code;
    void *x, *weights;
    struct pk_epilogue epilogue;
    struct pk_step steps[KERNEL_CASE_MAX_STEPS];
    struct pk_out outs[PK_MAX_OUTS];
    size_t out_bytes[PK_MAX_OUTS];
    int in_place; /* the output whose memory is the operand of step in_place_step; -1 none */
    int in_place_step;
    const void *pristine; /* operand of that step before any run */
    struct {
        void *map;
        size_t bytes;
    } buffers[KERNEL_CASE_MAX_BUFFERS];
    int n_buffers;
    uint32_t random;
    /* 64 bytes of room after every array: masked loads over a guard page are correct but slow */
    bool roomy;
};

/* Elements of in_c * in_h * in_w, and so on, by family. */
bool kernel_case_is_depthwise(enum pk_family family);
bool kernel_case_is_integer(enum pk_family family);
bool kernel_case_is_fc(enum pk_family family);
/* Bytes of one element of x, of one weight. */
size_t kernel_case_x_size(enum pk_family family);
size_t kernel_case_w_size(enum pk_family family);
size_t kernel_case_n_weights(const struct kernel_case *k);

/* n bytes against a guard page, filled with 0xa5; `align` a power of two. Freed by
 * kernel_case_clear. */
void *kernel_case_alloc(struct kernel_case *k, size_t n, size_t align);
/* Begins a case: no arrays yet. */
void kernel_case_init(struct kernel_case *k, enum pk_family family, uint32_t seed);
/* A random small shape that the family allows. */
void kernel_case_random_shape(struct kernel_case *k);
/* Inputs and weights of the case's shape. */
void kernel_case_random_values(struct kernel_case *k, enum kernel_values values);
/* Random steps (0..3), 1..4 outputs of random types, optional bias_i32, weight_zero, m. */
void kernel_case_random_epilogue(struct kernel_case *k);
/* What real float layers have: a bias, perhaps an operand that is added (by coin in place), perhaps a PReLU or a clamp; one
 * fp32 output. */
void kernel_case_usual_epilogue(struct kernel_case *k);
/* What real integer layers have: one or two outputs of codes behind none, a residual's codes, a PReLU, a clamp or two of
 * these; by coin in place. */
void kernel_case_usual_codes(struct kernel_case *k);
/* A residual's codes and PReLU, mostly in units of the first output and with slopes of at most 1. */
void kernel_case_residual_codes(struct kernel_case *k);
/* One output of two codes, borders between them exactly at sums. */
void kernel_case_border_codes(struct kernel_case *k);
/* No steps, one packed output of a type; u8 codes cover the likely range of sums. */
void kernel_case_plain_epilogue(struct kernel_case *k, enum pk_type type);
/* Packs and runs; outputs go to k->outs[i].data. Asserts that the kernel takes the shape. */
void kernel_case_run(struct kernel_case *k, const struct pk_layer_kernel *kernel);
/* New output memory filled with 0xa5 (in-place operands copied in). Results of the last run stay
 * until clear. */
void kernel_case_new_outputs(struct kernel_case *k);
/* One line that says which case this is. */
void kernel_case_describe(const struct kernel_case *k, char *text, size_t n);
void kernel_case_clear(struct kernel_case *k);
/* Uniform in [lo, hi]. */
int kernel_case_int(struct kernel_case *k, int lo, int hi);

#endif
