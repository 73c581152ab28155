/*
 * low.h: how kernels keep weight codes of 4 and 2 bits: fields of a byte, two's complement, the
 * first code in the lowest bits. 4 bits: -8..7, 2 bits: -2..1.
 */
#ifndef PARE_PK_LOW_H
#define PARE_PK_LOW_H

#include <stddef.h>
#include <stdint.h>

/* The code in field `field` (of 8 / bits) of a byte. */
static inline int pk_low_get(uint8_t byte, int bits, size_t field)
{
    const int half = 1 << (bits - 1), code = byte >> ((int)field * bits) & (2 * half - 1);
    return (code ^ half) - half;
}

/* Sets a field that was 0. */
static inline uint8_t pk_low_set(uint8_t byte, int bits, size_t field, int code)
{
    const int mask = (1 << bits) - 1;
    return (uint8_t)(byte | (code & mask) << ((int)field * bits));
}

#endif
