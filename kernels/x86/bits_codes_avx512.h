/*
 * bits_codes_avx512.h: bits of activations for bits_body.h, pixel by pixel: loads and stores of any
 * number of codes cost the same with masks. (Joining bits was slower: 3x3 of 16, 32 channels 49, 78
 * products per cycle, codes 56, 92; 2026-11-21.)
 */
#include "panel_u8_avx512.h"

/* Pixels of padding: `n` times the words of one. */
static void pad_bits(const struct plan *p, size_t n, int pad_code, uint64_t *to)
{
    const size_t rest = p->depth % 64;
    for (size_t i = 0; i < n * p->tap_words; i++) {
        const bool last = rest != 0 && i % p->tap_words == p->tap_words - 1;
        to[i] = pad_code == 0 ? 0 : last ? ((uint64_t)1 << rest) - 1 : ~(uint64_t)0;
    }
}

static void picture_to_bits(const struct pk_conv *c, const struct plan *p, const uint8_t *x,
                            int pad_code, const struct scratch *s)
{
    uint64_t *to = s->bits;
    if (!p->in_place) {
        return; /* join_taps reads codes */
    }
    if (reads_in_order(c)) {
        for (size_t i = 0; i < p->out_w; i++) {
            to_bits(x + i * p->depth, p->depth, to + i * p->tap_words);
        }
        return;
    }
    const ptrdiff_t columns = (ptrdiff_t)p->columns;
    for (ptrdiff_t y = 0; y < (ptrdiff_t)p->rows; y++, to += p->columns * p->tap_words) {
        const ptrdiff_t iy = y - c->pad_top;
        ptrdiff_t from = c->pad_left, end = c->pad_left + c->in_w;
        end = end < columns ? end : columns;
        from = from < columns ? from : columns;
        if (iy < 0 || iy >= c->in_h) {
            from = end = columns;
        }
        pad_bits(p, (size_t)from, pad_code, to);
        const uint8_t *row = x + iy * c->in_w * c->in_c;
        for (ptrdiff_t i = from; i < end; i++) {
            to_bits(row + (i - c->pad_left) * c->in_c, p->depth, to + (size_t)i * p->tap_words);
        }
        pad_bits(p, (size_t)(columns - end), pad_code, to + (size_t)end * p->tap_words);
    }
}

/* A row of codes for each pixel of a strip. */
static size_t room_bytes(const struct plan *p)
{
    return p->in_place ? 0 : STRIP * pk_round_up(p->k, 64);
}

/* Copies the codes of the taps of `rows` pixels from column ox of output row y on, to bits. */
static void join_taps(const struct pk_conv *c, const struct plan *p, const uint8_t *x, int pad_code,
                      const struct scratch *s, size_t y, size_t ox, size_t rows)
{
    const size_t lda = pk_round_up(p->k, 64);
    panel_gather(c, x, y * p->out_w + ox, rows, (uint8_t)pad_code, s->room, lda);
    for (size_t r = 0; r < rows; r++) {
        to_bits(s->room + r * lda, p->k, s->joined + r * p->words);
    }
}
