/*
 * bits_stream.h: bits of activations for bits_body.h, row by row: a row's codes, which follow each
 * other, become bits that follow each other; pixels or runs of taps are cut out of those.
 */
/* 64 bits from bit `at` on; the word after is read too. */
PK_INLINE uint64_t bits_at(const uint64_t *from, size_t at)
{
    const uint64_t *p = from + at / 64;
    const size_t shift = at % 64;
    return *p >> shift | p[1] << 1 << (63 - shift);
}

PK_INLINE uint64_t first_bits(uint64_t all, size_t n)
{
    return n < 64 ? all & (((uint64_t)1 << n) - 1) : all;
}

/* Pixels that follow each other bit by bit to pixels that begin at a word. */
static void spread_pixels(const struct plan *p, const uint64_t *from, size_t n, uint64_t *to)
{
    const size_t rest = (p->depth - 1) % 64 + 1; /* bits of a pixel's last word */
    for (size_t i = 0, at = 0; i < n; i++, at += p->depth) {
        for (size_t k = 0; k + 1 < p->tap_words; k++) {
            *to++ = bits_at(from, at + 64 * k);
        }
        *to++ = first_bits(bits_at(from, at + p->depth - rest), rest);
    }
}

/* Codes of a row with their padding. */
static size_t row_bytes(const struct plan *p)
{
    return pk_round_up(p->columns * p->depth, 64);
}

static size_t room_bytes(const struct plan *p)
{
    return row_bytes(p) + row_bytes(p) / 8 + 64; /* their bits too */
}

/* Row y of the padded picture. */
static void row_to_bits(const struct pk_conv *c, const struct plan *p, const uint8_t *x, int pad_code,
                        const struct scratch *s, size_t y, size_t done)
{
    const ptrdiff_t iy = p->in_order ? 0 : (ptrdiff_t)y - c->pad_top;
    const bool inside = iy >= 0 && iy < c->in_h;
    const size_t first = p->in_order ? y * p->columns : 0; /* pixel */
    const size_t left = p->in_order ? 0 : (size_t)c->pad_left, in_w = p->in_order ? p->pixels - first : (size_t)c->in_w;
    const size_t end = left + in_w < p->columns ? left + in_w : p->columns;
    const size_t n = p->columns * p->depth;
    const uint8_t *row = x + iy * c->in_w * c->in_c + first * p->depth;
    uint8_t *room = s->room;
    word *to = s->bits + y * p->row_words;
    (void)done;
    if (!inside || left > 0 || end < p->columns) {
        const size_t from = !inside || left > p->columns ? p->columns : left;
        memset(room, pad_code, from * p->depth);
        if (inside && end > from) {
            memcpy(room + from * p->depth, row, (end - from) * p->depth);
            memset(room + end * p->depth, pad_code, (p->columns - end) * p->depth);
        }
        row = room;
    }
    if (!p->in_place || p->depth % 64 == 0) {
        to_bits(row, n, to);
        return;
    }
    uint64_t *bits = (uint64_t *)(void *)(room + row_bytes(p));
    to_bits(row, n, bits);
    spread_pixels(p, bits, p->columns, to);
}

/* Tiles only multiply. */
static struct ahead look_ahead(const struct pk_conv *c, const struct plan *p, const uint8_t *x,
                               const struct scratch *s, size_t y)
{
    (void)c, (void)p, (void)x, (void)s, (void)y;
    return (struct ahead){0};
}

/* A row of words that bits are added to at the end. */
struct joined {
    uint64_t word;
    size_t filled;
    uint64_t *to;
};

PK_INLINE void join(struct joined *j, uint64_t part, size_t n)
{
    const size_t all = j->filled + n;
    j->word |= part << j->filled;
    *j->to = j->word; /* what is not full is written again */
    if (all >= 64) {
        j->word = j->filled > 0 ? part >> (64 - j->filled) : 0;
        *++j->to = j->word; /* maybe one word too many: the next pixel's first, or room at the end */
    }
    j->filled = all % 64;
}

/* Joins the bits of the taps of `rows` pixels from column ox of output row y on. */
static void join_taps(const struct pk_conv *c, const struct plan *p, const uint8_t *x, int pad_code,
                      const struct scratch *s, size_t y, size_t ox, size_t rows)
{
    const bool together = c->dilation_w == 1; /* the taps of a row */
    const size_t run = (together ? (size_t)c->kernel_w : 1) * p->depth, words = p->words;
    const size_t runs = together ? 1 : (size_t)c->kernel_w, apart = (size_t)c->dilation_w * p->depth;
    const size_t kernel_h = (size_t)c->kernel_h, row = (size_t)c->dilation_h * p->row_words;
    const uint64_t *from = s->bits + y * (size_t)c->stride_h * p->row_words;
    const size_t step = (size_t)c->stride_w * p->depth;
    size_t at = ox * step;
    uint64_t *to = s->joined;
    (void)x, (void)pad_code;
    for (size_t r = 0; r < rows; r++, at += step, to += words) {
        struct joined j = {0, 0, to};
        for (size_t ky = 0; ky < kernel_h; ky++) {
            const uint64_t *line = from + ky * row;
            if (together && run <= 64) {
                join(&j, first_bits(bits_at(line, at), run), run);
                continue;
            }
            for (size_t i = 0; i < runs; i++) {
                for (size_t done = 0; done < run; done += 64) {
                    const size_t n = run - done < 64 ? run - done : 64;
                    join(&j, first_bits(bits_at(line, at + i * apart + done), n), n);
                }
            }
        }
    }
}
