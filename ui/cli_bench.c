/* cli_bench.c: the parts of `pare bench` that time kernels, not pipelines. */
#include "ui/cli_bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/json.h"
#include "src/measure/bench_kernels.h"
#include "src/measure/peers.h"
#include "src/measure/slower.h"
#include "src/measure/target.h"

struct kernel_print {
    const struct cli_options *o;
    json_t *rows, *flushed;
    const struct pare_bench_shape *shape;
    int noisy, n;
    bool widened; /* fp16 without half precision arithmetic was among them */
};

static void number(char text[16], double value, int digits)
{
    if (isfinite(value)) {
        snprintf(text, 16, "%.*f", digits, value);
    } else {
        snprintf(text, 16, "-");
    }
}

static json_t *timing_json(const struct pare_timing *t)
{
    return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "n", t->n, "min_us", pare_json_real(1e-3 * t->min), "us",
                     pare_json_real(1e-3 * t->median), "p90_us", pare_json_real(1e-3 * t->p90), "p99_us",
                     pare_json_real(1e-3 * t->p99), "cycles", pare_json_real(t->cycles), "ghz", pare_json_real(t->ghz),
                     "disturbed", pare_json_real(t->disturbed), "lost_core", pare_json_real(t->lost),
                     "clock_moved", pare_json_real(t->moved), "shared_core", pare_json_real(t->shared), "tiles_moved",
                     pare_json_real(t->tiles), "noisy", (int)t->noisy);
}

static json_t *row_json(const struct pare_kernel_row *r)
{
    json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:o}", "kernel", r->kernel->name, "isa",
                            pk_isa_name(r->isa), "shape", r->shape->name, "level", r->traits.level, "output", r->output,
                            "mac_per_cycle", pare_json_real(r->mac_per_cycle), "best_mac_per_cycle", pare_json_real(r->best_mac_per_cycle), "limit", pare_json_real(r->limit), "share",
                            pare_json_real(r->share), "tiles", pare_tiles_name(r->tiles), "time", timing_json(&r->timing));
    json_object_set_new(row, "floor",
                        json_pack("{s:f, s:f, s:o, s:f, s:f, s:o, s:s}", "macs", r->floor.macs, "bytes", r->floor.bytes,
                                  "mac_cycles", pare_json_real(r->floor.mac_cycles), "byte_cycles", r->floor.byte_cycles,
                                  "epilogue_cycles", r->floor.epilogue_cycles, "share",
                                  pare_json_real(r->floor.cycles / r->timing.cycles), "binds", r->floor.binds));
    json_object_set_new(row, "packed_bytes", json_integer((json_int_t)r->packed_bytes));
    json_object_set_new(row, "resident_bytes", json_integer((json_int_t)r->resident_bytes));
    if (pare_fp16_is_widened(r->kernel->name)) {
        json_object_set_new(row, "widened", json_true());
    }
    if (r->wider != NULL) {
        char why[200];
        json_object_set_new(row, "slower", json_pack("{s:s, s:f, s:s}", "than", r->wider->name, "times", r->times_wider, "why",
                                                     pare_slower_why((struct pare_ran){r->kernel->name, 0}, (struct pare_ran){r->wider->name, 0}, &r->shape->conv, why)));
    }
    if (r->slow.n > 0) {
        json_object_set_new(row, "slow_tiles", timing_json(&r->slow));
        json_object_set_new(row, "slow_mac_per_cycle", pare_json_real(r->floor.macs / r->slow.cycles));
    }
    return row;
}

