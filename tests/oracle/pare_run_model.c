/*
 * pare_run_model [--level L] [--repeat N] [--profile] MODEL IN OUT
 * Runs a network on IN (float32 of all inputs, one after another, native byte order) and writes all
 * outputs to OUT. Prints one line per output: "output NAME DIMS...". Integer levels are calibrated
 * on IN itself.
 * --repeat N: also prints "ns MIN MEDIAN" of N more runs. --profile: "step US KERNEL LEVEL NAME" of
 * each step, its fastest of 20 runs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "exec/plan.h"

struct options {
    const char *level, *model, *in, *out;
    int repeat;
    bool profile;
};

static int fail(const struct pare_error *err)
{
    fprintf(stderr, "%s: %s\n", err->where, err->message);
    return (int)err->code;
}

static float *read_floats(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    float *v = NULL;
    long bytes;
    if (f != NULL && fseek(f, 0, SEEK_END) == 0 && (bytes = ftell(f)) >= 0) {
        rewind(f);
        v = malloc((size_t)bytes + 1);
        *n = v != NULL ? fread(v, sizeof *v, (size_t)bytes / sizeof *v, f) : 0;
    }
    if (f != NULL) {
        fclose(f);
    }
    return v;
}

static enum pare_status set_inputs(const struct pare_graph *g, struct pare_plan *plan,
                                   const float *x, size_t n, struct pare_error *err)
{
    size_t at = 0;
    for (int i = 0; i < g->n_inputs; i++) {
        const size_t count = (size_t)pare_tensor_elements(&g->tensors[g->inputs[i]]);
        if (at + count > n) {
            return pare_error(err, PARE_ERR_USAGE, NULL,
                              "IN has %zu numbers, the network takes more", n);
        }
        enum pare_status status = pare_plan_set_input(plan, i, x + at, count, err);
        if (status != PARE_OK) {
            return status;
        }
        at += count;
    }
    return at == n ? PARE_OK
                   : pare_error(err, PARE_ERR_USAGE, NULL,
                                "IN has %zu numbers, the network takes %zu", n, at);
}

static enum pare_status calibrate(const struct pare_graph *g, const float *x, size_t n,
                                  struct pare_calibration *c, struct pare_error *err)
{
    struct pare_plan *plan = NULL;
    const struct pare_plan_options options = {.isa = pk_isa_best(), .keep_all = true};
    enum pare_status status = pare_calibration_init(c, g->n_tensors, err);
    status = status == PARE_OK ? pare_plan_new(g, &options, &plan, err) : status;
    status = status == PARE_OK ? set_inputs(g, plan, x, n, err) : status;
    status = status == PARE_OK ? pare_plan_run(plan, err) : status;
    status = status == PARE_OK ? pare_plan_observe(plan, c, 0, err) : status;
    status = status == PARE_OK ? pare_plan_observe(plan, c, 1, err) : status;
    for (int i = 0; status == PARE_OK && i < c->n_tensors; i++) {
        pare_range_finish(&c->ranges[i]);
    }
    pare_plan_free(plan);
    return status;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static enum pare_status repeat(struct pare_plan *plan, int n, struct pare_error *err)
{
    uint64_t *ns = calloc((size_t)n, sizeof *ns);
    enum pare_status status = ns != NULL ? PARE_OK : pare_error_nomem(err);
    for (int i = 0; status == PARE_OK && i < n; i++) {
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC_RAW, &a);
        status = pare_plan_run(plan, err);
        clock_gettime(CLOCK_MONOTONIC_RAW, &b);
        ns[i] = (uint64_t)(b.tv_sec - a.tv_sec) * 1000000000u + (uint64_t)b.tv_nsec -
                (uint64_t)a.tv_nsec;
    }
    if (status == PARE_OK) {
        qsort(ns, (size_t)n, sizeof *ns, by_value);
        printf("ns %llu %llu\n", (unsigned long long)ns[0], (unsigned long long)ns[n / 2]);
    }
    free(ns);
    return status;
}

static enum pare_status profile(const struct pare_graph *g, struct pare_plan *plan,
                                struct pare_error *err)
{
    enum { RUNS = 20 };
    const int n = pare_plan_step_count(plan);
    uint64_t *ns = calloc((size_t)n + 1, sizeof *ns), *once = calloc((size_t)n + 1, sizeof *once);
    enum pare_status status = ns != NULL && once != NULL ? PARE_OK : pare_error_nomem(err);
    for (int i = 0; status == PARE_OK && i < RUNS; i++) {
        memset(once, 0, (size_t)n * sizeof *once);
        status = pare_plan_run_timed(plan, once, err);
        for (int k = 0; k < n; k++) {
            ns[k] = i == 0 || once[k] < ns[k] ? once[k] : ns[k];
        }
    }
    for (int i = 0; status == PARE_OK && i < n; i++) {
        struct pare_step_info info;
        char level[16];
        pare_plan_step_info(plan, i, &info);
        printf("step %9.1f us  %-24s %-6s %s\n", (double)ns[i] / 1000.0, info.kernel,
               info.is_layer ? pare_level_name(info.level, level) : "-",
               info.node >= 0 ? g->nodes[info.node].name : "(input)");
    }
    free(once);
    free(ns);
    return status;
}

static enum pare_status write_outputs(const struct pare_graph *g, struct pare_plan *plan,
                                      const char *path, struct pare_error *err)
{
    FILE *f = fopen(path, "wb");
    enum pare_status status =
        f != NULL ? PARE_OK : pare_error(err, PARE_ERR_CANTCREATE, path, "cannot be written");
    for (int i = 0; status == PARE_OK && i < g->n_outputs; i++) {
        const struct pare_tensor *t = &g->tensors[g->outputs[i]];
        const size_t n = (size_t)pare_tensor_elements(t);
        float *y = malloc((n + 1) * sizeof *y);
        status = y != NULL ? pare_plan_get_output(plan, i, y, n, err) : pare_error_nomem(err);
        if (status == PARE_OK && fwrite(y, sizeof *y, n, f) != n) {
            status = pare_error(err, PARE_ERR_IO, path, "cannot be written");
        }
        printf("output %s", t->name);
        for (int d = 0; d < t->rank; d++) {
            printf(" %lld", (long long)t->dims[d]);
        }
        printf("\n");
        free(y);
    }
    if (f != NULL && fclose(f) != 0 && status == PARE_OK) {
        status = pare_error(err, PARE_ERR_IO, path, "cannot be written");
    }
    return status;
}

static enum pare_status run(const struct options *o, const struct pare_graph *g, const float *x,
                            size_t n, struct pare_error *err)
{
    struct pare_calibration c = {0};
    struct pare_plan *plan = NULL;
    struct pare_level level;
    struct pare_level *levels = calloc((size_t)g->n_nodes + 1, sizeof *levels);
    enum pare_status status = levels != NULL ? PARE_OK : pare_error_nomem(err);
    status = status == PARE_OK ? pare_level_parse(o->level, &level, err) : status;
    for (int i = 0; status == PARE_OK && i < g->n_nodes; i++) {
        levels[i] = level;
    }
    if (status == PARE_OK && level.kind == PARE_LEVEL_INT) {
        status = calibrate(g, x, n, &c, err);
    }
    const struct pare_plan_options options = {
        .levels = levels, .calibration = c.n_tensors > 0 ? &c : NULL, .isa = pk_isa_best()};
    status = status == PARE_OK ? pare_plan_new(g, &options, &plan, err) : status;
    status = status == PARE_OK ? set_inputs(g, plan, x, n, err) : status;
    status = status == PARE_OK ? pare_plan_run(plan, err) : status;
    status = status == PARE_OK ? write_outputs(g, plan, o->out, err) : status;
    if (status == PARE_OK && o->repeat > 0) {
        status = repeat(plan, o->repeat, err);
    }
    if (status == PARE_OK && o->profile) {
        status = profile(g, plan, err);
    }
    pare_plan_free(plan);
    pare_calibration_clear(&c);
    free(levels);
    return status;
}

int main(int argc, char **argv)
{
    struct options o = {.level = "fp32"};
    int i = 1;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--profile") == 0) {
            o.profile = true;
        } else if (strcmp(argv[i], "--level") == 0 && i + 1 < argc) {
            o.level = argv[++i];
        } else if (strcmp(argv[i], "--repeat") == 0 && i + 1 < argc) {
            o.repeat = atoi(argv[++i]);
        }
    }
    if (argc - i != 3) {
        fprintf(stderr, "pare_run_model [--level L] [--repeat N] [--profile] MODEL IN OUT\n");
        return PARE_ERR_USAGE;
    }
    o.model = argv[i];
    o.in = argv[i + 1];
    o.out = argv[i + 2];
    struct pare_error err = {0};
    struct pare_graph *g = NULL;
    size_t n = 0;
    float *x = read_floats(o.in, &n);
    enum pare_status status = x != NULL
                                  ? pare_model_open(o.model, &g, &err)
                                  : pare_error(&err, PARE_ERR_NOINPUT, o.in, "cannot be read");
    if (status == PARE_OK) {
        status = run(&o, g, x, n, &err);
    }
    pare_graph_free(g);
    free(x);
    return status == PARE_OK ? 0 : fail(&err);
}
