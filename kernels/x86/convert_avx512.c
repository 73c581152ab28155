/* convert_avx512.c: fp16 and code conversions. */
#include "vec_avx512.h"

#include "../pk_tables.h"

#define CONVERT(name) name##_avx512

#include "convert_body.h"
