/* conv_u8s4_neon.c: dense layers on 4-bit weights: expanded to bytes (one pixel: in registers), sums of
 * 15 times sixteen steps of K in 16 bits. */
#define BUDGET 15 /* 15 * 2 * 128 * 8 = 30720 */
#define CONV_NAME acc16_u8s4_neon
#include "acc16_neon.h"

LOW_DENSE_ROW(conv_u8s4_neon, 4, pk_acc16_u8s4_neon)
LOW_DENSE_ROW(fc_u8s4_neon, 4, pk_acc16_u8s4_neon)
