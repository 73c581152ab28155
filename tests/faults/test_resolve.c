/*
 * Pin and solve again on mediapipe_hands with all default levels while the workers are busy: from the command to the drawn
 * screen. Costs are invented (measuring them takes minutes), everything else is real: session, queue, worker, solver,
 * screen. With PARE_RESOLVE_SESSION=FILE the costs are those of that session (a copy: pins are made in it):
 *     PARE_RESOLVE_SESSION=/tmp/copy.pare PARE_MODELS=... test_resolve
 * This test is its own worker.
 */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command/flow.h"
#include "lua/lua_glue.h"
#include "pipeline/pipeline.h"
#include "pk.h"
#include "ui/ui.h"
#include "work/work.h"

#define TURNS 20
/* Asked: 100 ms. Sanitizers and a machine that others load take longer: the bound only catches what is badly wrong. */
#define BOUND_MS 1500.0

static char exe[4096];

static double now_ms(void)
{
    return (double)uv_hrtime() * 1e-6;
}

static const struct pare_state *get_state(void *user)
{
    return pare_front_state(user);
}

static enum pare_status run_command(void *user, const char *line, int point, struct pare_error *err)
{
    return pare_front_command(user, line, point, err);
}

/* Smaller levels lose more and take less time: as in life, with noise. */
static void invent_costs(struct pare_front *f)
{
    uint32_t seed = 5;
    f->calibration = f->calibration != NULL ? f->calibration : json_object();
    f->glue_ms = 0.5;
    f->border_ms = 1e-6;
    f->profiled = true;
    for (int i = 0; i < f->n_layers; i++) {
        for (int l = 0; l < f->n_levels; l++) {
            struct front_cell *c = &f->cells[i * f->n_levels + l];
            double noise = 0.5 + (double)(test_random(&seed) % 1000) / 1000;
            c->samples = f->sense_samples;
            c->loss = l == 0 ? 0 : f->sense_samples * 1e-5 * pow(8, l) * noise;
            c->ms = (double)f->layers[i].macs * 1e-8 * (l == 0 ? 1 : l == 1 ? 1.1 : 0.3 + 0.02 * l) * noise + 1e-3;
        }
    }
    for (int i = 0; i < f->n_levels * f->n_chunks; i++) {
        f->sense_chunk[i] = true;
    }
    unsigned char *levels = calloc((size_t)f->n_layers + 1, 1);
    assert_non_null(levels);
    json_t *empty = json_object();
    int run = front_add_run(f, "probes", "mixed", empty, NULL);
    for (int i = 0; i < FRONT_MIXED; i++) {
        json_t *facts = json_object();
        front_mixed(f, i, levels);
        int point = front_add_point(f, run, levels, facts, NULL);
        assert_true(point >= 0);
        double loss = front_loss_sum(f, levels);
        f->points[point].search = (struct front_eval){.samples = 500, .labelled = 500, .lost = (int)fmin(400, 20 * sqrt(loss))};
        f->points[point].search.figures.drop = f->points[point].search.lost / 500.0;
        json_decref(facts);
    }
    for (int i = 0; i < f->n_levels + FRONT_MIXED; i++) {
        f->probe_done[i] = true;
    }
    json_decref(empty);
    free(levels);
    front_fit(f);
}

