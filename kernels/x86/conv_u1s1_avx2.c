/* conv_u1s1_avx2.c: dense layers on one bit by vpxor and population counts from a table. */
#include "vec_avx2.h"

#include "../pk_tables.h"

#define WORD 64
#define PART 8
#define GRAIN PART
#define STRIP 32
#define FIRST STRIP
#define BITS_TILES "../x86/bits_tiles_avx2.h"
#define BITS_GATHER "bits_stream.h"
#define BITS_TAKES true
#define PK_EPILOGUE pk_epilogue_i32_avx2
#define CONV_NAME conv_u1s1_avx2
#define FC_NAME fc_u1s1_avx2

#include "bits_body.h"
