/* op_move.c: operators that move elements of 1, 2, 4 or 8 bytes without looking at them. */
#include <string.h>

#include "op_types.h"

int64_t op_product(int rank, const int64_t *dims)
{
    int64_t n = 1;
    for (int i = 0; i < rank; i++) {
        n *= dims[i];
    }
    return n;
}

void op_dense_steps(int rank, const int64_t *dims, int64_t *step)
{
    int64_t n = 1;
    for (int i = rank - 1; i >= 0; i--) {
        step[i] = n;
        n *= dims[i];
    }
}

bool op_space_make(struct op_space *s, int rank, const int64_t *dims, int n_arrays,
                   const int64_t *const *steps)
{
    s->rank = 0;
    s->n_arrays = n_arrays;
    for (int i = 0; i < rank; i++) {
        if (dims[i] == 0) {
            return false;
        }
        if (dims[i] == 1) {
            continue;
        }
        bool merges = s->rank > 0;
        for (int a = 0; a < n_arrays && merges; a++) {
            merges = s->step[a][s->rank - 1] == steps[a][i] * dims[i];
        }
        int at = merges ? s->rank - 1 : s->rank++;
        s->dims[at] = merges ? s->dims[at] * dims[i] : dims[i];
        for (int a = 0; a < n_arrays; a++) {
            s->step[a][at] = steps[a][i];
        }
    }
    if (s->rank == 0) {
        s->rank = 1;
        s->dims[0] = 1;
        for (int a = 0; a < n_arrays; a++) {
            s->step[a][0] = 0;
        }
    }
    return true;
}

/* ---- copying ---- */

#define STRIDED_LOOP(type)                                                                         \
    do {                                                                                           \
        const type *s = (const type *)src;                                                         \
        type *d = (type *)dst;                                                                     \
        for (int64_t i = 0; i < n; i++) {                                                          \
            d[i * dst_step] = s[i * src_step];                                                     \
        }                                                                                          \
    } while (0)

static void copy_row(size_t elem, int64_t n, const void *src, int64_t src_step, void *dst,
                     int64_t dst_step)
{
    if (src_step == 1 && dst_step == 1) {
        memcpy(dst, src, (size_t)n * elem);
        return;
    }
    switch (elem) {
    case 1:
        STRIDED_LOOP(uint8_t);
        break;
    case 2:
        STRIDED_LOOP(uint16_t);
        break;
    case 4:
        STRIDED_LOOP(uint32_t);
        break;
    case 8:
        STRIDED_LOOP(uint64_t);
        break;
    default:
        break;
    }
}

#define TILE 16

