/* conv_u8s8_dotprod.c: byte codes with SDOT (Cortex-A55, A76, Neoverse-N1). */
#include "vec_neon.h"

#include "codes_neon.h"

#include "../pk_tables.h"

#define K_GROUP 4
#define HEAD 4
#define NV 2
#define OWN_TILES "../arm/tiles_u8s8_dotprod.h"
#define CONV_NAME conv_u8s8_dotprod
#define FC_NAME fc_u8s8_dotprod

#include "conv_body.h"
