#include "measure/table_write.h"

#include <math.h>
#include <string.h>

#include "measure/bench_kernels.h"

struct writer {
    const struct pare_table_write *o;
    int rows, noisy;
};

static const char *kind_name(const struct pare_kernel_traits *t)
{
    return t->kind == PARE_KERNEL_DEPTHWISE ? "depthwise" : t->kind == PARE_KERNEL_FC ? "fc" : "conv";
}

static void write_row(void *self, const struct pare_kernel_row *r)
{
    struct writer *w = self;
    const struct pk_conv *c = &r->shape->conv;
    if (strcmp(r->output, "u1") == 0) {
        return; /* layers are timed with the output that most of them have */
    }
    if (r->timing.noisy) {
        w->noisy++;
        return;
    }
    const double us = 1e-3 * r->timing.median, seen = 1e-3 * r->slow.median;
    const double slow = r->isa != PK_AMX ? us : r->slow.n >= PARE_WATCH_CLEAN ? seen : us * PARE_TILES_SLOWDOWN;
    fprintf(w->o->out, "%s,%s,%s,%s,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%.4g,%.4g\n", kind_name(&r->traits), r->traits.level, r->kernel->name,
            pk_isa_name(r->isa), c->in_h, c->in_w, c->in_c, c->out_h, c->out_w, c->out_c, c->kernel_h, c->kernel_w, c->stride_h,
            c->groups, us, slow);
    w->rows++;
    if (w->o->done != NULL) {
        w->o->done(w->o->self, w->rows);
    }
}

int pare_table_write(const struct pare_table_write *o, int *noisy)
{
    struct writer w = {.o = o};
    const struct pare_kernel_bench bench = {.groups = PARE_SHAPE_TABLE,
                                            .candidates = true,
                                            .seconds = o->seconds > 0 ? o->seconds : 0.25,
                                            .most_macs = o->most_macs,
                                            .row = write_row,
                                            .self = &w};
    const double ghz = pare_watch_ghz();
    fprintf(o->out, "%s\n# machine: %s\n# isa: %s, %.2f GHz, tiles %s\n", PARE_TABLE_MAGIC,
            o->machine != NULL ? o->machine : pk_isa_name(pk_isa_best()), pk_isa_name(pk_isa_best()), ghz,
            pare_tiles_name(pare_watch_tiles(ghz)));
    fprintf(o->out, "kind,level,kernel,isa,in_h,in_w,in_c,out_h,out_w,out_c,kernel_h,kernel_w,stride,groups,us,us_slow\n");
    const int n = pare_bench_kernels(&bench);
    *noisy = w.noisy;
    fprintf(o->out, PARE_TABLE_END "%d rows\n", w.rows);
    return n < 0 || fflush(o->out) != 0 || ferror(o->out) ? -1 : w.rows;
}