static void take_row(void *self, const struct pare_kernel_row *r)
{
    struct kernel_print *p = self;
    char us[16], mac[16], best[16], limit[16], share[16], near_floor[16], slow[16], weights[16];
    p->n++;
    p->noisy += r->timing.noisy;
    p->widened = p->widened || pare_fp16_is_widened(r->kernel->name);
    const bool first = p->shape != r->shape;
    p->shape = r->shape;
    if (p->o->json) {
        json_array_append_new(p->rows, row_json(r));
        return;
    }
    if (first) {
        printf("%s%s: %.2f M MAC\n", p->n > 1 ? "\n" : "", r->shape->name, 1e-6 * r->floor.macs);
        printf("  %-26s %-6s %-3s %10s %9s %7s %7s %6s %6s %9s  %-8s\n", "kernel", "level", "out", "us", "MAC/cycle", "best", "limit", "share",
               "floor", "weights", "binds");
    }
    number(us, r->timing.noisy ? NAN : 1e-3 * r->timing.median, 2);
    number(mac, r->mac_per_cycle, 1);
    number(best, r->best_mac_per_cycle, 1);
    number(limit, r->limit, 1);
    number(share, 100 * r->share, 0);
    number(near_floor, r->timing.noisy ? NAN : 100 * r->floor.cycles / r->timing.cycles, 0);
    number(slow, r->slow.n >= PARE_WATCH_CLEAN ? r->floor.macs / r->slow.cycles : NAN, 1);
    number(weights, (double)r->packed_bytes / 1024, 1);
    printf("  %-26s %-6s %-3s %10s %9s %7s %7s %5s%% %5s%% %8sK  %-8s%s%s%s%s\n", r->kernel->name, pare_fp16_is_widened(r->kernel->name) ? "fp16*" : r->traits.level, r->output, us, mac, best, limit,
           share, near_floor, weights, r->floor.binds, r->timing.noisy ? "  noisy: no figure" : "",
           r->tiles == PARE_TILES_SLOW ? "  tiles slow" : "", r->slow.n >= PARE_WATCH_CLEAN && r->tiles == PARE_TILES_FAST ? "  slow tiles " : "",
           r->slow.n >= PARE_WATCH_CLEAN && r->tiles == PARE_TILES_FAST ? slow : "");
    if (r->wider != NULL) {
        char why[200];
        printf("      %.2fx the time of %s: %s\n", r->times_wider, r->wider->name,
               pare_slower_why((struct pare_ran){r->kernel->name, 0}, (struct pare_ran){r->wider->name, 0}, &r->shape->conv, why));
    }
    fflush(stdout);
}

/* A shape whose weights no second cache holds, from memory. */
static void take_flushed(void *self, const struct pare_flushed *rows, int n)
{
    struct kernel_print *p = self;
    json_t *all = json_array();
    if (!p->o->json) {
        printf("  weights thrown out of every cache before each run:\n  %-26s %-6s %10s %9s %9s  %s\n", "kernel", "level", "us", "GB/s",
               "best GB/s", "speed against w8a8 [95 %]");
    }
    for (int i = 0; i < n; i++) {
        const struct pare_flushed *r = &rows[i];
        const char *name = r->kernel != NULL ? r->kernel->name : "a loop that only reads";
        const double bytes = (double)r->bytes, median = r->timing.noisy ? NAN : r->timing.median;
        if (p->o->json) {
            json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:f, s:o, s:o, s:o, s:o, s:o}", "shape", p->shape->name, "kernel", name,
                                                 "level", r->level, "bytes", bytes, "time", timing_json(&r->timing), "best_gb_per_s",
                                                 pare_json_real(bytes / r->timing.min), "speed", pare_json_real(r->speed), "low",
                                                 pare_json_real(r->low), "high", pare_json_real(r->high)));
            continue;
        }
        char us[16], gb[16], best[16], speed[16], low[16], high[16];
        number(us, 1e-3 * median, 2);
        number(gb, bytes / median, 1);
        number(best, bytes / r->timing.min, 1);
        number(speed, r->speed, 2);
        number(low, r->low, 2);
        number(high, r->high, 2);
        printf("  %-26s %-6s %10s %9s %9s  ", name, r->level, us, gb, best);
        if (isfinite(r->speed)) {
            printf("%s [%s, %s]", speed, low, high);
        }
        printf("%s\n", r->timing.noisy ? "  noisy: no figure" : "");
    }
    if (p->o->json) {
        json_array_extend(p->flushed, all);
    }
    json_decref(all);
    fflush(stdout);
}

