/* view_rows.c: the plain tables: stages, runs, jobs, log. */
#include <math.h>
#include <string.h>

#include "ui/app.h"

static void draw_table(struct pare_ui *ui, enum pare_view view, struct pare_rect r, bool focused,
                       const char *title)
{
    struct pare_table *t = &ui->tables[view];
    const struct pare_table_model *m = pare_view_ops(view)->model(ui);
    char full[160], right[48] = "";
    int at = 0, of = 0;
    pare_table_update(ui, t, m);
    pare_table_place(t, &at, &of);
    snprintf(full, sizeof full, "%s%s%s", title, t->filter[0] != '\0' ? "  & " : "", t->filter);
    if (of > 0) {
        snprintf(right, sizeof right, "%d/%d", at, of);
    }
    pare_ui_draw_box(ui, r, focused, full, right);
    pare_table_draw(ui, t, m, pare_rect_inside(r), focused);
}

/* ---- stages ---- */

enum { S_NAME, S_FILE, S_LAYERS, S_MACS, S_WEIGHTS, S_CALLS, S_MS, S_SHARE, S_COLUMNS };

static double stages_total_ms(const struct pare_ui *ui)
{
    double total = 0;
    for (int i = 0; i < ui->st->n_stages; i++) {
        total += ui->st->stages[i].ms_fp32 * ui->st->stages[i].calls_per_sample;
    }
    return total;
}

static double stage_key(const struct pare_ui *ui, int id, int column)
{
    const struct pare_stage_state *s = &ui->st->stages[id];
    switch (column) {
    case S_LAYERS:
        return -s->n_layers;
    case S_MACS:
        return -(double)s->macs;
    case S_WEIGHTS:
        return -(double)s->weights;
    case S_CALLS:
        return -s->calls_per_sample;
    case S_MS:
    case S_SHARE:
        return -s->ms_fp32 * s->calls_per_sample;
    default:
        return NAN;
    }
}

static void stage_cell(const struct pare_ui *ui, int id, int column, char *text, size_t size,
                       uint32_t *style)
{
    const struct pare_stage_state *s = &ui->st->stages[id];
    switch (column) {
    case S_NAME:
        snprintf(text, size, "%s", s->name);
        *style = PARE_INK_NAME;
        break;
    case S_FILE:
        snprintf(text, size, "%s", s->file);
        *style = PARE_INK_DIM;
        break;
    case S_LAYERS:
        snprintf(text, size, "%d", s->n_layers);
        break;
    case S_MACS:
        pare_format_count(text, size, (double)s->macs, ui->g);
        break;
    case S_WEIGHTS:
        pare_format_count(text, size, (double)s->weights, ui->g);
        break;
    case S_CALLS:
        pare_format_number(text, size, s->calls_per_sample, 2, ui->g);
        break;
    case S_MS:
        pare_format_ms(text, size, s->ms_fp32, ui->g);
        break;
    default:
        pare_format_number(text, size, 100 * s->ms_fp32 * s->calls_per_sample / stages_total_ms(ui),
                           0, ui->g);
        break;
    }
}

static const struct pare_table_model *stage_model(struct pare_ui *ui)
{
    static const struct pare_column columns[S_COLUMNS] = {
        {"stage", 12, 24, 0, false, false}, {"file", 14, 40, 4, false, true},
        {"layers", 6, 6, 0, true, false},   {"MACs", 8, 8, 0, true, false},
        {"weights", 8, 8, 1, true, false},  {"calls/sample", 12, 12, 3, true, false},
        {"fp32 ms", 8, 8, 0, true, false},  {"time %", 6, 6, 2, true, false}};
    static struct pare_table_model m = {.columns = columns,
                                        .n_columns = S_COLUMNS,
                                        .empty = "no stages",
                                        .cell = stage_cell,
                                        .key = stage_key};
    m.n_rows = ui->st->n_stages;
    return &m;
}

static void draw_stages(struct pare_ui *ui, struct pare_rect r, bool focused, int panel)
{
    (void)panel;
    draw_table(ui, PARE_VIEW_STAGES, r, focused, "stages: the models in their places");
}

