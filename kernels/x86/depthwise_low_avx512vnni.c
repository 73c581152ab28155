/* depthwise_low_avx512vnni.c: depthwise layers on 4- and 2-bit weights, expanded for
 * depthwise_u8s8_avx512vnni.c. */
#include "low_expand_avx512.h"

#include "../pk_tables.h"
#include "depthwise_avx512vnni.h"

#include "low_body.h"

/* Bytes of the flat layout, whose vectors of every phase are a multiple of 4. */
PK_INLINE size_t low_flat_size(const struct pk_conv *c)
{
    return pk_depthwise_u8s8_avx512vnni.packed_size(c);
}

PK_INLINE void low_flat_pack(const struct pk_conv *c, const int8_t *weights, const int bits, uint8_t *packed)
{
    _Alignas(64) int8_t bytes[PK_FLAT_PHASE_BYTES];
    const size_t share = (size_t)(8 / bits), all = low_flat_size(c), n = pk_depthwise_flat_phase_bytes(c);
    for (size_t phase = 0; phase < all / n; phase++) {
        pk_depthwise_flat_pack_phase(c, weights, (int)phase, bytes);
        for (size_t at = 0; at < n; at += 64 * share) {
            for (size_t i = 0; i < 64; i++) {
                uint8_t byte = 0;
                for (size_t f = 0; f < share; f++) {
                    byte = pk_low_set(byte, bits, f, bytes[at + f * 64 + i]);
                }
                *packed++ = byte;
            }
        }
    }
}

PK_INLINE size_t low_any_size(const struct pk_conv *c, const int bits)
{
    return pk_depthwise_is_flat(c) ? low_flat_size(c) / (size_t)(8 / bits)
                                   : low_depthwise_size(c, &pk_depthwise_ring_u8s8_avx512vnni, bits);
}

PK_INLINE void low_any_pack(const struct pk_conv *c, const int8_t *weights, const int bits, uint8_t *packed)
{
    if (pk_depthwise_is_flat(c)) {
        low_flat_pack(c, weights, bits, packed);
    } else {
        low_depthwise_pack(c, &pk_depthwise_ring_u8s8_avx512vnni, weights, bits, packed);
    }
}

PK_INLINE size_t low_any_scratch(const struct pk_conv *c)
{
    return pk_depthwise_is_flat(c) ? pk_depthwise_u8s8_avx512vnni.scratch_size(c)
                                   : low_depthwise_scratch(c, &pk_depthwise_ring_u8s8_avx512vnni);
}

static void expand_4(const void *packed, size_t at, size_t n, int8_t *to)
{
    low_expand_column((const uint8_t *)packed + at / 2, 64, n / 64, to, 64, 4);
}

static void expand_2(const void *packed, size_t at, size_t n, int8_t *to)
{
    low_expand_column((const uint8_t *)packed + at / 4, 64, n / 64, to, 64, 2);
}

PK_INLINE void low_any_run(const struct low_work *w, const int bits)
{
    if (!pk_depthwise_is_flat(w->c)) {
        low_depthwise_run(w, &pk_depthwise_ring_u8s8_avx512vnni, bits);
        return;
    }
    const struct pk_flat_weights weights = {w->packed, bits == 4 ? expand_4 : expand_2};
    pk_depthwise_flat_run(w->c, w->x, w->pad_code, &weights, w->e, w->scratch);
}

LOW_TABLE(depthwise_u8s4_avx512vnni, low_any_size(c, 4), low_any_pack(c, weights, 4, packed), low_any_scratch(c),
          low_any_run(&w, 4))
LOW_TABLE(depthwise_u8s2_avx512vnni, low_any_size(c, 2), low_any_pack(c, weights, 2, packed), low_any_scratch(c),
          low_any_run(&w, 2))
