/*
 * bench_kernels: GOP/s (2 per multiply-add) of every kernel on shapes of real networks. Not a test.
 *   bench_kernels [FILTER]   FILTER: part of a kernel's name or of a shape's
 * For each shape all kernels run in turn, a window of about 0.3 ms each, many rounds: what
 * disturbs the machine disturbs all alike. Prints minimum and median time, GOP/s at both, and the
 * ratio of medians to the fp32 kernel.
 */
#include "kernel_case.h"
#include "pk_tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 41, MAX_KERNELS = 40 };

struct shape {
    const char *name;
    int kind; /* 0 conv, 1 depthwise, 2 fully connected */
    struct pk_conv conv;
};

static const struct shape shapes[] = {
    {"first 3x3s2 3>32 96x96", 0, {192, 192, 3, 96, 96, 32, 3, 3, 2, 2, 1, 1, 0, 0, 1}},
    {"1x1 24>24 112x112", 0, {112, 112, 24, 112, 112, 24, 1, 1, 1, 1, 1, 1, 0, 0, 1}},
    {"1x1 32>32 96x96", 0, {96, 96, 32, 96, 96, 32, 1, 1, 1, 1, 1, 1, 0, 0, 1}},
    {"1x1 64>64 48x48", 0, {48, 48, 64, 48, 48, 64, 1, 1, 1, 1, 1, 1, 0, 0, 1}},
    {"1x1 128>128 24x24", 0, {24, 24, 128, 24, 24, 128, 1, 1, 1, 1, 1, 1, 0, 0, 1}},
    {"1x1 256>256 12x12", 0, {12, 12, 256, 12, 12, 256, 1, 1, 1, 1, 1, 1, 0, 0, 1}},
    {"1x1 288>48 14x14", 0, {14, 14, 288, 14, 14, 48, 1, 1, 1, 1, 1, 1, 0, 0, 1}},
    {"1x1 192>1152 7x7", 0, {7, 7, 192, 7, 7, 1152, 1, 1, 1, 1, 1, 1, 0, 0, 1}},
    {"3x3 64>64 56x56", 0, {56, 56, 64, 56, 56, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1}},
    {"3x3 256>256 14x14", 0, {14, 14, 256, 14, 14, 256, 3, 3, 1, 1, 1, 1, 1, 1, 1}},
    {"3x3 16>16 32x32", 0, {32, 32, 16, 32, 32, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1}},
    {"dw 3x3 24 112x112", 1, {112, 112, 24, 112, 112, 24, 3, 3, 1, 1, 1, 1, 1, 1, 24}},
    {"dw 3x3 64 48x48", 1, {48, 48, 64, 48, 48, 64, 3, 3, 1, 1, 1, 1, 1, 1, 64}},
    {"dw 3x3s2 64 96x96", 1, {96, 96, 64, 48, 48, 64, 3, 3, 2, 2, 1, 1, 0, 0, 64}},
    {"dw 5x5 32 96x96", 1, {96, 96, 32, 96, 96, 32, 5, 5, 1, 1, 1, 1, 2, 2, 32}},
    {"dw 5x5 128 24x24", 1, {24, 24, 128, 24, 24, 128, 5, 5, 1, 1, 1, 1, 2, 2, 128}},
    {"dw 5x5 256 12x12", 1, {12, 12, 256, 12, 12, 256, 5, 5, 1, 1, 1, 1, 2, 2, 256}},
    {"dw 5x5 1152 7x7", 1, {7, 7, 1152, 7, 7, 1152, 5, 5, 1, 1, 1, 1, 2, 2, 1152}},
    {"fc 1152>63", 2, {1, 1, 1152, 1, 1, 63, 1, 1, 1, 1, 1, 1, 0, 0, 1}},
    {"fc 640>128", 2, {1, 1, 640, 1, 1, 128, 1, 1, 1, 1, 1, 1, 0, 0, 1}},
};

