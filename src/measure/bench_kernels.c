#include "measure/bench_kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/pages.h"
#include "measure/slower.h"
#include "pk_tables.h"

#ifdef __linux__
#include <sys/mman.h>
#include <unistd.h>
#endif

enum { MAX_CONTENDERS = 64 };

#define PK_CONVERT(isa, suffix)
#define PK_KERNEL(family, isa, name) {family, isa, &pk_##name},
static const struct pare_bench_entry entries[] = {
#include "kernels.inc"
};
#undef PK_KERNEL
#undef PK_CONVERT

const struct pare_bench_entry *pare_bench_entries(int *n)
{
    *n = (int)(sizeof entries / sizeof entries[0]);
    return entries;
}

/* ---- one layer ---- */

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void *take(struct pare_bench_case *c, size_t bytes)
{
    void *p = pare_pages_alloc(bytes + 64);
    if (p != NULL) {
        c->memory[c->n_memory++] = p;
    }
    return p;
}

/* Codes of a_bits or w_bits; halves and floats within [-1, 1]. One-bit weights are +1 and -1. */
static void fill(void *data, size_t n, int bits, bool weights, uint32_t seed)
{
    uint32_t r = seed;
    for (size_t i = 0; i < n; i++) {
        const uint32_t v = next_random(&r);
        if (bits == 32) {
            ((float *)data)[i] = (float)((int)(v & 1023) - 512) / 512.0f;
        } else if (bits == 16) { /* 1.0 .. 2.0 in steps of 1/1024, either sign: 0x3c00 is 1 */
            ((uint16_t *)data)[i] = (uint16_t)(0x3c00u | (v & 1023u) | (v & 1024u) << 5);
        } else if (!weights) {
            ((uint8_t *)data)[i] = (uint8_t)(v & ((1u << bits) - 1));
        } else if (bits == 1) {
            ((int8_t *)data)[i] = (v & 1) != 0 ? 1 : -1;
        } else {
            const int most = (1 << (bits - 1)) - 1;
            ((int8_t *)data)[i] = (int8_t)((int)(v % (uint32_t)(2 * most + 1)) - most);
        }
    }
}

static size_t size_of(int bits)
{
    return bits == 32 ? 4 : bits == 16 ? 2 : 1;
}

/* Sums go through a scale that brings most of them into the range of the codes. */
static void set_epilogue(struct pare_bench_case *c, const struct pare_kernel_traits *t, enum pk_type out, int bits)
{
    const double depth = pare_conv_depth(&c->conv, t->kind == PARE_KERNEL_DEPTHWISE);
    const double a = t->a_bits > 8 ? 0 : 0.5 * ((1 << t->a_bits) - 1);
    const double w = t->w_bits > 8 ? 0 : t->w_bits == 1 ? 1 : 0.5 * ((1 << (t->w_bits - 1)) - 1);
    const double spread = sqrt(depth) * (a > 0.5 ? a : 0.5) * (w > 0.5 ? w : 0.5);
    for (int i = 0; i < c->conv.out_c; i++) {
        c->m[i] = out == PK_U8 ? (float)(48.0 / spread) : 1.0f;
        c->b[i] = 0.25f;
    }
    const int last = (1 << bits) - 1, zero = (last + 1) / 2;
    c->out = (struct pk_out){.type = out, .data = c->y, .pitch = c->conv.out_c, .m = c->m, .b = c->b, .inv_scale = 1,
                             .lo = out == PK_U8 ? (float)-zero : -INFINITY, .hi = out == PK_U8 ? (float)(last - zero) : INFINITY,
                             .zero = out == PK_U8 ? zero : 0};
    c->epilogue = (struct pk_epilogue){.m = c->m, .b = c->b, .n_outs = 1, .outs = &c->out};
}

