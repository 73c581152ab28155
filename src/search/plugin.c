#include "search/plugin.h"

#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/contain.h"
#include "base/strbuf.h"
#include "pare_plugin.h"

#define MAX_ASKED 100000
#define MAX_ANSWERS 1000
#define MAX_STATE ((size_t)4 << 20)

_Static_assert(PARE_PLUGIN_LOSS == (int)PARE_COST_LOSS && PARE_PLUGIN_LATENCY == (int)PARE_COST_LATENCY &&
                   PARE_PLUGIN_BYTES == (int)PARE_COST_BYTES && PARE_PLUGIN_BITOPS == (int)PARE_COST_BITOPS &&
                   PARE_PLUGIN_ENERGY == (int)PARE_COST_ENERGY && PARE_PLUGIN_FIGURES == (int)PARE_COST_COUNT,
               "the figures of plugins are ours");

/* ---- what a step sees of the host ---- */

struct host {
    struct pare_plugin_host api; /* first: the plugin hands back its address */
    struct pare_step *s;
    const char *path;
    json_t *state;
    int *levels; /* [n_groups] */
    size_t n_asked;
    double stop_at;
    struct pare_error refused; /* the first nonsense; code PARE_OK = none yet */
    char complaint[400];
};

static struct host *host_of(const struct pare_plugin_host *api)
{
    return (struct host *)(uintptr_t)api;
}

static int refuse_nomem(struct host *h)
{
    if (h->refused.code == PARE_OK) {
        pare_error_nomem(&h->refused);
    }
    return 1;
}

/* Into h->levels, or why not. what: "ask", "answer"; at: which, from 1. */
static bool take_levels(struct host *h, const char *what, size_t at, const int32_t *levels, size_t n)
{
    const struct pare_problem *p = h->s->p;
    struct pare_error err = {0};
    if (levels == NULL || n != (size_t)p->n_groups) {
        pare_error(&err, PARE_ERR_FAIL, h->path, "%s %zu: expected %d levels, found %zu", what, at, p->n_groups, levels != NULL ? n : 0);
    }
    for (int g = 0; err.code == PARE_OK && g < p->n_groups; g++) {
        const int32_t l = levels[g];
        if (l < 0 || l >= p->n_levels) {
            pare_error(&err, PARE_ERR_FAIL, h->path, "%s %zu: %s: expected a level 0..%d, found %d", what, at, p->group_names[g],
                       p->n_levels - 1, l);
        } else if (!p->allowed[g * p->n_levels + l]) {
            pare_error(&err, PARE_ERR_FAIL, h->path, "%s %zu: %s: %s is not allowed (a pin, a kept layer, or not measured)", what, at,
                       p->group_names[g], p->level_names[l]);
        }
        h->levels[g] = l;
    }
    if (err.code != PARE_OK && h->refused.code == PARE_OK) {
        h->refused = err;
    }
    return err.code == PARE_OK;
}

/* More than `most`? Then that is the refusal. */
static bool too_many(struct host *h, const char *what, size_t n, size_t most)
{
    if (n >= most && h->refused.code == PARE_OK) {
        pare_error(&h->refused, PARE_ERR_FAIL, h->path, "more than %zu %s in one step", most, what);
    }
    return n >= most;
}

static int host_ask(const struct pare_plugin_host *api, const int32_t *levels, size_t n, int samples)
{
    struct host *h = host_of(api);
    if (too_many(h, "configurations asked for", h->n_asked, MAX_ASKED) || !take_levels(h, "ask", h->n_asked + 1, levels, n)) {
        return 1;
    }
    h->n_asked++;
    return pare_step_ask(h->s, h->levels, samples > 0 ? samples : 0) ? 0 : refuse_nomem(h);
}

static int host_answer(const struct pare_plugin_host *api, const int32_t *levels, size_t n)
{
    struct host *h = host_of(api);
    const size_t had = json_array_size(h->s->answers);
    if (too_many(h, "answers", had, MAX_ANSWERS) || !take_levels(h, "answer", had + 1, levels, n)) {
        return 1;
    }
    h->s->answers = h->s->answers != NULL ? h->s->answers : json_array();
    return json_array_append_new(h->s->answers, pare_levels_json(h->s->p, h->levels)) == 0 ? 0 : refuse_nomem(h);
}

static int host_keep(const struct pare_plugin_host *api, const void *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    struct host *h = host_of(api);
    const unsigned char *from = bytes;
    if (n > MAX_STATE || (bytes == NULL && n > 0)) {
        if (h->refused.code == PARE_OK) {
            pare_error(&h->refused, PARE_ERR_FAIL, h->path, "it keeps %zu bytes, at most %zu are kept", n, MAX_STATE);
        }
        return 1;
    }
    char *text = malloc(2 * n + 1);
    for (size_t i = 0; text != NULL && i < n; i++) {
        text[2 * i] = digits[from[i] >> 4];
        text[2 * i + 1] = digits[from[i] & 15];
    }
    json_t *json = text != NULL ? json_stringn(text, 2 * n) : NULL;
    free(text);
    return json != NULL && json_object_set_new(h->state, "bytes", json) == 0 ? 0 : refuse_nomem(h);
}

