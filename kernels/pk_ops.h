/*
 * pk_ops.h: arithmetic and movement of arrays for every operator that is no layer kernel of pk.h,
 * and slow references of the layers for any rank and type. Portable C (ref/op_*.c), written so that
 * the compiler vectorises the common cases. Knows shapes and numbers; no models, no files. Never
 * allocates.
 *
 * Results do not depend on libm: exp, log and tanh are our own (ref/op_math.h), sums have one fixed
 * order. float16 and bfloat16 compute in float32 and round once per operator. Arrays are dense and
 * row-major; "step" is a distance in elements (may be 0 or negative), 64-bit. Functions that return
 * bool return false where the type has no such operation (nothing is written then) or, where said
 * so, where an index is out of range.
 */
#ifndef PARE_PK_OPS_H
#define PARE_PK_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PK_OPS_MAX_RANK 8

/* Element types. The order is that of enum pare_dtype. */
enum pk_dtype {
    PK_DT_F32,
    PK_DT_F16,
    PK_DT_BF16,
    PK_DT_F64,
    PK_DT_I8,
    PK_DT_U8,
    PK_DT_I16,
    PK_DT_U16,
    PK_DT_I32,
    PK_DT_U32,
    PK_DT_I64,
    PK_DT_U64,
    PK_DT_BOOL,
    PK_DT_I4,
    PK_DT_U4,
    PK_DT_I2,
    PK_DT_U2, /* packed, least significant bits first */
    PK_DT_STRING,
    PK_DT_COUNT
};

/* Bytes of one element; 0 for the packed types and strings. */
size_t pk_dtype_size(enum pk_dtype t);
bool pk_dtype_is_float(enum pk_dtype t);
/* Element i as double / as integer (floats truncate, saturating; packed types too). */
double pk_load(enum pk_dtype t, const void *x, size_t i);
int64_t pk_load_int(enum pk_dtype t, const void *x, size_t i);
/* Rounds half to even and saturates for integers; packed elements keep their neighbours. */
void pk_store(enum pk_dtype t, void *x, size_t i, double value);
void pk_store_int(enum pk_dtype t, void *x, size_t i, int64_t value); /* wraps */

/* ---- movement (op_move.c): any element of 1, 2, 4 or 8 bytes ---- */

/* dst[i] = src[i] over an index space dims[rank]; steps in elements. */
void pk_copy_nd(size_t elem, int rank, const int64_t *dims, const void *src,
                const int64_t *src_step, void *dst, const int64_t *dst_step);
void pk_fill(size_t elem, uint64_t bits, void *dst, size_t n);
/* dst[perm order] : dst dimension i is src dimension perm[i]. */
void pk_transpose(size_t elem, int rank, const int64_t *src_dims, const int *perm, const void *src,
                  void *dst);
/* src [outer, axis, inner] at n indices (int32 or int64, negative from the end): false when one is
 * out of range. */
bool pk_gather(size_t elem, size_t outer, size_t axis, size_t inner, const void *src,
               enum pk_dtype index_type, const void *index, size_t n, void *dst);
/* dst and index have dims; src has src_dims. false as above. */
bool pk_gather_elements(size_t elem, int rank, const int64_t *src_dims, int axis, const void *src,
                        const int64_t *dims, enum pk_dtype index_type, const void *index,
                        void *dst);
enum pk_pad_mode { PK_PAD_CONSTANT, PK_PAD_REFLECT, PK_PAD_EDGE, PK_PAD_WRAP, PK_PAD_SYMMETRIC };
/* before/after may be negative (cropping). fill: the element's bytes, for PK_PAD_CONSTANT. */
void pk_pad(size_t elem, int rank, const int64_t *src_dims, const int64_t *before,
            const int64_t *after, enum pk_pad_mode mode, uint64_t fill, const void *src, void *dst);
