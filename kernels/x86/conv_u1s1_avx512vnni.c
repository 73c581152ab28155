/*
 * conv_u1s1_avx512vnni.c: dense layers on one bit by vpxord and vpopcntd. Machines without
 * VPOPCNTDQ: every shape is declined.
 */
/*
 * Where the cycles are (one thread, Sapphire Rapids, 2026-11-21). Xor, count and add are 3 operations for 512 products on
 * two ports, 341 products per cycle. A pixel of gemm 3136x64x576 in cycles: what each part takes on these ports alone
 *
 *   output   multiply   bits of 576 codes   codes   sum    measured   products per cycle
 *   8 bits   108        4.5                 9       121    133        277
 *   1 bit    108        4.5                 4       116    125        294
 *
 * Bits are made by the tiles (TURN), so that reading 1.8 MB of codes from the second and third cache waits for nothing:
 * made before, they take 35 to 40 cycles a pixel more. What remains are the ends of tiles, 5 pixels each.
 *
 * One pixel (fc) has nothing to do meanwhile. Products per cycle, cycles, of these at 341 products; where samples of the
 * clock fall, in percent:
 *
 *   layer       per cycle   cycles   at 341   multiply   codes   bits   calls, plan
 *   1152>63     201         361      213      54         13      9      24
 *   640>128     195         420      240      48         24      7      21
 *   1024>1000   237         4,320    3,000    70         19      1      10
 *   8192>8192   67          1.0 M    0.2 M    reading 8 MiB of weights from the third cache: 8.4 bytes a cycle
 *
 * So 250 products per cycle are out of reach for one pixel of up to 100,000 products: the way from codes to bits, to sums,
 * to codes and the plan take 150 cycles beside them.
 */
#include "vec_avx512.h"

#include "../pk_tables.h"

#define WORD 32
#define PART 64
#define GRAIN 16
#define STRIP 40
#define FIRST 20
#define BITS_TILES "../x86/bits_tiles_avx512.h"
#define BITS_ENDING "../x86/bits_ending_avx512.h"
#define BITS_GATHER "../x86/bits_codes_avx512.h"
#define BITS_TAKES __builtin_cpu_supports("avx512vpopcntdq")
#define PK_EPILOGUE pk_epilogue_i32_avx512
#define CONV_NAME conv_u1s1_avx512vnni
#define FC_NAME fc_u1s1_avx512vnni

#include "bits_body.h"
