/* conv_f16.c: layers on fp16 operands: see conv_float.h. */
#include <stdint.h>

#define T_X uint16_t
#define REAL(x) pk_ref_widen(x)
#define CONV_NAME conv_f16_ref
#define DEPTHWISE_NAME depthwise_f16_ref
#define FC_NAME fc_f16_ref

#include "conv_float.h"
