/* probe.c: see pk_probe.h. */
#include "../pk_probe.h"

#include "../pk.h"

enum { MULTIPLY_CYCLES = 3, UNROLLED = 16 };

uint64_t pk_probe_chain(uint64_t cycles)
{
    const uint64_t rounds = cycles / (MULTIPLY_CYCLES * UNROLLED) + 1;
    uint64_t x = 3, n = rounds;
    __asm__ volatile("1:\n\t"
                     ".rept 16\n\t"
                     "imul %0, %0\n\t"
                     ".endr\n\t"
                     "dec %1\n\t"
                     "jnz 1b"
                     : "+r"(x), "+r"(n)
                     :
                     : "cc");
    return rounds * MULTIPLY_CYCLES * UNROLLED;
}

uint64_t pk_probe_width(uint64_t n)
{
    const uint64_t rounds = n / 32 + 1;
    uint64_t i = rounds;
    __asm__ volatile("1:\n\t"
                     ".rept 4\n\t"
                     "add %%rax, %%rcx\n\t"
                     "add %%rax, %%rdx\n\t"
                     "add %%rax, %%rsi\n\t"
                     "add %%rax, %%rdi\n\t"
                     "add %%rax, %%r8\n\t"
                     "add %%rax, %%r9\n\t"
                     "add %%rax, %%r10\n\t"
                     "add %%rax, %%r11\n\t"
                     ".endr\n\t"
                     "dec %0\n\t"
                     "jnz 1b"
                     : "+r"(i)
                     :
                     : "cc", "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11");
    return rounds * 32;
}

/* Palette 1, one tile of 16 rows of 64 bytes. */
struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

bool pk_probe_tiles(int n)
{
    static const _Alignas(64) uint8_t memory[1024];
    if (!pk_isa_supported(PK_AMX)) {
        return false;
    }
    struct tile_config t = {.palette = 1};
    t.row_bytes[0] = 64;
    t.rows[0] = 16;
    __asm__ volatile("ldtilecfg %0" : : "m"(t));
    for (int i = 0; i < n; i++) {
        __asm__ volatile("tileloadd (%0,%1,1), %%tmm0" : : "r"(memory), "r"((uint64_t)64) : "memory");
    }
    __asm__ volatile("tilerelease" : : : "memory");
    return true;
}