int cli_bench_kernels(const struct cli_options *o)
{
    struct kernel_print print = {.o = o, .rows = json_array(), .flushed = json_array()};
    const char *forced = getenv("PARE_ISA");
    const struct pare_kernel_bench bench = {
        .groups = PARE_SHAPE_GEMM | PARE_SHAPE_CONV | PARE_SHAPE_DEPTHWISE | PARE_SHAPE_FC,
        .filters = (const char *const *)o->args,
        .n_filters = o->n_args,
        .best_only = forced != NULL && forced[0] != '\0',
        .seconds = isfinite(o->time_limit) ? o->time_limit : 0.4,
        .row = take_row,
        .flushed = take_flushed,
        .self = &print,
    };
    struct pare_error err = {0};
    char table[40];
    pare_target_use_host(table); /* best_only: what would be picked */
    const int n = pare_bench_kernels(&bench);
    int rc = n < 0    ? cli_fail(o, (pare_error_nomem(&err), &err))
             : n == 0 ? cli_fail(o, (pare_error(&err, PARE_ERR_USAGE, "bench", pk_isa_best() == PK_REF ? "the portable reference is not timed"
                                                                                                     : "no kernel and shape match"), &err))
                      : 0;
    if (rc == 0 && o->json) {
        json_t *json = json_pack("{s:i, s:s, s:o, s:i, s:O, s:O}", "schema", 1, "isa", pk_isa_name(pk_isa_best()), "ghz",
                                 pare_json_real(pare_watch_ghz()), "noisy", print.noisy, "kernels", print.rows, "flushed", print.flushed);
        cli_print_json(json);
        json_decref(json);
    } else if (rc == 0) {
        printf("\n%d rows, %d of them noisy. share: of what the instructions can do on %s. floor: the time that multiplies, bytes and "
               "epilogue\nneed at least, as a share of the time measured; binds: its largest part. One thread, pinned.\n"
               "Runs follow each other: weights are where the last run left them (of many MiB: what the third cache kept).\n",
               n, print.noisy, pk_isa_best() >= PK_NEON ? "cores from Cortex-A53 to A76" : "a Sapphire Rapids core");
        if (print.widened) {
            printf("fp16*: this instruction set has no half precision arithmetic: kept in 16 bits, computed in fp32.\n");
        }
    }
    json_decref(print.rows);
    json_decref(print.flushed);
    return rc;
}

int cli_bench_refuse(const struct cli_options *o)
{
    if (o->kernels + o->peers + o->table > 1) {
        return cli_usage_error(o, "expected one of --kernels, --peers and --table");
    }
    if (o->table && o->n_args > 0) {
        return cli_usage_error(o, "bench --table takes no words: it measures this machine, whatever runs there");
    }
    if (o->config != NULL || o->run != NULL || o->level != NULL || o->threads > 0) {
        return cli_usage_error(o, "--config, --run, --level and --threads of bench go with a pipeline");
    }
    return o->out != NULL && !o->table ? cli_usage_error(o, "--out of bench goes with --table") : 0;
}

/* ---- peers ---- */

struct peer_print {
    const struct cli_options *o;
    json_t *work, *notes;
    char name[256];
    double log_sum[2];      /* fp32: of ratio to the fastest peer of each product; int8: to oneDNN */
    int n[2];
    double best;            /* ratio to the fastest peer of the fp32 product in hand */
    struct peer_sum {       /* networks together, by our level and by peer */
        char what[96];
        double ours, theirs;
        int n;
    } sums[12];
    int n_sums;
};

static void add_network(struct peer_print *p, const struct pare_peer_row *r)
{
    char what[96];
    int i = 0;
    snprintf(what, sizeof what, "%s against %s %s", r->level, r->peer, r->peer_level);
    while (i < p->n_sums && strcmp(p->sums[i].what, what) != 0) {
        i++;
    }
    if (i == p->n_sums && p->n_sums < 12) {
        snprintf(p->sums[p->n_sums++].what, sizeof what, "%s", what);
    }
    if (i < p->n_sums) { /* theirs scaled by the ratio of interleaved rounds: one noisy network makes the sum unknown */
        p->sums[i].ours += r->theirs.median * r->ratio;
        p->sums[i].theirs += r->theirs.median;
        p->sums[i].n++;
    }
}

