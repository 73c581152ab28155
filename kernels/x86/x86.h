/* x86.h: the epilogues of the x86 kernels; the drivers are in body/. */
#ifndef PARE_PK_X86_H
#define PARE_PK_X86_H

#include "body.h"

/* bias_i32 and weight_zero (integers), then steps and outputs, the operations of ref/epilogue.c. */
void pk_epilogue_i32_avx2(const struct pk_epilogue *e, const struct pk_tile *t);
void pk_epilogue_f32_avx2(const struct pk_epilogue *e, const struct pk_tile *t);
void pk_epilogue_i32_avx512(const struct pk_epilogue *e, const struct pk_tile *t);
void pk_epilogue_f32_avx512(const struct pk_epilogue *e, const struct pk_tile *t);

/* All but pack of conv_u8s8_amx on weights in tiles [group][16 channels][64 of K], whatever the shape. */
extern const struct pk_layer_kernel pk_conv_u8s8_amx_panels;

#endif
