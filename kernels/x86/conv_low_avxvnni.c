/* conv_low_avxvnni.c: dense layers on 4- and 2-bit weights, expanded for conv_u8s8_avxvnni.c. */
#include "low_expand_avx2.h"

#include "../pk_tables.h"

#include "low_body.h"

LOW_DENSE(conv_u8s4_avxvnni, 4, pk_conv_u8s8_avxvnni, false)
LOW_DENSE(conv_u8s2_avxvnni, 2, pk_conv_u8s8_avxvnni, false)
LOW_DENSE(fc_u8s4_avxvnni, 4, pk_conv_u8s8_avxvnni, false)
LOW_DENSE(fc_u8s2_avxvnni, 2, pk_conv_u8s8_avxvnni, false)