/* Copies the corner block of dst (dims src_dims) over all of dst, whose dims are dst_dims. */
void pk_tile(size_t elem, int rank, const int64_t *src_dims, const int64_t *dst_dims,
             const void *src, void *dst);
/* NHWC; crd: ONNX's column-row-depth order of channels, else depth-column-row (also TFLite's). */
void pk_depth_to_space(size_t elem, const int64_t *src_dims, int block, bool crd, const void *src,
                       void *dst);
void pk_space_to_depth(size_t elem, const int64_t *src_dims, int block, const void *src, void *dst);
/* Float to integer truncates and saturates (NaN gives 0); integer to narrower integer wraps. */
void pk_cast(enum pk_dtype from, const void *src, enum pk_dtype to, void *dst, size_t n);

/* ---- elementwise (op_unary.c, op_binary.c); y may be x ---- */

enum pk_unary_op {
    PK_RELU,
    PK_LEAKY_RELU /* a */,
    PK_ELU /* a */,
    PK_CELU /* a */,
    PK_SIGMOID,
    PK_HARD_SIGMOID /* a, b */,
    PK_HARD_SWISH,
    PK_TANH,
    PK_NEG,
    PK_ABS,
    PK_EXP,
    PK_SQRT,
    PK_RSQRT,
    PK_LOG,
    PK_MISH,
    PK_SWISH /* a */,
    PK_FLOOR,
    PK_CEIL,
    PK_ROUND,
    PK_UNARY_COUNT
};
/* Integer types: RELU, NEG, ABS only (and FLOOR, CEIL, ROUND, which are nothing). */
bool pk_unary(enum pk_unary_op op, enum pk_dtype t, size_t n, const void *x, void *y, float a,
              float b);
/* v = x > lo ? x : lo, then v < hi ? v : hi. lo/hi: one element of type t, or NULL = no bound. */
bool pk_clip(enum pk_dtype t, size_t n, const void *x, const void *lo, const void *hi, void *y);

enum pk_binary_op {
    PK_ADD,
    PK_SUB,
    PK_MUL,
    PK_DIV,
    PK_MIN,
    PK_MAX,
    PK_POW,
    PK_PRELU /* x, slope */
};
/* y dense [dims]; a and b by steps (0 = broadcast). Integers wrap; x / 0 = 0. POW takes b of its
 * own type. */
bool pk_binary(enum pk_binary_op op, enum pk_dtype t, int rank, const int64_t *dims, const void *a,
               const int64_t *a_step, const void *b, const int64_t *b_step, void *y);
bool pk_pow(enum pk_dtype t, enum pk_dtype t_power, int rank, const int64_t *dims, const void *a,
            const int64_t *a_step, const void *b, const int64_t *b_step, void *y);
/* Batch normalisation over the last axis: (x - mean) / sqrt(var + epsilon) * scale + bias, all of
 * type t. */
bool pk_batch_norm(enum pk_dtype t, size_t rows, size_t channels, const void *x, const void *scale,
                   const void *bias, const void *mean, const void *var, float epsilon, void *y);

/* ---- reductions (op_reduce.c) ---- */

/* x [outer, n, inner], softmax of beta * x over n. */
bool pk_softmax(enum pk_dtype t, size_t outer, size_t n, size_t inner, float beta, const void *x,
                void *y);
enum pk_reduce_op { PK_REDUCE_MEAN, PK_REDUCE_MAX, PK_REDUCE_MIN, PK_REDUCE_SUM };
bool pk_reduce(enum pk_reduce_op op, enum pk_dtype t, int rank, const int64_t *dims,
               const bool *reduced, const void *x, void *y);
/* x [outer, n, inner] -> y [outer, inner] int64: place of the largest (smallest); ties: first, or
 * last. */
bool pk_arg(bool largest, bool last, enum pk_dtype t, size_t outer, size_t n, size_t inner,
            const void *x, int64_t *y);

/* ---- windows (op_pool.c, op_conv.c): NHWC with 1 to 3 spatial axes, unused ones have size 1 ----
 */

