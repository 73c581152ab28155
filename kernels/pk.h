/*
 * pk.h: arithmetic on arrays. Convolution, depthwise convolution and fully connected layers on
 * unsigned activation codes and signed weight codes, on fp16 and on fp32, with one fused epilogue.
 *
 * Knows shapes and quantization parameters; no models, no files. Never allocates: the caller asks
 * for the size of packed weights and of scratch and passes memory (64-byte aligned). Every
 * function is reentrant; all state is in the arguments. The portable table (PK_REF) is the
 * normative meaning; integer results of every other table are the same bytes. Float kernels agree
 * to a stated tolerance.
 *
 * Layouts: activations NHWC (one image; the caller loops over a batch), pixel pitch = in_c
 * elements.
 *   conv weights       [out_c][kernel_h][kernel_w][in_c / groups]
 *   depthwise weights  [kernel_h][kernel_w][out_c], out_c = in_c * multiplier,
 *                      channel c reads c / multiplier
 *   fully connected    a conv with a 1x1 picture: weights [out_c][in_c]
 * Activation codes are always unsigned bytes 0..2^A-1 whatever the file said (int8 files: + 128);
 * weight codes signed bytes. Meaning of the integer accumulator, exactly in int32 (the
 * caller refuses loads that could overflow; if one does, every table wraps alike):
 *   acc[p][c] = sum over all taps of x_code * w_code (a tap outside the picture: pad_code).
 * Meaning of the float accumulator: the sum of x * w in double, rounded once to fp32 (a tap
 * outside reads 0).
 * The other tables add in fp32 in their own order: |difference| <= K * 2^-24 * sum |x * w| for K
 * products. Tables of an instruction set with half precision arithmetic (avx512fp16, fp16) add fp16
 * operands in fp16, at most 64 products, and those sums in fp32: |difference| <= (K * 2^-24 +
 * min(K, 64) * 2^-11) * sum |x * w| + K * 2^-25, as long as no sum of 64 products leaves fp16.
 * Zero points enter through epilogue.bias_i32 (the caller puts -za * sum(w_c) there, and adds an
 * imported int32 bias). A weight zero point enters through epilogue.weight_zero (see there).
 */
#ifndef PARE_PK_H
#define PARE_PK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pk_conv {
    int in_h, in_w, in_c;
    int out_h, out_w, out_c;
    int kernel_h, kernel_w;
    int stride_h, stride_w;
    int dilation_h, dilation_w;
    /* bottom and right padding follow from out_h, out_w; taps outside read pad_code */
    int pad_top, pad_left;
    int groups; /* 1 for dense; depthwise has its own kernels (groups == in_c there) */
};

/* Element types of activations in memory. */
enum pk_type { PK_U8, PK_F16, PK_F32 };

/* One elementwise successor, applied in float32, in graph order, one rounding each. Units are the caller's. */
enum pk_step_op {
    PK_STEP_CLAMP,      /* t = min(max(t, a), b); relu: a = 0, b = +inf */
    PK_STEP_PRELU,      /* t = t > 0 ? t : t * vec[c] */
    PK_STEP_LEAKY,      /* t = t > 0 ? t : t * a */
    /* t = t + r, r = the operand's real value at this pixel and channel; of codes in one rounding:
     * t = fmaf((float)(code - zero), scale, t + offset) */
    PK_STEP_ADD_TENSOR,
    PK_STEP_SUB_TENSOR, /* t = t - r */
    PK_STEP_RSUB_TENSOR,/* t = r - t */
    PK_STEP_MUL_TENSOR, /* t = t * r */
    PK_STEP_ADD_VEC,    /* t = t + vec[c] */
    PK_STEP_MUL_VEC,    /* t = t * vec[c] */
    PK_STEP_HARD_SWISH, /* t = t * (min(max(t + 3, 0), 6) * (1/6 as float)) */
    PK_STEP_HARD_SIGMOID,/* t = min(max(fmaf(t, a, b), 0), 1) */
    /* t = fmaf(t, vec[c], r), one rounding: the next group of input channels of a layer whose weights have a scale for
     * each group (m and b NULL) */
    PK_STEP_FMA_TENSOR
};

struct pk_step {
    enum pk_step_op op;
    float a, b;
    const float *vec;     /* [out_c] */
    /* operand tensor of ADD_TENSOR ...: NHWC at the output's size, pixel pitch `pitch` elements */
    const void *operand;
    ptrdiff_t pitch;
    enum pk_type type;    /* PK_U8: r = fmaf((float)(code - zero), scale, offset), but for ADD_TENSOR */
    float scale, offset;
    int zero;
};

