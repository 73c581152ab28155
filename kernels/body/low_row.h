/*
 * low_row.h: one pixel times weights of 4 or 2 bits, expanded in registers. After low_body.h; the
 * including file defines first:
 *   row_panel(x, w, stored, acc, columns, bits)  the sums of one pixel times `columns` columns of
 *                     a panel at w (with its head). x: the codes, readable to stored * share * LOW_LINE
 *   ROW_COPY(to, from, n)  if codes are not taken as they are: copies n of them
 *   ROW_CALL(columns, call)  if there may be more than four columns: calls call(columns) with a constant
 *   ROW_MOST          products of a sum at most; more are expanded to bytes
 *   PK_EPILOGUE       the epilogue function
 */
#ifndef PARE_PK_LOW_ROW_H
#define PARE_PK_LOW_ROW_H

#ifndef ROW_COPY
#define ROW_COPY(to, from, n) memcpy(to, from, n)
#endif
#ifndef ROW_CALL
#define ROW_CALL(columns, call)                                                                    \
    do {                                                                                           \
        if (columns == 4) {                                                                        \
            call(4);                                                                               \
        } else if (columns == 3) {                                                                 \
            call(3);                                                                               \
        } else if (columns == 2) {                                                                 \
            call(2);                                                                               \
        } else {                                                                                   \
            call(1);                                                                               \
        }                                                                                          \
    } while (0)
#endif

/* Is this one pixel that reads its whole input in order? */
static bool is_row(const struct pk_conv *c)
{
    return c->out_h == 1 && c->out_w == 1 && c->groups == 1 && c->kernel_h == c->in_h &&
           c->kernel_w == c->in_w && c->pad_top == 0 && c->pad_left == 0 &&
           (c->dilation_h == 1 || c->kernel_h == 1) && (c->dilation_w == 1 || c->kernel_w == 1) &&
           (size_t)c->kernel_h * (size_t)c->kernel_w * (size_t)c->in_c <= ROW_MOST;
}

PK_INLINE size_t row_bytes(const struct low_plan *p, size_t share)
{
    return pk_round_up(p->stored * share * LOW_LINE, 64);
}

PK_INLINE size_t row_scratch(const struct pk_conv *c, size_t share)
{
    const struct low_plan p = low_plan_of(c, share);
    return row_bytes(&p, share) + LOW_PANEL * sizeof(int32_t);
}

static int32_t row_sum(const uint8_t *x, size_t k)
{
    int32_t sum = 0;
    for (size_t i = 0; i < k; i++) {
        sum += x[i];
    }
    return sum;
}

PK_INLINE void row_run(const struct low_work *w, const int bits)
{
    const size_t share = (size_t)(8 / bits);
    const struct low_plan p = low_plan_of(w->c, share);
    uint8_t *x = (uint8_t *)w->scratch;
    int32_t *acc = (int32_t *)(void *)(w->scratch + row_bytes(&p, share));
    ROW_COPY(x, w->x, p.k);
    memset(x + p.k, 0, row_bytes(&p, share) - p.k);
    const int32_t sum = w->e->weight_zero != NULL ? row_sum(w->x, p.k) : 0;
    const uint8_t *weights = w->packed;
    for (size_t first = 0; first < p.columns; first += LOW_PANEL / LOW_COLUMN) {
        const size_t columns = low_columns(&p, first), at = first * LOW_COLUMN;
#define ROW_PANEL(columns) row_panel(x, weights, p.stored, acc, columns, bits)
        ROW_CALL(columns, ROW_PANEL);
        const size_t n = p.n - at < LOW_PANEL ? p.n - at : LOW_PANEL;
        const struct pk_tile tile = {acc, LOW_PANEL, 0, 1, (int)at, (int)n, &sum};
        PK_EPILOGUE(w->e, &tile);
        weights += low_bytes(&p, columns);
    }
}

PK_INLINE size_t row_or_low_scratch(const struct pk_conv *c, const struct pk_layer_kernel *base,
                                    const int bits)
{
    return is_row(c) ? row_scratch(c, (size_t)(8 / bits)) : low_scratch_size(c, base);
}

PK_INLINE void row_or_low_run(const struct low_work *w, const struct pk_layer_kernel *base,
                              const int bits)
{
    if (is_row(w->c)) {
        row_run(w, bits);
    } else {
        low_run(w, base, false, bits);
    }
}

#define LOW_DENSE_ROW(name, bits, base)                                                            \
    LOW_TABLE(name, base.packed_size(c) == 0 ? 0 : low_packed_size(c, 8 / (bits)),                 \
              low_pack(c, weights, bits, packed), row_or_low_scratch(c, &base, bits),              \
              row_or_low_run(&w, &base, bits))

#endif
