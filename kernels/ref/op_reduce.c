/* op_reduce.c: softmax, reductions, places of largest elements. */
#include "op_math.h"
#include "op_types.h"
#include "op_wide.h"

/* One row of n floats, dense. */
static void softmax_row(size_t n, float beta, const float *x, float *y)
{
    float top = x[0];
    double sum = 0.0;
    for (size_t i = 1; i < n; i++) {
        top = x[i] > top ? x[i] : top;
    }
    for (size_t i = 0; i < n; i++) {
        y[i] = op_exp((x[i] - top) * beta);
    }
    for (size_t i = 0; i < n; i++) {
        sum += (double)y[i];
    }
    float inverse = (float)(1.0 / sum);
    for (size_t i = 0; i < n; i++) {
        y[i] *= inverse;
    }
}

static void softmax_column(enum pk_dtype t, size_t n, size_t step, double beta, const void *x,
                           size_t at, void *y)
{
    double top = pk_load(t, x, at), sum = 0.0;
    for (size_t i = 1; i < n; i++) {
        double v = pk_load(t, x, at + i * step);
        top = v > top ? v : top;
    }
    for (size_t i = 0; i < n; i++) {
        sum += op_exp_d((pk_load(t, x, at + i * step) - top) * beta);
    }
    for (size_t i = 0; i < n; i++) {
        pk_store(t, y, at + i * step, op_exp_d((pk_load(t, x, at + i * step) - top) * beta) / sum);
    }
}

bool pk_softmax(enum pk_dtype t, size_t outer, size_t n, size_t inner, float beta, const void *x,
                void *y)
{
    if (!pk_dtype_is_float(t)) {
        return false;
    }
    for (size_t o = 0; o < outer && n > 0; o++) {
        for (size_t i = 0; i < inner; i++) {
            if (t == PK_DT_F32 && inner == 1 && beta > 0.0f) {
                softmax_row(n, beta, (const float *)x + o * n, (float *)y + o * n);
            } else {
                softmax_column(t, n, inner, (double)beta, x, o * n * inner + i, y);
            }
        }
    }
    return true;
}

/* ---- reductions ---- */

#define LANES 64

/* x [n, inner] -> y [inner] for float32: sums in double, `LANES` columns at a time. */
OP_INLINE void sum_f32_body(size_t n, size_t inner, double factor, const float *x, float *y)
{
    double sum[LANES];
    for (size_t first = 0; first < inner; first += LANES) {
        size_t m = inner - first < LANES ? inner - first : LANES;
        for (size_t i = 0; i < m; i++) {
            sum[i] = 0.0;
        }
        for (size_t k = 0; k < n; k++) {
            const float *row = x + k * inner + first;
            for (size_t i = 0; i < m; i++) {
                sum[i] += (double)row[i];
            }
        }
        for (size_t i = 0; i < m; i++) {
            y[first + i] = (float)(sum[i] * factor);
        }
    }
}

OP_WIDE_LOOP(sum_f32, (size_t n, size_t inner, double factor, const float *x, float *y), (n, inner, factor, x, y))

static void extreme_f32(bool largest, size_t n, size_t inner, const float *x, float *y)
{
    for (size_t i = 0; i < inner; i++) {
        y[i] = x[i];
    }
    for (size_t k = 1; k < n; k++) {
        const float *row = x + k * inner;
        for (size_t i = 0; i < inner; i++) {
            bool better = largest ? row[i] > y[i] : row[i] < y[i];
            y[i] = better || row[i] != row[i] ? row[i] : y[i];
        }
    }
}

/* float32 whose reduced axes are neighbours: x [outer, n, inner]. */
static void reduce_f32(enum pk_reduce_op op, size_t outer, size_t n, size_t inner, const float *x,
                       float *y)
{
    for (size_t o = 0; o < outer; o++) {
        const float *from = x + o * n * inner;
        float *to = y + o * inner;
        if (op == PK_REDUCE_MEAN || op == PK_REDUCE_SUM) {
            sum_f32(n, inner, op == PK_REDUCE_MEAN ? 1.0 / (double)n : 1.0, from, to);
        } else {
            extreme_f32(op == PK_REDUCE_MAX, n, inner, from, to);
        }
    }
}

/* Next position of `at` over the axes where use[k] is `wanted`; moves *offset along. false at the
 * end. */
static bool advance(int rank, const int64_t *dims, const int64_t *step, const bool *use,
                    bool wanted, int64_t *at, int64_t *offset)
{
    for (int k = rank - 1; k >= 0; k--) {
        if (use[k] != wanted) {
            continue;
        }
        *offset += step[k];
        if (++at[k] < dims[k]) {
            return true;
        }
        *offset -= step[k] * dims[k];
        at[k] = 0;
    }
    return false;
}

