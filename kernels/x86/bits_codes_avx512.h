/*
 * bits_codes_avx512.h: bits of activations for bits_body.h, pixel by pixel, or 64 codes by 64 where pixels fill
 * words: loads and stores of any number of codes cost the same with masks. (Joining bits was slower than joining
 * codes: 3x3 of 16 channels 49 and 56 products per cycle; 2026-11-21.)
 */
#include "panel_u8_avx512.h"

/* Pixels of padding: `n` times the words of one. */
static void pad_bits(const struct plan *p, size_t n, int pad_code, word *to)
{
    const size_t rest = p->depth % WORD;
    for (size_t i = 0; i < n * p->tap_words; i++) {
        const bool last = rest != 0 && i % p->tap_words == p->tap_words - 1;
        to[i] = pad_code == 0 ? 0 : last ? ((word)1 << rest) - 1 : ~(word)0;
    }
}

/* The pixels of row y of the padded picture that exist. */
struct codes_row {
    const uint8_t *from;
    word *to;
    size_t left, n; /* columns of padding before them; they */
};

static struct codes_row codes_row(const struct pk_conv *c, const struct plan *p, const uint8_t *x,
                                  const struct scratch *s, size_t y)
{
    struct codes_row row = {x + y * p->columns * p->depth, s->bits + y * p->row_words, 0, p->pixels - y * p->columns};
    if (!p->in_order) {
        const ptrdiff_t iy = (ptrdiff_t)y - c->pad_top;
        const bool inside = iy >= 0 && iy < c->in_h;
        row.left = inside && (size_t)c->pad_left < p->columns ? (size_t)c->pad_left : p->columns;
        row.from = inside ? x + iy * c->in_w * c->in_c : x;
        row.n = inside ? (size_t)c->in_w : 0;
        row.to += row.left * p->tap_words;
    }
    row.n = row.n < p->columns - row.left ? row.n : p->columns - row.left;
    return row;
}

/* Do pixels' bits follow each other as their codes do? */
static bool is_stream(const struct plan *p)
{
    return p->in_place && p->depth % WORD == 0;
}

/* Row y of the padded picture, of whose codes `done` lines are bits. */
static void row_to_bits(const struct pk_conv *c, const struct plan *p, const uint8_t *x, int pad_code,
                        const struct scratch *s, size_t y, size_t done)
{
    if (!p->in_place) {
        return; /* join_taps reads codes */
    }
    const struct codes_row row = codes_row(c, p, x, s, y);
    if (!p->in_order) {
        pad_bits(p, row.left, pad_code, s->bits + y * p->row_words);
        pad_bits(p, p->columns - row.left - row.n, pad_code, row.to + row.n * p->tap_words);
    }
    if (is_stream(p)) {
        to_bits(row.from + 64 * done, row.n * p->depth - 64 * done, row.to + 64 / WORD * done);
        return;
    }
    for (size_t i = 0; i < row.n; i++) {
        to_bits(row.from + i * p->depth, p->depth, row.to + i * p->tap_words);
    }
}

static struct ahead look_ahead(const struct pk_conv *c, const struct plan *p, const uint8_t *x,
                               const struct scratch *s, size_t y)
{
    if (!is_stream(p)) {
        return (struct ahead){0};
    }
    const struct codes_row row = codes_row(c, p, x, s, y);
    return (struct ahead){.from = row.from, .to = row.to, .lines = row.n * p->depth / 64};
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
