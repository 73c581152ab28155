/* depthwise_avx512vnni.h: the two ways of depthwise_u8s8_avx512vnni.c and their packed weights, for low-bit layers. */
#ifndef PARE_PK_DEPTHWISE_AVX512VNNI_H
#define PARE_PK_DEPTHWISE_AVX512VNNI_H

#include "x86.h"

/* The way of any window (depthwise_body.h), for every shape. */
extern const struct pk_layer_kernel pk_depthwise_ring_u8s8_avx512vnni;

/* Does pk_depthwise_u8s8_avx512vnni take this shape by depthwise_flat.h? */
bool pk_depthwise_is_flat(const struct pk_conv *c);
/* Then its packed weights are phases of these bytes (a multiple of 256, at most PK_FLAT_PHASE_BYTES), one after another. */
enum { PK_FLAT_PHASE_BYTES = 40 * 64 };
size_t pk_depthwise_flat_phase_bytes(const struct pk_conv *c);
/* weights as given to pack. */
void pk_depthwise_flat_pack_phase(const struct pk_conv *c, const int8_t *weights, int phase, int8_t *to);

/* Packed weights; expand (NULL: none needed) makes the bytes [at, at + n) of all phases of them. */
struct pk_flat_weights {
    const void *packed;
    void (*expand)(const void *packed, size_t at, size_t n, int8_t *to);
};
/* The kernel's run on weights that are packed otherwise. */
void pk_depthwise_flat_run(const struct pk_conv *c, const void *x, int pad_code, const struct pk_flat_weights *weights,
                           const struct pk_epilogue *e, void *scratch);

#endif
