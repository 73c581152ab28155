/* conv_u8s2_avx512.c: dense layers on 2-bit weights: expanded to bytes, sums of 32 steps in 16 bits. */
#define BUDGET 32 /* 32 * 2 * 255 * 2 = 32640 */
#define CONV_NAME acc16_u8s2_avx512
#include "acc16_avx512.h"

LOW_DENSE(conv_u8s2_avx512, 2, pk_acc16_u8s2_avx512, false)
