/* depthwise_low_avx512vnni.c: depthwise layers on 4- and 2-bit weights, expanded for
 * depthwise_u8s8_avx512vnni.c. */
#include "low_expand_avx512.h"

#include "../pk_tables.h"

#include "low_body.h"

LOW_DEPTHWISE(depthwise_u8s4_avx512vnni, 4, pk_depthwise_u8s8_avx512vnni)
LOW_DEPTHWISE(depthwise_u8s2_avx512vnni, 2, pk_depthwise_u8s8_avx512vnni)