/* What fp32 took end to end sets the pace of every prediction but for the glue, and of the problem's costs. */
static void check_pace(struct pare_front *f)
{
    unsigned char *wide = calloc((size_t)f->n_layers + 1, 1), *narrow = calloc((size_t)f->n_layers + 1, 1);
    const struct front_budget budget = {.max_drop = NAN, .max_loss = NAN, .max_latency = NAN, .max_bytes = NAN, .max_bitops = NAN,
                                        .max_energy = NAN, .minimize = PARE_COST_LATENCY};
    struct pare_error err = {0};
    struct pare_problem *p;
    assert_true(wide != NULL && narrow != NULL);
    for (int i = 0; i < f->n_layers; i++) {
        narrow[i] = (unsigned char)(f->int8_level < f->layers[i].keep ? f->int8_level : f->layers[i].keep);
    }
    const double glue = f->glue_ms, all = front_latency_sum(f, wide), less = front_latency_sum(f, narrow), was = f->points[0].fp32_ms;
    f->points[0].fp32_ms = glue + 1.8 * (all - glue);
    front_fit(f);
    assert_true(fabs(front_latency_sum(f, wide) - f->points[0].fp32_ms) < 1e-9 * all);
    assert_true(fabs(front_latency_sum(f, narrow) - glue - 1.8 * (less - glue)) < 1e-9 * less);
    assert_int_equal(front_problem(f, &budget, &p, &err), PARE_OK);
    double sum = p->fixed[PARE_COST_LATENCY];
    for (int i = 0; i < f->n_layers; i++) {
        sum += p->cost[PARE_COST_LATENCY][i * f->n_levels + narrow[i]];
    }
    assert_true(fabs(sum - front_latency_sum(f, narrow)) < 1e-9 * sum);
    pare_problem_free(p);
    f->points[0].fp32_ms = was;
    f->pace = 1;
    front_fit(f);
    free(wide);
    free(narrow);
}

