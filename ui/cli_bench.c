/* cli_bench.c: the parts of `pare bench` that time kernels, not pipelines. */
#include "ui/cli_bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/json.h"
#include "src/measure/bench_kernels.h"

struct kernel_print {
    const struct cli_options *o;
    json_t *rows;
    const struct pare_bench_shape *shape;
    int noisy, n;
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
    if (r->slow.n > 0) {
        json_object_set_new(row, "slow_tiles", timing_json(&r->slow));
        json_object_set_new(row, "slow_mac_per_cycle", pare_json_real(r->floor.macs / r->slow.cycles));
    }
    return row;
}

static void take_row(void *self, const struct pare_kernel_row *r)
{
    struct kernel_print *p = self;
    char us[16], mac[16], best[16], limit[16], share[16], near_floor[16], slow[16];
    p->n++;
    p->noisy += r->timing.noisy;
    if (p->o->json) {
        json_array_append_new(p->rows, row_json(r));
        return;
    }
    if (p->shape != r->shape) {
        p->shape = r->shape;
        printf("%s%s: %.2f M MAC\n", p->n > 1 ? "\n" : "", r->shape->name, 1e-6 * r->floor.macs);
        printf("  %-26s %-6s %-3s %10s %9s %7s %7s %6s %6s  %-8s\n", "kernel", "level", "out", "us", "MAC/cycle", "best", "limit", "share",
               "floor", "binds");
    }
    number(us, 1e-3 * r->timing.median, 2);
    number(mac, r->mac_per_cycle, 1);
    number(best, r->best_mac_per_cycle, 1);
    number(limit, r->limit, 1);
    number(share, 100 * r->share, 0);
    number(near_floor, r->timing.noisy ? NAN : 100 * r->floor.cycles / r->timing.cycles, 0);
    number(slow, r->slow.n >= PARE_WATCH_CLEAN ? r->floor.macs / r->slow.cycles : NAN, 1);
    printf("  %-26s %-6s %-3s %10s %9s %7s %7s %5s%% %5s%%  %-8s%s%s%s%s\n", r->kernel->name, r->traits.level, r->output, us, mac, best, limit,
           share, near_floor, r->floor.binds, r->timing.noisy ? "  noisy: no figure" : "",
           r->tiles == PARE_TILES_SLOW ? "  tiles slow" : "", r->slow.n >= PARE_WATCH_CLEAN && r->tiles == PARE_TILES_FAST ? "  slow tiles " : "",
           r->slow.n >= PARE_WATCH_CLEAN && r->tiles == PARE_TILES_FAST ? slow : "");
    fflush(stdout);
}

int cli_bench_kernels(const struct cli_options *o)
{
    struct kernel_print print = {.o = o, .rows = json_array()};
    const struct pare_kernel_bench bench = {
        .groups = PARE_SHAPE_GEMM | PARE_SHAPE_CONV | PARE_SHAPE_DEPTHWISE | PARE_SHAPE_FC,
        .filters = (const char *const *)o->args,
        .n_filters = o->n_args,
        .best_only = getenv("PARE_ISA") != NULL,
        .seconds = isfinite(o->time_limit) ? o->time_limit : 0.4,
        .row = take_row,
        .self = &print,
    };
    struct pare_error err = {0};
    const int n = pare_bench_kernels(&bench);
    int rc = n < 0    ? cli_fail(o, (pare_error_nomem(&err), &err))
             : n == 0 ? cli_fail(o, (pare_error(&err, PARE_ERR_USAGE, "bench", "no kernel and shape match"), &err))
                      : 0;
    if (rc == 0 && o->json) {
        json_t *json = json_pack("{s:i, s:s, s:o, s:i, s:O}", "schema", 1, "isa", pk_isa_name(pk_isa_best()), "ghz",
                                 pare_json_real(pare_watch_ghz()), "noisy", print.noisy, "kernels", print.rows);
        cli_print_json(json);
        json_decref(json);
    } else if (rc == 0) {
        printf("\n%d rows, %d of them noisy. share: of what the instructions can do. floor: the time that multiplies, bytes and "
               "epilogue\nneed at least, as a share of the time measured; binds: its largest part. One thread, pinned.\n",
               n, print.noisy);
    }
    json_decref(print.rows);
    return rc;
}