static int host_total(const struct pare_plugin_host *api, const int32_t *levels, size_t n, double *total)
{
    struct host *h = host_of(api);
    if (!take_levels(h, "total", 1, levels, n)) {
        return 1;
    }
    pare_problem_total(h->s->p, h->levels, total);
    return 0;
}

static int host_outside(const struct pare_plugin_host *api, const int32_t *levels, size_t n, double *by)
{
    struct host *h = host_of(api);
    if (!take_levels(h, "outside", 1, levels, n)) {
        return 1;
    }
    *by = pare_rows_over(h->s->p, h->levels);
    return 0;
}

static double host_number(const struct pare_plugin_host *api, const char *name, double otherwise)
{
    const double x = pare_json_get_real(host_of(api)->s->settings, name);
    return isnan(x) ? otherwise : x;
}

static const char *host_text(const struct pare_plugin_host *api, const char *name, const char *otherwise)
{
    return pare_json_get_string(host_of(api)->s->settings, name, otherwise);
}

static void host_log(const struct pare_plugin_host *api, const char *line)
{
    const struct host *h = host_of(api);
    const struct pare_solver_file *file = h->s->user;
    const char *slash = strrchr(h->path, '/');
    char text[500], whole[600];
    pare_escape(line, strlen(line), text, sizeof text);
    snprintf(whole, sizeof whole, "%.90s: %s", slash != NULL ? slash + 1 : h->path, text);
    if (file->child != NULL) {
        pare_child_say(file->child, whole);
    }
}

static void host_complain(const struct pare_plugin_host *api, const char *line)
{
    struct host *h = host_of(api);
    pare_escape(line, strlen(line), h->complaint, sizeof h->complaint);
}

static int host_stopping(const struct pare_plugin_host *api)
{
    return pare_seconds() >= host_of(api)->stop_at;
}

/* ---- a step ---- */

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
}

/* The bytes that the step before kept, in a new block; NULL and 0 when there are none. */
static unsigned char *read_state(const json_t *state, size_t *n)
{
    const json_t *text = json_object_get(state, "bytes");
    const char *from = json_string_value(text);
    *n = json_string_length(text) / 2;
    unsigned char *bytes = from != NULL ? malloc(*n + 1) : NULL;
    for (size_t i = 0; bytes != NULL && i < *n; i++) {
        bytes[i] = (unsigned char)(hex(from[2 * i]) << 4 | hex(from[2 * i + 1]));
    }
    *n = bytes != NULL ? *n : 0;
    return bytes;
}

/* What the plugin returned, and what it did, as our own status. */
static enum pare_status judge(struct host *h, int result, struct pare_error *err)
{
    const char *why = h->complaint;
    struct pare_step *s = h->s;
    if (h->refused.code != PARE_OK) {
        *err = h->refused;
        return err->code;
    }
    switch (result) {
    case PARE_PLUGIN_ASKED:
        if (h->n_asked == 0) {
            return pare_error(err, PARE_ERR_FAIL, h->path, "its step neither asks for a configuration nor is done");
        }
        break;
    case PARE_PLUGIN_DONE:
        if (json_array_size(s->answers) == 0) {
            return pare_error(err, PARE_ERR_FAIL, h->path, "it is done without an answer");
        }
        s->done = true;
        break;
    case PARE_PLUGIN_INFEASIBLE:
        return pare_error(err, PARE_ERR_INFEASIBLE, h->path, "%s", why[0] != '\0' ? why : "no configuration within the budgets was found");
    case PARE_PLUGIN_REFUSED:
        return pare_error(err, PARE_ERR_USAGE, h->path, "refuses this problem: %s", why[0] != '\0' ? why : "it does not say why");
    case PARE_PLUGIN_FAILED:
        return pare_error(err, PARE_ERR_FAIL, h->path, "failed: %s", why[0] != '\0' ? why : "it does not say why");
    default:
        return pare_error(err, PARE_ERR_FAIL, h->path, "its step returned %d, which is no result", result);
    }
    s->new_state = json_incref(h->state);
    return PARE_OK;
}

/* A problem as plugins see it, and the arrays that it does not share with ours. */
struct view {
    struct pare_plugin_problem problem;
    unsigned char *allowed;
    int32_t *form;
    struct pare_plugin_border *borders;
    struct pare_plugin_row *rows;
    struct pare_plugin_pair *pairs; /* of all rows */
};

static void clear_view(struct view *v)
{
    free(v->allowed);
    free(v->form);
    free(v->borders);
    free(v->rows);
    free(v->pairs);
}

