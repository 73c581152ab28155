/*
 * bits_body.h: dense layers on one bit: activations 0 or 1, weights -1 or +1, by exclusive or and
 * population count. With b = 1 for a weight of -1, a sum of x * w over K products is
 *   popcount(x xor b) - (number of b),
 * so what counts is the number of differing bits; a channel whose weights are all 0 has the sum 0.
 * The including file defines first:
 *   WORD                bits of a word: 32 or 64
 *   PART, GRAIN, STRIP  channels of a tile; of the last one, a multiple of this many; pixels of a block of sums
 *   FIRST               pixels of a block, at most STRIP, where the picture is read in order and K is above 256: the
 *                       first block's bits have to be there before anything is multiplied
 *   BITS_TILES          a header that defines to_bits(x, n, to): n codes to bits, whole words, bits
 *                       beyond are 0; TALL: the most pixels of a tile; tile_for(rows, n): the tile
 *                       for rows (1..TALL) pixels and n channels (of PART) that exist
 *   BITS_GATHER         a header that defines how the bits of activations get there (bits_stream.h, or
 *                       one of the instruction set's): room_bytes, row_to_bits, join_taps, look_ahead
 *   BITS_TAKES          can this machine do it?
 *   BITS_ENDING         where tiles can write codes themselves: a header that defines struct ending,
 *                       find_ending, strip_ended
 *   PK_EPILOGUE         the epilogue function
 *   CONV_NAME, FC_NAME  tables pk_<name>
 *
 * Packed, for CHANNELS output channels at a time (the last block: in whole GRAINs as many as exist): minus
 * the number of b and a mask (0 for a channel of zeros), int32 each per channel; then per PART [words of
 * K][PART] words.
 * The picture is packed to bits once, with its padding, row by row as output rows need it. Where it wastes
 * little that every pixel begins at a word, the tiles read it where it is ("in place"); else pixels follow
 * each other bit by bit and the bits of an output pixel's taps are joined. A picture that is read in order,
 * pixel by pixel, has rows of STRIP or FIRST pixels.
 */
#include <string.h>

enum { CHANNELS = 64 }; /* of a block of sums */

#if WORD == 32
typedef uint32_t word;
#else
typedef uint64_t word;
#endif

struct plan {
    size_t depth, k, n;
    size_t tap_words, words;  /* words of one tap, of a sum */
    size_t rows, columns;     /* of the picture of bits, with its padding */
    size_t row_words;         /* words of one of its rows, and one that may be read */
    size_t out_h, out_w, pixels;
    bool in_place, in_order;
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
    p.tap_words = (p.depth + WORD - 1) / WORD;
    p.words = (p.k + WORD - 1) / WORD;
    p.in_place = c->dilation_w == 1 && taps * p.tap_words * 8 <= p.words * 9;
    p.in_order = p.in_place && reads_in_order(c);
    p.words = p.in_place ? taps * p.tap_words : p.words;
    p.rows = (size_t)((c->out_h - 1) * c->stride_h + (c->kernel_h - 1) * c->dilation_h + 1);
    p.columns = (size_t)((c->out_w - 1) * c->stride_w + (c->kernel_w - 1) * c->dilation_w + 1);
    p.out_h = (size_t)c->out_h;
    p.out_w = (size_t)c->out_w;
    p.pixels = p.out_h * p.out_w;
    if (p.in_order) {
        const size_t most = p.k > 256 ? FIRST : STRIP;
        p.columns = p.out_w = p.pixels < most ? p.pixels : most;
        p.rows = p.out_h = (p.pixels + p.out_w - 1) / p.out_w;
    }
    p.row_words = p.in_place ? p.columns * p.tap_words : (p.columns * p.depth + WORD - 1) / WORD + 1;
    return p;
}

/* Channels of the block that begins at channel `first`, in whole GRAINs. */
static size_t block_width(const struct plan *p, size_t first)
{
    const size_t left = pk_round_up(p->n - first, GRAIN);
    return left < CHANNELS ? left : CHANNELS;
}

static size_t block_bytes(const struct plan *p, size_t width)
{
    return width * (2 * sizeof(int32_t) + p->words * sizeof(word));
}

