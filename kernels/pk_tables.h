/*
 * pk_tables.h: declarations of every table and conversion in kernels.inc. For kernels/, its tests
 * and its bench; everybody else calls pk_kernel() and the conversions of pk.h.
 */
#ifndef PARE_PK_TABLES_H
#define PARE_PK_TABLES_H

#include "pk.h"

#define PK_KERNEL(family, isa, name) extern const struct pk_layer_kernel pk_##name;
#define PK_CONVERT(isa, suffix)                                                                    \
    void pk_quantize_u8_##suffix(const float *x, size_t n, float inv_scale, float offset,          \
                                 int zero, float lo, float hi, uint8_t *q);                        \
    void pk_dequantize_u8_##suffix(const uint8_t *q, size_t n, float scale, float offset,          \
                                   int zero, float *x);                                            \
    void pk_f32_to_f16_##suffix(const float *x, size_t n, uint16_t *h);                            \
    void pk_f16_to_f32_##suffix(const uint16_t *h, size_t n, float *x);                            \
    void pk_moments_f32_##suffix(const float *x, size_t n, struct pk_moments *m);                  \
    void pk_distance_f32_##suffix(const float *y, const float *x, size_t n, struct pk_distance *d);
#include "kernels.inc"
#undef PK_KERNEL
#undef PK_CONVERT

#endif
