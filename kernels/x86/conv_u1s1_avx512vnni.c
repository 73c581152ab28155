/*
 * conv_u1s1_avx512vnni.c: dense layers on one bit by vpxord and vpopcntd. Machines without
 * VPOPCNTDQ: every shape is declined.
 */
#include "vec_avx512.h"

#include "../pk_tables.h"

#define WORD 32
#define PART 64
#define GRAIN 16
#define STRIP 20
#define BITS_TILES "../x86/bits_tiles_avx512.h"
#define BITS_ENDING "../x86/bits_ending_avx512.h"
#define BITS_GATHER "../x86/bits_codes_avx512.h"
#define BITS_TAKES __builtin_cpu_supports("avx512vpopcntdq")
#define PK_EPILOGUE pk_epilogue_i32_avx512
#define CONV_NAME conv_u1s1_avx512vnni
#define FC_NAME fc_u1s1_avx512vnni

#include "bits_body.h"
