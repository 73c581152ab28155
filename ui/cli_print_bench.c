/* cli_print_bench.c: what `pare bench P` prints: end to end, stages, layers with their floors. */
#include "ui/cli.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "src/base/json.h"

/* One stage alone: hot, cold, what the clock between steps costs, several threads. */
static void print_stage_bench(const json_t *stage)
{
    const json_t *w = json_object_get(stage, "in_place"), *hot = json_object_get(w, "whole"), *cold = json_object_get(w, "cold");
    const json_t *threads = json_object_get(w, "threads");
    const double fast = pare_json_get_real(w, "tiles_fast_ms"), slow = pare_json_get_real(w, "tiles_slow_ms");
    char a[32], b[32], c[32], d[32], e[32];
    if (w == NULL) {
        return;
    }
    const bool noisy = pare_json_get_bool(hot, "noisy", false), cold_noisy = pare_json_get_bool(cold, "noisy", false);
    printf("stage %s: %.2f calls, hot %s (min %s, p90 %s) ms, cold weights %s ms%s\n", pare_json_get_string(stage, "name", ""),
           pare_json_get_real(stage, "calls"), cli_number(a, noisy ? NAN : pare_json_get_real(hot, "median"), 4),
           cli_number(b, noisy ? NAN : pare_json_get_real(hot, "min"), 4), cli_number(c, noisy ? NAN : pare_json_get_real(hot, "p90"), 4),
           cli_number(d, cold_noisy ? NAN : pare_json_get_real(cold, "median"), 4),
           noisy ? "  noisy: no figure" : cold_noisy ? "  noisy when cold" : "");
    printf("    sum of the parts over the whole %s%s, profiling on over off %s, blocks left out %s %%, repeated %lld",
           cli_number(a, pare_json_get_real(w, "sum_over_whole"), 3),
           pare_json_get_bool(w, "parts_agree", true) ? "" : " (over 3 % apart: too short or too noisy to be taken apart)", cli_number(b, pare_json_get_real(w, "profiling"), 3),
           cli_number(c, 100 * pare_json_get_real(hot, "disturbed"), 0), (long long)pare_json_get_int(w, "repeated", 0));
    if (isfinite(fast) || isfinite(slow)) {
        printf(", tiles fast %s slow %s ms", cli_number(d, fast, 4), cli_number(e, slow, 4));
    }
    printf("\n");
    if (threads != NULL) {
        printf("    %lld threads on %lld cores: %s ms a run (one alone %s), %s runs/s, %sx", (long long)pare_json_get_int(threads, "n", 0),
               (long long)pare_json_get_int(threads, "cores", 0), cli_number(a, pare_json_get_real(threads, "ms"), 4),
               cli_number(b, pare_json_get_real(threads, "alone_ms"), 4), cli_number(c, pare_json_get_real(threads, "runs_per_s"), 0),
               cli_number(d, pare_json_get_real(threads, "speedup"), 2));
        const double own = pare_json_get_real(threads, "own_core"), alone = pare_json_get_real(threads, "alone_own_core");
        if (own < 0.95 || alone < 0.95) {
            printf(", on a core %s %% of the time (alone %s %%)", cli_number(a, 100 * own, 0), cli_number(b, 100 * alone, 0));
        }
        printf("\n");
    }
}

/* Layers that take longer than at the next wider level, together where level and reason are the same. */
static void print_slower(const json_t *slower)
{
    enum { WIDTH = 130 };
    const size_t n = json_array_size(slower);
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(slower, i);
        const char *level = pare_json_get_string(one, "level", ""), *than = pare_json_get_string(one, "than", ""), *why = pare_json_get_string(one, "why", "");
        int at = 0;
        for (size_t k = 0; k < n; k++) {
            const json_t *other = json_array_get(slower, k);
            const char *name = pare_json_get_string(other, "name", "");
            if (strcmp(level, pare_json_get_string(other, "level", "")) != 0 || strcmp(than, pare_json_get_string(other, "than", "")) != 0 ||
                strcmp(why, pare_json_get_string(other, "why", "")) != 0) {
                continue;
            }
            if (k < i) {
                break; /* printed with that one */
            }
            if (k == i) {
                printf("%s takes longer than %s: %s:\n   ", level, than, why);
            } else if (at + (int)strlen(name) > WIDTH) {
                printf("\n   ");
                at = 0;
            }
            at += printf(" %s %.2fx", name, pare_json_get_real(other, "times"));
        }
        if (at > 0) {
            printf("\n");
        }
    }
}