static size_t packed_size(const struct pk_conv *c)
{
    if (c->groups != 1 || !(BITS_TAKES)) {
        return 0;
    }
    const struct plan p = plan_of(c);
    return block_bytes(&p, pk_round_up(p.n, GRAIN)); /* the same in blocks */
}

/* Where product k lies: the bit of a row of words. */
static size_t bit_of(const struct plan *p, size_t k)
{
    return p->in_place ? k / p->depth * p->tap_words * WORD + k % p->depth : k;
}

static void pack(const struct pk_conv *c, const void *weights, void *packed)
{
    const struct plan p = plan_of(c);
    const int8_t *w = weights; /* [n][k] */
    memset(packed, 0, packed_size(c));
    for (size_t n = 0; n < p.n; n++) {
        const size_t block = n / CHANNELS * CHANNELS, width = block_width(&p, block), at = n - block;
        const size_t wide = width < PART ? width : PART;
        int32_t *start = (int32_t *)(void *)((char *)packed + block_bytes(&p, block));
        int32_t *mask = start + width;
        word *bits = (word *)(void *)(mask + width) + at / PART * p.words * PART;
        for (size_t k = 0; k < p.k; k++) {
            const size_t bit = bit_of(&p, k);
            if (w[n * p.k + k] < 0) {
                bits[bit / WORD * wide + at % PART] |= (word)1 << bit % WORD;
                start[at]--;
            }
        }
        mask[at] = p.k > 0 && w[n * p.k] != 0 ? -1 : 0;
    }
}

/* Codes of a row, 64 at a time, whose bits tiles may make while they multiply. */
struct ahead {
    const uint8_t *from;
    word *to;
    size_t lines, done;
};

/* Pixels' bits: `parts` runs of `length` words, `apart` words apart; the next pixel is `pitch`
 * words further. */
struct bits {
    const word *a;
    size_t pitch, parts, length, apart;
    struct ahead *ahead;
};

/* acc[rows][CHANNELS] of a PART = (differing bits + start) & mask */
typedef void tile_fn(const struct bits *x, const word *w, const int32_t *start, const int32_t *mask,
                     int32_t *acc);

#include BITS_TILES

/* ---- bits of activations ---- */

/* Where things are in scratch. */
struct ending;
struct scratch {
    word *bits;             /* of the picture */
    word *joined;           /* [STRIP][words] and one, when not in place */
    int32_t *acc;           /* [STRIP][CHANNELS] */
    struct ending *endings; /* [blocks of channels] */
    uint8_t *room;          /* room_bytes(p) for BITS_GATHER */
};

#include BITS_GATHER

/* ---- sums ---- */

