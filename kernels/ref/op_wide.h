/*
 * op_wide.h: plain loops compiled a second time for wider vectors. The same operations in the same order per element, so
 * the same bytes: only for loops whose elements do not depend on each other.
 *   OP_WIDE_LOOP(name, parameters, arguments)   makes `name` from name##_body(parameters), a static inline function
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
#else
#define OP_WIDE_LOOP(name, parameters, arguments)                                                  \
    OP_INLINE void name parameters { name##_body arguments; }
#endif

#endif