struct contender {
    const struct pk_layer_kernel *kernel;
    struct kernel_case k;
    void *packed, *scratch;
    int repeats;
    double us[ROUNDS];
};

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static double window(struct contender *c)
{
    const double start = now_us();
    for (int i = 0; i < c->repeats; i++) {
        c->kernel->run(&c->k.conv, c->k.x, c->k.pad_code, c->packed, &c->k.epilogue, c->scratch);
    }
    return (now_us() - start) / c->repeats;
}

static void prepare(struct contender *c, enum pk_family family, const struct shape *shape,
                    const struct pk_layer_kernel *kernel)
{
    kernel_case_init(&c->k, family, 1);
    c->k.roomy = true;
    c->kernel = kernel;
    c->k.conv = shape->conv;
    kernel_case_random_values(&c->k, KERNEL_EXACT);
    kernel_case_plain_epilogue(&c->k, kernel_case_is_integer(family)    ? PK_U8
                                      : kernel_case_x_size(family) == 2 ? PK_F16
                                                                        : PK_F32);
    kernel_case_new_outputs(&c->k);
    c->packed = kernel_case_alloc(&c->k, kernel->packed_size(&shape->conv), 64);
    c->scratch = kernel_case_alloc(&c->k, kernel->scratch_size(&shape->conv), 64);
    kernel->pack(&shape->conv, c->k.weights, c->packed);
    c->repeats = 1;
    double us = window(c);
    us = window(c);
    c->repeats = us > 300 ? 1 : (int)(300 / us) + 1;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void report(struct contender *all, int n, const struct shape *shape)
{
    const struct pk_conv *c = &shape->conv;
    const double macs = (double)c->out_h * c->out_w * (double)kernel_case_n_weights(&all[0].k);
    double f32 = 0;
    for (int i = 0; i < n; i++) {
        qsort(all[i].us, ROUNDS, sizeof all[i].us[0], compare);
        const bool is_f32 =
            !kernel_case_is_integer(all[i].k.family) && kernel_case_x_size(all[i].k.family) == 4;
        f32 = is_f32 ? all[i].us[ROUNDS / 2] : f32; /* the last is the best instruction set */
    }
    for (int i = 0; i < n; i++) {
        const double min = all[i].us[0], median = all[i].us[ROUNDS / 2];
        printf("%-24s %-28s %9.1f us %9.1f us %8.1f %8.1f GOP/s  %5.2f x fp32\n", shape->name,
               all[i].kernel->name, min, median, 2e-3 * macs / min, 2e-3 * macs / median,
               f32 / median);
        kernel_case_clear(&all[i].k);
    }
    printf("\n");
}

struct entry {
    enum pk_family family;
    enum pk_isa isa;
    const struct pk_layer_kernel *kernel;
};

#define PK_CONVERT(isa, suffix)
#define PK_KERNEL(family, isa, name) {family, isa, &pk_##name},
static const struct entry entries[] = {
#include "kernels.inc"
};
#undef PK_KERNEL
#undef PK_CONVERT

static bool wanted(const struct entry *entry, const struct shape *shape, const char *filter)
{
    if (entry->isa == PK_REF || entry->kernel->packed_size(&shape->conv) == 0 || !pk_isa_supported(entry->isa) ||
        (int)entry->family % 3 != shape->kind) {
        return false;
    }
    return filter == NULL || strstr(entry->kernel->name, filter) != NULL ||
           strstr(shape->name, filter) != NULL;
}

int main(int argc, char **argv)
{
    static struct contender all[MAX_KERNELS];
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        int n = 0;
        for (size_t i = 0; i < sizeof entries / sizeof entries[0] && n < MAX_KERNELS; i++) {
            if (wanted(&entries[i], &shapes[s], argc > 1 ? argv[1] : NULL)) {
                prepare(&all[n++], entries[i].family, &shapes[s], entries[i].kernel);
            }
        }
        for (int round = 0; round < ROUNDS; round++) {
            for (int i = 0; i < n; i++) {
                all[i].us[round] = window(&all[i]);
            }
        }
        if (n > 0) {
            report(all, n, &shapes[s]);
        }
    }
    return 0;
}