struct pk_window {
    int64_t batch, in[3], out[3]; /* spatial sizes, outermost first */
    int64_t in_c, out_c;
    int64_t kernel[3], stride[3], dilation[3], pad_before[3], pad_after[3];
    int64_t groups;
};
/* index (may be NULL): int64 place of each maximum in the whole NCHW (or, column_major, NCWH)
 * input. */
bool pk_max_pool(const struct pk_window *w, enum pk_dtype t, const void *x, void *y, int64_t *index,
                 bool column_major);
/* The divisor is the number of taps inside the picture, or (count_pad) inside the padded picture.
 * Integers round half to even. */
bool pk_avg_pool(const struct pk_window *w, enum pk_dtype t, bool count_pad, const void *x,
                 void *y);

/* Layers. Weights: one scale and zero point per output channel turn integer codes into reals; both
 * NULL = as is. */
struct pk_codes {
    enum pk_dtype type;
    const void *data;
    int n; /* 0 = no grid; 1, or one per output channel */
    const float *scale;
    const int32_t *zero_point;
};
/* weights [out_c, k..., in_c / groups]; bias [out_c] or NULL (data NULL). x and y are of type t:
 * floats sum in double and round once; integers (weights and bias without grids) sum in int64 and
 * wrap. */
bool pk_conv_nd(const struct pk_window *w, enum pk_dtype t, const void *x,
                const struct pk_codes *weights, const struct pk_codes *bias, void *y);
/* weights [k..., out_c], groups == in_c. */
bool pk_depthwise_nd(const struct pk_window *w, enum pk_dtype t, const void *x,
                     const struct pk_codes *weights, const struct pk_codes *bias, void *y);
/* out given; pad_before as in ONNX; weights [out_c, k..., in_c / groups]. */
bool pk_conv_transpose_nd(const struct pk_window *w, enum pk_dtype t, const void *x,
                          const struct pk_codes *weights, const struct pk_codes *bias, void *y);
/* y [m, n] = alpha * a b: a(i, k) at a[i * a_row + k * a_col], b alike. Sums as above. accumulate
 * with beta * c. */
struct pk_matmul {
    int64_t m, n, k;
    int64_t a_row, a_col, b_row, b_col;
    float alpha, beta;
    const void *c; /* NULL = none */
    int64_t c_row, c_col;
};
bool pk_matmul(const struct pk_matmul *p, enum pk_dtype t, const void *a, const void *b, void *y);

/* ---- resize (op_resize.c) ---- */

enum pk_resize_mode { PK_RESIZE_NEAREST, PK_RESIZE_LINEAR, PK_RESIZE_CUBIC };
enum pk_resize_coord {
    PK_COORD_HALF_PIXEL,
    PK_COORD_HALF_PIXEL_SYMMETRIC,
    PK_COORD_PYTORCH_HALF_PIXEL,
    PK_COORD_ALIGN_CORNERS,
    PK_COORD_ASYMMETRIC,
    PK_COORD_TF_CROP_AND_RESIZE
};
enum pk_resize_nearest {
    PK_NEAREST_ROUND_PREFER_FLOOR,
    PK_NEAREST_ROUND_PREFER_CEIL,
    PK_NEAREST_FLOOR,
    PK_NEAREST_CEIL
};
struct pk_resize {
    enum pk_resize_mode mode;
    enum pk_resize_coord coord;
    enum pk_resize_nearest nearest;
    bool exclude_outside, antialias;
    double cubic_a, extrapolation;
    int rank;
    int64_t in[PK_OPS_MAX_RANK], out[PK_OPS_MAX_RANK];
    bool resized[PK_OPS_MAX_RANK];
    double scale[PK_OPS_MAX_RANK], roi_begin[PK_OPS_MAX_RANK], roi_end[PK_OPS_MAX_RANK];
};
/* Bytes of scratch, 16-byte aligned; SIZE_MAX when it does not fit memory. */
size_t pk_resize_scratch(const struct pk_resize *r);
/* Nearest: any type; linear and cubic: floats, and 8-bit integers rounded half to even. */
bool pk_resize(const struct pk_resize *r, enum pk_dtype t, const void *x, void *y, void *scratch);
/* Codes to codes of another grid: from_scale, from_zero as scale, zero of pk_dequantize_u8, the others as of
 * pk_quantize_u8, offsets 0. */
