/* convert_neon.c: fp16 and code conversions. */
#include "vec_neon.h"

#include "../pk_tables.h"

#define CONVERT(name) name##_neon

#include "convert_body.h"
