/*
 * layer_sums.c: runs a network at every level of a file of checksums and compares each layer's, on this machine's best
 * instruction set (PARE_ISA). The first layer that differs is named.
 *   layer_sums MODEL FILE [SAMPLES]     status 0: all the same; 1: a layer differs; 2: cannot be run
 */
#include "layer_sums.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/strbuf.h"
#include "model/graph.h"

#ifdef PARE_NO_STRBUF /* it escapes with a library; for messages this is enough. */
void pare_escape(const char *text, size_t n, char *out, size_t out_size)
{
    snprintf(out, out_size, "%.*s", (int)n, text);
}
#endif

static const unsigned char *at, *end;

/* The next n bytes of the file. */
static const void *take(size_t n)
{
    if (n > (size_t)(end - at)) {
        fprintf(stderr, "layer_sums: the file is cut\n");
        exit(2);
    }
    at += n;
    return at - n;
}

static void must(enum pare_status status, const struct pare_error *err)
{
    if (status != PARE_OK) {
        fprintf(stderr, "layer_sums: %s: %s\n", err->where, err->message);
        exit(2);
    }
}

/* Compares one sample; returns how many tensors were. */
static int compare(const struct pare_graph *g, struct pare_plan *plan, const uint64_t *sums, const char *where)
{
    int n = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        for (int k = 0; k < g->nodes[i].n_out; k++) {
            const int tensor = g->nodes[i].out[k];
            uint64_t sum, theirs;
            if (tensor < 0 || !sums_of(g, plan, tensor, &sum)) {
                continue;
            }
            memcpy(&theirs, &sums[tensor], sizeof theirs);
            if (theirs == 0) {
                continue;
            }
            if (sum != theirs) {
                printf("%s: the first layer that differs is %s (%016llx, %016llx)\n", where, g->tensors[tensor].name,
                       (unsigned long long)sum, (unsigned long long)theirs);
                exit(1);
            }
            n++;
        }
    }
    return n;
}

static void run_level(const struct pare_graph *g, const struct pare_calibration *c, const struct sums_head *head, const float *inputs,
                      const struct sums_level *level, const uint64_t *sums, const char *model, int most)
{
    struct pare_error err = {0};
    struct pare_plan *plan;
    struct pare_level *levels = calloc((size_t)g->n_nodes + 1, sizeof *levels), one;
    must(pare_level_parse(level->name, &one, &err), &err);
    for (int i = 0; i < g->n_nodes; i++) {
        levels[i] = one;
    }
    const struct pare_plan_options options = {.levels = levels, .calibration = c, .isa = pk_isa_best(), .keep_all = true};
    must(pare_plan_new(g, &options, &plan, &err), &err);
    int compared = 0, n = level->n_samples < most ? level->n_samples : most;
    for (int s = 0; s < n; s++) {
        char where[512];
        const float *x = inputs + (size_t)s * (size_t)head->n_inputs;
        for (int i = 0; i < g->n_inputs; i++) {
            const size_t values = (size_t)pare_tensor_elements(&g->tensors[g->inputs[i]]);
            must(pare_plan_set_input(plan, i, x, values, &err), &err);
            x += values;
        }
        must(pare_plan_run(plan, &err), &err);
        snprintf(where, sizeof where, "%s at %s, sample %d, %s", model, level->name, s, pk_isa_name(pk_isa_best()));
        compared = compare(g, plan, sums + (size_t)s * (size_t)head->n_tensors, where);
        if (compared == 0) {
            printf("%s: nothing to compare\n", where);
            exit(1);
        }
    }
    printf("%s %s, %s: %d tensors, %d samples\n", pk_isa_name(pk_isa_best()), model, level->name, compared, n);
    pare_plan_free(plan);
    free(levels);
}

int main(int argc, char **argv)
{
    struct pare_error err = {0};
    struct pare_graph *g;
    struct pare_file file;
    struct pare_calibration c = {0};
    if (argc < 3) {
        fprintf(stderr, "usage: layer_sums MODEL FILE [SAMPLES]\n");
        return 2;
    }
    must(pare_model_open(argv[1], &g, &err), &err);
    must(pare_file_open(argv[2], (size_t)2 << 30, &file, &err), &err);
    at = file.data;
    end = at + file.size;
    const struct sums_head *head = take(sizeof *head);
    if (memcmp(head->magic, "paresum1", 8) != 0 || head->n_tensors != g->n_tensors || head->range_bytes != (int)sizeof(struct pare_range)) {
        fprintf(stderr, "layer_sums: %s is not of this network\n", argv[2]);
        return 2;
    }
    must(pare_calibration_init(&c, g->n_tensors, &err), &err);
    memcpy(c.ranges, take(sizeof *c.ranges * (size_t)c.n_tensors), sizeof *c.ranges * (size_t)c.n_tensors);
    const float *inputs = take(sizeof(float) * (size_t)head->n_inputs * (size_t)head->n_samples);
    for (int l = 0; l < head->n_levels; l++) {
        const struct sums_level *level = take(sizeof *level);
        const uint64_t *sums = take(sizeof *sums * (size_t)level->n_samples * (size_t)head->n_tensors);
        run_level(g, &c, head, inputs, level, sums, argv[1], argc > 3 ? atoi(argv[3]) : level->n_samples);
    }
    pare_file_close(&file);
    pare_calibration_clear(&c);
    pare_graph_free(g);
    return 0;
}
