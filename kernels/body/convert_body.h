/* convert_body.h: the conversions of pk.h on the lanes of a vec_<isa>.h included before;
 * CONVERT(name) names them. */

void CONVERT(pk_quantize_u8)(const float *x, size_t n, float inv_scale, float offset, int zero,
                             float lo, float hi, uint8_t *q)
{
    for (size_t i = 0; i < n; i += VL) {
        const vm lanes = v_lanes(n - i < VL ? (int)(n - i) : VL);
        const vf u = v_mul(v_sub(v_load(x + i, lanes), v_set(offset)), v_set(inv_scale));
        v_store_u8(q + i, v_add_i(v_to_int(v_clamp(u, v_set(lo), v_set(hi))), v_set_i(zero)),
                   lanes);
    }
}

void CONVERT(pk_dequantize_u8)(const uint8_t *q, size_t n, float scale, float offset, int zero,
                               float *x)
{
    for (size_t i = 0; i < n; i += VL) {
        const vm lanes = v_lanes(n - i < VL ? (int)(n - i) : VL);
        const vi code = v_sub_i(v_load_u8(q + i, lanes), v_set_i(zero));
        v_store(x + i, v_fma(v_to_float(code), v_set(scale), v_set(offset)), lanes);
    }
}

void CONVERT(pk_f32_to_f16)(const float *x, size_t n, uint16_t *h)
{
    for (size_t i = 0; i < n; i += VL) {
        const vm lanes = v_lanes(n - i < VL ? (int)(n - i) : VL);
        v_store_f16(h + i, v_load(x + i, lanes), lanes);
    }
}

void CONVERT(pk_f16_to_f32)(const uint16_t *h, size_t n, float *x)
{
    for (size_t i = 0; i < n; i += VL) {
        const vm lanes = v_lanes(n - i < VL ? (int)(n - i) : VL);
        v_store(x + i, v_load_f16(h + i, lanes), lanes);
    }
}
