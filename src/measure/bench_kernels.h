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
    const struct pk_layer_kernel *wider; /* of the next wider level at this instruction set or below, when that is faster; NULL */
    double times_wider;                  /* time over that one's, median of the rounds; NaN */
};

/* One layer, or a plain loop that only reads, with its weights in no cache. */
struct pare_flushed {
    const struct pk_layer_kernel *kernel; /* NULL: the loop, over the weights of the largest */
    char level[16];                       /* "w4a8"; "" */
    size_t bytes;                         /* of packed weights */
    struct pare_timing timing;
    double speed, low, high;              /* against w8a8 in the same rounds, with a 95 % interval; NaN: not known */
};
enum { PARE_FLUSHED_MOST = 9 };
/* Times those of n cases that dispatch picks, each run after its weights were thrown out of every cache, in interleaved
 * rounds, and the loop; memory that others use too makes such series noisy, their ratios less so. series:
 * [PARE_FLUSHED_MOST]. Returns how many; 0: this machine cannot, or no case is to be timed. */
int pare_bench_flushed(struct pare_bench_case *cases, int n, double seconds, struct pare_series *series,
                       struct pare_flushed *to);

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
    /* after the rows of a shape with weights that no second cache holds; NULL: these are not timed from memory */
    void (*flushed)(void *self, const struct pare_flushed *rows, int n);
    void *self;
    bool (*stop)(void *self);            /* NULL */
};
/* Runs; all kernels of a shape are interleaved. Returns the number of rows, -1 when memory is out. */
int pare_bench_kernels(const struct pare_kernel_bench *bench);

#endif
