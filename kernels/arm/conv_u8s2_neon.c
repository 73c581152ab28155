/* conv_u8s2_neon.c: dense layers on 2-bit weights: expanded to bytes (one pixel: in registers), sums of
 * 63 times sixteen steps of K in 16 bits. */
#define BUDGET 63 /* 63 * 2 * 128 * 2 = 32256 */
#define CONV_NAME acc16_u8s2_neon
#include "acc16_neon.h"

LOW_DENSE_ROW(conv_u8s2_neon, 2, pk_acc16_u8s2_neon)
LOW_DENSE_ROW(fc_u8s2_neon, 2, pk_acc16_u8s2_neon)
