/* convert_avx2.c: fp16 and code conversions, sums. */
#include "vec_avx2.h"

#include "../pk_sums.h"
#include "../pk_tables.h"

#include <math.h>

#define CONVERT(name) name##_avx2

#include "convert_body.h"
#include "sums_body.h"