static bool move_stages(struct pare_ui *ui, enum pare_motion motion)
{
    const int stage = ui->tables[PARE_VIEW_STAGES].cursor;
    if (motion != PARE_MOVE_ENTER || stage < 0 || stage >= ui->st->n_stages) {
        return false;
    }
    ui->layer = ui->st->stages[stage].first_layer;
    ui->view = PARE_VIEW_LAYERS;
    return true;
}

const struct pare_view_ops pare_view_stages = {"stages", draw_stages, move_stages, stage_model,
                                               "ENTER layers|< > sort|& filter|/ search|B bench"};

/* ---- runs ---- */

enum {
    R_SIGN,
    R_NAME,
    R_METHOD,
    R_BUDGET,
    R_PINS,
    R_STATUS,
    R_POINTS,
    R_EVALUATIONS,
    R_GAP,
    R_SECONDS,
    R_QUANTIZE, /* only where some run has rules of its own */
    R_COLUMNS
};

/* Which fact each column of the drawn table shows: pins and rules only where some run has any. */
static unsigned char run_facts[R_COLUMNS];

static double run_key(const struct pare_ui *ui, int id, int column)
{
    const struct pare_run *r = &ui->st->runs[id];
    switch (run_facts[column]) {
    case R_POINTS:
        return -r->n_points;
    case R_EVALUATIONS:
        return -r->evaluations;
    case R_GAP:
        return r->gap;
    case R_SECONDS:
        return -r->seconds;
    default:
        return NAN;
    }
}

static void run_cell(const struct pare_ui *ui, int id, int column, char *text, size_t size,
                     uint32_t *style)
{
    const struct pare_run *r = &ui->st->runs[id];
    char sign[8];
    switch (run_facts[column]) {
    case R_SIGN:
        pare_text_encode(ui->g->measured[id % 6], sign);
        snprintf(text, size, "%s", sign);
        *style = pare_theme_run(id) | PARE_BOLD;
        break;
    case R_NAME:
        snprintf(text, size, "%s", r->name);
        *style = PARE_INK_NAME;
        break;
    case R_METHOD:
        snprintf(text, size, "%s", r->method);
        break;
    case R_BUDGET:
        snprintf(text, size, "%s", r->budget);
        break;
    case R_PINS:
        snprintf(text, size, "%s", r->pins);
        *style = PARE_INK_DIM;
        break;
    case R_STATUS:
        snprintf(text, size, "%s", r->status);
        *style = strcmp(r->status, "failed") == 0 || strcmp(r->status, "infeasible") == 0
                     ? PARE_INK_BAD
                 : strcmp(r->status, "running") == 0 ? PARE_INK_WARN
                                                     : PARE_INK_GOOD;
        break;
    case R_POINTS:
        snprintf(text, size, "%d", r->n_points);
        break;
    case R_EVALUATIONS:
        snprintf(text, size, "%d", r->evaluations);
        break;
    case R_GAP:
        pare_format_number(text, size, r->gap, r->gap > 0 ? 2 : 0, ui->g);
        break;
    case R_QUANTIZE:
        snprintf(text, size, "%s", r->quantize != NULL ? r->quantize : "");
        *style = PARE_INK_MARK;
        break;
    default:
        pare_format_number(text, size, r->seconds, r->seconds < 10 ? 2 : 0, ui->g);
        break;
    }
}

static const struct pare_table_model *run_model(struct pare_ui *ui)
{
    static const struct pare_column all[R_COLUMNS] = {
        {"", 1, 1, 0, false, false},        {"run", 10, 20, 0, false, false},
        {"method", 8, 14, 3, false, false}, {"budget", 16, 30, 1, false, false},
        {"pins", 12, 40, 5, false, false},  {"status", 10, 14, 0, false, false},
        {"points", 6, 6, 2, true, false},   {"evals", 6, 6, 4, true, false},
        {"gap", 5, 6, 6, true, false},      {"s", 6, 6, 2, true, false},
        {"quantize", 12, 40, 3, false, false}};
    static struct pare_column columns[R_COLUMNS];
    static struct pare_table_model m = {
        .columns = columns,
        .empty = "no runs yet: s solves under the budget, F solves for the whole front",
        .cell = run_cell,
        .key = run_key};
    bool ruled = false, pinned = false;
    for (int i = 0; i < ui->st->n_runs; i++) {
        ruled = ruled || ui->st->runs[i].quantize != NULL;
        pinned = pinned || (ui->st->runs[i].pins != NULL && ui->st->runs[i].pins[0] != '\0');
    }
    m.n_columns = 0;
    for (int fact = 0; fact < R_COLUMNS; fact++) {
        if ((fact != R_PINS || pinned) && (fact != R_QUANTIZE || ruled)) {
            run_facts[m.n_columns] = (unsigned char)fact;
            columns[m.n_columns++] = all[fact];
        }
    }
    m.n_rows = ui->st->n_runs;
    return &m;
}