/* Bytes of the pages of n bytes that are in memory; 0: not known. */
static size_t resident(const void *memory, size_t n)
{
#ifdef __linux__
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), first = (uintptr_t)memory / page;
    const size_t pages = ((uintptr_t)memory + n - 1) / page - first + 1;
    unsigned char *there = malloc(pages);
    size_t sum = 0;
    if (there != NULL && mincore((void *)(first * page), pages * page, there) == 0) {
        for (size_t i = 0; i < pages; i++) {
            sum += (there[i] & 1) * page;
        }
    }
    free(there);
    return sum;
#else
    (void)memory, (void)n;
    return 0;
#endif
}

bool pare_bench_case_init(struct pare_bench_case *c, enum pk_family family, enum pk_isa isa,
                          const struct pk_layer_kernel *kernel, const struct pk_conv *conv, enum pk_type out, int bits)
{
    struct pare_kernel_traits t;
    memset(c, 0, sizeof *c);
    pare_kernel_traits(family, &t);
    c->family = family;
    c->isa = isa;
    c->kernel = kernel;
    c->conv = *conv;
    c->packed_bytes = kernel->packed_size(conv);
    if (c->packed_bytes == 0) {
        return false;
    }
    const size_t n_x = (size_t)conv->in_h * (size_t)conv->in_w * (size_t)conv->in_c;
    const size_t n_y = (size_t)conv->out_h * (size_t)conv->out_w * (size_t)conv->out_c;
    c->weight_count = (size_t)(pare_conv_depth(conv, t.kind == PARE_KERNEL_DEPTHWISE) * conv->out_c);
    void *weights = aligned_alloc(64, (c->weight_count * size_of(t.w_bits) + 127) / 64 * 64);
    c->x = take(c, n_x * size_of(t.a_bits) + 64);
    c->packed = take(c, c->packed_bytes);
    c->scratch = take(c, kernel->scratch_size(conv) + 64);
    c->y = take(c, n_y * 4 + 64);
    c->m = take(c, sizeof(float) * (size_t)conv->out_c);
    c->b = take(c, sizeof(float) * (size_t)conv->out_c);
    if (weights == NULL || c->n_memory < 6) {
        free(weights);
        pare_bench_case_clear(c);
        return false;
    }
    fill(c->x, n_x, t.a_bits, false, 1);
    fill(weights, c->weight_count, t.w_bits, true, 2);
    kernel->pack(conv, weights, c->packed);
    free(weights);
    c->resident_bytes = resident(c->packed, c->packed_bytes);
    set_epilogue(c, &t, out, bits);
    return true;
}

void pare_bench_case_clear(struct pare_bench_case *c)
{
    for (int i = 0; i < c->n_memory; i++) {
        free(c->memory[i]);
    }
    c->n_memory = 0;
}

void pare_bench_case_run(void *bench_case)
{
    struct pare_bench_case *c = bench_case;
    c->epilogue.outs = &c->out; /* the case may have been moved since */
    c->kernel->run(&c->conv, c->x, 0, c->packed, &c->epilogue, c->scratch);
}

/* ---- all of them ---- */

static bool matches(const struct pare_kernel_bench *bench, const struct pare_bench_entry *e,
                    const struct pare_kernel_traits *t, const struct pare_bench_shape *s)
{
    for (int i = 0; i < bench->n_filters; i++) {
        const char *f = bench->filters[i];
        const bool absent = f[0] == '-';
        f += absent;
        const bool found = strstr(e->kernel->name, f) != NULL || strcmp(pk_isa_name(e->isa), f) == 0 || strcmp(t->level, f) == 0 ||
                           strstr(s->name, f) != NULL;
        if (found == absent) {
            return false;
        }
    }
    return true;
}

/* Among the two best instruction sets up to pk_isa_best() that can do the shape; floats: the best. */
static bool is_candidate(const struct pare_bench_entry *e, const struct pare_kernel_traits *t, const struct pare_bench_shape *s)
{
    int better = 0;
    if (e->isa > pk_isa_best()) {
        return false;
    }
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        const struct pare_bench_entry *o = &entries[i];
        better += o->family == e->family && o->isa > e->isa && o->isa <= pk_isa_best() && pk_isa_supported(o->isa) &&
                  o->kernel->packed_size(&s->conv) > 0;
    }
    return better < (t->a_bits > 8 ? 1 : 2);
}

