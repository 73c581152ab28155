/* convert_avx2.c: fp16 and code conversions. */
#include "vec_avx2.h"

#include "../pk_tables.h"

#define CONVERT(name) name##_avx2

#include "convert_body.h"
