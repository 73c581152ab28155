/*
 * conv_window.h: dense convolution whose rows of K are short: first layers (up to four input channels, any window) and 1x1
 * layers of few channels. Nothing is copied window by window: the taps of one kernel row lie side by side in a row of the
 * picture, so tiles read them where they are; rows are copied once, with their padding, where there is any window at all.
 * Sums are finished in registers. Included after conv_body.h, whose macros it uses (T_X, T_W, T_P, T_ACC, K_GROUP, VL,
 * vacc, V_*, weight_of, PK_EPILOGUE, PK_PAD); beside V_FINISH and the functions of struct finish it needs
 *   W_START(f, j)     what vector j of a panel's sums begins with when they are finished by f
 *   W_POINTWISE       channels up to which a 1x1 layer comes here (0: none)
 *   W_FINISHES        vectors that a tile has to have at least to be finished
 *
 * Packed weights: panels of 64, 32 or 16 channels, each [kernel row][group of K_GROUP][channel][K_GROUP], zero beyond the
 * last channel and beyond the taps of a row.
 */
enum {
    W_CHANNELS = 4,      /* of a first layer, at most */
    W_RUN = 256,         /* bytes of a kernel row, at most */
    W_PIXELS = 192,      /* of a 1x1 layer that all panels take before the next ones */
    W_BUFFER = 16 << 10, /* bytes of copied rows: a third of an L1 */
    W_MOST = 16          /* pixels of a tile, at most */
};

/* How a layer is cut; elements. */
struct win {
    int run, groups; /* taps times channels of a kernel row; the same in K_GROUP */
    int panels;
    size_t row;      /* of the copied picture */
    int rows;        /* output rows of a block */
    bool pointwise;
};

static bool win_does(const struct pk_conv *c)
{
    const int run = c->kernel_w * c->in_c;
    if (c->groups != 1 || c->dilation_w != 1) {
        return false;
    }
    if (c->kernel_h == 1 && c->kernel_w == 1) {
        return c->in_c <= W_POINTWISE && c->in_c % K_GROUP == 0 && c->stride_h == 1 && c->stride_w == 1 && c->pad_top == 0 &&
               c->pad_left == 0 && c->out_w == c->in_w && c->out_h <= c->in_h;
    }
    return c->in_c <= W_CHANNELS && (size_t)run * sizeof(T_X) <= W_RUN;
}

/* Channels of the panel that begins where `left` channels are left. */
static int win_width(int left)
{
    return left > 48 ? 64 : left > 16 ? 32 : 16;
}

static struct win win_of(const struct pk_conv *c)
{
    struct win w = {.run = c->kernel_w * c->in_c, .pointwise = c->kernel_h == 1 && c->kernel_w == 1};
    w.groups = (w.run + K_GROUP - 1) / K_GROUP;
    for (int left = c->out_c; left > 0; left -= win_width(left)) {
        w.panels++;
    }
    if (!w.pointwise) {
        const size_t reach = (size_t)(c->out_w - 1) * (size_t)(c->stride_w * c->in_c) + (size_t)(w.groups * K_GROUP);
        const size_t line = 64 / sizeof(T_X), row = pk_round_up(reach, line);
        const int window = (c->kernel_h - 1) * c->dilation_h + 1;
        w.row = row % (16 * line) == 0 ? row + line : row; /* rows 1 KiB apart would share cache sets */
        const int fit = (int)(W_BUFFER / (w.row * sizeof(T_X)));
        w.rows = fit > window ? (fit - window) / c->stride_h + 1 : 1;
        w.rows = w.rows < c->out_h ? w.rows : c->out_h;
    }
    return w;
}

static size_t win_panel_elements(const struct pk_conv *c, const struct win *w, int width)
{
    return (size_t)c->kernel_h * (size_t)w->groups * (size_t)width * K_GROUP;
}

static size_t win_packed_size(const struct pk_conv *c)
{
    const struct win w = win_of(c);
    size_t n = 0;
    for (int left = c->out_c; left > 0; left -= win_width(left)) {
        n += win_panel_elements(c, &w, win_width(left));
    }
    return n * sizeof(T_P);
}

static void win_pack(const struct pk_conv *c, const void *weights, void *packed)
{
    const struct win w = win_of(c);
    const T_W *from = weights; /* [n][kernel_h][run] */
    T_P *to = packed;
    for (int first = 0; first < c->out_c; first += win_width(c->out_c - first)) {
        const int width = win_width(c->out_c - first);
        for (int ky = 0; ky < c->kernel_h; ky++) {
            for (int k = 0; k < w.groups * K_GROUP; k += K_GROUP) {
                for (int i = 0; i < width * K_GROUP; i++) {
                    const int n = first + i / K_GROUP, at = k + i % K_GROUP;
                    *to++ = n < c->out_c && at < w.run
                                ? weight_of(from[((size_t)n * (size_t)c->kernel_h + (size_t)ky) * (size_t)w.run + (size_t)at])
                                : (T_P)0;
                }
            }
        }
    }
}

