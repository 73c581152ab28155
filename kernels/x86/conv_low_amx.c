/* conv_low_amx.c: dense layers on 4- and 2-bit weights: panels expanded for the tiles of
 * conv_u8s8_amx.c. */
#include "low_expand_avx512.h"

#include "../pk_tables.h"
#include "x86.h"

#include "low_body.h"

LOW_DENSE(conv_u8s4_amx, 4, pk_conv_u8s8_amx_panels, true)
LOW_DENSE(conv_u8s2_amx, 2, pk_conv_u8s8_amx_panels, true)