/* One output tensor: the result is written once per distinct consumer grid. Nothing outside the
 * out_c elements of each pixel is written. */
struct pk_out {
    enum pk_type type;
    void *data;           /* NHWC */
    ptrdiff_t pitch;      /* elements between pixels (>= out_c: concat writes in place) */
    /*
     * Without steps (epilogue.n_steps == 0):    u = fmaf((float)acc, m[c], b[c])
     * With steps: t = fmaf((float)acc, epilogue.m[c], epilogue.b[c]), then steps, then
     * u = (t - offset) * inv_scale, two roundings.
     * (Float kernels: (float)acc is the fp32 sum; `(float)acc` of the integer kernels is of the
     * int32 value after bias_i32 and weight_zero. For float kernels m may be NULL, meaning u = sum
     * + b[c].)
     * PK_U8:  code = zero + rne(min(max(u, lo), hi)); lo, hi are relative to zero, in code units.
     * PK_F32: value = min(max(u, lo), hi) (inv_scale 1, offset 0).  PK_F16: the same, rounded to
     * fp16 (rne).
     * rne = round half to even (lrintf in the default mode). min(max(u, lo), hi) is
     * v = u > lo ? u : lo, then v < hi ? v : hi, also in the steps: NaN clamps to lo.
     * The caller keeps zero + lo >= 0 and zero + hi <= 255.
     */
    const float *m, *b;   /* [out_c]; used without steps */
    float inv_scale;      /* used with steps */
    float offset;         /* used with steps; 0 for all but the two-valued grid (Lloyd means) */
    float lo, hi;
    int zero;
};

#define PK_MAX_OUTS 4
#define PK_MAX_STEPS 32

/* An operand may be the very memory of an output of the same type (in-place residual add): every
 * element is read before it is written, once. */
struct pk_epilogue {
    /* [out_c] added to acc in int32 first; NULL = 0 (integer kernels) */
    const int32_t *bias_i32;
    /* [out_c] or NULL: acc -= weight_zero[c] * (sum of x_code over the taps of c's group) */
    const int32_t *weight_zero;
    /* No |acc + bias_i32 - ...| is larger, by the layer's bits and depth; 0: not known. Then clamps may be left out. */
    float sum_most;
    /* [out_c]; used with steps (m may be NULL in float kernels; both NULL: t = (float)acc) */
    const float *m, *b;
    int n_steps;                /* 0..PK_MAX_STEPS */
    const struct pk_step *steps;
    int n_outs;                 /* 1..PK_MAX_OUTS */
    const struct pk_out *outs;
};

/* One family of layer kernels for one element type and instruction set. */
struct pk_layer_kernel {
    const char *name;                                       /* "conv_u8s8_avx512vnni" */
    /* Bytes of packed weights; 0 when this kernel cannot do the shape. */
    size_t (*packed_size)(const struct pk_conv *c);
    /* weights: int8_t, uint16_t (fp16) or float by family, layout as above. Fills packed (64-byte
     * aligned). */
    void (*pack)(const struct pk_conv *c, const void *weights, void *packed);
    size_t (*scratch_size)(const struct pk_conv *c);        /* bytes, 0 allowed */
    /* x: uint8_t, uint16_t or float [in_h][in_w][in_c], any alignment for bytes, else the
     * element's; pad_code only for integer families. Nothing outside x is read. packed and scratch
     * are 64-byte aligned. */
    void (*run)(const struct pk_conv *c, const void *x, int pad_code, const void *packed,
                const struct pk_epilogue *e, void *scratch);
};

enum pk_isa {
    PK_REF,
    PK_AVX2, PK_AVXVNNI, PK_AVX512, PK_AVX512VNNI, PK_AVX512FP16, PK_AMX,
    PK_NEON, PK_FP16, PK_DOTPROD, PK_I8MM, /* AArch64; dotprod: with fp16, as every such core */
    PK_ISA_COUNT
};

