/*
 * pare_peers.c: other people's matrix products, for `pare bench --peers`. A program of its own that speaks over pipes, so
 * that pare links none of them; the libraries are opened when they are asked for.
 *
 * Lines in, one line out for each:
 *   peers                         -> "ok NAME VERSION|NAME VERSION..."
 *   load ID PEER M N K            -> "ok" or "error WHY"; PEER: openblas-f32, onednn-f32, onednn-u8
 *   run ID COUNT                  -> "ok WALL_NS CPU_NS" of COUNT products together
 * One thread (OMP_NUM_THREADS and OPENBLAS_NUM_THREADS come from the caller, as OPENBLAS_CORETYPE does). Products:
 * A [M][K] times B [K][N], B packed beforehand where the library can; u8: A u8, B s8, C u8 through a scale.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef PARE_HAVE_DNNL
#include <oneapi/dnnl/dnnl.h>
#endif

enum { MOST = 256 };

struct product {
    int kind; /* 0 none, 1 OpenBLAS, 2 oneDNN */
    int m, n, k;
    float *a, *b, *c;
    void *primitive, *memories[3];
};

static struct product products[MOST];

static double now(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static void fill(void *data, size_t n, int type) /* 0 float, 1 u8, 2 s8 */
{
    unsigned r = 1;
    for (size_t i = 0; i < n; i++) {
        r = r * 1664525u + 1013904223u;
        const int v = (int)(r >> 20 & 255);
        if (type == 0) {
            ((float *)data)[i] = (float)(v - 128) / 128.0f;
        } else {
            ((unsigned char *)data)[i] = (unsigned char)v;
        }
    }
}

/* ---- OpenBLAS ---- */

typedef void (*sgemm_function)(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda,
                               const float *b, int ldb, float beta, float *c, int ldc);
static sgemm_function sgemm;
static char blas_name[128];

static int open_blas(void)
{
    if (sgemm != NULL) {
        return 1;
    }
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        return 0;
    }
    char *(*config)(void), *(*core)(void);
    *(void **)&sgemm = dlsym(library, "cblas_sgemm");
    *(void **)&config = dlsym(library, "openblas_get_config");
    *(void **)&core = dlsym(library, "openblas_get_corename");
    char version[32] = "";
    if (config != NULL) {
        (void)sscanf(config(), "OpenBLAS %31s", version);
    }
    snprintf(blas_name, sizeof blas_name, "openblas %s (%s)", version, core != NULL ? core() : "?");
    return sgemm != NULL;
}

static const char *load_blas(struct product *p)
{
    if (!open_blas()) {
        return "libopenblas.so.0 cannot be opened";
    }
    p->a = malloc(sizeof(float) * (size_t)p->m * (size_t)p->k);
    p->b = malloc(sizeof(float) * (size_t)p->k * (size_t)p->n);
    p->c = malloc(sizeof(float) * (size_t)p->m * (size_t)p->n);
    if (p->a == NULL || p->b == NULL || p->c == NULL) {
        return "out of memory";
    }
    fill(p->a, (size_t)p->m * (size_t)p->k, 0);
    fill(p->b, (size_t)p->k * (size_t)p->n, 0);
    p->kind = 1;
    return NULL;
}

/* ---- oneDNN ---- */

#ifdef PARE_HAVE_DNNL
#define FUNCTIONS(X)                                                                                                  \
    X(dnnl_engine_create) X(dnnl_stream_create) X(dnnl_memory_desc_init_by_tag) X(dnnl_matmul_desc_init)               \
    X(dnnl_primitive_attr_create) X(dnnl_primitive_attr_set_output_scales) X(dnnl_primitive_desc_create)               \
    X(dnnl_primitive_desc_query_md) X(dnnl_memory_create) X(dnnl_primitive_create) X(dnnl_primitive_execute)           \
    X(dnnl_stream_wait) X(dnnl_memory_get_data_handle) X(dnnl_memory_desc_get_size)                                    \
    X(dnnl_reorder_primitive_desc_create) X(dnnl_version)
#define POINTER(name) static __typeof__(name) *p_##name;
FUNCTIONS(POINTER)

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static int open_dnnl(void)
{
    if (stream != NULL) {
        return 1;
    }
    void *library = dlopen("libdnnl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        return 0;
    }
#define LOOK_UP(name)                                                                                                 \
    *(void **)&p_##name = dlsym(library, #name);                                                                       \
    if (p_##name == NULL) {                                                                                            \
        return 0;                                                                                                      \
    }
    FUNCTIONS(LOOK_UP)
    return p_dnnl_engine_create(&engine, dnnl_cpu, 0) == dnnl_success &&
           p_dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) == dnnl_success;
}

static int pack_weights(const dnnl_memory_desc_t *plain, const dnnl_memory_desc_t *packed, int type, size_t n, dnnl_memory_t *to)
{
    dnnl_memory_t from;
    dnnl_primitive_desc_t description;
    dnnl_primitive_t reorder;
    if (p_dnnl_memory_create(&from, plain, engine, DNNL_MEMORY_ALLOCATE) != dnnl_success ||
        p_dnnl_memory_create(to, packed, engine, DNNL_MEMORY_ALLOCATE) != dnnl_success) {
        return 0;
    }
    void *data;
    p_dnnl_memory_get_data_handle(from, &data);
    fill(data, n, type);
    if (p_dnnl_reorder_primitive_desc_create(&description, plain, engine, packed, engine, NULL) != dnnl_success ||
        p_dnnl_primitive_create(&reorder, description) != dnnl_success) {
        return 0;
    }
    const dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, *to}};
    return p_dnnl_primitive_execute(reorder, stream, 2, args) == dnnl_success && p_dnnl_stream_wait(stream) == dnnl_success;
}

