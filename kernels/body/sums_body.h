/*
 * sums_body.h: pk_moments_f32 and pk_distance_f32 of pk.h on the doubles of a vec_<isa>.h included before;
 * CONVERT(name) names them. Lane l of PK_SUM_LANES adds elements l, l + PK_SUM_LANES, ... in every instruction set.
 */

enum { SUM_PARTS = PK_SUM_LANES / DL };

PK_INLINE void store_parts(double lane[PK_SUM_LANES], const vd part[SUM_PARTS])
{
    PK_UNROLL for (int k = 0; k < SUM_PARTS; k++)
    {
        d_store(lane + k * DL, part[k]);
    }
}

void CONVERT(pk_moments_f32)(const float *x, size_t n, struct pk_moments *m)
{
    struct pk_moment_lanes lanes;
    vd sum[SUM_PARTS], squares[SUM_PARTS], lo[SUM_PARTS], hi[SUM_PARTS];
    const size_t whole = n / PK_SUM_LANES * PK_SUM_LANES;
    PK_UNROLL for (int k = 0; k < SUM_PARTS; k++)
    {
        sum[k] = squares[k] = d_set(0.0);
        lo[k] = d_set(INFINITY);
        hi[k] = d_set(-INFINITY);
    }
    for (size_t i = 0; i < whole; i += PK_SUM_LANES) {
        PK_UNROLL for (int k = 0; k < SUM_PARTS; k++)
        {
            const vd v = d_load_f32(x + i + k * DL);
            sum[k] = d_add(sum[k], v);
            squares[k] = d_add(squares[k], d_mul(v, v));
            lo[k] = d_min(v, lo[k]);
            hi[k] = d_max(v, hi[k]);
        }
    }
    store_parts(lanes.sum, sum);
    store_parts(lanes.squares, squares);
    store_parts(lanes.lo, lo);
    store_parts(lanes.hi, hi);
    if (!pk_moments_end(&lanes, x + whole, n - whole, n, m)) {
        pk_moments_f32_ref(x, n, m); /* some are not finite */
    }
}

void CONVERT(pk_distance_f32)(const float *y, const float *x, size_t n, struct pk_distance *d)
{
    struct pk_distance_lanes lanes;
    vd sum[SUM_PARTS], squares[SUM_PARTS], signal[SUM_PARTS], power[SUM_PARTS], dot[SUM_PARTS], most[SUM_PARTS];
    const size_t whole = n / PK_SUM_LANES * PK_SUM_LANES;
    PK_UNROLL for (int k = 0; k < SUM_PARTS; k++)
    {
        sum[k] = squares[k] = signal[k] = power[k] = dot[k] = most[k] = d_set(0.0);
    }
    for (size_t i = 0; i < whole; i += PK_SUM_LANES) {
        PK_UNROLL for (int k = 0; k < SUM_PARTS; k++)
        {
            const vd a = d_load_f32(y + i + k * DL), b = d_load_f32(x + i + k * DL), e = d_sub(a, b);
            sum[k] = d_add(sum[k], e);
            squares[k] = d_add(squares[k], d_mul(e, e));
            signal[k] = d_add(signal[k], d_mul(b, b));
            power[k] = d_add(power[k], d_mul(a, a));
            dot[k] = d_add(dot[k], d_mul(a, b));
            most[k] = d_max(e, d_max(d_sub(b, a), most[k])); /* a NaN is passed over */
        }
    }
    store_parts(lanes.sum, sum);
    store_parts(lanes.squares, squares);
    store_parts(lanes.signal, signal);
    store_parts(lanes.power, power);
    store_parts(lanes.dot, dot);
    store_parts(lanes.most, most);
    pk_distance_end(&lanes, y + whole, x + whole, n - whole, d);
}