enum pk_family {
    PK_CONV_U8S8, PK_DEPTHWISE_U8S8, PK_FC_U8S8,
    PK_CONV_F16, PK_DEPTHWISE_F16, PK_FC_F16, /* operands fp16; sums: see the top */
    PK_CONV_F32, PK_DEPTHWISE_F32, PK_FC_F32,
    /* The sums of U8S8 on weight codes that stay packed: 4 bits (-8..7), 2 bits (-2..1). pack takes
     * int8_t all the same. */
    PK_CONV_U8S4, PK_DEPTHWISE_U8S4, PK_FC_U8S4,
    PK_CONV_U8S2, PK_DEPTHWISE_U8S2, PK_FC_U8S2,
    /* The same on codes 0, 1 and weights -1, +1 (or all 0 in a channel); no depthwise. */
    PK_CONV_U1S1, PK_FC_U1S1,
    PK_FAMILY_COUNT
};

/* The best instruction set of this machine, or what PARE_ISA names
 * (ref|avx2|avxvnni|avx512|avx512vnni|avx512fp16|amx|neon|fp16|dotprod|i8mm); an unknown or unsupported name falls
 * to the best below it.
 * Decided once. */
enum pk_isa pk_isa_best(void);
/* What PARE_ISA names although this machine has no such instruction set, or nobody has; NULL: nothing. For programs to refuse. */
const char *pk_isa_refused(void);
bool pk_isa_supported(enum pk_isa isa);
const char *pk_isa_name(enum pk_isa isa);
const char *pk_family_name(enum pk_family family); /* "conv_u8s8" */

/* The kernel of a family at an instruction set (or the best below it); never NULL. */
const struct pk_layer_kernel *pk_kernel(enum pk_family family, enum pk_isa isa);
/* The same, but steps down until a kernel can do this shape (packed_size > 0). PK_REF does every
 * valid one:  * in_c and out_c divisible by groups; depthwise: groups == in_c. Never NULL. */
const struct pk_layer_kernel *pk_kernel_for(enum pk_family family, enum pk_isa isa,
                                            const struct pk_conv *c);

/* The same among families that give the same sums on a layer's codes (on one bit: u1s1, u8s2), the preferred
 * first: by measured times (below) where each was measured on the shape nearest to the layer's, else by rule. */
const struct pk_layer_kernel *pk_kernel_among(const enum pk_family *families, int n, enum pk_isa isa,
                                              const struct pk_conv *c);

/* One measured time: a kernel on a shape (AMX: in its slow state). */
struct pk_choice {
    enum pk_family family;
    enum pk_isa isa;
    struct pk_conv conv;
    float us;
};
/* Measured times that pk_kernel_for chooses by from now on, where kernels give the same bytes (integers): of the
 * instruction sets measured on the shape nearest to a layer's, the fastest; where the one that would be used otherwise was
 * not measured at all, that one. choices[n] is borrowed and must stay;
 * NULL: none (then by a rule). Not while other threads plan. */
void pk_set_choices(const struct pk_choice *choices, int n);

/* Conversions (vectorised by isa; ref is normative). n elements.
 * quantize: q = zero + rne(min(max(x * inv_scale, lo), hi)) with x first
 * reduced by offset: (x - offset) */
void pk_quantize_u8(enum pk_isa isa, const float *x, size_t n, float inv_scale, float offset,
                    int zero, float lo, float hi, uint8_t *q);
/* x = fmaf((float)(q - zero), scale, offset) */
void pk_dequantize_u8(enum pk_isa isa, const uint8_t *q, size_t n, float scale, float offset,
                      int zero, float *x);
/* Round half to even, infinity on overflow. */
void pk_f32_to_f16(enum pk_isa isa, const float *x, size_t n, uint16_t *h);
void pk_f16_to_f32(enum pk_isa isa, const uint16_t *h, size_t n, float *x);

/* Sums of n floats in float64, the same bits in every instruction set: element i belongs to lane i % PK_SUM_LANES, each
 * lane adds in order, then the lanes are added up from the first on. */
#define PK_SUM_LANES 8
struct pk_moments {
    int64_t n; /* finite ones: others count nowhere */
    float min, max; /* 0 when there is none; never -0 */
    double sum, squares;
};
void pk_moments_f32(enum pk_isa isa, const float *x, size_t n, struct pk_moments *m);
/* e = y - x */
struct pk_distance {
    double sum, squares, signal, power, dot; /* of e, e^2, x^2, y^2, x*y */
    double most;                             /* largest |e| */
};
void pk_distance_f32(enum pk_isa isa, const float *y, const float *x, size_t n, struct pk_distance *d);

#endif
