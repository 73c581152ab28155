/* bench_flushed.c: layers whose weights come from memory. */
#include "measure/bench_kernels.h"

#include <math.h>
#include <stdio.h>

enum { LEAST_BYTES = 4 << 20, ROUNDS = 21 }; /* more than a second cache holds */

/* The contenders, and whose block is next. */
struct flushing {
    const struct pare_bench_case *cases[PARE_FLUSHED_MOST];
    int now;
};

static void choose(void *flushing, int contender, int round)
{
    (void)round;
    ((struct flushing *)flushing)->now = contender;
}

static void flush(void *flushing)
{
    const struct flushing *f = flushing;
    (void)pare_flush_memory(f->cases[f->now]->packed, f->cases[f->now]->packed_bytes);
}

/* Reads one word of every line of the weights, in four streams. */
static void read_weights(void *bench_case)
{
    const struct pare_bench_case *c = bench_case;
    const uint64_t *p = c->packed;
    const size_t n = c->packed_bytes / sizeof *p / 4;
    uint64_t sum[4] = {0};
    for (size_t i = 0; i < n; i += 64 / sizeof *p) {
        sum[0] += p[i];
        sum[1] += p[n + i];
        sum[2] += p[2 * n + i];
        sum[3] += p[3 * n + i];
    }
    *(volatile uint64_t *)c->scratch = sum[0] + sum[1] + sum[2] + sum[3];
}

static int find(const struct pare_bench_case *cases, int n, struct flushing *f, struct pare_contender *contenders)
{
    int found = 0, largest = 0;
    for (int i = 0; i < n && found < PARE_FLUSHED_MOST - 1; i++) {
        const struct pare_bench_case *c = &cases[i];
        bool again = false; /* the same layer with another output */
        for (int k = 0; k < found; k++) {
            again = again || f->cases[k]->kernel == c->kernel;
        }
        if (!again && pk_kernel_for(c->family, pk_isa_best(), &c->conv) == c->kernel) {
            f->cases[found] = c;
            largest = c->packed_bytes > f->cases[largest]->packed_bytes ? found : largest;
            contenders[found++] = (struct pare_contender){.run = pare_bench_case_run, .self = (void *)(uintptr_t)c, .repeats = 1};
        }
    }
    if (found == 0 || f->cases[largest]->packed_bytes < LEAST_BYTES) {
        return 0;
    }
    f->cases[found] = f->cases[largest];
    contenders[found] = (struct pare_contender){.run = read_weights, .self = contenders[largest].self, .repeats = 1};
    return found + 1;
}

int pare_bench_flushed(struct pare_bench_case *cases, int n, double seconds, struct pare_series *series,
                       struct pare_flushed *to)
{
    static const char nothing[64];
    struct flushing f = {.now = 0};
    struct pare_contender contenders[PARE_FLUSHED_MOST];
    const int found = find(cases, n, &f, contenders);
    if (found == 0 || !pare_flush_memory(nothing, sizeof nothing)) {
        return 0;
    }
    const struct pare_watch_options o = {.seconds = seconds, .min_rounds = ROUNDS, .between = flush, .between_self = &f,
                                         .prepare = choose, .hook_self = &f};
    pare_watch(contenders, found, &o, series);
    int bytes = -1; /* w8a8 */
    for (int i = 0; i < found; i++) {
        struct pare_kernel_traits t;
        pare_kernel_traits(f.cases[i]->family, &t);
        to[i] = (struct pare_flushed){.bytes = f.cases[i]->packed_bytes, .speed = NAN};
        pare_series_timing(&series[i], PARE_TILES_NONE, &to[i].timing);
        if (i + 1 < found) {
            to[i].kernel = f.cases[i]->kernel;
            snprintf(to[i].level, sizeof to[i].level, "%s", t.level);
            bytes = t.w_bits == 8 ? i : bytes;
        }
    }
    for (int i = 0; bytes >= 0 && i < found - 1; i++) {
        to[i].speed = pare_series_ratio(&series[bytes], &series[i], PARE_TILES_NONE, &to[i].low, &to[i].high);
    }
    return found;
}