#define TILE_LOOP(type)                                                                            \
    do {                                                                                           \
        const type *s = (const type *)src;                                                         \
        type *d = (type *)dst;                                                                     \
        if (columns == 3) { /* pictures: planes of colours to pixels */                            \
            for (int64_t i = 0; i < rows; i++) {                                                   \
                d[i * dst_row] = s[i];                                                             \
                d[i * dst_row + 1] = s[i + src_column];                                            \
                d[i * dst_row + 2] = s[i + 2 * src_column];                                        \
            }                                                                                      \
            break;                                                                                 \
        }                                                                                          \
        for (int64_t i0 = 0; i0 < rows; i0 += TILE) {                                              \
            int64_t i1 = i0 + TILE < rows ? i0 + TILE : rows;                                      \
            for (int64_t j0 = 0; j0 < columns; j0 += TILE) {                                       \
                int64_t j1 = j0 + TILE < columns ? j0 + TILE : columns;                            \
                for (int64_t i = i0; i < i1; i++) {                                                \
                    for (int64_t j = j0; j < j1; j++) {                                            \
                        d[i * dst_row + j] = s[i + j * src_column];                                \
                    }                                                                              \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* dst[i][j] (dense rows) = src[j][i] (dense columns), tile by tile so that both stay in the cache.
 */
static void copy_tiles(size_t elem, int64_t rows, int64_t columns, const void *src,
                       int64_t src_column, void *dst, int64_t dst_row)
{
    switch (elem) {
    case 1:
        TILE_LOOP(uint8_t);
        break;
    case 2:
        TILE_LOOP(uint16_t);
        break;
    case 4:
        TILE_LOOP(uint32_t);
        break;
    case 8:
        TILE_LOOP(uint64_t);
        break;
    default:
        break;
    }
}

/* Dimension (not the last) along which src is dense, when the last is dense in dst only; -1 = none.
 */
static int tile_dimension(const struct op_space *s)
{
    int last = s->rank - 1;
    if (s->step[1][last] != 1 || s->step[0][last] == 1) {
        return -1;
    }
    for (int i = 0; i < last; i++) {
        if (s->step[0][i] == 1) {
            return i;
        }
    }
    return -1;
}

void pk_copy_nd(size_t elem, int rank, const int64_t *dims, const void *src,
                const int64_t *src_step, void *dst, const int64_t *dst_step)
{
    struct op_space s;
    int64_t at[PK_OPS_MAX_RANK] = {0};
    const int64_t *steps[2] = {src_step, dst_step};
    if (!op_space_make(&s, rank, dims, 2, steps)) {
        return;
    }
    int last = s.rank - 1, tile = tile_dimension(&s);
    int64_t from = 0, to = 0;
    for (;;) {
        const char *row_src = (const char *)src + from * (int64_t)elem;
        char *row_dst = (char *)dst + to * (int64_t)elem;
        if (tile >= 0) {
            copy_tiles(elem, s.dims[tile], s.dims[last], row_src, s.step[0][last], row_dst,
                       s.step[1][tile]);
        } else {
            copy_row(elem, s.dims[last], row_src, s.step[0][last], row_dst, s.step[1][last]);
        }
        int i = last - 1;
        for (; i >= 0; i--) {
            if (i == tile) {
                continue;
            }
            from += s.step[0][i];
            to += s.step[1][i];
            if (++at[i] < s.dims[i]) {
                break;
            }
            from -= s.step[0][i] * s.dims[i];
            to -= s.step[1][i] * s.dims[i];
            at[i] = 0;
        }
        if (i < 0) {
            return;
        }
    }
}

void pk_fill(size_t elem, uint64_t bits, void *dst, size_t n)
{
    uint64_t ones = elem == 8 ? ~0ull : (1ull << (8 * elem)) - 1;
    uint64_t first = bits & 0xff,
             repeated = elem == 8 ? first * 0x0101010101010101u : (first * 0x01010101u) & ones;
    if (elem == 1 || (bits & ones) == repeated) {
        memset(dst, (int)first, n * elem);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        switch (elem) {
        case 2:
            ((uint16_t *)dst)[i] = (uint16_t)bits;
            break;
        case 4:
            ((uint32_t *)dst)[i] = (uint32_t)bits;
            break;
        default:
            ((uint64_t *)dst)[i] = bits;
            break;
        }
    }
}

void pk_transpose(size_t elem, int rank, const int64_t *src_dims, const int *perm, const void *src,
                  void *dst)
{
    int64_t dense[PK_OPS_MAX_RANK], dims[PK_OPS_MAX_RANK], src_step[PK_OPS_MAX_RANK],
        dst_step[PK_OPS_MAX_RANK];
    op_dense_steps(rank, src_dims, dense);
    for (int i = 0; i < rank; i++) {
        dims[i] = src_dims[perm[i]];
        src_step[i] = dense[perm[i]];
    }
    op_dense_steps(rank, dims, dst_step);
    pk_copy_nd(elem, rank, dims, src, src_step, dst, dst_step);
}

/* ---- gather ---- */

/* Index i, from the end when negative; -1 when out of range. */
static int64_t index_at(enum pk_dtype type, const void *index, size_t i, int64_t size)
{
    int64_t at = pk_load_int(type, index, i);
    at += at < 0 ? size : 0;
    return at >= 0 && at < size ? at : -1;
}

/* dst[o * to] = src[o * from] for n elements of 1, 2 or 4 bytes. */
static void pick(size_t elem, size_t n, const char *src, size_t from, char *dst, size_t to)
{
    for (size_t o = 0; o < n && elem == 1; o++) {
        dst[o * to] = src[o * from];
    }
    for (size_t o = 0; o < n && elem == 2; o++) {
        memcpy(dst + o * to * 2, src + o * from * 2, 2);
    }
    for (size_t o = 0; o < n && elem == 4; o++) {
        memcpy(dst + o * to * 4, src + o * from * 4, 4);
    }
}

bool pk_gather(size_t elem, size_t outer, size_t axis, size_t inner, const void *src,
               enum pk_dtype index_type, const void *index, size_t n, void *dst)
{
    for (size_t i = 0; i < n; i++) {
        if (index_at(index_type, index, i, (int64_t)axis) < 0) {
            return false;
        }
    }
    size_t block = inner * elem;
    if ((block == 1 || block == 2 || block == 4) && n <= 4) { /* a strided pick: channels of a shuffle */
        for (size_t i = 0; i < n; i++) {
            size_t at = (size_t)index_at(index_type, index, i, (int64_t)axis);
            pick(block, outer, (const char *)src + at * block, axis, (char *)dst + i * block, n);
        }
        return true;
    }
    for (size_t o = 0; o < outer; o++) {
        for (size_t i = 0; i < n; i++) {
            size_t at = (size_t)index_at(index_type, index, i, (int64_t)axis);
            memcpy((char *)dst + (o * n + i) * block, (const char *)src + (o * axis + at) * block,
                   block);
        }
    }
    return true;
}

bool pk_gather_elements(size_t elem, int rank, const int64_t *src_dims, int axis, const void *src,
                        const int64_t *dims, enum pk_dtype index_type, const void *index, void *dst)
{
    int64_t step[PK_OPS_MAX_RANK], at[PK_OPS_MAX_RANK] = {0}, n = op_product(rank, dims);
    op_dense_steps(rank, src_dims, step);
    for (int64_t i = 0; i < n; i++) {
        if (index_at(index_type, index, (size_t)i, src_dims[axis]) < 0) {
            return false;
        }
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t from = index_at(index_type, index, (size_t)i, src_dims[axis]) * step[axis];
        for (int k = 0; k < rank; k++) {
            from += k == axis ? 0 : at[k] * step[k];
        }
        memcpy((char *)dst + i * (int64_t)elem, (const char *)src + from * (int64_t)elem, elem);
        for (int k = rank - 1; k >= 0 && ++at[k] == dims[k]; k--) {
            at[k] = 0;
        }
    }
    return true;
}

/* ---- pad, tile ---- */

/* Where position i of a padded axis of `size` elements reads. */
static int64_t mirrored(enum pk_pad_mode mode, int64_t i, int64_t size)
{
    if (mode == PK_PAD_EDGE || size == 1) {
        return i < 0 ? 0 : i >= size ? size - 1 : i;
    }
    int64_t period = mode == PK_PAD_WRAP ? size : mode == PK_PAD_REFLECT ? 2 * size - 2 : 2 * size;
    int64_t at = i % period;
    at += at < 0 ? period : 0;
    return at < size ? at : mode == PK_PAD_REFLECT ? period - at : period - 1 - at;
}

/*
 * Grows the copied block along one axis: dst is filled for positions [from, to) of `axis` (all of
 * the axes behind it, [lo, hi) of those in front); fills the rest of the axis from those planes.
 */
static void extend_axis(size_t elem, int rank, const int64_t *dims, int axis, int64_t from,
                        int64_t to, enum pk_pad_mode mode, int64_t origin, int64_t size, void *dst)
{
    int64_t inner = op_product(rank - axis - 1, dims + axis + 1), outer = op_product(axis, dims);
    size_t bytes = (size_t)inner * elem;
    for (int64_t o = 0; o < outer; o++) {
        char *plane = (char *)dst + (size_t)(o * dims[axis]) * bytes;
        for (int64_t i = 0; i < dims[axis]; i++) {
            if (i >= from && i < to) {
                continue;
            }
            int64_t at = mirrored(mode, i - origin, size) + origin;
            memcpy(plane + (size_t)i * bytes, plane + (size_t)at * bytes, bytes);
        }
    }
}

void pk_pad(size_t elem, int rank, const int64_t *src_dims, const int64_t *before,
            const int64_t *after, enum pk_pad_mode mode, uint64_t fill, const void *src, void *dst)
{
    int64_t dims[PK_OPS_MAX_RANK], kept[PK_OPS_MAX_RANK], src_step[PK_OPS_MAX_RANK],
        dst_step[PK_OPS_MAX_RANK];
    int64_t from = 0, to = 0;
    for (int i = 0; i < rank; i++) {
        dims[i] = src_dims[i] + before[i] + after[i];
        kept[i] = src_dims[i] + (before[i] < 0 ? before[i] : 0) + (after[i] < 0 ? after[i] : 0);
        kept[i] = kept[i] < 0 ? 0 : kept[i];
    }
    op_dense_steps(rank, src_dims, src_step);
    op_dense_steps(rank, dims, dst_step);
    for (int i = 0; i < rank; i++) {
        from += before[i] < 0 ? -before[i] * src_step[i] : 0;
        to += before[i] > 0 ? before[i] * dst_step[i] : 0;
    }
    if (mode == PK_PAD_CONSTANT) {
        pk_fill(elem, fill, dst, (size_t)op_product(rank, dims));
    }
    if (op_product(rank, dims) == 0 || op_product(rank, kept) == 0) {
        return;
    }
    pk_copy_nd(elem, rank, kept, (const char *)src + from * (int64_t)elem, src_step,
               (char *)dst + to * (int64_t)elem, dst_step);
    for (int i = rank - 1; i >= 0 && mode != PK_PAD_CONSTANT; i--) {
        int64_t origin = before[i] > 0 ? before[i] : 0;
        /* Planes in front that hold nothing yet are filled from garbage now and from truth when
         * their axis comes. */
        extend_axis(elem, rank, dims, i, origin, origin + kept[i], mode, origin, kept[i], dst);
    }
}

void pk_tile(size_t elem, int rank, const int64_t *src_dims, const int64_t *dst_dims,
             const void *src, void *dst)
{
    int64_t src_step[PK_OPS_MAX_RANK], dst_step[PK_OPS_MAX_RANK];
    if (op_product(rank, dst_dims) == 0) {
        return;
    }
    op_dense_steps(rank, src_dims, src_step);
    op_dense_steps(rank, dst_dims, dst_step);
    pk_copy_nd(elem, rank, src_dims, src, src_step, dst, dst_step);
    for (int i = rank - 1; i >= 0; i--) {
        extend_axis(elem, rank, dst_dims, i, 0, src_dims[i], PK_PAD_WRAP, 0, src_dims[i], dst);
    }
}

/* ---- depth and space: transposes of six dimensions ---- */

void pk_depth_to_space(size_t elem, const int64_t *src_dims, int block, bool crd, const void *src,
                       void *dst)
{
    int64_t depth = src_dims[3] / ((int64_t)block * block);
    int64_t dcr_dims[6] = {src_dims[0], src_dims[1], src_dims[2], block, block, depth};
    int64_t crd_dims[6] = {src_dims[0], src_dims[1], src_dims[2], depth, block, block};
    static const int dcr_perm[6] = {0, 1, 3, 2, 4, 5}, crd_perm[6] = {0, 1, 4, 2, 5, 3};
    pk_transpose(elem, 6, crd ? crd_dims : dcr_dims, crd ? crd_perm : dcr_perm, src, dst);
}

void pk_space_to_depth(size_t elem, const int64_t *src_dims, int block, const void *src, void *dst)
{
    int64_t dims[6] = {src_dims[0], src_dims[1] / block, block, src_dims[2] / block,
                       block,       src_dims[3]};
    static const int perm[6] = {0, 1, 3, 2, 4, 5};
    pk_transpose(elem, 6, dims, perm, src, dst);
}
