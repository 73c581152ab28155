/*
 * bench_kernels.h: every kernel of kernels.inc on shapes of real networks, by the stopwatch. Needs only kernels/ and
 * libc, as the program for bare boards does.
 */
#ifndef PARE_BENCH_KERNELS_H
#define PARE_BENCH_KERNELS_H

#include "measure/limits.h"
#include "measure/stopwatch.h"

enum { PARE_SHAPE_GEMM = 1, PARE_SHAPE_CONV = 2, PARE_SHAPE_DEPTHWISE = 4, PARE_SHAPE_FC = 8, PARE_SHAPE_TABLE = 16 };

struct pare_bench_shape {
    const char *name;  /* "gemm 64x64x256" = pixels, channels, depth */
    int groups;        /* PARE_SHAPE_...: which lists it is in */
    struct pk_conv conv;
};
/* All shapes; the first PARE_GEMM_SHAPES are the products that peers are compared on. */
enum { PARE_GEMM_SHAPES = 13 };
const struct pare_bench_shape *pare_bench_shapes(int *n);

/* A layer with random codes or values, packed for one kernel, ready to run. */
struct pare_bench_case {
    enum pk_family family;
    enum pk_isa isa;
    const struct pk_layer_kernel *kernel;
    struct pk_conv conv;
    struct pk_epilogue epilogue;
    struct pk_out out;
    void *x, *packed, *scratch, *y;
    float *m, *b;
    size_t packed_bytes, weight_count;
    size_t resident_bytes; /* of the packed weights, in pages that memory really holds */
    void *memory[8];
    int n_memory;
};
/* out: the type of the outputs; bits: of the output's codes (8, or 1). False when the kernel cannot do the shape, or
 * memory is out. */
bool pare_bench_case_init(struct pare_bench_case *c, enum pk_family family, enum pk_isa isa,
                          const struct pk_layer_kernel *kernel, const struct pk_conv *conv, enum pk_type out, int bits);
void pare_bench_case_clear(struct pare_bench_case *c);
void pare_bench_case_run(void *bench_case);

/* Every kernel there is: kernels.inc as a table. */
struct pare_bench_entry {
    enum pk_family family;
    enum pk_isa isa;
    const struct pk_layer_kernel *kernel;
};
const struct pare_bench_entry *pare_bench_entries(int *n);

struct pare_kernel_row {
    const struct pk_layer_kernel *kernel;
    const struct pare_bench_shape *shape;
    struct pare_kernel_traits traits;
    enum pk_isa isa;
    const char *output;                  /* "f32" "f16" "u8" "u1" */
    enum pare_tiles tiles;               /* state that the figures are of */
    struct pare_timing timing;           /* in that state */
    struct pare_timing slow;             /* AMX: in the slow state (n = 0: not seen) */
    double mac_per_cycle, limit, share;  /* at the median of the clean blocks; NaN when noisy */
    double best_mac_per_cycle;           /* of the best clean block */
    struct pare_floor floor;
    size_t packed_bytes, resident_bytes; /* weights as packed; the pages they lie in, as the system counts them */
};

struct pare_kernel_bench {
    int groups;                          /* PARE_SHAPE_...: which shapes */
    const char *const *filters;          /* parts of a kernel's name, an instruction set, a level or a shape's name; all must
                                            match ("-amx": must not) */
    int n_filters;
    bool best_only;                      /* only the kernels that dispatch would pick at pk_isa_best() */
    bool candidates;                     /* only what dispatch may choose from: floats as best_only; integers the two best
                                            instruction sets that have a kernel, which give the same bytes */
    double seconds;                      /* per shape */
    double most_macs;                    /* leaves out shapes of more multiply-adds; 0: none */
    void (*row)(void *self, const struct pare_kernel_row *row);
    void *self;
    bool (*stop)(void *self);            /* NULL */
};
/* Runs; all kernels of a shape are interleaved. Returns the number of rows, -1 when memory is out. */
int pare_bench_kernels(const struct pare_kernel_bench *bench);

#endif
