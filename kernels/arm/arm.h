/* arm.h: the epilogues of the AArch64 kernels; the drivers are in body/. */
#ifndef PARE_PK_ARM_H
#define PARE_PK_ARM_H

#include "body.h"

/* bias_i32 and weight_zero (integers), then steps and outputs, the operations of ref/epilogue.c. */
void pk_epilogue_i32_neon(const struct pk_epilogue *e, const struct pk_tile *t);
void pk_epilogue_f32_neon(const struct pk_epilogue *e, const struct pk_tile *t);

#endif
