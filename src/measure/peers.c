#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure/bench_kernels.h"
#include "measure/peers_parts.h"

#define LOAD_SECONDS 120.0
#define RUN_SECONDS 60.0

/* What OpenBLAS calls this machine: left alone it takes Haswell's kernels on Sapphire Rapids. */
static const char *blas_core(void)
{
    return pk_isa_supported(PK_AVX512) ? "SkylakeX" : pk_isa_supported(PK_AVX2) ? "Haswell" : "Prescott";
}

static void start_link(struct peers *p, const char *const *argv)
{
    struct pare_peer_link *link = &p->links[p->n_links];
    struct pare_error err = {0};
    char answer[512], text[1536];
    enum pare_status status = pare_peer_start(link, argv, blas_core(), &err);
    if (status == PARE_OK) {
        status = pare_peer_ask(link, "peers", LOAD_SECONDS, answer, sizeof answer, &err);
    }
    if (status == PARE_OK && answer[0] != '\0') {
        snprintf(text, sizeof text, "%s: %s", argv[0], answer);
        p->n_links++;
    } else {
        snprintf(text, sizeof text, "%s: no peers%s%s", argv[0], status != PARE_OK ? ": " : "", status != PARE_OK ? err.message : "");
        pare_peer_stop(link);
    }
    p->options->say(p->options->self, text);
}

static void start_links(struct peers *p)
{
    const struct pare_peers_options *o = p->options;
    char python[512];
    start_link(p, (const char *const[]){o->helper, NULL});
    for (const char *at = o->pythons; at != NULL && *at != '\0' && p->n_links < PEERS_LINKS;) {
        const size_t n = strcspn(at, ":");
        snprintf(python, sizeof python, "%.*s", (int)n, at);
        start_link(p, (const char *const[]){python, o->script, NULL});
        at += n + (at[n] == ':');
    }
}

bool peers_load(struct peers *p, const char *name, const char *peer, const char *args, struct peer_work *work)
{
    char line[1024], answer[64], text[1536];
    struct pare_error err = {0};
    snprintf(line, sizeof line, "load %d %s %s", p->next_id, peer, args);
    for (int i = 0; i < p->n_links; i++) {
        struct pare_error first;
        if (pare_peer_ask(&p->links[i], line, LOAD_SECONDS, answer, sizeof answer, &first) == PARE_OK) {
            *work = (struct peer_work){.link = &p->links[i], .id = p->next_id++, .peer = peer};
            return true;
        }
        const bool better = err.message[0] == '\0' || strstr(err.message, "no such peer") != NULL || strstr(err.message, "ModuleNotFound") != NULL ||
                            strstr(err.message, "not understood") != NULL;
        err = better ? first : err;
    }
    snprintf(text, sizeof text, "%s: %s left out: %s", name, peer, err.message[0] != '\0' ? err.message : "no helper");
    p->options->say(p->options->self, text);
    return false;
}

double peers_run_many(void *peer_work, int n, double *own_ns)
{
    struct peer_work *w = peer_work;
    char line[64], answer[128];
    double ns = NAN;
    *own_ns = 0;
    snprintf(line, sizeof line, "run %d %d", w->id, n);
    if (w->broken || pare_peer_ask(w->link, line, RUN_SECONDS, answer, sizeof answer, &w->err) != PARE_OK ||
        sscanf(answer, "%lf %lf", &ns, own_ns) != 2) {
        w->broken = true; /* its blocks count as disturbed: no time of its own */
        return 1e12;
    }
    return ns;
}

void peers_run_once(void *peer_work)
{
    double own;
    (void)peers_run_many(peer_work, 1, &own);
}

/* Both in the fast state of the tile unit if there are rounds enough, else whatever state. */
void peers_row(struct peers *p, struct pare_peer_row *row, int ours, int theirs, const struct peer_work *work, bool tiles)
{
    row->problem = !work->broken ? NULL : work->err.message[0] != '\0' ? work->err.message : "no times in its answer";
    row->tiles = tiles ? PARE_TILES_FAST : PARE_TILES_NONE;
    row->ratio = pare_series_ratio(&p->series[ours], &p->series[theirs], row->tiles, &row->low, &row->high);
    if (tiles && !isfinite(row->ratio)) {
        row->tiles = PARE_TILES_SLOW;
        row->ratio = pare_series_ratio(&p->series[ours], &p->series[theirs], row->tiles, &row->low, &row->high);
    }
    pare_series_timing(&p->series[ours], row->tiles, &row->pare);
    pare_series_timing(&p->series[theirs], row->tiles, &row->theirs);
    if (row->problem != NULL) { /* rounds before it broke are no comparison */
        row->ratio = row->low = row->high = row->theirs.median = row->theirs.cycles = NAN;
    }
    p->n_rows++;
    p->options->row(p->options->self, row);
}

