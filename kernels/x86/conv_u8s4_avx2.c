/* conv_u8s4_avx2.c: dense layers on 4-bit weights: expanded to bytes (one pixel:
 * in registers), sums of 8 steps in 16 bits. */
#define BUDGET 8 /* 8 * 2 * 255 * 8 = 32640 */
#define CONV_NAME acc16_u8s4_avx2
#include "acc16_avx2.h"

LOW_DENSE_ROW(conv_u8s4_avx2, 4, pk_acc16_u8s4_avx2)
LOW_DENSE_ROW(fc_u8s4_avx2, 4, pk_acc16_u8s4_avx2)
