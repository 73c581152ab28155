/* probe.c: see pk_probe.h. */
#include "../pk_probe.h"

enum { UNROLLED = 32 };

uint64_t pk_probe_chain(uint64_t cycles)
{
    const uint64_t rounds = cycles / UNROLLED + 1;
    uint64_t x = 3, n = rounds;
    const uint64_t y = 5;
    __asm__ volatile("1:\n\t"
                     ".rept 32\n\t"
                     "eor %0, %0, %2\n\t"
                     ".endr\n\t"
                     "subs %1, %1, #1\n\t"
                     "b.ne 1b"
                     : "+r"(x), "+r"(n)
                     : "r"(y)
                     : "cc");
    return rounds * UNROLLED;
}

uint64_t pk_probe_width(uint64_t n)
{
    const uint64_t rounds = n / 32 + 1;
    uint64_t i = rounds;
    __asm__ volatile("1:\n\t"
                     ".rept 4\n\t"
                     "add x1, x1, x9\n\t"
                     "add x2, x2, x9\n\t"
                     "add x3, x3, x9\n\t"
                     "add x4, x4, x9\n\t"
                     "add x5, x5, x9\n\t"
                     "add x6, x6, x9\n\t"
                     "add x7, x7, x9\n\t"
                     "add x8, x8, x9\n\t"
                     ".endr\n\t"
                     "subs %0, %0, #1\n\t"
                     "b.ne 1b"
                     : "+r"(i)
                     :
                     : "cc", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9");
    return rounds * 32;
}