static void draw_runs(struct pare_ui *ui, struct pare_rect r, bool focused, int panel)
{
    (void)panel;
    draw_table(ui, PARE_VIEW_RUNS, r, focused, "runs");
}

static bool move_runs(struct pare_ui *ui, enum pare_motion motion)
{
    const int run = ui->tables[PARE_VIEW_RUNS].cursor;
    if (motion != PARE_MOVE_ENTER || run < 0 || run >= ui->st->n_runs) {
        return false;
    }
    for (int i = 0; i < ui->st->n_points; i++) {
        if (ui->st->points[i].run == run) {
            pare_ui_set_point(ui, i);
            break;
        }
    }
    ui->view = PARE_VIEW_SCATTER;
    ui->focus = 0;
    return true;
}

const struct pare_view_ops pare_view_runs = {
    "runs", draw_runs, move_runs, run_model,
    "ENTER show|SPACE mark|c compare|< > sort|& filter|s solve|F front"};

/* ---- jobs ---- */

enum { J_STATE, J_KIND, J_TITLE, J_BAR, J_PART, J_TIME, J_LEFT, J_WORKER, J_COLUMNS };

static double job_key(const struct pare_ui *ui, int id, int column)
{
    const struct pare_job_row *j = &ui->st->jobs[id];
    switch (column) {
    case J_STATE:
        return j->state;
    case J_PART:
    case J_BAR:
        return j->total > 0 ? -j->done / j->total : NAN;
    case J_TIME:
        return -j->seconds;
    case J_LEFT:
        return -j->left_seconds;
    default:
        return NAN;
    }
}

static void job_bar(const struct pare_ui *ui, const struct pare_job_row *j, char *text, size_t size,
                    uint32_t *style)
{
    char full[8], rest[8];
    const int w = 16;
    size_t used = 0;
    pare_text_encode(ui->g->bar_full, full);
    pare_text_encode(ui->g->bar_rest, rest);
    const double part = j->total > 0 ? j->done / j->total : 0;
    for (int i = 0; i < w && used + 8 < size; i++) {
        used +=
            (size_t)snprintf(text + used, size - used, "%s", (i + 0.5) / w <= part ? full : rest);
    }
    *style = j->state == PARE_JOB_RUNNING ? PARE_INK_BAR : PARE_INK_DIM;
}

static void job_cell(const struct pare_ui *ui, int id, int column, char *text, size_t size,
                     uint32_t *style)
{
    static const struct {
        const char *word;
        enum pare_ink ink;
    } states[] = {{"queued", PARE_INK_DIM},
                  {"running", PARE_INK_BAR},
                  {"done", PARE_INK_GOOD},
                  {"failed", PARE_INK_BAD},
                  {"cancelled", PARE_INK_WARN}};
    const struct pare_job_row *j = &ui->st->jobs[id];
    switch (column) {
    case J_STATE:
        snprintf(text, size, "%s", states[j->state].word);
        *style = (uint32_t)states[j->state].ink;
        break;
    case J_KIND:
        snprintf(text, size, "%s", j->kind);
        *style = PARE_INK_NAME;
        break;
    case J_TITLE:
        snprintf(text, size, "%s%s%s", j->title,
                 j->error != NULL && j->error[0] != '\0' ? ": " : "",
                 j->error != NULL ? j->error : "");
        *style = j->state == PARE_JOB_FAILED ? PARE_INK_BAD : 0;
        break;
    case J_BAR:
        if (j->state == PARE_JOB_RUNNING || (j->state == PARE_JOB_QUEUED && j->done > 0)) {
            job_bar(ui, j, text, size, style);
        }
        break;
    case J_PART:
        if (j->total > 0) {
            snprintf(text, size, "%.0f/%.0f", j->done, j->total);
        }
        break;
    case J_TIME:
        pare_format_duration(text, size, j->state == PARE_JOB_QUEUED ? NAN : j->seconds, ui->g);
        *style = PARE_INK_DIM;
        break;
    case J_LEFT:
        pare_format_duration(text, size, j->state <= PARE_JOB_RUNNING ? j->left_seconds : NAN,
                             ui->g);
        break;
    default:
        if (j->worker >= 0) {
            snprintf(text, size, "%d", j->worker);
        }
        *style = PARE_INK_DIM;
        break;
    }
}