static bool wanted(const struct pare_kernel_bench *bench, const struct pare_bench_entry *e, const struct pare_bench_shape *s)
{
    enum { MOST_WEIGHTS = 128 << 20 };
    struct pare_kernel_traits t;
    pare_kernel_traits(e->family, &t);
    const bool depthwise = s->conv.groups > 1, row = s->conv.in_h * s->conv.in_w == 1;
    const int kind = depthwise ? PARE_KERNEL_DEPTHWISE : row ? PARE_KERNEL_FC : PARE_KERNEL_CONV;
    if (e->isa == PK_REF || !pk_isa_supported(e->isa) || (s->groups & bench->groups) == 0 || (int)t.kind != kind) {
        return false;
    }
    if (pare_conv_depth(&s->conv, depthwise) * s->conv.out_c * (double)size_of(t.w_bits) > MOST_WEIGHTS ||
        (bench->most_macs > 0 && pare_conv_macs(&s->conv, depthwise) > bench->most_macs)) {
        return false;
    }
    if (bench->best_only && pk_kernel_for(e->family, pk_isa_best(), &s->conv) != e->kernel) {
        return false;
    }
    return (!bench->candidates || is_candidate(e, &t, s)) && matches(bench, e, &t, s);
}

/* The state of the tile unit that figures are given for: fast when enough blocks were, else slow. */
static void fill_row(struct pare_kernel_row *row, const struct pare_series *series)
{
    row->tiles = PARE_TILES_NONE;
    if (row->isa == PK_AMX) {
        pare_series_timing(series, PARE_TILES_SLOW, &row->slow);
        pare_series_timing(series, PARE_TILES_FAST, &row->timing);
        row->tiles = PARE_TILES_FAST;
        if (row->timing.n < PARE_WATCH_CLEAN && row->slow.n >= PARE_WATCH_CLEAN) {
            row->timing = row->slow;
            row->tiles = PARE_TILES_SLOW;
        }
    } else {
        pare_series_timing(series, PARE_TILES_NONE, &row->timing);
    }
    row->mac_per_cycle = row->timing.noisy ? NAN : row->floor.macs / row->timing.cycles;
    row->best_mac_per_cycle = row->floor.macs / row->timing.cycles_min;
    row->share = row->mac_per_cycle / row->limit;
}

static const char *output_name(enum pk_type type, int bits)
{
    return type == PK_F32 ? "f32" : type == PK_F16 ? "f16" : bits == 1 ? "u1" : "u8";
}

/* The next wider of the levels that kernels have; -1: none. */
static int level_rank(const struct pare_kernel_traits *t)
{
    static const char *const levels[] = {"fp32", "fp16", "w8a8", "w4a8", "w2a8", "w1a1"};
    for (int i = 0; i < 6; i++) {
        if (strcmp(levels[i], t->level) == 0) {
            return i;
        }
    }
    return -1;
}

/* Is the kernel of the next wider level faster? Both in the state of the tile unit that the row is of, if both use it. */
static void compare_wider(struct pare_kernel_row *row, const struct pare_bench_case *cases, const int *bits, int n, int own,
                          const struct pare_series *series)
{
    int best = -1;
    double low, high;
    const int rank = level_rank(&row->traits);
    row->times_wider = NAN;
    for (int i = 0; i < n; i++) {
        struct pare_kernel_traits t;
        pare_kernel_traits(cases[i].family, &t);
        if (level_rank(&t) == rank - 1 && bits[i] == 8 && cases[i].isa <= row->isa && (best < 0 || cases[i].isa > cases[best].isa)) {
            best = i;
        }
    }
    if (best < 0 || row->timing.noisy) {
        return;
    }
    const enum pare_tiles state = cases[best].isa == PK_AMX && row->isa == PK_AMX ? row->tiles : PARE_TILES_NONE;
    const double times = pare_series_ratio(&series[own], &series[best], state, &low, &high);
    if (times > PARE_SLOWER_FROM && low > 1) {
        row->wider = cases[best].kernel;
        row->times_wider = times;
    }
}