struct pk_resize_grids {
    float from_scale, inv_scale, lo, hi;
    int from_zero, zero;
};
/* The bytes of pk_dequantize_u8, pk_resize on floats and pk_quantize_u8 in one pass, for linear resizes to twice the size
 * with half pixels of two neighbouring axes; of others false, and nothing is written. */
bool pk_resize_codes(const struct pk_resize *r, const struct pk_resize_grids *g, const uint8_t *x, uint8_t *y, void *scratch);

/* ---- quantization as operators (op_quant.c) ---- */

struct pk_grid {
    size_t outer, axis, inner; /* x as [outer, axis, inner]; per tensor: axis 1 */
    size_t block; /* elements of the axis that share a scale; scales [outer, blocks, inner]; 0 = one
                     scale per element of the axis, for all outer and inner */
    enum pk_dtype scale_type, zero_type;
    const void *scale, *zero; /* zero may be NULL */
};
/* q = saturate(rne(x / scale) + zero) */
bool pk_quantize_linear(const struct pk_grid *g, enum pk_dtype from, const void *x,
                        enum pk_dtype to, void *y);
/* x = (q - zero) * scale */
bool pk_dequantize_linear(const struct pk_grid *g, enum pk_dtype from, const void *x,
                          enum pk_dtype to, void *y);
/* ONNX DynamicQuantizeLinear: uint8 over [min(x, 0), max(x, 0)]. */
void pk_dynamic_quantize(size_t n, const float *x, uint8_t *y, float *scale, uint8_t *zero);

/* ---- detection (op_detect.c) ---- */

/* ONNX NonMaxSuppression. boxes [batches, n, 4], scores [batches, classes, n]. Writes rows (batch,
 * class, box) and returns their number. scratch: n int32. */
struct pk_nms {
    int64_t batches, classes, n, most;
    float iou, score;
    bool by_score, center_point;
};
int64_t pk_nms(const struct pk_nms *p, const float *boxes, const float *scores, int64_t *rows,
               int32_t *scratch);

/* TFLite_Detection_PostProcess. boxes [n, box_pitch], scores [n, score_pitch], anchors [n,
 * anchor_pitch]; pitch of scores = classes, or classes + 1 with a background class first. Rows
 * behind the count are zero. */
struct pk_detection {
    int64_t n, classes, box_pitch, score_pitch, anchor_pitch;
    int most, classes_per_detection, per_class;
    bool regular;
    float score, iou, y_scale, x_scale, h_scale, w_scale;
};
size_t pk_detection_scratch(const struct pk_detection *p); /* bytes */
void pk_detection(const struct pk_detection *p, const float *boxes, const float *scores,
                  const float *anchors, float *out_boxes, float *out_classes, float *out_scores,
                  float *out_count, void *scratch);

/* ---- counting (op_histogram.c) ---- */

#define PK_HISTOGRAM_MOST 512 /* bins */
/* How many lie below lo or above hi (NaN does neither). */
size_t pk_count_beyond(const float *x, size_t n, float lo, float hi);
/* Adds to bins[n_bins], saturating: x belongs to bin (int)((x - lo) * per_unit), to the last one where that is beyond it.
 * What lies a whole bin below the first, or as many bins again above the last, counts nowhere, and NaN neither. */
void pk_histogram(const float *x, size_t n, float lo, float per_unit, int n_bins, uint32_t *bins);

#endif
