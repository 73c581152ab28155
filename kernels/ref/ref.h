/*
 * ref.h: what the reference kernels share. Portable C11, written to be read: these files say what
 * every other kernel must compute.
 */
#ifndef PARE_PK_REF_H
#define PARE_PK_REF_H

#include "../pk.h"

/* fp16 (IEEE binary16) to fp32, exact. Signalling NaN becomes quiet. */
float pk_ref_widen(uint16_t half);
/* fp32 to fp16: round half to even, subnormals kept, overflow to infinity, NaN stays a quiet NaN.
 * */
uint16_t pk_ref_narrow(float value);
/* v = u > lo ? u : lo, then v < hi ? v : hi: a NaN becomes lo. */
float pk_ref_clamp(float u, float lo, float hi);

/*
 * The integer sum of one output element after bias_i32 and weight_zero, as float.
 * acc: sum of x_code * w_code; sum_x: sum of x_code over the same taps.
 */
float pk_ref_finish_i32(const struct pk_epilogue *e, int channel, int64_t acc, int64_t sum_x);
/* Steps and outputs of one element. pixel: y * out_w + x. acc: from pk_ref_finish_i32, or the
 * float sum. */
void pk_ref_epilogue(const struct pk_epilogue *e, size_t pixel, int channel, float acc);

/* Index of the input pixel that tap (ky, kx) of output pixel (oy, ox) reads; -1 outside the
 * picture. */
ptrdiff_t pk_ref_tap(const struct pk_conv *c, int oy, int ox, int ky, int kx);

/* Number of weights: dense [out_c][kernel_h][kernel_w][in_c / groups], depthwise
 * [kernel_h][kernel_w][out_c]. */
size_t pk_ref_dense_weights(const struct pk_conv *c);
size_t pk_ref_depthwise_weights(const struct pk_conv *c);
/* The reference kernels need no scratch: 0. */
size_t pk_ref_no_scratch(const struct pk_conv *c);

#endif