/* All kernels of one shape, each at every output that it is asked for; returns rows given. */
static int bench_shape(const struct pare_kernel_bench *bench, const struct pare_bench_shape *shape,
                       struct pare_bench_case *cases, struct pare_series *series)
{
    struct pare_contender contenders[MAX_CONTENDERS];
    int bits[MAX_CONTENDERS], n = 0;
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        struct pare_kernel_traits t;
        pare_kernel_traits(entries[i].family, &t);
        if (!wanted(bench, &entries[i], shape)) {
            continue;
        }
        /* one-bit layers write codes of 8 bits or the next layer's of one bit */
        for (int b = 8; b > 0 && n < MAX_CONTENDERS; b = b == 8 && t.a_bits == 1 ? 1 : 0) {
            const enum pk_type out = t.w_bits == 32 ? PK_F32 : t.w_bits == 16 ? PK_F16 : PK_U8;
            if (pare_bench_case_init(&cases[n], entries[i].family, entries[i].isa, entries[i].kernel, &shape->conv, out, b)) {
                bits[n] = b;
                contenders[n] = (struct pare_contender){.run = pare_bench_case_run, .self = &cases[n], .tiles = entries[i].isa == PK_AMX};
                n++;
            }
        }
    }
    const struct pare_watch_options options = {.seconds = bench->seconds, .window_ns = 2e5, .min_rounds = 21};
    if (n > 0) {
        pare_watch(contenders, n, &options, series);
    }
    for (int i = 0; i < n; i++) {
        struct pare_kernel_row row = {.kernel = cases[i].kernel, .shape = shape, .isa = cases[i].isa,
                                      .packed_bytes = cases[i].packed_bytes, .resident_bytes = cases[i].resident_bytes,
                                      .output = output_name(cases[i].out.type, bits[i])};
        pare_kernel_traits(cases[i].family, &row.traits);
        row.limit = pare_mac_limit(&row.traits, row.isa);
        pare_layer_floor(&shape->conv, &row.traits, row.isa, (double)row.packed_bytes,
                         cases[i].out.type == PK_F32 ? 4 : cases[i].out.type == PK_F16 ? 2 : 1, true, &row.floor);
        fill_row(&row, &series[i]);
        compare_wider(&row, cases, bits, n, i, series);
        bench->row(bench->self, &row);
    }
    struct pare_flushed flushed[PARE_FLUSHED_MOST];
    const int n_flushed = bench->flushed != NULL ? pare_bench_flushed(cases, n, 4 * bench->seconds, series, flushed) : 0;
    if (n_flushed > 0) {
        bench->flushed(bench->self, flushed, n_flushed);
    }
    for (int i = 0; i < n; i++) {
        pare_bench_case_clear(&cases[i]);
    }
    return n;
}

int pare_bench_kernels(const struct pare_kernel_bench *bench)
{
    int n_shapes, rows = 0;
    const struct pare_bench_shape *shapes = pare_bench_shapes(&n_shapes);
    struct pare_bench_case *cases = calloc(MAX_CONTENDERS, sizeof *cases);
    struct pare_series *series = calloc(MAX_CONTENDERS, sizeof *series);
    struct pare_pin pin;
    if (cases == NULL || series == NULL) {
        free(cases);
        free(series);
        return -1;
    }
    (void)pare_watch_pin(&pin, 0);
    for (int s = 0; s < n_shapes && (bench->stop == NULL || !bench->stop(bench->self)); s++) {
        rows += bench_shape(bench, &shapes[s], cases, series);
    }
    pare_watch_unpin(&pin);
    free(cases);
    free(series);
    return rows;
}
