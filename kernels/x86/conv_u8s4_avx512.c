/* conv_u8s4_avx512.c: dense layers on 4-bit weights: expanded to bytes, sums of 8 steps in 16 bits. */
#define BUDGET 8 /* 8 * 2 * 255 * 8 = 32640 */
#define CONV_NAME acc16_u8s4_avx512
#include "acc16_avx512.h"

LOW_DENSE(conv_u8s4_avx512, 4, pk_acc16_u8s4_avx512, false)
