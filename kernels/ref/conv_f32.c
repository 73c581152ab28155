/* conv_f32.c: layers on fp32 operands: see conv_float.h. */
#include <stdint.h>

#define T_X float
#define REAL(x) (x)
#define CONV_NAME conv_f32_ref
#define DEPTHWISE_NAME depthwise_f32_ref
#define FC_NAME fc_f32_ref

#include "conv_float.h"
