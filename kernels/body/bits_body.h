/*
 * bits_body.h: dense layers on one bit: activations 0 or 1, weights -1 or +1, by exclusive or and
 * population count. With b = 1 for a weight of +1, a sum of x * w over K products is
 *   (number of b) - popcount(x xor b),
 * so what counts is the number of differing bits; a channel whose weights are all 0 has the sum 0.
 * The including file defines first:
 *   PART, STRIP         channels of a tile; pixels of a block of sums
 *   BITS_TILES          a header that defines to_bits(x, n, to): n codes to bits, whole words, bits
 *                       beyond are 0; TALL: the most pixels of a tile; tile_for(rows, n): the tile
 *                       for rows (1..TALL) pixels and n channels (of PART) that exist
 *   BITS_GATHER         a header that defines how the bits of activations get there (bits_stream.h, or
 *                       one of the instruction set's): room_bytes, picture_to_bits, join_taps
 *   BITS_TAKES          can this machine do it?
 *   BITS_THRESHOLD      where one-bit outputs have a way of their own: a header that defines struct
 *                       threshold, is_one_bit, find_threshold, put_bits
 *   PK_EPILOGUE         the epilogue function
 *   CONV_NAME, FC_NAME  tables pk_<name>
 *
 * Packed, for CHANNELS output channels at a time (the last block: in whole PARTs as many as exist): the
 * number of b and a mask (0 for a channel of zeros), int32 each per channel; then per PART [words of
 * K][PART] 64-bit words.
 * The picture is packed to bits once, with its padding. Where it wastes little that every pixel begins
 * at a word, the tiles read it where it is ("in place"); else pixels follow each other bit by bit and the
 * bits of an output pixel's taps are joined.
 */
#include <string.h>

enum {
    CHANNELS = 64, /* of a block of sums */
    FEW = 16       /* pixels: too few to look for borders first */
};

struct plan {
    size_t depth, k, n;
    size_t tap_words, words;  /* 64-bit words of one tap, of a sum */
    size_t rows, columns;     /* of the picture of bits, with its padding */
    size_t row_words;         /* words of one of its rows, and one that may be read */
    size_t out_h, out_w;
    bool in_place;
};

/* Is the picture, pixel by pixel, what the layer reads? */
static bool reads_in_order(const struct pk_conv *c)
{
    return c->kernel_h == 1 && c->kernel_w == 1 && c->stride_h == 1 && c->stride_w == 1 &&
           c->pad_top == 0 && c->pad_left == 0 && c->out_w == c->in_w && c->out_h <= c->in_h;
}

static struct plan plan_of(const struct pk_conv *c)
{
    struct plan p;
    const size_t taps = (size_t)c->kernel_h * (size_t)c->kernel_w;
    p.depth = (size_t)c->in_c;
    p.k = taps * p.depth;
    p.n = (size_t)c->out_c;
    p.tap_words = (p.depth + 63) / 64;
    p.words = (p.k + 63) / 64;
    p.in_place = c->dilation_w == 1 && taps * p.tap_words * 8 <= p.words * 9;
    p.words = p.in_place ? taps * p.tap_words : p.words;
    p.rows = (size_t)((c->out_h - 1) * c->stride_h + (c->kernel_h - 1) * c->dilation_h + 1);
    p.columns = (size_t)((c->out_w - 1) * c->stride_w + (c->kernel_w - 1) * c->dilation_w + 1);
    p.out_h = (size_t)c->out_h;
    p.out_w = (size_t)c->out_w;
    if (p.in_place && reads_in_order(c)) { /* one long row */
        p.out_w *= p.out_h;
        p.columns = p.out_w;
        p.rows = p.out_h = 1;
    }
    p.row_words = p.in_place ? p.columns * p.tap_words : (p.columns * p.depth + 63) / 64 + 1;
    return p;
}

/* Channels of the block that begins at channel `first`, in whole PARTs. */
static size_t block_width(const struct plan *p, size_t first)
{
    const size_t left = pk_round_up(p->n - first, PART);
    return left < CHANNELS ? left : CHANNELS;
}

static size_t block_bytes(const struct plan *p, size_t width)
{
    return width * (2 * sizeof(int32_t) + p->words * sizeof(uint64_t));
}

static size_t packed_size(const struct pk_conv *c)
{
    if (c->groups != 1 || !(BITS_TAKES)) {
        return 0;
    }
    const struct plan p = plan_of(c);
    return block_bytes(&p, pk_round_up(p.n, PART)); /* the same in blocks */
}

