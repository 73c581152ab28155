/* observe.c: what calibration sees of a run. */
#include "exec/plan_parts.h"

enum pare_status pare_plan_observe(struct pare_plan *p, struct pare_calibration *c, int pass,
                                   struct pare_error *err)
{
    if (!p->has_run || !p->keep_all || p->fuse) {
        return pare_error(err, PARE_ERR_USAGE, "calibration",
                          "needs a plan of fp32 layers that keeps every tensor, after a run");
    }
    if (c->n_tensors > p->graph->n_tensors) { /* a rewritten network may have more constants */
        return pare_error(err, PARE_ERR_USAGE, "calibration",
                          "made for %d tensors, the network has %d", c->n_tensors,
                          p->graph->n_tensors);
    }
    for (int t = 0; t < c->n_tensors; t++) {
        static const struct pare_grid f32 = {PARE_FORM_F32, 0, 1.0f, 0.0f, 0};
        const int slot = plan_is_real(p->graph, t) && p->graph->tensors[t].data == NULL
                             ? plan_slot_find(p, t, &f32)
                             : -1;
        if (slot < 0) {
            continue;
        }
        const struct plan_slot *s = &p->slots[slot];
        struct pare_range run;
        pare_range_init(&run);
        for (int64_t i = 0; i<s->elements; i += s->row> 0 ? s->row : s->elements) {
            const float *x =
                (const float *)(const void *)s->data + i / (s->row > 0 ? s->row : 1) * s->pitch;
            const size_t n = s->pitch == s->row ? (size_t)s->elements : (size_t)s->row;
            if (pass == 0) {
                pare_range_add(&run, x, n);
            } else {
                pare_range_add_histogram(&c->ranges[t], x, n);
            }
            if (s->pitch == s->row) {
                break;
            }
        }
        if (pass == 0) {
            pare_range_add_run(&c->ranges[t], &run);
            if (run.n > 0 && c->log != NULL && !pare_run_log_add(c->log, t, run.min, run.max)) {
                return pare_error_nomem(err);
            }
        }
    }
    return PARE_OK;
}
