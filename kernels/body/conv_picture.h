/*
 * conv_picture.h: windows of a convolution on byte codes read where they lie: in a copy of the picture with its padding, made
 * row by row as its windows are asked for, or in the picture, where no window leaves it. The taps of one kernel row lie side
 * by side. Included after conv_body.h.
 */
/* How a layer is cut. */
struct padded {
    struct plan p;
    size_t row;    /* bytes of a row that tiles read */
    size_t run;    /* bytes of a kernel row */
    int band;      /* output rows of a band */
    bool in_place; /* no copy */
};

/* Rows of the padded picture that n output rows read. */
static size_t padded_rows(const struct pk_conv *c, int n)
{
    return (size_t)((n - 1) * c->stride_h + (c->kernel_h - 1) * c->dilation_h + 1);
}

/* most: bytes of the copied rows of a band. */
static struct padded padded_of(const struct pk_conv *c, size_t most)
{
    struct padded p = {.p = plan_of(c), .run = (size_t)(c->kernel_w * c->in_c)};
    const int reach_w = (c->out_w - 1) * c->stride_w + c->kernel_w;
    p.in_place = c->pad_left == 0 && c->pad_top == 0 && reach_w <= c->in_w && padded_rows(c, c->out_h) <= (size_t)c->in_h;
    p.band = c->out_h;
    p.row = (size_t)(p.in_place ? c->in_w : reach_w) * (size_t)c->in_c;
    if (!p.in_place) {
        p.row = pk_round_up(p.row, 64);
        p.row += p.row % 1024 == 0 ? 64 : 0; /* rows a power of two apart would share cache sets */
        while (p.band > 1 && padded_rows(c, p.band) * p.row > most) {
            p.band = (p.band + 1) / 2;
        }
    }
    return p;
}

static size_t padded_bytes(const struct pk_conv *c, const struct padded *p)
{
    return p->in_place ? 0 : pk_round_up(padded_rows(c, p->band) * p->row, 64);
}

/* Do windows lie so? Not those of 1x1 layers that are the picture's rows anyway. */
static bool padded_fits(const struct pk_conv *c)
{
    const bool one = c->kernel_h * c->kernel_w == 1;
    if (c->groups != 1 || c->dilation_w != 1 || c->pad_top < 0 || c->pad_left < 0) {
        return false;
    }
    return !one || (c->stride_h * c->stride_w > 1 && c->pad_top + c->pad_left == 0);
}

/* Where each `unit` bytes of a window lie, from its first one on; unit: a divisor of a kernel row. */
static void padded_table(const struct pk_conv *c, const struct padded *p, size_t unit, uint32_t *at)
{
    for (int ky = 0; ky < c->kernel_h; ky++) {
        uint32_t from = (uint32_t)((size_t)(ky * c->dilation_h) * p->row);
        size_t left = p->run / unit;
        for (; left >= 8; left -= 8, at += 8, from += 8 * (uint32_t)unit) {
            for (uint32_t i = 0; i < 8; i++) {
                at[i] = from + i * (uint32_t)unit;
            }
        }
        for (; left > 0; left--, from += (uint32_t)unit) {
            *at++ = from;
        }
    }
}

struct picture {
    const struct pk_conv *c;
    const struct padded *plan;
    const T_X *x;
    T_X pad;
    size_t step;  /* bytes between windows */
    int top;      /* the input row of the band's first row; may be outside */
    char *rows;   /* the band */
    size_t there; /* rows of it that are copied */
};

/* rows: room for padded_bytes(). */
static struct picture picture_of(const struct pk_conv *c, const struct padded *plan, const void *x, int pad, void *rows)
{
    return (struct picture){.c = c, .plan = plan, .x = x, .pad = (T_X)pad, .step = (size_t)(c->stride_w * c->in_c),
                            .rows = plan->in_place ? (char *)(uintptr_t)x : rows};
}

/* Goes to the band from output row oy on. */
static void picture_band(struct picture *w, int oy)
{
    w->top = oy * w->c->stride_h - w->c->pad_top;
    w->there = 0;
}

/* Copies rows of the band until n are there. */
static void picture_copy(struct picture *w, size_t n)
{
    const struct pk_conv *c = w->c;
    const size_t row = w->plan->row, line = (size_t)(c->in_w * c->in_c), before = (size_t)(c->pad_left * c->in_c);
    const size_t left = before < row ? before : row, inside = line < row - left ? line : row - left;
    for (; w->there < n; w->there++) {
        T_X *to = (T_X *)(void *)(w->rows + w->there * row);
        const int iy = w->top + (int)w->there;
        if (iy < 0 || iy >= c->in_h) {
            memset(to, w->pad, row);
            continue;
        }
        memset(to, w->pad, left);
        memcpy(to + left, w->x + (size_t)iy * line, inside);
        memset(to + left + inside, w->pad, row - left - inside);
    }
}

/* Goes over the output pixels of a band, `side` at a time. */
struct picture_walk {
    const char *line, *at; /* the window of the row's first pixel, of this one */
    int x, row, left;      /* column and row of this pixel; pixels left */
};

/* Pointers of the next n pixels, the last ones again where there are no more. Copies the rows that they read. */
PK_INLINE void picture_next(struct picture *w, struct picture_walk *k, int n, int side, const char **at)
{
    const struct pk_conv *c = w->c;
    const char *last = k->at;
    int row = k->row;
    for (int i = 0; i < n; i += side) {
        if (k->left > 0) {
            last = k->at;
            row = k->row;
            k->left -= side;
            k->x += side;
            k->at += (size_t)side * w->step;
            if (k->x == c->out_w) {
                k->x = 0;
                k->row++;
                k->line += (size_t)c->stride_h * w->plan->row;
                k->at = k->line;
            }
        }
        *at++ = last;
    }
    if (!w->plan->in_place) {
        picture_copy(w, padded_rows(c, row + 1));
    }
}

