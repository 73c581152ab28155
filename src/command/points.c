/* points.c: runs of solvers and their points, in memory as in the session. */
#include "command/front.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void front_take_run(struct pare_front *f, int64_t id, const char *name, const char *method, const json_t *settings,
                    const json_t *status)
{
    if (f->n_runs == f->cap_runs) {
        int cap = f->cap_runs > 0 ? 2 * f->cap_runs : 16;
        struct front_run *runs = realloc(f->runs, (size_t)cap * sizeof *runs);
        if (runs == NULL) {
            return;
        }
        f->runs = runs;
        f->cap_runs = cap;
    }
    f->runs[f->n_runs++] = (struct front_run){.id = id,
                                              .name = strdup(name),
                                              .method = strdup(method),
                                              .settings = json_deep_copy(settings),
                                              .status = json_deep_copy(status)};
}

void front_take_point(struct pare_front *f, int64_t id, int64_t run, int number, const json_t *config, const json_t *facts)
{
    struct front_point p = {.id = id, .run_id = run, .run = -1, .number = number};
    for (int r = 0; r < f->n_runs; r++) {
        p.run = f->runs[r].id == run ? r : p.run;
    }
    if (f->n_points == f->cap_points) {
        int cap = f->cap_points > 0 ? 2 * f->cap_points : 64;
        struct front_point *points = realloc(f->points, (size_t)cap * sizeof *points);
        if (points == NULL) {
            return;
        }
        f->points = points;
        f->cap_points = cap;
    }
    p.levels = calloc((size_t)f->n_layers + 1, 1);
    if (p.levels == NULL || p.run < 0 || !front_config_levels(f, config, p.levels, NULL)) {
        free(p.levels); /* of other candidate levels, or of a pipeline that has changed */
        return;
    }
    p.config = front_config_json(f, p.levels);
    p.facts = json_deep_copy(facts);
    p.drop_predicted = p.latency_predicted = p.from_exact = NAN;
    f->points[f->n_points++] = p;
    front_load_point(f, &f->points[f->n_points - 1]);
}

int front_add_run(struct pare_front *f, const char *name, const char *method, json_t *settings, struct pare_error *err)
{
    int64_t id = 0;
    json_t *status = json_object();
    int n = f->n_runs;
    if (pare_session_add_run(f->session, name, method, settings, &id, err) == PARE_OK) {
        front_take_run(f, id, name, method, settings, status);
    }
    json_decref(status);
    return f->n_runs > n ? n : -1;
}

int front_add_point(struct pare_front *f, int run, const unsigned char *levels, json_t *facts, struct pare_error *err)
{
    int64_t id = 0;
    int number = 1, n = f->n_points;
    for (int i = 0; i < f->n_points; i++) {
        if (f->points[i].run == run) {
            if (memcmp(f->points[i].levels, levels, (size_t)f->n_layers) == 0) {
                return i;
            }
            number++;
        }
    }
    json_t *config = front_config_json(f, levels);
    double drop = front_drop_of_loss(f, front_loss_sum(f, levels)), spread = front_spread_of_loss(f, front_loss_sum(f, levels));
    if (f->options.quantize != NULL) {
        json_object_set_new(facts, "quantize", json_string(f->options.quantize)); /* a prediction is of one method */
    }
    json_object_set_new(facts, "drop_predicted", pare_json_real(drop));
    json_object_set_new(facts, "drop_predicted_low", pare_json_real(drop - 1.96 * spread));
    json_object_set_new(facts, "drop_predicted_high", pare_json_real(drop + 1.96 * spread));
    json_object_set_new(facts, "latency_predicted", pare_json_real(front_latency_sum(f, levels)));
    if (pare_session_add_point(f->session, f->runs[run].id, number, config, facts, &id, err) == PARE_OK) {
        front_take_point(f, id, f->runs[run].id, number, config, facts);
    }
    json_decref(config);
    if (f->n_points == n) {
        return -1;
    }
    f->points[n].loss_sum = front_loss_sum(f, levels);
    f->points[n].drop_predicted = pare_json_get_real(f->points[n].facts, "drop_predicted");
    f->points[n].latency_predicted = front_latency_sum(f, levels);
    front_changed(f);
    return n;
}