/* Rows of the copied picture that one block reads. */
static size_t win_copied(const struct pk_conv *c, const struct win *w)
{
    return w->pointwise ? 0 : (size_t)((w->rows - 1) * c->stride_h + (c->kernel_h - 1) * c->dilation_h + 1);
}

static size_t win_scratch_size(const struct pk_conv *c)
{
    const struct win w = win_of(c);
    return pk_round_up((size_t)w.panels * sizeof(struct finish), 64) + W_MOST * 64 * sizeof(T_ACC) +
           win_copied(c, &w) * w.row * sizeof(T_X) + 64;
}

/* What a tile reads. */
struct win_source {
    size_t step, row; /* bytes between pixels, between kernel rows */
    int rows, groups;
};

typedef void win_fn(const struct win_source *x, const char *a, const T_P *w, T_ACC *acc, const struct finish *f);

/* mr pixels times nv vectors from a on; finished by f, or to acc[mr][64] where that is NULL. */
#define WIN_TILE(name, mr, nv)                                                                     \
    static void name(const struct win_source *x, const char *a, const T_P *w, T_ACC *acc,          \
                     const struct finish *f)                                                       \
    {                                                                                              \
        vacc s[mr][nv], b[nv];                                                                     \
        const size_t step = x->step, step3 = 3 * step;                                             \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < (mr); r++) {                                                           \
            PK_UNROLL                                                                              \
            for (int j = 0; j < (nv); j++)                                                         \
                s[r][j] = f != NULL ? W_START(f, j) : V_ZERO();                                    \
        }                                                                                          \
        for (int ky = 0; ky < x->rows; ky++, a += x->row) {                                        \
            const char *p = a;                                                                     \
            for (int g = 0; g < x->groups; g++, p += K_GROUP * sizeof(T_X), w += (nv)*VL * K_GROUP) { \
                const char *q = p;                                                                 \
                __asm__ volatile("" : : : "memory"); /* loads of a later step would take registers */ \
                PK_UNROLL                                                                          \
                for (int j = 0; j < (nv); j++)                                                     \
                    b[j] = V_WEIGHTS(w + j * VL * K_GROUP);                                        \
                PK_UNROLL                                                                          \
                for (int r = 0; r < (mr); r++) {                                                   \
                    const vacc v = V_BROADCAST(q + ((r & 3) == 3 ? step3 : (size_t)(r & 3) * step)); \
                    PK_UNROLL                                                                      \
                    for (int j = 0; j < (nv); j++)                                                 \
                        s[r][j] = V_MADD(s[r][j], v, b[j]);                                        \
                    q += (r & 3) == 3 ? 4 * step : 0;                                              \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
        if (f != NULL) {                                                                           \
            V_FINISH(f, s, mr, nv);                                                                \
            return;                                                                                \
        }                                                                                          \
        PK_UNROLL                                                                                  \
        for (int r = 0; r < (mr); r++) {                                                           \
            PK_UNROLL                                                                              \
            for (int j = 0; j < (nv); j++)                                                         \
                V_PUT(acc + r * 64 + j * VL, s[r][j]);                                             \
        }                                                                                          \
    }
WIN_TILE(win_6x4, 6, 4)
WIN_TILE(win_1x4, 1, 4)
WIN_TILE(win_12x2, 12, 2)
WIN_TILE(win_2x2, 2, 2)
WIN_TILE(win_1x2, 1, 2)
WIN_TILE(win_16x1, 16, 1)
WIN_TILE(win_4x1, 4, 1)
WIN_TILE(win_1x1, 1, 1)

/* Tiles of one, two and four vectors, most pixels first. */
struct win_tiles {
    int n[3];
    win_fn *fn[3];
};
static const struct win_tiles win_tiles[3] = {
    {{16, 4, 1}, {win_16x1, win_4x1, win_1x1}}, {{12, 2, 1}, {win_12x2, win_2x2, win_1x2}}, {{6, 1, 1}, {win_6x4, win_1x4, win_1x4}}};

struct win_work {
    const struct pk_conv *c;
    const struct pk_epilogue *e;
    struct win plan;
    struct win_source x;
    const T_P *packed;
    struct finish *finish; /* [panels]; NULL: through acc */
    T_ACC *acc;
};

/* Sum of the taps of a pixel, for weight zero points. */
static int32_t win_sum(const struct win_work *w, const char *a)
{
    int32_t sum = 0;
    for (int ky = 0; ky < w->x.rows; ky++, a += w->x.row) {
        const T_X *row = (const T_X *)(const void *)a;
        for (int i = 0; i < w->plan.run; i++) {
            sum += (int32_t)row[i];
        }
    }
    return sum;
}

/* n pixels that one tile computes, through acc. */
static void win_through_acc(const struct win_work *w, const char *a, win_fn *tile, int n, const T_P *weights,
                            const struct pk_tile *panel)
{
    int32_t sums[W_MOST];
    struct pk_tile t = *panel;
    tile(&w->x, a, weights, w->acc, NULL);
    t.rows = n;
    for (int i = 0; w->e->weight_zero != NULL && i < n; i++) {
        sums[i] = win_sum(w, a + (size_t)i * w->x.step);
    }
    t.sums = w->e->weight_zero != NULL ? sums : NULL;
    PK_EPILOGUE(w->e, &t);
}

/* All channels of n output pixels from `pixel` on that are read from a on, step bytes apart. */
static void win_pixels(const struct win_work *w, const char *a, int n, size_t pixel)
{
    const T_P *weights = w->packed;
    for (int first = 0, panel = 0; first < w->c->out_c; panel++) {
        const int left = w->c->out_c - first, width = win_width(left);
        const struct win_tiles *tiles = &win_tiles[width / 32];
        struct finish *f = w->finish != NULL ? &w->finish[panel] : NULL;
        for (int at = 0, size = 0; at < n; at += tiles->n[size]) {
            while (tiles->n[size] > n - at) {
                size++;
            }
            const char *from = a + (size_t)at * w->x.step;
            if (f != NULL && tiles->n[size] * width >= W_FINISHES * VL) {
                finish_rows(f, pixel + (size_t)at);
                tiles->fn[size](&w->x, from, weights, w->acc, f);
            } else {
                const struct pk_tile t = {w->acc, 64, pixel + (size_t)at, 0, first, left < width ? left : width, NULL};
                win_through_acc(w, from, tiles->fn[size], tiles->n[size], weights, &t);
            }
        }
        weights += win_panel_elements(w->c, &w->plan, width);
        first += width;
    }
}

/* Copies rows [top, top + n) of the padded picture. */
static void win_copy(const struct pk_conv *c, const struct win *w, const T_X *x, int top, size_t n, T_X pad, T_X *to)
{
    const size_t left = (size_t)(c->pad_left * c->in_c) < w->row ? (size_t)(c->pad_left * c->in_c) : w->row;
    const size_t all = (size_t)c->in_w * (size_t)c->in_c, inside = all < w->row - left ? all : w->row - left;
    for (size_t i = 0; i < n; i++, top++, to += w->row) {
        const bool exists = top >= 0 && top < c->in_h;
        const size_t from = exists ? left : w->row, end = exists ? left + inside : w->row;
        for (size_t k = 0; k < from; k++) {
            to[k] = pad;
        }
        if (exists) {
            memcpy(to + left, x + (size_t)top * all, inside * sizeof(T_X));
        }
        for (size_t k = end; k < w->row; k++) {
            to[k] = pad;
        }
    }
}

static void win_run(const struct pk_conv *c, const void *x, int pad_code, const void *packed, const struct pk_epilogue *e,
                    void *scratch)
{
    struct win_work w = {.c = c, .e = e, .plan = win_of(c), .packed = packed};
    struct finish *finish = scratch;
    w.acc = (T_ACC *)(void *)((char *)scratch + pk_round_up((size_t)w.plan.panels * sizeof(struct finish), 64));
    T_X *copy = (T_X *)(void *)(w.acc + W_MOST * 64);
    w.finish = finish_of(finish, e) ? finish : NULL;
    for (int first = 0, i = 0; w.finish != NULL && first < c->out_c; i++) {
        const int left = c->out_c - first, width = win_width(left);
        finish[i] = finish[0];
        finish_panel(&finish[i], first, left < width ? left : width);
        first += width;
    }
    w.x = (struct win_source){(size_t)(c->stride_w * c->in_c) * sizeof(T_X), (size_t)c->dilation_h * w.plan.row * sizeof(T_X),
                              c->kernel_h, w.plan.groups};
    if (w.plan.pointwise) {
        const size_t pixels = (size_t)c->out_h * (size_t)c->out_w;
        for (size_t at = 0; at < pixels; at += W_PIXELS) {
            win_pixels(&w, (const char *)x + at * w.x.step, (int)(pixels - at < W_PIXELS ? pixels - at : W_PIXELS), at);
        }
        return;
    }
    for (int oy = 0; oy < c->out_h; oy += w.plan.rows) {
        struct win part = w.plan;
        part.rows = c->out_h - oy < w.plan.rows ? c->out_h - oy : w.plan.rows;
        win_copy(c, &part, x, oy * c->stride_h - c->pad_top, win_copied(c, &part), PK_PAD(pad_code), copy);
        for (int i = 0; i < part.rows; i++) {
            win_pixels(&w, (const char *)(copy + (size_t)(i * c->stride_h) * w.plan.row), c->out_w,
                       (size_t)(oy + i) * (size_t)c->out_w);
        }
    }
}
