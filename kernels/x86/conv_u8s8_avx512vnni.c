/* conv_u8s8_avx512vnni.c: byte codes with vpdpbusd, which joins four products per lane without
 * saturation.
 *
 * What binds (Sapphire Rapids, two vector ports, 2026-11-21): four products a lane and cycle on each port, 128 MAC per cycle.
 * 64 codes are 18 operations of the epilogue, 9 cycles, where their products take K / 2: 119.6 at K = 256, 124 at 576, 126 at
 * 1024. Cycles of whole layers, run again and again (pare bench --kernels: its best and its medians of three runs; the cycles
 * of the best of these):
 *
 *                    multiply  epilogue  floor   best   median  cycles  beyond the floor
 *   gemm 64x64x256       8192       576  119.6  115.9  108-114    9182      414
 *   gemm 256x256x256   131072      9216  119.6  117.6  110         153 k     13 k
 *   gemm 64x64x576      18432       576  124.1  122.0  114-121   19490      482
 *   gemm 256x32x288     18432      1152  120.5  116.0  106-115   20510      926
 *   1x1 288>48 14       21168      1323  120.5  110.5  106-109   24770     2280
 *   3x3 32>32 16        18432      1152  120.5  111.6  110-111   21260     1680   18 rows of the picture are copied
 *   3x3 64>64 8         18432       576  124.1  119.0  115-118   20080     1070   10 rows
 *   3x3 64>64 56       903168     28224  124.1  120.8  113-120     963 k     32 k
 *
 * Beyond the floor is for the most part what a tile's end costs: 6 rows by 64 channels at K = 256 in the first cache take 887-891
 * cycles of 822 (256x256x256 has 172 such tiles), 8 rows by 48 channels at 288 974-993 of 918. It comes in steps of 50 to 60
 * cycles a tile, the same all through a process and another one in the next, or after other kernels (108 or 115 in the first
 * row), and with every order of the loop's instructions; why is not known: this machine has no counters. 4 rows by 64 have none
 * at K = 576, but read a half more weights for a product. 288>48 reads its codes (56 KB) from the second cache besides.
 * Four steps of K a turn instead of eight: 64x64x256 108 where it is 115, 784x512x144 104 (110), 64>64 56 114 (120), 256>256 14
 * 118 (125), but 3136x64x576 118 (114).
 *
 * 1024x1024x1024 takes 3 ms, in which the clock does not stand still; read after it, it is 2.9 or 3.6 GHz, and the same GMAC/s
 * are 118 or 95 MAC per cycle. So a piece of the layer and a loop of vpdpbusd on registers in turns, 0.1 to 3 ms each, which need
 * no clock; shares of the loop (which does 125 where the clock stands):
 *
 *                                        panels of 64   of 32, next rows and weights asked for
 *   528 rows by 64 channels              0.877, 109.7   0.915, 114.3
 *   256 rows by 1024                     0.876, 109.6   0.914, 114.3
 *   all, with 0.3 ms of the loop         0.876, 109.5   0.926, 115.8
 *   all, with 3 ms of the loop           0.875, 109.4   0.888, 111.0
 *
 * Of what the panels of 64 lose, 3.5 % is reading new weights (the same 64 KiB again and again: 107.3 where it was 103.6, an hour
 * of 118 for the loop), 1 % the output, nothing the codes, nothing small pages. Lines asked for in bursts of 12 cost 4 %: they
 * hold the buffers that the tile's own loads need; one a turn of four steps does not. In time the layer gains nothing here:
 * 316 GMAC/s both, at a lower clock, and 320-368 in other hours, as smaller layers do: the machine gives that much power.
 */
#include "finish_codes_avx512.h"
#include "panel_vnni.h"

#include "../pk_tables.h"

#include <string.h>

#define T_X uint8_t
#define T_A uint8_t
#define T_W int8_t
#define T_P int8_t
#define T_ACC int32_t
#define K_GROUP 4
#define NV 4
#ifdef __SANITIZE_ADDRESS__ /* compiles sooner */
#define STEPS 4
#else
#define STEPS 8
#endif
#define vacc __m512i
#define V_ZERO() _mm512_setzero_si512()
#define V_BROADCAST(p) _mm512_set1_epi32(four_codes(p))
#define V_WEIGHTS(p) _mm512_loadu_si512(p)
#define V_MADD(acc, a, w) _mm512_dpbusd_epi32(acc, a, w)
#define V_SUM(a, b) _mm512_add_epi32(a, b)
#define V_PUT(p, acc) _mm512_storeu_si512(p, acc)
#define PANEL(k, pixels) panel_vnni(k, pixels)
#define V_NEAR(p) _mm_prefetch(p, _MM_HINT_T0)
#define V_FAR(p) _mm_prefetch(p, _MM_HINT_T1)
#define PK_EPILOGUE pk_epilogue_i32_avx512
#define PK_PAD(code) ((uint8_t)(code))
#define FC_NAME fc_u8s8_avx512vnni

PK_INLINE int four_codes(const char *p)
{
    int codes;
    memcpy(&codes, p, sizeof codes);
    return codes;
}

PK_INLINE void copy_row(uint8_t *to, const uint8_t *from, size_t n)
{
    for (; n >= 64; n -= 64, to += 64, from += 64) {
        _mm512_storeu_si512(to, _mm512_loadu_si512(from));
    }
    if (n <= 16) { /* a wide access would cross cache lines even where its lanes are off */
        const __mmask16 few = v_lanes((int)n);
        _mm_mask_storeu_epi8(to, few, _mm_maskz_loadu_epi8(few, from));
        return;
    }
    const __mmask64 rest = ((__mmask64)1 << n) - 1;
    _mm512_mask_storeu_epi8(to, rest, _mm512_maskz_loadu_epi8(rest, from));
}

PK_INLINE int8_t weight_of(int8_t w)
{
    return w;
}

#include "conv_body.h"
#include "conv_padded.h"

static size_t any_scratch_size(const struct pk_conv *c)
{
    return padded_does(c) ? padded_scratch_size(c) : scratch_size(c);
}

static void any_run(const struct pk_conv *c, const void *x, int pad_code, const void *packed, const struct pk_epilogue *e,
                    void *scratch)
{
    (padded_does(c) ? padded_run : run)(c, x, pad_code, packed, e, scratch);
}

const struct pk_layer_kernel pk_conv_u8s8_avx512vnni = {"conv_u8s8_avx512vnni", packed_size, pack, any_scratch_size, any_run};
