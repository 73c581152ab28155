/* conv_u8s8_i8mm.c: byte codes with USMMLA, which takes unsigned codes as they are (Cortex-A710,
 * Neoverse-V1). */
#include "vec_neon.h"

#include "../pk_tables.h"

#define T_X uint8_t
#define T_A uint8_t
#define T_W int8_t
#define T_P int8_t
#define T_ACC int32_t
#define K_GROUP 8
#define NV 2
#define OWN_TILES "../arm/tiles_u8s8_i8mm.h"
#define PK_EPILOGUE pk_epilogue_i32_neon
#define PK_PAD(code) ((uint8_t)(code))
#define CONV_NAME conv_u8s8_i8mm
#define FC_NAME fc_u8s8_i8mm

PK_INLINE void copy_row(uint8_t *to, const uint8_t *from, size_t n)
{
    for (; n >= 16; n -= 16, to += 16, from += 16) {
        vst1q_u8(to, vld1q_u8(from));
    }
    for (; n >= 4; n -= 4, to += 4, from += 4) {
        memcpy(to, from, 4);
    }
    for (size_t i = 0; i < n; i++) {
        to[i] = from[i];
    }
}

PK_INLINE int8_t weight_of(int8_t w)
{
    return w;
}

#include "conv_body.h"