/* The product in hand is complete: its ratio to the fastest peer counts. */
static void close_product(struct peer_print *p)
{
    if (isfinite(p->best)) {
        p->log_sum[0] += log(p->best);
        p->n[0]++;
    }
    p->best = NAN;
}

static void take_peer_row(void *self, const struct pare_peer_row *r)
{
    struct peer_print *p = self;
    char ours[16], theirs[16], ratio[16], mac[16], their_mac[16], low[16], high[16];
    const bool fp32 = strcmp(r->level, "fp32") == 0;
    /* at the clock of our runs: in the time that an answer takes from another process the clock has risen */
    const double their_mac_per_cycle = r->macs / r->pare.cycles * r->ratio;
    json_array_append_new(
        p->work, json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:b}", "name", r->name, "level", r->level,
                           "kernel", r->kernel, "pare_ms", pare_json_real(1e-6 * r->pare.median), "peer", r->peer, "peer_level",
                           r->peer_level, "peer_ms", pare_json_real(1e-6 * r->theirs.median), "ratio", pare_json_real(r->ratio),
                           "ratio_low", pare_json_real(r->low), "ratio_high", pare_json_real(r->high), "pare_mac_per_cycle",
                           pare_json_real(r->macs / r->pare.cycles), "peer_mac_per_cycle", pare_json_real(their_mac_per_cycle),
                           "tiles", pare_tiles_name(r->tiles), "noisy", (int)(!isfinite(r->ratio) && r->problem == NULL)));
    if (r->problem != NULL) {
        json_object_set_new(json_array_get(p->work, json_array_size(p->work) - 1), "problem", json_string(r->problem));
    }
    if (isfinite(r->macs)) {
        if (!fp32 || strcmp(p->name, r->name) != 0) {
            close_product(p);
        }
        if (fp32 && isfinite(r->ratio)) { /* the fastest peer is the one that makes our ratio largest */
            p->best = isfinite(p->best) && p->best > r->ratio ? p->best : r->ratio;
        } else if (!fp32 && strcmp(r->peer, "onednn") == 0 && isfinite(r->ratio)) {
            p->log_sum[1] += log(r->ratio);
            p->n[1]++;
        }
    }
    if (!isfinite(r->macs)) {
        add_network(p, r);
    }
    if (p->o->json) {
        snprintf(p->name, sizeof p->name, "%s", r->name);
        return;
    }
    if (p->name[0] == '\0') {
        printf("%-22s %-5s %10s %9s  %-15s %-14s %10s %9s %7s  %s\n", "work", "level", "ms", "MAC/cycle", "peer", "its level", "its ms",
               "MAC/cycle", "ratio", "95 %");
    }
    snprintf(p->name, sizeof p->name, "%s", r->name);
    number(ours, 1e-6 * r->pare.median, 4);
    number(theirs, 1e-6 * r->theirs.median, 4);
    number(ratio, r->ratio, 3);
    number(low, r->low, 3);
    number(high, r->high, 3);
    number(mac, r->macs / r->pare.cycles, 1);
    number(their_mac, their_mac_per_cycle, 1);
    printf("%-22s %-5s %10s %9s  %-15s %-14s %10s %9s %7s  [%s, %s]%s%s%s\n", r->name, r->level, ours, mac, r->peer, r->peer_level, theirs,
           their_mac, ratio, low, high, r->tiles == PARE_TILES_SLOW ? "  tiles slow" : "",
           r->problem != NULL ? "  no figure: " : isfinite(r->ratio) ? "" : "  noisy: no figure", r->problem != NULL ? r->problem : "");
    fflush(stdout);
}

static void say_peer(void *self, const char *text)
{
    struct peer_print *p = self;
    json_array_append_new(p->notes, json_string(text));
    if (!p->o->quiet) {
        fprintf(stderr, "pare: %s\n", text);
    }
}

