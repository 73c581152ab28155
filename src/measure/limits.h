/*
 * limits.h: what this machine's instructions and memory allow, and so how near a kernel comes. The limits are those of
 * reference tables measured on Sapphire Rapids with loops that only do the one thing (2026-11-20); other x86-64 cores
 * with the same instruction set have the same issue width per port in 512 and 256 bits (two ports), so that they serve
 * there as an upper bound. AArch64: one 128-bit operation per cycle (Cortex-A53, A55).
 */
#ifndef PARE_LIMITS_H
#define PARE_LIMITS_H

#include "pk.h"

/* What a family of kernels computes with. */
struct pare_kernel_traits {
    enum { PARE_KERNEL_CONV, PARE_KERNEL_DEPTHWISE, PARE_KERNEL_FC } kind;
    int w_bits, a_bits;   /* 32: fp32, 16: fp16, else codes */
    char level[16];       /* "fp32" "fp16" "w8a8" */
};
void pare_kernel_traits(enum pk_family family, struct pare_kernel_traits *t);

/* Work of a layer. */
double pare_conv_macs(const struct pk_conv *c, bool depthwise);
/* Products of one sum. */
double pare_conv_depth(const struct pk_conv *c, bool depthwise);

/* Largest MAC per cycle of an instruction set at a precision; NaN where nothing is known. The set is the kernel's own,
 * not the machine's. Tiles: in their fast state. */
double pare_mac_limit(const struct pare_kernel_traits *t, enum pk_isa isa);

/* The floor of a layer in cycles: the time that cannot be gone below. */
struct pare_floor {
    double macs, bytes, outputs;       /* the work; bytes: weights, input and output once each */
    double mac_cycles, byte_cycles, epilogue_cycles;
    double cycles;                     /* max(mac, byte) + epilogue */
    const char *binds;                 /* "multiply" "memory" "epilogue": the largest part */
};
/* weight_bytes: as packed in memory; warm: weights in the L2 cache if they fit, else they come from memory.
 * out_bytes: of one output element. */
void pare_layer_floor(const struct pk_conv *c, const struct pare_kernel_traits *t, enum pk_isa isa, double weight_bytes,
                      double out_bytes, bool warm, struct pare_floor *floor);

#endif
