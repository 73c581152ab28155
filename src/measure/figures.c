#include "measure/figures.h"

#include <math.h>
#include <stdlib.h>

static enum pare_status value_of_set(void *self, int side, const int *count, double *value, struct pare_error *err)
{
    (void)err;
    *value = pare_metric_set_value(self, side, count);
    return PARE_OK;
}

enum pare_status pare_figures_of_set(struct pare_metric_set *s, enum pare_metric_kind kind, int resamples,
                                     struct pare_figures *f, struct pare_error *err)
{
    return pare_figures_bootstrap(pare_metric_set_count(s), resamples, pare_metric_is_mean(kind),
                                  pare_metric_set_equal(s), value_of_set, s, f, err);
}

struct function {
    const struct pare_glue *glue;
    int n;
    const json_t *const *sides[2];
    const json_t **taken; /* room for n items: a resample has as many */
};

static enum pare_status value_of_function(void *self, int side, const int *count, double *value, struct pare_error *err)
{
    struct function *m = self;
    int n = 0;
    for (int i = 0; i < m->n; i++) {
        for (int k = count != NULL ? count[i] : 1; k > 0; k--) {
            m->taken[n++] = m->sides[side][i];
        }
    }
    return m->glue->metric(m->glue->self, n, m->taken, value, err);
}

enum pare_status pare_figures_of_function(const struct pare_glue *glue, int n, const json_t *const *reference,
                                          const json_t *const *candidate, struct pare_figures *f,
                                          struct pare_error *err)
{
    struct function m = {glue, n, {reference, candidate}, malloc(((size_t)n + 1) * sizeof *m.taken)};
    if (m.taken == NULL) {
        return pare_error_nomem(err);
    }
    enum pare_status status = pare_figures_bootstrap(n, PARE_RESAMPLES_FUNCTION, false, false, value_of_function, &m, f, err);
    free(m.taken);
    return status;
}

json_t *pare_figures_to_json(const struct pare_figures *f)
{
    return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "samples", f->samples, "value",
                     pare_json_real(f->value), "low", pare_json_real(f->low), "high", pare_json_real(f->high), "fp32",
                     pare_json_real(f->reference), "drop", pare_json_real(f->drop), "drop_low",
                     pare_json_real(f->drop_low), "drop_high", pare_json_real(f->drop_high), "drop_upper",
                     pare_json_real(f->drop_upper));
}

void pare_figures_from_json(const json_t *json, struct pare_figures *f)
{
    *f = (struct pare_figures){(int)pare_json_get_int(json, "samples", 0),
                               pare_json_get_real(json, "value"),
                               pare_json_get_real(json, "low"),
                               pare_json_get_real(json, "high"),
                               pare_json_get_real(json, "fp32"),
                               pare_json_get_real(json, "drop"),
                               pare_json_get_real(json, "drop_low"),
                               pare_json_get_real(json, "drop_high"),
                               pare_json_get_real(json, "drop_upper")};
}