/* Where product k lies: the bit of a row of words. */
static size_t bit_of(const struct plan *p, size_t k)
{
    return p->in_place ? k / p->depth * p->tap_words * 64 + k % p->depth : k;
}

static void pack(const struct pk_conv *c, const void *weights, void *packed)
{
    const struct plan p = plan_of(c);
    const int8_t *w = weights; /* [n][k] */
    memset(packed, 0, packed_size(c));
    for (size_t n = 0; n < p.n; n++) {
        const size_t block = n / CHANNELS * CHANNELS, width = block_width(&p, block), at = n - block;
        int32_t *count = (int32_t *)(void *)((char *)packed + block_bytes(&p, block));
        int32_t *mask = count + width;
        uint64_t *bits = (uint64_t *)(void *)(mask + width) + at / PART * p.words * PART;
        for (size_t k = 0; k < p.k; k++) {
            const size_t bit = bit_of(&p, k);
            if (w[n * p.k + k] > 0) {
                bits[bit / 64 * PART + at % PART] |= (uint64_t)1 << bit % 64;
                count[at]++;
            }
        }
        mask[at] = p.k > 0 && w[n * p.k] != 0 ? -1 : 0;
    }
}

/* Pixels' bits: `parts` runs of `length` words, `apart` words apart; the next pixel is `pitch`
 * words further. */
struct bits {
    const uint64_t *a;
    size_t pitch, parts, length, apart;
};

/* acc[rows][CHANNELS] of a PART = (count - differing bits) & mask */
typedef void tile_fn(const struct bits *x, const uint64_t *w, const int32_t *count,
                     const int32_t *mask, int32_t *acc);

#include BITS_TILES

/* ---- bits of activations ---- */

/* Where things are in scratch. */
struct threshold;
struct scratch {
    uint64_t *bits;            /* of the picture */
    uint64_t *joined;          /* [STRIP][words] and one, when not in place */
    int32_t *acc;              /* [STRIP][CHANNELS] */
    struct threshold *one_bit; /* [blocks of channels] */
    uint8_t *room;             /* room_bytes(p) for BITS_GATHER */
};

#include BITS_GATHER

/* ---- sums ---- */

/* Number of ones of each of `rows` pixels' taps, for weight zero points. */
static void count_ones(const struct bits *x, size_t rows, int32_t *sums)
{
    for (size_t r = 0; r < rows; r++) {
        const uint64_t *a = x->a + r * x->pitch;
        long long sum = 0;
        for (size_t i = 0; i < x->parts; i++, a += x->apart) {
            for (size_t k = 0; k < x->length; k++) {
                sum += __builtin_popcountll(a[k]);
            }
        }
        sums[r] = (int32_t)sum;
    }
}

/* Sums of `rows` pixels (at most STRIP) times n channels of a block. */
static void strip(const struct plan *p, const struct bits *x, const char *block, size_t width,
                  size_t rows, size_t n, int32_t *acc)
{
    const int32_t *count = (const int32_t *)(const void *)block, *mask = count + width;
    const uint64_t *w = (const uint64_t *)(const void *)(mask + width);
    for (size_t at = 0; at < n; at += PART, w += p->words * PART) {
        struct bits tile = *x;
        for (size_t r = 0, tall; r < rows; r += tall) {
            const size_t left = rows - r, tiles_left = (left + TALL - 1) / TALL;
            tall = (left + tiles_left - 1) / tiles_left;
            tile.a = x->a + r * x->pitch;
            tile_for(tall, n - at)(&tile, w, count + at, mask + at, acc + r * CHANNELS + at);
        }
    }
}

#ifdef BITS_THRESHOLD
#include BITS_THRESHOLD
#else
struct threshold {
    char none;
};

static bool is_one_bit(const struct pk_epilogue *e)
{
    (void)e;
    return false;
}

static bool find_threshold(const struct pk_epilogue *e, size_t first, size_t n, int k,
                           struct threshold *t)
{
    (void)e, (void)first, (void)n, (void)k, (void)t;
    return false;
}

static void put_bits(const struct threshold *t, const struct pk_out *o, size_t pixel, size_t rows,
                     size_t first, size_t n, const int32_t *acc)
{
    (void)t, (void)o, (void)pixel, (void)rows, (void)first, (void)n, (void)acc;
}
#endif

/* ---- the layer ---- */