struct total {
    double sum, best;
    int64_t whole, best_whole;
    int64_t count;
};

static void add_element(struct total *s, enum pk_reduce_op op, enum pk_dtype t, const void *x,
                        int64_t i)
{
    bool first = s->count++ == 0;
    if (pk_dtype_is_float(t)) {
        double v = pk_load(t, x, (size_t)i);
        s->sum += v;
        s->best =
            first || v != v || (op == PK_REDUCE_MAX ? v > s->best : v < s->best) ? v : s->best;
    } else {
        int64_t v = pk_load_int(t, x, (size_t)i);
        s->whole = (int64_t)((uint64_t)s->whole + (uint64_t)v);
        s->best_whole = first || (op == PK_REDUCE_MAX ? v > s->best_whole : v < s->best_whole)
                            ? v
                            : s->best_whole;
    }
}

static void store_total(const struct total *s, enum pk_reduce_op op, enum pk_dtype t, void *y,
                        size_t i)
{
    bool sums = op == PK_REDUCE_SUM || op == PK_REDUCE_MEAN;
    if (pk_dtype_is_float(t)) {
        double mean = s->count > 0 ? s->sum / (double)s->count : 0.0;
        pk_store(t, y, i, op == PK_REDUCE_MEAN ? mean : sums ? s->sum : s->best);
    } else {
        int64_t mean = s->count > 0 ? s->whole / s->count : 0;
        pk_store_int(t, y, i, op == PK_REDUCE_MEAN ? mean : sums ? s->whole : s->best_whole);
    }
}

static void reduce_any(enum pk_reduce_op op, enum pk_dtype t, int rank, const int64_t *dims,
                       const bool *reduced, const void *x, void *y)
{
    int64_t step[PK_OPS_MAX_RANK], kept_at[PK_OPS_MAX_RANK] = {0}, base = 0;
    bool empty = op_product(rank, dims) == 0;
    op_dense_steps(rank, dims, step);
    for (size_t i = 0;; i++) {
        struct total s = {0};
        int64_t at[PK_OPS_MAX_RANK] = {0}, offset = base;
        while (!empty) {
            add_element(&s, op, t, x, offset);
            if (!advance(rank, dims, step, reduced, true, at, &offset)) {
                break;
            }
        }
        store_total(&s, op, t, y, i);
        if (!advance(rank, dims, step, reduced, false, kept_at, &base)) {
            return;
        }
    }
}

bool pk_reduce(enum pk_reduce_op op, enum pk_dtype t, int rank, const int64_t *dims,
               const bool *reduced, const void *x, void *y)
{
    size_t outer = 1, n = 1, inner = 1;
    bool neighbours = true, begun = false, ended = false;
    if (pk_dtype_size(t) == 0 || t == PK_DT_BOOL) {
        return false;
    }
    for (int i = 0; i < rank; i++) {
        if (reduced[i]) {
            neighbours = neighbours && !ended;
            begun = true;
            n *= (size_t)dims[i];
        } else {
            ended = ended || (begun && dims[i] != 1);
            if (dims[i] == 0) {
                return true; /* no output */
            }
            *(begun ? &inner : &outer) *= (size_t)dims[i];
        }
    }
    if (t == PK_DT_F32 && neighbours && n > 0) {
        reduce_f32(op, outer, n, inner, x, y);
    } else {
        reduce_any(op, t, rank, dims, reduced, x, y);
    }
    return true;
}

bool pk_arg(bool largest, bool last, enum pk_dtype t, size_t outer, size_t n, size_t inner,
            const void *x, int64_t *y)
{
    if (pk_dtype_size(t) == 0) {
        return false;
    }
    bool is_float = pk_dtype_is_float(t);
    for (size_t o = 0; o < outer; o++) {
        for (size_t i = 0; i < inner; i++) {
            size_t at = o * n * inner + i, best = 0;
            for (size_t k = 1; k < n; k++) {
                size_t p = at + k * inner, q = at + best * inner;
                double a = is_float ? pk_load(t, x, p) : 0.0, b = is_float ? pk_load(t, x, q) : 0.0;
                int64_t ai = is_float ? 0 : pk_load_int(t, x, p),
                        bi = is_float ? 0 : pk_load_int(t, x, q);
                bool better = largest ? (is_float ? a > b : ai > bi) : (is_float ? a < b : ai < bi);
                bool equal = is_float ? a == b : ai == bi;
                best = better || (last && equal) ? k : best;
            }
            y[o * inner + i] = (int64_t)best;
        }
    }
    return true;
}