static bool make_view(const struct pare_problem *p, struct view *v)
{
    const size_t cells = (size_t)p->n_groups * (size_t)p->n_levels;
    size_t n_pairs = 0;
    for (int r = 0; r < p->n_rows; r++) {
        n_pairs += (size_t)p->rows[r].n_pairs;
    }
    *v = (struct view){.allowed = calloc(cells + 1, 1),
                       .form = calloc((size_t)p->n_levels + 1, sizeof *v->form),
                       .borders = calloc((size_t)p->n_borders + 1, sizeof *v->borders),
                       .rows = calloc((size_t)p->n_rows + 1, sizeof *v->rows),
                       .pairs = calloc(n_pairs + 1, sizeof *v->pairs)};
    if (v->allowed == NULL || v->form == NULL || v->borders == NULL || v->rows == NULL || v->pairs == NULL) {
        return false;
    }
    for (size_t i = 0; i < cells; i++) {
        v->allowed[i] = p->allowed[i];
    }
    for (int l = 0; l < p->n_levels; l++) {
        v->form[l] = p->form[l];
    }
    for (int b = 0; b < p->n_borders; b++) {
        v->borders[b] = (struct pare_plugin_border){p->borders[b].from, p->borders[b].to, p->borders[b].ms};
    }
    struct pare_plugin_pair *pair = v->pairs;
    for (int r = 0; r < p->n_rows; r++) {
        const struct pare_row *row = &p->rows[r];
        v->rows[r] = (struct pare_plugin_row){row->name, row->at_least, row->at_most, row->cost, pair, row->n_pairs};
        for (int k = 0; k < row->n_pairs; k++) {
            *pair++ = (struct pare_plugin_pair){row->pairs[k].a, row->pairs[k].b, row->pairs[k].weight};
        }
    }
    v->problem = (struct pare_plugin_problem){.size = sizeof v->problem,
                                              .n_groups = p->n_groups,
                                              .n_levels = p->n_levels,
                                              .n_figures = PARE_COST_COUNT,
                                              .objective = (int32_t)p->objective,
                                              .n_borders = p->n_borders,
                                              .n_rows = p->n_rows,
                                              .group_names = p->group_names,
                                              .level_names = p->level_names,
                                              .form = v->form,
                                              .allowed = v->allowed,
                                              .cost = (const double *const *)p->cost,
                                              .fixed = p->fixed,
                                              .limit = p->limit,
                                              .borders = v->borders,
                                              .rows = v->rows};
    return true;
}

static enum pare_status call_step(struct host *h, const struct pare_plugin *plugin, const struct pare_solver_file *file, struct pare_error *err)
{
    struct pare_step *s = h->s;
    const size_t n_told = json_array_size(s->told);
    struct pare_plugin_step step = {.size = sizeof step, .measured = file->measured, .n_told = n_told,
                                    .seed = (uint64_t)pare_json_get_int(s->settings, "seed", 1),
                                    .quality_limit = pare_json_get_real(s->settings, "quality_limit")};
    unsigned char *state = read_state(s->state, &step.n_state);
    double *told = malloc((n_told + 1) * sizeof *told);
    struct view view = {0};
    enum pare_status status = PARE_ERR_NOMEM;
    if (make_view(s->p, &view) && told != NULL && h->levels != NULL && h->state != NULL) {
        fenv_t fenv;
        for (size_t i = 0; i < n_told; i++) {
            told[i] = pare_json_at_real(s->told, i);
        }
        step.told = told;
        step.state = state;
        fegetenv(&fenv);
        const int result = plugin->solver->step(&h->api, &view.problem, &step);
        fesetenv(&fenv);
        status = judge(h, result, err);
    } else {
        pare_error_nomem(err);
    }
    clear_view(&view);
    free(state);
    free(told);
    return status;
}

enum pare_status pare_plugin_step(struct pare_step *s, struct pare_error *err)
{
    struct pare_solver_file *file = s->user;
    struct pare_error own = {0};
    err = err != NULL ? err : &own;
    struct host h = {.api = {sizeof h.api, PARE_PLUGIN_ABI, PARE_VERSION, host_ask, host_answer, host_keep, host_total, host_outside,
                             host_number, host_text, host_log, host_complain, host_stopping},
                     .s = s,
                     .path = file->path,
                     .levels = malloc(((size_t)s->p->n_groups + 1) * sizeof(int)),
                     .state = json_object(),
                     .stop_at = file->stop_at};
    const struct pare_plugin *plugin = file->loaded;
    enum pare_status status = plugin == NULL ? pare_plugin_load(file->path, file->hash, &plugin, err) : PARE_OK;
    if (status == PARE_OK) {
        file->loaded = plugin;
        if (file->child != NULL) {
            pare_child_step(file->child);
        }
        status = call_step(&h, plugin, file, err);
    }
    free(h.levels);
    json_decref(h.state);
    return status;
}