static const struct pare_table_model *job_model(struct pare_ui *ui)
{
    static const struct pare_column columns[J_COLUMNS] = {
        {"state", 9, 9, 0, false, false},  {"job", 8, 10, 1, false, false},
        {"what", 20, 70, 0, false, false}, {"", 16, 16, 4, false, false},
        {"done", 9, 11, 0, true, false},   {"time", 7, 7, 3, true, false},
        {"left", 7, 7, 2, true, false},    {"worker", 6, 6, 5, true, false}};
    static struct pare_table_model m = {
        .columns = columns,
        .n_columns = J_COLUMNS,
        .empty = "no jobs yet: sense, bench, solve and measure put work here",
        .cell = job_cell,
        .key = job_key};
    m.n_rows = ui->st->n_jobs;
    return &m;
}

static void draw_jobs(struct pare_ui *ui, struct pare_rect r, bool focused, int panel)
{
    (void)panel;
    char title[96], left[32];
    int queued = 0, running = 0;
    double seconds = 0;
    for (int i = 0; i < ui->st->n_jobs; i++) {
        const struct pare_job_row *j = &ui->st->jobs[i];
        queued += j->state == PARE_JOB_QUEUED;
        running += j->state == PARE_JOB_RUNNING;
    }
    seconds = ui->st->left_seconds;
    pare_format_duration(left, sizeof left, seconds, ui->g);
    if (queued + running > 0) {
        snprintf(title, sizeof title, "jobs: %d running, %d queued, %s left", running, queued,
                 left);
    } else {
        snprintf(title, sizeof title, "jobs: nothing to do");
    }
    draw_table(ui, PARE_VIEW_JOBS, r, focused, title);
}

static bool move_jobs(struct pare_ui *ui, enum pare_motion motion)
{
    if (motion != PARE_MOVE_ENTER) {
        return false;
    }
    pare_ui_execute(ui, "explain");
    return true;
}

const struct pare_view_ops pare_view_jobs = {"jobs", draw_jobs, move_jobs, job_model,
                                             "C-k cancel|ENTER details|< > sort|& filter|/ search"};

/* ---- log ---- */

static void log_cell(const struct pare_ui *ui, int id, int column, char *text, size_t size,
                     uint32_t *style)
{
    (void)column;
    snprintf(text, size, "%s", ui->st->log[id]);
    *style =
        strcasestr(text, "error") != NULL || strcasestr(text, "failed") != NULL ? PARE_INK_WARN : 0;
}

static const struct pare_table_model *log_model(struct pare_ui *ui)
{
    static const struct pare_column columns[1] = {
        {"what happened, oldest first", 30, 500, 0, false, false}};
    static struct pare_table_model m = {
        .columns = columns, .n_columns = 1, .empty = "nothing happened yet", .cell = log_cell};
    m.n_rows = ui->st->n_log;
    return &m;
}

static void draw_log(struct pare_ui *ui, struct pare_rect r, bool focused, int panel)
{
    (void)panel;
    draw_table(ui, PARE_VIEW_LOG, r, focused, "log");
}

const struct pare_view_ops pare_view_log = {"log", draw_log, NULL, log_model,
                                            "/ search|& filter|g G ends"};
