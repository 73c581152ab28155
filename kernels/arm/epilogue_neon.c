/* epilogue_neon.c: the epilogue on four lanes. */
#include "vec_neon.h"

enum { ROWS = 4, ROWS_PART = 2 }; /* pixels at a time in whole and in partly used vectors */

#include "epilogue_body.h"

void pk_epilogue_i32_neon(const struct pk_epilogue *e, const struct pk_tile *t)
{
    epilogue_i32(e, t);
}

void pk_epilogue_f32_neon(const struct pk_epilogue *e, const struct pk_tile *t)
{
    epilogue_f32(e, t);
}
