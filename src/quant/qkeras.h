/*
 * qkeras.h: QKeras' quantizers with fixed scales, exact to its published meaning (reference: qkeras/quantizers.py).
 * Values are rounded first (half to even), then clipped. po2 is simulated: no kernel of ours runs it.
 */
#ifndef PARE_QKERAS_H
#define PARE_QKERAS_H

#include <stdbool.h>
#include <stddef.h>

/* quantized_bits(bits, integer, symmetric, keep_negative): step 2^(integer - bits + keep_negative). */
float pare_qkeras_bits(float x, int bits, int integer, bool symmetric, bool keep_negative);
/* Its step and codes: x ~ step * code, lo <= code <= hi (one signed bit: codes -1, 1). */
void pare_qkeras_bits_grid(int bits, int integer, bool symmetric, float *step, int *lo, int *hi);
/* quantized_bits(alpha = "auto_po2") of one channel of n weights, `stride` apart: the scale found after five rounds;
 * out = scale * 2^integer * z. eps 1e-7. */
float pare_qkeras_auto_po2(const float *x, size_t n, size_t stride, int bits, int integer, float *out);
#define PARE_QKERAS_EPSILON 1e-7f /* of keras: powers of two take no smaller number apart from 0 */
/* quantized_po2(bits, max_value (0 = none), quadratic_approximation): +-2^e; zero gives +2^min_exp. */
float pare_qkeras_po2(float x, int bits, float max_value, bool quadratic);
void pare_qkeras_po2_exponents(int bits, float max_value, bool quadratic, int *least, int *most);
/* quantized_relu(bits, integer) without slope. */
float pare_qkeras_relu(float x, int bits, int integer);
/* binary: +1 for x >= 0, else -1. ternary with a fixed threshold. */
float pare_qkeras_binary(float x);
float pare_qkeras_ternary(float x, float threshold);
/* ternary(alpha = "auto") of one channel: returns the scale, codes -1, 0, 1 to z. */
float pare_qkeras_ternary_auto(const float *x, size_t n, size_t stride, float *z);

#endif
