/*
 * stopwatch.h: time that can be trusted on a machine that is shared. One thread pinned to one core; contenders run in
 * interleaved blocks, so that what disturbs the machine disturbs all alike; every block stands between two readings of
 * the core's clock (a chain of dependent multiplies), so that cycles are known as well as nanoseconds, and between two
 * probes of the tile unit where there is one. A block in which the thread did not have its core, in which the clock moved,
 * or in which the core's other hardware thread worked too (fewer additions per cycle than the core can do) is repeated; when
 * it stays so it is marked, and a series with too few clean blocks is "noisy": it has no figures. Needs only kernels/ and libc: the program for bare boards is made of it too.
 */
#ifndef PARE_STOPWATCH_H
#define PARE_STOPWATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PARE_WATCH_ROUNDS = 400, PARE_WATCH_CLEAN = 10 };

/* State of the tile unit (AMX). Loads of 8 cycles: fast; of 30: slow. */
enum pare_tiles { PARE_TILES_NONE, PARE_TILES_FAST, PARE_TILES_SLOW, PARE_TILES_MIXED };
const char *pare_tiles_name(enum pare_tiles state); /* "none" "fast" "slow" "mixed" */

double pare_watch_ns(void);      /* monotonic */
double pare_watch_cpu_ns(void);  /* time that this thread really had a core */
/* GHz of this core, now: about 1.5 us (boards 40). NaN where there is no probe. */
double pare_watch_ghz(void);
/* Additions per cycle that the core does now; ghz: of the core. NaN where there is no probe. */
double pare_watch_width(double ghz);
/* The tile unit now; ghz: of the core. About 2 us (6 when slow). */
enum pare_tiles pare_watch_tiles(double ghz);

/* Pins the thread to its last allowed core (the first one serves interrupts on most machines), or to the core'th one
 * counted from there. false when it could not. pare_watch_unpin gives back what was allowed before. */
struct pare_pin {
    bool done;
    unsigned long long before[16]; /* cpu_set_t */
};
bool pare_watch_pin(struct pare_pin *pin, int core);
int pare_watch_cores(void); /* cores that this thread may use */
void pare_watch_unpin(const struct pare_pin *pin);

/* The machine's own words about itself (/proc/device-tree/model, or the model name of /proc/cpuinfo); "" when it says nothing. */
void pare_watch_machine(char *text, size_t size);

/* What is measured: run() once is one unit of work. */
struct pare_contender {
    void (*run)(void *self);
    void *self;
    int repeats; /* runs of one block; 0 = found while warming up, so that a block takes window_ns */
    bool tiles;  /* it uses the tile unit: probed around its blocks */
    double (*remote)(void *self, int n, double *own_ns); /* n runs in another process: their ns by its clock, and its time on
                                                            the core; NULL */
};

enum { PARE_LOST_CORE = 1, PARE_CLOCK_MOVED = 2, PARE_SHARED_CORE = 4, PARE_TILES_MOVED = 8 };
struct pare_block {
    float ghz;
    float width;         /* additions per cycle, the lower of before and after; 0 = no probe */
    unsigned char tiles; /* enum pare_tiles */
    unsigned char disturbed; /* PARE_LOST_CORE ... together; 0 = clean */
    double ns;           /* of one run */
};

struct pare_series {
    int n, repeated;     /* blocks; blocks that were run again */
    struct pare_block blocks[PARE_WATCH_ROUNDS];
};

struct pare_watch_options {
    double seconds;      /* about, for all; 0 = 1 */
    double window_ns;    /* of a block; 0 = 300 us */
    int min_rounds;      /* 0 = 21 */
    void (*between)(void *self); /* before every block, untimed (to make weights cold); NULL */
    void *between_self;
    void (*prepare)(void *self, int contender, int round); /* once before the round's blocks of a contender, untimed; NULL */
    void (*finish)(void *self, int contender, int round);  /* after them: the last run was the block's last; NULL */
    void *hook_self;
    void (*done)(void *self, double share); /* progress 0..1; NULL */
    void *done_self;
};

/* Warms up until the rolling median of 5 rounds settles within 1 %, then times rounds of n contenders in alternating
 * order. series: [n]. Returns the rounds. */
int pare_watch(struct pare_contender *contenders, int n, const struct pare_watch_options *options,
               struct pare_series *series);

/* Figures of the clean blocks in a state of the tile unit (PARE_TILES_NONE: whatever state). */
struct pare_timing {
    int n;                              /* clean blocks; below PARE_WATCH_CLEAN all figures are NaN */
    double min, median, p90, p99;       /* ns; p99 NaN below 100 blocks */
    double cycles_min, cycles;          /* least and median cycles */
    double ghz;                         /* median */
    double disturbed;                   /* share of the blocks that were left out */
    double lost, moved, shared, tiles;  /* the same by reason; a block may have several */
    bool noisy;                         /* too few clean blocks, or their middle half wider than 20 % */
};
void pare_series_timing(const struct pare_series *series, enum pare_tiles state, struct pare_timing *timing);

/* Median over rounds of a's time over b's, of the rounds in which both had the core for themselves (the clock may
 * have moved) and were in the same state of the tile unit (state NONE: any), with a bootstrap-free 95 % interval (order statistics). NaN with fewer than
 * PARE_WATCH_CLEAN. */
double pare_series_ratio(const struct pare_series *a, const struct pare_series *b, enum pare_tiles state, double *low,
                         double *high);

/* Reads `bytes` (twice the L2 cache and more) so that nothing else is left there. memory: borrowed. */
struct pare_evict {
    unsigned char *memory;
    size_t bytes;
    unsigned sum;
};
void pare_evict_caches(void *evict);
/* Throws n bytes from p on out of every cache. false: the machine lets no program do that (known here: x86). */
bool pare_flush_memory(const void *p, size_t n);

#endif