/* Calibrations that nobody wants keep all compute workers busy. */
static void load_workers(struct pare_front *f, int n)
{
    for (int i = 0; i < n; i++) {
        json_t *params = json_pack("{s:s, s:o, s:s, s:i}", "pipeline", f->real_path, "models",
                                   f->models != NULL ? json_string(f->models) : json_null(), "content", f->content, "samples", 0);
        struct pare_task_spec spec = {.kind = "calibrate", .title = "load", .key = "", .params_take = params};
        assert_true(pare_sched_add(f->sched, &spec) != 0);
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void turn_pins(uv_loop_t *loop, struct pare_front *f, struct pare_ui *ui, const char *what, double *median, double *most)
{
    double took[TURNS], solver[TURNS] = {0};
    struct pare_error err = {0};
    for (int t = 0; t < TURNS; t++) {
        char line[600];
        const void *json;
        enum pare_status status = PARE_OK;
        snprintf(line, sizeof line, "pin '%s=%s'", f->layers[(t * 7) % f->n_layers].name, t % 2 == 0 ? "int8" : "fp16");
        double start = now_ms();
        pare_ui_execute(ui, line);
        assert_true(f->resolve != 0);
        while (!pare_front_result(f, f->resolve, &json, &status, &err)) {
            uv_run(loop, UV_RUN_ONCE);
        }
        pare_ui_draw(ui);
        took[t] = now_ms() - start;
        for (const struct front_flow *flow = f->flows; flow != NULL; flow = flow->next) {
            solver[t] = flow->id == f->resolve ? 1e3 * flow->solve_seconds : solver[t];
        }
        assert_int_equal(status, PARE_OK);
        for (int i = 0; i < 20; i++) { /* what the loop still has to say, and a person's pause */
            uv_run(loop, UV_RUN_NOWAIT);
            usleep(5000);
        }
    }
    assert_int_equal(pare_front_state(f)->n_pins, TURNS);
    qsort(took, TURNS, sizeof *took, compare);
    qsort(solver, TURNS, sizeof *solver, compare);
    *median = (took[TURNS / 2 - 1] + took[TURNS / 2]) / 2;
    *most = took[TURNS - 1];
    printf("pin and solve again, %d layers, %d levels, %s: median %.1f ms, max %.1f ms of %d; the solver alone %.1f and %.1f\n",
           f->n_layers, f->n_levels, what, *median, *most, TURNS, solver[TURNS / 2], solver[TURNS - 1]);
}

/* How far points are from the exact front: solved in the background, for the costs of now, at most once for them. */
static void check_distances(uv_loop_t *loop, struct pare_front *f)
{
    const int points[3] = {0, 1, 2};
    struct pare_error err = {0};
    const struct pare_state *s = pare_front_state(f);
    assert_true(isnan(s->points[0].from_exact));
    f->costs++; /* invented */
    pare_front_distances(f, points, 3);
    for (int i = 0; i < 6000 && !isfinite(pare_front_state(f)->points[2].from_exact); i++) {
        uv_run(loop, UV_RUN_NOWAIT);
        usleep(5000);
    }
    for (int i = 0; i < 3; i++) {
        assert_true(pare_front_state(f)->points[i].from_exact >= 0);
    }
    const uint64_t last = f->last_flow;
    pare_front_distances(f, points, 3);
    assert_int_equal(f->last_flow, last); /* they are known */
    char line[300];
    snprintf(line, sizeof line, "tie '%s+%s'", f->layers[0].name, f->layers[1].name);
    assert_int_equal(pare_front_command(f, line, -1, &err), PARE_OK);
    assert_true(isnan(pare_front_state(f)->points[0].from_exact)); /* of another problem */
    assert_int_equal(pare_front_command(f, "undo", -1, &err), PARE_OK);
    while (front_busy(f)) {
        uv_run(loop, UV_RUN_ONCE);
    }
}

static void write_table(const struct pare_front *f, const char *path, const char *levels)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fprintf(out, "label,accuracy,%s\n%s", f->layers[0].name, levels);
    fclose(out);
}

static const char *import_run(struct pare_front *f, const char *path)
{
    struct pare_error err = {0};
    char line[700];
    snprintf(line, sizeof line, "import '%s'", path);
    if (pare_front_command(f, line, -1, &err) != PARE_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    const int run = pare_front_imported(f);
    assert_true(run >= 0);
    return pare_front_state(f)->runs[run].name;
}

/* A run is a file as it was; where a point comes from is said. */
static void check_imports(struct pare_front *f)
{
    char path[600], other[600], text[2048];
    snprintf(path, sizeof path, "%s/found 1.csv", test_temp_dir());
    snprintf(other, sizeof other, "%s/found 1.txt", test_temp_dir());
    write_table(f, path, "x,0.9,int8\ny,,w4a8\n");
    write_table(f, other, "x,,fp16\n");
    assert_string_equal(import_run(f, path), "found-1");
    assert_string_equal(import_run(f, other), "found-1-2");
    const int n = f->n_points;
    assert_string_equal(import_run(f, path), "found-1");
    assert_int_equal(f->n_points, n);
    write_table(f, path, "x,0.8,int8\nx,,int8\n");
    assert_string_equal(import_run(f, path), "found-1.v2");
    assert_int_equal(f->n_points, n + 1);
    assert_non_null(strstr(f->message, "1 point (1 of 2 rows say the same) as run found-1.v2"));
    pare_front_explain_point(f, n, text, sizeof text);
    assert_non_null(strstr(text, "found 1.csv (table of configurations), which claims an accuracy of 80.00 %; nothing of a claim is taken over"));
    write_table(f, path, "x,0.9,int8\ny,,w4a8\n"); /* as it was at first */
    assert_string_equal(import_run(f, path), "found-1");
    write_table(f, path, "x,,int8\n");
    assert_string_equal(import_run(f, path), "found-1.v3");
    assert_true(front_find_point(f, "found-1:2") >= 0 && front_find_point(f, "found-1.v2:2") < 0);
}

static double rank_of(struct pare_front *f, const char *name)
{
    struct pare_proxy proxies[PARE_PROXIES];
    const int n = pare_front_proxies(f, proxies);
    for (int i = 0; i < n; i++) {
        if (strcmp(proxies[i].name, name) == 0) {
            return proxies[i].spearman;
        }
    }
    fail_msg("no proxy %s of %d", name, n);
    return NAN;
}

/* What is said of proxies follows the costs and the measurements, and nothing else. */
static void check_proxies(struct pare_front *f)
{
    const double before = rank_of(f, "loss");
    assert_true(before > 0.9); /* drops were invented from losses */
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < f->n_layers * f->n_levels; i++) {
            f->cells[i].loss = f->cells[i].loss > 0 ? 1 / f->cells[i].loss : 0;
        }
        f->costs++;
        assert_true(turn == 0 ? rank_of(f, "loss") < before - 0.1 : rank_of(f, "loss") == before);
    }
    const double drop = f->points[0].search.figures.drop;
    f->points[0].search.figures.drop = 1;
    assert_true(rank_of(f, "loss") < before);
    f->points[0].search.figures.drop = drop;
}