/* Number of ones of each of `rows` pixels' taps, for weight zero points. */
static void count_ones(const struct bits *x, size_t rows, int32_t *sums)
{
    for (size_t r = 0; r < rows; r++) {
        const word *a = x->a + r * x->pitch;
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
    const int32_t *start = (const int32_t *)(const void *)block, *mask = start + width;
    const word *w = (const word *)(const void *)(mask + width);
    for (size_t at = 0; at < n; at += PART, w += p->words * PART) {
        struct bits tile = *x;
        for (size_t r = 0, tall; r < rows; r += tall) {
            const size_t left = rows - r, tiles_left = (left + TALL - 1) / TALL;
            tall = (left + tiles_left - 1) / tiles_left;
            tile.a = x->a + r * x->pitch;
            tile_for(tall, n - at)(&tile, w, start + at, mask + at, acc + r * CHANNELS + at);
        }
    }
}

#ifdef BITS_ENDING
#include BITS_ENDING
#else
struct ending {
    char none;
};

static void find_ending(const struct plan *p, const struct pk_epilogue *e, size_t first, size_t n,
                        const int32_t *start, const int32_t *mask, struct ending *to)
{
    (void)p, (void)e, (void)first, (void)n, (void)start, (void)mask, (void)to;
}

static bool strip_ended(struct ending *to, const struct bits *x, const word *w, size_t rows,
                        size_t pixel)
{
    (void)to, (void)x, (void)w, (void)rows, (void)pixel;
    return false;
}
#endif

/* ---- the layer ---- */

/* Bytes of the parts of scratch, one after the other. */
static size_t parts_of(const struct plan *p, size_t part[5])
{
    part[0] = STRIP * CHANNELS * sizeof(int32_t);
    part[1] = pk_round_up((p->n + CHANNELS - 1) / CHANNELS * sizeof(struct ending), 64);
    part[2] = pk_round_up(p->rows * p->row_words * sizeof(word), 64);
    part[3] = p->in_place ? 0 : pk_round_up((STRIP * p->words + 1) * sizeof(word), 64);
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
    s.endings = (struct ending *)(void *)(memory + part[0]);
    s.bits = (word *)(void *)(memory + part[0] + part[1]);
    s.joined = (word *)(void *)(memory + part[0] + part[1] + part[2]);
    s.room = (uint8_t *)memory + part[0] + part[1] + part[2] + part[3];
    return s;
}

struct work {
    const struct pk_conv *c;
    const struct plan *p;
    const struct pk_epilogue *e;
    const char *packed;
    const uint8_t *x;
    int pad_code;
    struct scratch s;
    size_t ready; /* rows of the picture that are bits */
    struct ahead ahead; /* of the next one */
};

/* Where the tiles of each block of channels end. */
static void find_endings(const struct work *w)
{
    const char *block = w->packed;
    for (size_t first = 0; first < w->p->n; first += CHANNELS) {
        const size_t n = w->p->n - first < CHANNELS ? w->p->n - first : CHANNELS;
        const size_t width = block_width(w->p, first);
        const int32_t *start = (const int32_t *)(const void *)block;
        find_ending(w->p, w->e, first, n, start, start + width, &w->s.endings[first / CHANNELS]);
        block += block_bytes(w->p, width);
    }
}

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
        const word *weights = (const word *)(const void *)(block + 2 * width * sizeof(int32_t));
        if (!strip_ended(&w->s.endings[first / CHANNELS], x, weights, rows, pixel)) {
            strip(p, x, block, width, rows, n, w->s.acc);
            const struct pk_tile tile = {.acc = w->s.acc,       .ld = CHANNELS, .pixel = pixel,
                                         .rows = (int)rows,     .channel = (int)first,
                                         .n = (int)n,           .sums = sums};
            PK_EPILOGUE(w->e, &tile);
        }
        block += block_bytes(p, width);
    }
}

/* The rows of the picture that output row y reads become bits; tiles may begin with the next. */
static void prepare_rows(struct work *w, size_t y)
{
    const struct pk_conv *c = w->c;
    const struct plan *p = w->p;
    const size_t reach = (size_t)(c->kernel_h - 1) * (size_t)c->dilation_h + 1;
    for (const size_t end = y * (size_t)c->stride_h + reach; w->ready < end; w->ready++) {
        row_to_bits(c, p, w->x, w->pad_code, &w->s, w->ready, w->ahead.done);
        w->ahead = (struct ahead){0};
    }
    if (w->ready < p->rows && w->ahead.done == 0) {
        w->ahead = look_ahead(c, p, w->x, &w->s, w->ready);
    }
}

static void run(const struct pk_conv *c, const void *x, int pad_code, const void *packed,
                const struct pk_epilogue *e, void *scratch)
{
    const struct plan p = plan_of(c);
    struct work w = {.c = c, .p = &p, .e = e, .packed = packed, .x = x, .pad_code = pad_code,
                     .s = place(&p, scratch)};
    find_endings(&w);
    const size_t step = (size_t)c->stride_w * p.tap_words;
    struct bits b = {.a = w.s.joined, .pitch = p.words, .parts = 1, .length = p.words, .ahead = &w.ahead};
    if (p.in_place) {
        b.pitch = step;
        b.parts = (size_t)c->kernel_h;
        b.length = (size_t)c->kernel_w * p.tap_words;
        b.apart = (size_t)c->dilation_h * p.row_words;
    }
    for (size_t y = 0; y < p.out_h; y++) {
        const size_t left = p.pixels - y * p.out_w, columns = left < p.out_w ? left : p.out_w;
        prepare_rows(&w, y);
        for (size_t ox = 0; ox < columns; ox += STRIP) {
            const size_t rows = columns - ox < STRIP ? columns - ox : STRIP;
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