/* End to end; noise has no figures. */
static void print_whole(const json_t *json)
{
    const json_t *t = json_object_get(json, "latency_ms");
    const double median = pare_json_get_real(t, "median"), fp32 = pare_json_get_real(json, "fp32_ms");
    char a[32], b[32], c[32], d[32], e[32], f[32];
    if (pare_json_get_bool(json, "noisy", false)) {
        printf("end to end: noisy, no figure");
    } else {
        const int digits = median < 0.01 ? 5 : 3;
        printf("end to end, ms per sample: min %s  median %s  p90 %s  p99 %s   fp32 median %s (%sx)", cli_number(a, pare_json_get_real(t, "min"), digits),
               cli_number(b, median, digits), cli_number(c, pare_json_get_real(t, "p90"), digits),
               cli_number(d, pare_json_get_real(t, "p99"), digits), cli_number(e, fp32, digits), cli_number(f, fp32 / median, 2));
    }
    printf("\n    %s rounds, left out %s %%, runs repeated %s", cli_number(a, pare_json_get_real(json, "rounds"), 0),
           cli_number(b, 100 * pare_json_get_real(json, "disturbed"), 0), cli_number(c, pare_json_get_real(json, "repeated"), 0));
    printf(", warm after %s rounds; %s M cycles at %s GHz\n", cli_number(a, pare_json_get_real(json, "warm_rounds"), 0),
           cli_number(b, 1e-6 * pare_json_get_real(json, "cycles"), 3), cli_number(c, pare_json_get_real(json, "whole_ghz"), 2));
}

void cli_print_bench(const json_t *json)
{
    const json_t *layers = json_object_get(json, "layers");
    int width = cli_widest_name(layers);
    char a[32], b[32], c[32], d[32], e[32], f[32], g[32];
    size_t i;
    json_t *item;
    printf("target host: %s, %s, 1 thread, pinned, interleaved with fp32 (measured)\n", pare_json_get_string(json, "cpu", ""),
           pare_json_get_string(json, "isa", ""));
    print_whole(json);
    json_array_foreach(json_object_get(json, "stages"), i, item) {
        print_stage_bench(item);
    }
    double weights = 0;
    bool widened = false;
    printf("%-*s  %-6s %9s %9s %9s %9s %6s  %8s %8s %8s  %8s  %-8s  %s\n", width, "layer (in place)", "level", "ms", "p10", "p90", "cold",
           "share", "multiply", "bytes", "epilogue", "weights", "binds", "kernel");
    json_array_foreach((json_t *)(uintptr_t)layers, i, item) {
        const double own = pare_json_get_real(item, "weight_bytes") / 1024;
        const bool star = pare_json_get_bool(item, "widened", false);
        weights += isfinite(own) ? own : 0;
        widened = widened || star;
        printf("%-*s  %-6s %9s %9s %9s %9s %5s%%  %8s %8s %8s  %7sK  %-8s  %s\n", width, pare_json_get_string(item, "name", ""),
               star ? "fp16*" : pare_json_get_string(item, "level", ""), cli_number(a, pare_json_get_real(item, "ms"), 4),
               cli_number(b, pare_json_get_real(item, "p10"), 4), cli_number(c, pare_json_get_real(item, "p90"), 4),
               cli_number(d, pare_json_get_real(item, "cold_ms"), 4), cli_number(e, 100 * pare_json_get_real(item, "share_of_limit"), 0),
               cli_number(f, pare_json_get_real(item, "mac_ms"), 4), cli_number(g, pare_json_get_real(item, "byte_ms"), 4),
               cli_number((char[32]){0}, pare_json_get_real(item, "epilogue_ms"), 4), cli_number((char[32]){0}, own, 1),
               pare_json_get_string(item, "binds", ""),
               pare_json_get_string(item, "kernel", ""));
    }
    printf("%-*s  %-6s %9s\n", width, "glue", "", cli_number(a, pare_json_get_real(json, "glue_ms"), 4));
    print_slower(json_object_get(json, "slower"));
    if (widened) {
        printf("fp16*: no half precision arithmetic here: kept in 16 bits, computed in fp32\n");
    }
    printf("kernels of the same bytes are chosen by %s\n", strcmp(pare_json_get_string(json, "kernels_by", ""), "table") == 0
                                                          ? "this machine's table"
                                                          : "rule: this machine's table is not measured (pare bench --table)");
    printf("weights in memory, as packed for these kernels: %.1fK\n", weights);
    printf("share: floor over time. The floor: the longer of multiplies and bytes, and the epilogue (ms at %s GHz)\n",
           cli_number(a, pare_json_get_real(json, "ghz"), 2));
}