static const char *load_dnnl(struct product *p, int u8)
{
    if (!open_dnnl()) {
        return "libdnnl.so.2 cannot be opened";
    }
    const dnnl_dims_t da = {p->m, p->k}, db = {p->k, p->n}, dc = {p->m, p->n};
    const dnnl_data_type_t ta = u8 ? dnnl_u8 : dnnl_f32, tb = u8 ? dnnl_s8 : dnnl_f32;
    dnnl_memory_desc_t a, b, plain, c;
    dnnl_matmul_desc_t d;
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t primitive;
    const float scale = 0.001f;
    if (p_dnnl_memory_desc_init_by_tag(&a, 2, da, ta, dnnl_ab) != dnnl_success ||
        p_dnnl_memory_desc_init_by_tag(&b, 2, db, tb, dnnl_format_tag_any) != dnnl_success ||
        p_dnnl_memory_desc_init_by_tag(&plain, 2, db, tb, dnnl_ab) != dnnl_success ||
        p_dnnl_memory_desc_init_by_tag(&c, 2, dc, ta, dnnl_ab) != dnnl_success ||
        p_dnnl_matmul_desc_init(&d, &a, &b, NULL, &c) != dnnl_success || p_dnnl_primitive_attr_create(&attr) != dnnl_success ||
        (u8 && p_dnnl_primitive_attr_set_output_scales(attr, 1, 0, &scale) != dnnl_success) ||
        p_dnnl_primitive_desc_create(&pd, &d, attr, engine, NULL) != dnnl_success ||
        p_dnnl_primitive_create(&primitive, pd) != dnnl_success) {
        return "oneDNN does not take this product";
    }
    const dnnl_memory_desc_t *packed = p_dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    dnnl_memory_t ma, mb, mc;
    if (packed == NULL || p_dnnl_memory_create(&ma, &a, engine, DNNL_MEMORY_ALLOCATE) != dnnl_success ||
        p_dnnl_memory_create(&mc, &c, engine, DNNL_MEMORY_ALLOCATE) != dnnl_success ||
        !pack_weights(&plain, packed, u8 ? 2 : 0, (size_t)p->k * (size_t)p->n, &mb)) {
        return "oneDNN cannot pack the weights";
    }
    void *data;
    p_dnnl_memory_get_data_handle(ma, &data);
    fill(data, (size_t)p->m * (size_t)p->k, u8 ? 1 : 0);
    p->primitive = primitive;
    p->memories[0] = ma;
    p->memories[1] = mb;
    p->memories[2] = mc;
    p->kind = 2;
    return NULL;
}

static void run_dnnl(const struct product *p)
{
    const dnnl_exec_arg_t args[3] = {{DNNL_ARG_SRC, p->memories[0]}, {DNNL_ARG_WEIGHTS, p->memories[1]}, {DNNL_ARG_DST, p->memories[2]}};
    p_dnnl_primitive_execute(p->primitive, stream, 3, args);
    p_dnnl_stream_wait(stream);
}
#else
static const char *load_dnnl(struct product *p, int u8)
{
    (void)p;
    (void)u8;
    return "built without oneDNN's headers (libdnnl-dev)";
}

static void run_dnnl(const struct product *p)
{
    (void)p;
}
#endif

static void run(const struct product *p)
{
    enum { ROW_MAJOR = 101, PLAIN = 111 };
    if (p->kind == 1) {
        sgemm(ROW_MAJOR, PLAIN, PLAIN, p->m, p->n, p->k, 1, p->a, p->k, p->b, p->n, 0, p->c, p->n);
    } else if (p->kind == 2) {
        run_dnnl(p);
    }
}

static void print_peers(void)
{
    printf("ok %s", open_blas() ? blas_name : "");
#ifdef PARE_HAVE_DNNL
    if (open_dnnl()) {
        const dnnl_version_t *v = p_dnnl_version();
        printf("|onednn %d.%d.%d", v->major, v->minor, v->patch);
    }
#endif
    printf("\n");
}

int main(void)
{
    char line[512], peer[64];
    while (fgets(line, sizeof line, stdin) != NULL) {
        int id, m, n, k, count;
        if (strncmp(line, "peers", 5) == 0) {
            print_peers();
        } else if (sscanf(line, "load %d %63s %d %d %d", &id, peer, &m, &n, &k) == 5 && id >= 0 && id < MOST && m > 0 && n > 0 && k > 0) {
            struct product *p = &products[id];
            *p = (struct product){.m = m, .n = n, .k = k};
            const char *why = strcmp(peer, "openblas-f32") == 0  ? load_blas(p)
                              : strcmp(peer, "onednn-f32") == 0 ? load_dnnl(p, 0)
                              : strcmp(peer, "onednn-u8") == 0  ? load_dnnl(p, 1)
                                                                : "no such peer";
            printf(why == NULL ? "ok\n" : "error %s\n", why);
        } else if (sscanf(line, "run %d %d", &id, &count) == 2 && id >= 0 && id < MOST && products[id].kind != 0) {
            const double cpu = now(CLOCK_THREAD_CPUTIME_ID), start = now(CLOCK_MONOTONIC_RAW);
            for (int i = 0; i < count; i++) {
                run(&products[id]);
            }
            const double wall = now(CLOCK_MONOTONIC_RAW) - start;
            printf("ok %.0f %.0f\n", wall, now(CLOCK_THREAD_CPUTIME_ID) - cpu);
        } else if (strncmp(line, "load ", 5) == 0) {
            printf("error no such peer\n");
        } else {
            printf("error not understood\n");
        }
        fflush(stdout);
    }
    return 0;
}
