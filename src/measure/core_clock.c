/*
 * core_clock.c: what the core says of itself: time, its clock, whether it is shared, its tile unit, its caches; and the pin
 * that keeps a thread on it (stopwatch.h).
 */
#include "measure/stopwatch.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#ifdef __x86_64__
#include <cpuid.h>
#endif

#include "pk_probe.h"

enum {
#ifdef __x86_64__
    CHAIN_CYCLES = 1500, /* of one reading of the clock: short, because the clock rises again within 2 us */
#else
    CHAIN_CYCLES = 20000, /* boards count time in steps of up to 52 ns, and no instruction moves their clock */
#endif
    RISE_CYCLES = 1000000,
    MOST_EXTRA = 200, /* an upper bound: 75 for the time on x86-64 */
    DRAIN_CYCLES = 96, /* before the first: what is still under way ends here */
    WIDTH_ADDS = 8192,
    PROBE_LOADS = 512
};
#define SLOW_LOAD 18.0 /* cycles: between 7-9 and 28-32 (Sapphire Rapids, 2026-11-20) */

static double clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

double pare_watch_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC_RAW);
}

double pare_watch_cpu_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

const char *pare_tiles_name(enum pare_tiles state)
{
    static const char *const names[] = {"none", "fast", "slow", "mixed"};
    return names[state];
}

/* What reading the time costs, ns. */
static double reading_ns(void)
{
    double best = 1e9;
    for (int i = 0; i < 3; i++) {
        const double start = pare_watch_ns(), ns = pare_watch_ns() - start;
        best = ns < best ? ns : best;
    }
    return best;
}

static double median_of_3(const double x[3])
{
    return fmax(fmin(x[0], x[1]), fmin(fmax(x[0], x[1]), x[2]));
}

/* Cycles that reading the time and leaving the loop add to a chain: the least of some triples' medians, after the clock has come
 * up (a process begins while it rises: then 1500 cycles and 30000 have different clocks, and every reading of the process would
 * be wrong by one factor). */
static double chain_extra(void)
{
    double least = MOST_EXTRA;
    (void)pk_probe_chain(RISE_CYCLES);
    for (int triple = 0; triple < 5; triple++) {
        double extra[3];
        for (int i = 0; i < 3; i++) {
            const double start = pare_watch_ns(), n = (double)pk_probe_chain(CHAIN_CYCLES), middle = pare_watch_ns();
            const double many = (double)pk_probe_chain(20 * CHAIN_CYCLES), ghz = many / (pare_watch_ns() - middle);
            extra[i] = (middle - start) * ghz - n;
        }
        least = fmin(least, fmax(0, median_of_3(extra)));
    }
    return least;
}

/*
 * Wide instructions lower the clock, and it rises again when they end: 2 us later in one case of ten, 4 us later in one of four
 * (readings of 1000 cycles after products of 1024 rows, AVX-512 VNNI: 2.89 GHz in 95 of 100 cases during the first 1.5 us, then
 * 2.89 or 3.63; 2026-11-21). So a reading is short and begins at once. The median of three: an interrupt hits one of them.
 */
double pare_watch_ghz(void)
{
    static _Thread_local double extra = -1;
    if (extra < 0) {
        extra = chain_extra();
    }
    double ghz[3];
    const bool probe = pk_probe_chain(DRAIN_CYCLES) > 0;
    double start = pare_watch_ns();
    for (int i = 0; i < 3; i++) {
        const double cycles = (double)pk_probe_chain(CHAIN_CYCLES) + extra, now = pare_watch_ns();
        ghz[i] = cycles / (now - start);
        start = now;
    }
    return probe ? median_of_3(ghz) : NAN;
}

double pare_watch_width(double ghz)
{
    const double own = reading_ns(), start = pare_watch_ns();
    const double n = (double)pk_probe_width(WIDTH_ADDS), ns = pare_watch_ns() - start - own, after = pare_watch_ghz();
    return n > 0 ? n / (ns * (after > ghz ? after : ghz)) : NAN;
}

enum pare_tiles pare_watch_tiles(double ghz)
{
    (void)pk_probe_tiles(16); /* configuration and the cache */
    const double start = pare_watch_ns();
    if (!pk_probe_tiles(PROBE_LOADS)) {
        return PARE_TILES_NONE;
    }
    const double cycles = (pare_watch_ns() - start) * ghz / PROBE_LOADS;
    return cycles < SLOW_LOAD ? PARE_TILES_FAST : PARE_TILES_SLOW;
}

bool pare_watch_pin(struct pare_pin *pin, int core)
{
    cpu_set_t before, one;
    pin->done = false;
    _Static_assert(sizeof before <= sizeof pin->before, "room for the set of cores");
    if (sched_getaffinity(0, sizeof before, &before) != 0) {
        return false;
    }
    memcpy(pin->before, &before, sizeof before);
    const int n = CPU_COUNT(&before);
    int skip = n > 0 ? core % n : 0;
    for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--) {
        if (CPU_ISSET((size_t)cpu, &before) && skip-- == 0) {
            CPU_ZERO(&one);
            CPU_SET((size_t)cpu, &one);
            pin->done = sched_setaffinity(0, sizeof one, &one) == 0;
            return pin->done;
        }
    }
    return false;
}

int pare_watch_cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

void pare_watch_unpin(const struct pare_pin *pin)
{
    if (pin->done) {
        cpu_set_t before;
        memcpy(&before, pin->before, sizeof before);
        (void)sched_setaffinity(0, sizeof before, &before);
    }
}

void pare_evict_caches(void *evict)
{
    struct pare_evict *e = evict;
    unsigned sum = e->sum;
    for (size_t i = 0; i < e->bytes; i += 64) {
        sum += e->memory[i];
        e->memory[i] = (unsigned char)sum;
    }
    e->sum = sum;
}

bool pare_flush_memory(const void *p, size_t n)
{
#ifdef __x86_64__
    unsigned a, b = 0, c, d;
    const bool unordered = __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_CLFLUSHOPT) != 0; /* several at once */
    for (size_t i = 0; i < n; i += 64) {
        const char *line = (const char *)p + i;
        if (unordered) {
            __asm__ volatile("clflushopt %0" : : "m"(*line) : "memory");
        } else {
            __builtin_ia32_clflush(line);
        }
    }
    __builtin_ia32_mfence();
    return true;
#else
    (void)p, (void)n;
    return false;
#endif
}

void pare_watch_machine(char *text, size_t size)
{
    static const char *const files[] = {"/proc/device-tree/model", "/proc/cpuinfo"};
    text[0] = '\0';
    for (int i = 0; i < 2 && text[0] == '\0'; i++) {
        char line[256];
        FILE *in = fopen(files[i], "r");
        while (in != NULL && text[0] == '\0' && fgets(line, sizeof line, in) != NULL) {
            const char *at = i == 0 ? line : strncmp(line, "model name", 10) == 0 && strchr(line, ':') != NULL ? strchr(line, ':') + 2 : "";
            snprintf(text, size, "%.*s", (int)strcspn(at, "\n"), at);
        }
        if (in != NULL) {
            fclose(in);
        }
    }
}
