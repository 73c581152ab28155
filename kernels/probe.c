/* probe.c: the probes of machines that have none. */
#include "pk_probe.h"

#if !defined(__x86_64__) && !defined(__aarch64__)
uint64_t pk_probe_chain(uint64_t cycles)
{
    (void)cycles;
    return 0;
}

uint64_t pk_probe_width(uint64_t n)
{
    (void)n;
    return 0;
}
#endif

#if !defined(__x86_64__)
bool pk_probe_tiles(int n)
{
    (void)n;
    return false;
}
#endif