/* The folder of this executable, or NULL. */
static const char *own_folder(char *buffer, size_t size)
{
    const ssize_t n = readlink("/proc/self/exe", buffer, size - 1);
    buffer[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(buffer, '/');
    if (slash == NULL) {
        return NULL;
    }
    *slash = '\0';
    return buffer;
}

/* A helper beside the executable (build folder), else where it is installed. */
static void find_helper(char *path, size_t size, const char *name, const char *installed)
{
    char folder[2048];
    const char *own = own_folder(folder, sizeof folder);
    snprintf(path, size, "%s/%s", own != NULL ? own : ".", name);
    if (access(path, R_OK) != 0) {
        snprintf(path, size, "%s/../%s/%s", own != NULL ? own : ".", installed, name);
    }
}

/* Networks together: our time over theirs. */
static json_t *sums_json(const struct peer_print *p)
{
    json_t *sums = json_array();
    for (int i = 0; i < p->n_sums; i++) {
        json_array_append_new(sums, json_pack("{s:s, s:i, s:o}", "what", p->sums[i].what, "networks", p->sums[i].n, "ratio",
                                              pare_json_real(p->sums[i].ours / p->sums[i].theirs)));
    }
    return sums;
}

int cli_bench_peers(const struct cli_options *o)
{
    struct peer_print print = {.o = o, .work = json_array(), .notes = json_array(), .best = NAN};
    char helper[4096], script[4096];
    const char *pythons = getenv("PARE_PEERS_PYTHON");
    find_helper(helper, sizeof helper, "pare-peers", "libexec/pare");
    find_helper(script, sizeof script, "pare_peers.py", "share/pare");
    const struct pare_peers_options options = {.models = (const char *const *)o->args,
                                               .n_models = o->n_args,
                                               .models_dir = o->models,
                                               .helper = helper,
                                               .script = script,
                                               .pythons = pythons != NULL ? pythons : "python3",
                                               .seconds = isfinite(o->time_limit) ? o->time_limit : o->n_args > 0 ? 4 : 1, /* networks run for ms */
                                               .self = &print,
                                               .row = take_peer_row,
                                               .say = say_peer};
    struct pare_error err = {0};
    char table[40];
    pare_target_use_host(table); /* the kernels that a pipeline would run */
    const enum pare_status status = pare_peers_bench(&options, &err);
    close_product(&print);
    const double means[2] = {exp(print.log_sum[0] / print.n[0]), exp(print.log_sum[1] / print.n[1])};
    int rc = status == PARE_OK ? 0 : cli_fail(o, &err);
    if (rc == 0 && o->json) {
        json_t *json = json_pack("{s:i, s:s, s:o, s:o, s:o, s:O, s:O}", "schema", 1, "isa", pk_isa_name(pk_isa_best()), "together",
                                 sums_json(&print), "fp32_ratio_to_best_peer", pare_json_real(print.n[0] > 0 ? means[0] : NAN), "w8a8_ratio_to_onednn",
                                 pare_json_real(print.n[1] > 0 ? means[1] : NAN), "work", print.work, "notes", print.notes);
        cli_print_json(json);
        json_decref(json);
    } else if (rc == 0) {
        printf("\nratio: our time over theirs, median of interleaved rounds; below 1 we are faster. One thread each, the same core.\n"
               "Their MAC per cycle: by the ratio, at the clock of our runs.\n");
        if (print.n[0] > 0) {
            printf("fp32 against the best peer of each of %d products, geometric mean: speed %.3fx\n", print.n[0], 1 / means[0]);
        }
        if (print.n[1] > 0) {
            printf("w8a8 against oneDNN with u8 destination, %d products, geometric mean: speed %.3fx\n", print.n[1], 1 / means[1]);
        }
    }
    for (int i = 0; rc == 0 && !o->json && i < print.n_sums; i++) {
        if (print.sums[i].n > 1 && isfinite(print.sums[i].ours)) { /* in JSON: "together" */
            printf("%s, %d networks together: %.3fx its time\n", print.sums[i].what, print.sums[i].n,
                   print.sums[i].ours / print.sums[i].theirs);
        }
    }
    json_decref(print.work);
    json_decref(print.notes);
    return rc;
}
