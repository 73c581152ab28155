/* rows.h: copies of n elements as fp32, on the lanes of a vec_<isa>.h included before. Nothing
 * past n is touched. */
#ifndef PARE_PK_ROWS_H
#define PARE_PK_ROWS_H

PK_INLINE void copy_f32(float *to, const float *from, size_t n)
{
    for (; n >= VL; n -= VL, to += VL, from += VL) {
        v_store_all(to, v_load_all(from));
    }
    if (n > 0) {
        const vm rest = v_lanes((int)n);
        v_store(to, v_load(from, rest), rest);
    }
}

PK_INLINE void copy_f16(float *to, const uint16_t *from, size_t n)
{
    const vm all = v_lanes(VL);
    for (; n >= VL; n -= VL, to += VL, from += VL) {
        v_store_all(to, v_load_f16(from, all));
    }
    if (n > 0) {
        const vm rest = v_lanes((int)n);
        v_store(to, v_load_f16(from, rest), rest);
    }
}

#endif
