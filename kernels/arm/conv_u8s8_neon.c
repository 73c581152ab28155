/* conv_u8s8_neon.c: byte codes for cores without SDOT (Cortex-A53, A72). */
#include "vec_neon.h"

#include "codes_neon.h"

#include "../pk_tables.h"

#define K_GROUP 16
#define HEAD 16
#define NV 4
#define OWN_TILES "../arm/tiles_u8s8_neon.h"
#define CONV_NAME conv_u8s8_neon
#define FC_NAME fc_u8s8_neon

#include "conv_body.h"
