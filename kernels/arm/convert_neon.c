/* convert_neon.c: fp16 and code conversions, sums. */
#include "vec_neon.h"

#include "../pk_sums.h"
#include "../pk_tables.h"

#include <math.h>

#define CONVERT(name) name##_neon

#include "convert_body.h"
#include "sums_body.h"
