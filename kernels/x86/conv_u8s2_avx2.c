/* conv_u8s2_avx2.c: dense layers on 2-bit weights: expanded to bytes (one pixel:
 * in registers), sums of 32 steps in 16 bits. */
#define BUDGET 32 /* 32 * 2 * 255 * 2 = 32640 */
#define CONV_NAME acc16_u8s2_avx2
#include "acc16_avx2.h"

LOW_DENSE_ROW(conv_u8s2_avx2, 2, pk_acc16_u8s2_avx2)
LOW_DENSE_ROW(fc_u8s2_avx2, 2, pk_acc16_u8s2_avx2)