/* ---- products ---- */

struct product_peer {
    const char *peer, *name, *level;
};

static const struct product_peer f32_peers[] = {
    {"onednn-f32", "onednn", "fp32"}, {"openblas-f32", "openblas", "fp32"}, {"ort-f32", "onnxruntime", "fp32"}};
static const struct product_peer u8_peers[] = {{"onednn-u8", "onednn", "w8a8, u8 out"}, {"ort-u8", "onnxruntime", "w8a8, u8 out"}};

/* Our kernel and the peers on one product at one level. */
static void bench_product(struct peers *p, const struct pare_bench_shape *shape, enum pk_family family,
                          const struct product_peer *peers, int n_peers)
{
    struct pare_bench_case c;
    struct peer_work work[PEERS_MOST];
    struct pare_contender contenders[PEERS_MOST + 1];
    const struct pk_layer_kernel *kernel = pk_kernel_for(family, pk_isa_best(), &shape->conv);
    const struct product_peer *names[PEERS_MOST + 1];
    char args[64];
    int n = 1;
    struct pare_kernel_traits traits;
    pare_kernel_traits(family, &traits);
    if (!pare_bench_case_init(&c, family, pk_isa_best(), kernel, &shape->conv, traits.w_bits == 32 ? PK_F32 : PK_U8, 8)) {
        return;
    }
    /* the best of ours and all peers may use tiles: all are watched */
    const bool tiles = traits.w_bits == 8 && pk_isa_best() == PK_AMX;
    contenders[0] = (struct pare_contender){.run = pare_bench_case_run, .self = &c, .tiles = tiles};
    snprintf(args, sizeof args, "%d %d %d", shape->conv.out_h * shape->conv.out_w, shape->conv.out_c, shape->conv.in_c);
    for (int i = 0; i < n_peers; i++) {
        if (peers_load(p, shape->name, peers[i].peer, args, &work[n - 1])) {
            contenders[n] = (struct pare_contender){.run = peers_run_once, .self = &work[n - 1], .tiles = tiles, .remote = peers_run_many};
            names[n++] = &peers[i];
        }
    }
    const struct pare_watch_options o = {.seconds = p->options->seconds, .window_ns = 3e5, .min_rounds = 25};
    if (n > 1) {
        pare_watch(contenders, n, &o, p->series);
    }
    for (int i = 1; i < n; i++) {
        struct pare_peer_row row = {.name = shape->name, .level = traits.level, .kernel = kernel->name, .peer = names[i]->name,
                                    .peer_level = names[i]->level, .macs = pare_conv_macs(&shape->conv, false)};
        peers_row(p, &row, 0, i, &work[i - 1], tiles);
    }
    pare_bench_case_clear(&c);
}

enum pare_status pare_peers_bench(const struct pare_peers_options *options, struct pare_error *err)
{
    struct peers p = {.options = options, .series = calloc(PEERS_MOST + 1, sizeof(struct pare_series))};
    struct pare_pin pin;
    enum pare_status status = PARE_OK;
    int n;
    if (p.series == NULL) {
        return pare_error_nomem(err);
    }
    (void)pare_watch_pin(&pin, 0); /* before the helpers start: they inherit the core */
    start_links(&p);
    const struct pare_bench_shape *shapes = pare_bench_shapes(&n);
    if (p.n_links == 0) {
        status = pare_error(err, PARE_ERR_NOINPUT, "bench --peers", "no peer was found: see the man page for what is looked for");
    }
    for (int s = 0; status == PARE_OK && options->n_models == 0 && s < PARE_GEMM_SHAPES; s++) {
        bench_product(&p, &shapes[s], PK_CONV_F32, f32_peers, (int)(sizeof f32_peers / sizeof f32_peers[0]));
        bench_product(&p, &shapes[s], PK_CONV_U8S8, u8_peers, (int)(sizeof u8_peers / sizeof u8_peers[0]));
    }
    for (int i = 0; status == PARE_OK && i < options->n_models; i++) {
        status = peers_model(&p, options->models[i], err);
    }
    if (status == PARE_OK && p.n_rows == 0) {
        status = pare_error(err, PARE_ERR_NOINPUT, "bench --peers", "no peer could run any of this work");
    }
    for (int i = 0; i < p.n_links; i++) {
        pare_peer_stop(&p.links[i]);
    }
    pare_watch_unpin(&pin);
    free(p.series);
    return status;
}
