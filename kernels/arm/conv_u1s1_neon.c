/* conv_u1s1_neon.c: dense layers on one bit by EOR and CNT. */
#include "vec_neon.h"

#include "../pk_tables.h"

#define WORD 64
#define PART 8
#define GRAIN PART
#define STRIP 32
#define FIRST STRIP
#define BITS_TILES "../arm/bits_tiles_neon.h"
#define BITS_GATHER "bits_stream.h"
#define BITS_TAKES true
#define PK_EPILOGUE pk_epilogue_i32_neon
#define CONV_NAME conv_u1s1_neon
#define FC_NAME fc_u1s1_neon

#include "bits_body.h"