/* Bytes of the parts of scratch, one after the other. */
static size_t parts_of(const struct plan *p, size_t part[5])
{
    part[0] = STRIP * CHANNELS * sizeof(int32_t);
    part[1] = pk_round_up((p->n + CHANNELS - 1) / CHANNELS * sizeof(struct threshold), 64);
    part[2] = pk_round_up(p->rows * p->row_words * sizeof(uint64_t), 64);
    part[3] = p->in_place ? 0 : pk_round_up((STRIP * p->words + 1) * sizeof(uint64_t), 64);
    part[4] = room_bytes(p);
    return part[0] + part[1] + part[2] + part[3] + part[4];
}

static size_t scratch_size(const struct pk_conv *c)
{
    const struct plan p = plan_of(c);
    size_t part[5];
    return parts_of(&p, part);
}

static struct scratch place(const struct plan *p, char *memory)
{
    size_t part[5];
    parts_of(p, part);
    struct scratch s;
    s.acc = (int32_t *)(void *)memory;
    s.one_bit = (struct threshold *)(void *)(memory + part[0]);
    s.bits = (uint64_t *)(void *)(memory + part[0] + part[1]);
    s.joined = (uint64_t *)(void *)(memory + part[0] + part[1] + part[2]);
    s.room = (uint8_t *)memory + part[0] + part[1] + part[2] + part[3];
    return s;
}

struct work {
    const struct plan *p;
    const struct pk_epilogue *e;
    const char *packed;
    struct scratch s;
    bool one_bit;
};

/* All channels of `rows` pixels (at most STRIP). */
static void channels(const struct work *w, const struct bits *x, size_t pixel, size_t rows)
{
    const struct plan *p = w->p;
    const char *block = w->packed;
    int32_t sums[STRIP];
    if (w->e->weight_zero != NULL) {
        count_ones(x, rows, sums);
    }
    for (size_t first = 0; first < p->n; first += CHANNELS) {
        const size_t n = p->n - first < CHANNELS ? p->n - first : CHANNELS;
        const size_t width = block_width(p, first);
        strip(p, x, block, width, rows, n, w->s.acc);
        block += block_bytes(p, width);
        if (w->one_bit) {
            put_bits(&w->s.one_bit[first / CHANNELS], w->e->outs, pixel, rows, first, n, w->s.acc);
            continue;
        }
        const struct pk_tile tile = {.acc = w->s.acc,       .ld = CHANNELS, .pixel = pixel,
                                     .rows = (int)rows,     .channel = (int)first,
                                     .n = (int)n,           .sums = sums};
        PK_EPILOGUE(w->e, &tile);
    }
}

static void run(const struct pk_conv *c, const void *x, int pad_code, const void *packed,
                const struct pk_epilogue *e, void *scratch)
{
    const struct plan p = plan_of(c);
    struct work w = {.p = &p, .e = e, .packed = packed, .s = place(&p, scratch)};
    w.one_bit = p.out_h * p.out_w >= FEW && is_one_bit(e);
    for (size_t first = 0; w.one_bit && first < p.n; first += CHANNELS) {
        const size_t n = p.n - first < CHANNELS ? p.n - first : CHANNELS;
        w.one_bit = find_threshold(e, first, n, (int)p.k, &w.s.one_bit[first / CHANNELS]);
    }
    picture_to_bits(c, &p, x, pad_code, &w.s);
    const size_t step = (size_t)c->stride_w * p.tap_words;
    struct bits b = {.a = w.s.joined, .pitch = p.words, .parts = 1, .length = p.words, .apart = 0};
    if (p.in_place) {
        b.pitch = step;
        b.parts = (size_t)c->kernel_h;
        b.length = (size_t)c->kernel_w * p.tap_words;
        b.apart = (size_t)c->dilation_h * p.row_words;
    }
    for (size_t y = 0; y < p.out_h; y++) {
        for (size_t ox = 0; ox < p.out_w; ox += STRIP) {
            const size_t rows = p.out_w - ox < STRIP ? p.out_w - ox : STRIP;
            if (p.in_place) {
                b.a = w.s.bits + y * (size_t)c->stride_h * p.row_words + ox * step;
            } else {
                join_taps(c, &p, x, pad_code, &w.s, y, ox, rows);
            }
            channels(&w, &b, y * p.out_w + ox, rows);
        }
    }
}

#define PK_TABLE_2(name)                                                                           \
    const struct pk_layer_kernel pk_##name = {#name, packed_size, pack, scratch_size, run}
#define PK_TABLE(name) PK_TABLE_2(name)
PK_TABLE(CONV_NAME);
PK_TABLE(FC_NAME);
