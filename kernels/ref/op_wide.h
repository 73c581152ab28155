/*
 * op_wide.h: plain loops compiled a second time for wider vectors. The same operations in the same order per element, so
 * the same bytes: only for loops whose elements do not depend on each other.
 *   OP_WIDE_LOOP(name, parameters, arguments)   makes `name` from name##_body(parameters), a static inline function
 *   OP_WIDEST_LOOP(name, parameters, arguments) the same, compiled for AVX-512 too
 */
#ifndef PARE_PK_OP_WIDE_H
#define PARE_PK_OP_WIDE_H

#include "pk.h"

#define OP_INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)
#define OP_WIDE_LOOP(name, parameters, arguments)                                                  \
    static __attribute__((target("avx2"), noinline)) void name##_wide parameters { name##_body arguments; } \
    static __attribute__((noinline)) void name##_plain parameters { name##_body arguments; }       \
    OP_INLINE void name parameters                                                                 \
    {                                                                                              \
        if (pk_isa_best() >= PK_AVX2) {                                                            \
            name##_wide arguments;                                                                 \
        } else {                                                                                   \
            name##_plain arguments;                                                                \
        }                                                                                          \
    }
#define OP_WIDEST_LOOP(name, parameters, arguments)                                                \
    static __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"), noinline)) void name##_widest parameters \
    {                                                                                              \
        name##_body arguments;                                                                     \
    }                                                                                              \
    OP_INLINE void name##_up_to_avx2_body parameters { name##_body arguments; }                    \
    OP_WIDE_LOOP(name##_up_to_avx2, parameters, arguments)                                         \
    OP_INLINE void name parameters                                                                 \
    {                                                                                              \
        if (pk_isa_best() >= PK_AVX512) {                                                          \
            name##_widest arguments;                                                               \
        } else {                                                                                   \
            name##_up_to_avx2 arguments;                                                           \
        }                                                                                          \
    }
#else
#define OP_WIDE_LOOP(name, parameters, arguments)                                                  \
    OP_INLINE void name parameters { name##_body arguments; }
#define OP_WIDEST_LOOP(name, parameters, arguments) OP_WIDE_LOOP(name, parameters, arguments)
#endif

#endif