static void check_previews(struct pare_front *f)
{
    char text[256];
    assert_true(pare_front_preview(f, 3, 1, 1, text, sizeof text)); /* fp16 exactly: not what int8 does */
    assert_non_null(strstr(text, "int8 > fp16: "));
    assert_true(pare_front_preview(f, 3, 0, 1, text, sizeof text)); /* fp32..fp16: the nearest of them */
    assert_non_null(strstr(text, "int8 > fp16: "));
    assert_true(pare_front_preview(f, 3, 3, 5, text, sizeof text));
    assert_non_null(strstr(text, "int8 > w4a8: "));
    assert_true(pare_front_preview(f, 3, 1, 4, text, sizeof text));
    assert_non_null(strstr(text, "nothing changes"));
}

static void pin_and_solve_again_does_not_wait_for_workers(void **state)
{
    const char *models = test_models_dir(), *given = getenv("PARE_RESOLVE_SESSION");
    char session[512];
    uv_loop_t loop;
    struct pare_front *f = NULL;
    struct pare_error err = {0};
    double median, most;
    (void)state;
    if (models == NULL) {
        test_skip("no real models");
    }
    snprintf(session, sizeof session, "%s/r.pare", test_temp_dir());
    assert_int_equal(uv_loop_init(&loop), 0);
    struct pare_front_options options = {.path = test_source("sample_pipelines/mediapipe_hands"),
                                         .models_dir = models,
                                         .session = given != NULL ? given : session,
                                         .exe = exe,
                                         .n_workers = 2};
    if (pare_front_open(&loop, &options, &f, &err) != PARE_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    while (pare_front_state(f)->loading) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    assert_null(pare_front_state(f)->failed);
    assert_true(f->n_layers > 100);
    if (given == NULL) {
        invent_costs(f);
        check_proxies(f);
        check_pace(f);
        check_imports(f);
        check_distances(&loop, f);
        check_previews(f);
    }
    struct pare_ui_host host = {.user = f, .state = get_state, .command = run_command};
    struct pare_ui *ui = pare_ui_new(&host, NULL, 120, 36);
    assert_non_null(ui);
    turn_pins(&loop, f, ui, "idle", &median, &most);
    assert_true(median < BOUND_MS);
    for (int t = 0; t < TURNS; t++) {
        assert_int_equal(pare_front_command(f, "undo", -1, &err), PARE_OK);
    }
    while (front_busy(f)) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    load_workers(f, 8);
    for (double start = now_ms(); now_ms() - start < 1000;) { /* until they really compute */
        uv_run(&loop, UV_RUN_NOWAIT);
        usleep(2000);
    }
    int busy, quiet;
    (void)pare_sched_workers(f->sched, &busy, &quiet);
    assert_int_equal(busy, 2);
    turn_pins(&loop, f, ui, "2 workers busy", &median, &most);
    assert_true(median < BOUND_MS);
    (void)pare_sched_workers(f->sched, &busy, &quiet);
    assert_int_equal(busy, 2);
    pare_ui_free(ui);
    pare_front_close(f);
    uv_run(&loop, UV_RUN_DEFAULT);
    pare_front_free(f);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pin_and_solve_again_does_not_wait_for_workers)};
    pare_pipeline_set_loader(pare_lua_pipeline_loader());
    if (argc > 1 && strcmp(argv[1], "worker") == 0) {
        return pare_worker_serve(3, pare_work_kinds, pare_work_kind_count, pk_isa_name(pk_isa_best()));
    }
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = '\0';
    setenv("XDG_RUNTIME_DIR", test_temp_dir(), 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
