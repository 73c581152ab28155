/*
 * plain.h: the most common epilogue of float layers, finished where the sums are: a bias (and
 * perhaps a factor), a clamp and one float output; on the lanes of a vec_<isa>.h included before.
 */
#ifndef PARE_PK_PLAIN_H
#define PARE_PK_PLAIN_H

struct plain_f32 {
    vf m, b, lo, hi;
    bool scaled, half, whole; /* m counts; fp16 output; all lanes exist */
    vm lanes;
    ptrdiff_t pitch; /* elements */
    float *single;
    uint16_t *narrow;
};

/* Is this epilogue a plain one? */
PK_INLINE bool plain_f32_is(const struct pk_epilogue *e)
{
    return e->n_steps == 0 && e->n_outs == 1 && e->outs[0].type != PK_U8;
}

/* The outputs of a vector of channels from `pixel` on; `lanes` (1..VL) of them exist. */
PK_INLINE struct plain_f32 plain_f32_of(const struct pk_out *o, size_t pixel, int channel, int lanes)
{
    struct plain_f32 p;
    const ptrdiff_t at = (ptrdiff_t)pixel * o->pitch + channel;
    p.lanes = v_lanes(lanes);
    p.whole = lanes >= VL;
    p.scaled = o->m != NULL;
    p.m = p.scaled ? v_load(o->m + channel, p.lanes) : v_set(1.0f);
    p.b = v_load(o->b + channel, p.lanes);
    p.lo = v_set(o->lo);
    p.hi = v_set(o->hi);
    p.half = o->type == PK_F16;
    p.pitch = o->pitch;
    p.single = (float *)o->data + (p.half ? 0 : at);
    p.narrow = (uint16_t *)o->data + (p.half ? at : 0);
    return p;
}

/* Whole vectors of fp32 with a bias only: what remains is worth code of its own. */
PK_INLINE bool plain_f32_is_bare(const struct plain_f32 *p)
{
    return p->whole && !p->half && !p->scaled;
}

PK_INLINE void plain_f32_put_bare(const struct plain_f32 *p, vf sum, ptrdiff_t i)
{
    v_store_all(p->single + i * p->pitch, v_clamp(v_add(sum, p->b), p->lo, p->hi));
}

/* Writes pixel i. */
PK_INLINE void plain_f32_put(const struct plain_f32 *p, vf sum, ptrdiff_t i)
{
    const vf t = p->scaled ? v_fma(sum, p->m, p->b) : v_add(sum, p->b);
    const vf u = v_clamp(t, p->lo, p->hi);
    if (p->half) {
        v_store_f16(p->narrow + i * p->pitch, u, p->lanes);
    } else if (p->whole) {
        v_store_all(p->single + i * p->pitch, u);
    } else {
        v_store(p->single + i * p->pitch, u, p->lanes);
    }
}

#endif
