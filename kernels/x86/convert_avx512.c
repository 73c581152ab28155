/* convert_avx512.c: fp16 and code conversions, sums. */
#include "vec_avx512.h"

#include "../pk_sums.h"
#include "../pk_tables.h"

#include <math.h>

#define CONVERT(name) name##_avx512

#include "convert_body.h"
#include "sums_body.h"
