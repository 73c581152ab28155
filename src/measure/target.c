#include "measure/target.h"

#include <ctype.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "measure/bench_kernels.h"
#include "measure/stopwatch.h"
#include "measure/target_parts.h"

enum { MOST_BYTES = 1 << 20 };
static const char rpi3[] = "rpi3";

const char *pare_basis_name(enum pare_basis basis)
{
    static const char *const names[] = {"measured", "predicted", "derived"};
    return names[basis];
}

bool target_same_shape(const struct pk_conv *a, const struct pk_conv *b)
{
    return a->in_h == b->in_h && a->in_w == b->in_w && a->in_c == b->in_c && a->out_h == b->out_h && a->out_w == b->out_w &&
           a->out_c == b->out_c && a->kernel_h == b->kernel_h && a->kernel_w == b->kernel_w && a->stride_h == b->stride_h &&
           a->stride_w == b->stride_w && a->groups == b->groups && a->dilation_h == b->dilation_h && a->dilation_w == b->dilation_w;
}

/* ---- fits ---- */

static int level_at(struct pare_target *t, struct pare_level level)
{
    for (int i = 0; i < t->n_levels; i++) {
        if (pare_level_equal(t->levels[i], level)) {
            return i;
        }
    }
    if (t->n_levels == TARGET_LEVELS) {
        return -1;
    }
    t->levels[t->n_levels] = level;
    return t->n_levels++;
}

/* Of the kernels measured on one shape at one level the fastest counts, AMX by its slow state. */
static int best_rows(const struct pare_target *t, int kind, struct pare_level level, struct pare_predict_row *out)
{
    int n = 0;
    for (int i = 0; i < t->n; i++) {
        const struct pare_target_row *r = &t->rows[i];
        int at = 0;
        if (r->kind != kind || !pare_level_equal(r->level, level)) {
            continue;
        }
        while (at < n && !target_same_shape(&out[at].conv, &r->conv)) {
            at++;
        }
        if (at == n) {
            out[n++] = (struct pare_predict_row){r->conv, r->us_slow};
        } else if (r->us_slow < out[at].us) {
            out[at].us = r->us_slow;
        }
    }
    return n;
}

static enum pare_status fit_all(struct pare_target *t, struct pare_error *err)
{
    struct pare_predict_row *rows = calloc((size_t)t->n + 1, sizeof *rows);
    if (rows == NULL) {
        return pare_error_nomem(err);
    }
    for (int i = 0; i < t->n; i++) {
        (void)level_at(t, t->rows[i].level);
    }
    for (int l = 0; l < t->n_levels; l++) {
        for (int k = 0; k < TARGET_KINDS; k++) {
            const int n = best_rows(t, k, t->levels[l], rows);
            t->fits[l][k].there = n > 0 && pare_predictor_fit(rows, n, k == PARE_KERNEL_DEPTHWISE, &t->fits[l][k].p);
        }
    }
    free(rows);
    return PARE_OK;
}

const struct pare_predictor *pare_target_predictor(const struct pare_target *t, int kind, struct pare_level level)
{
    for (int l = 0; l < t->n_levels; l++) {
        if (pare_level_equal(t->levels[l], level)) {
            return t->fits[l][kind].there ? &t->fits[l][kind].p : NULL;
        }
    }
    return NULL;
}

/* Time of exactly this shape at this level, NaN. */
static double row_us(const struct pare_target *t, int kind, struct pare_level level, const struct pk_conv *conv)
{
    double us = NAN;
    for (int i = 0; i < t->n; i++) {
        const struct pare_target_row *r = &t->rows[i];
        if (r->kind == kind && pare_level_equal(r->level, level) && target_same_shape(&r->conv, conv) && !(us <= r->us_slow)) {
            us = r->us_slow;
        }
    }
    return us;
}

/* The narrowest level with rows of this kind that runs this one: as many bits or more in both. */
static bool runs_at(const struct pare_target *t, int kind, struct pare_level level, struct pare_level *as)
{
    bool found = false;
    if (level.kind != PARE_LEVEL_INT && level.kind != PARE_LEVEL_FP16 && level.kind != PARE_LEVEL_FP32) {
        return false;
    }
    for (int l = 0; l < t->n_levels; l++) {
        const struct pare_level o = t->levels[l];
        const bool able = o.kind == level.kind && o.w_bits >= level.w_bits && o.a_bits >= level.a_bits &&
                          (t->fits[l][kind].there || pare_level_equal(o, level));
        if (able && (!found || o.w_bits + o.a_bits < as->w_bits + as->a_bits)) {
            *as = o;
            found = true;
        }
    }
    if (!found && level.kind == PARE_LEVEL_FP16) {
        return runs_at(t, kind, (struct pare_level){PARE_LEVEL_FP32, 32, 32}, as);
    }
    return found;
}

double pare_target_us(const struct pare_target *t, int kind, struct pare_level level, const struct pk_conv *conv,
                      enum pare_basis *basis, double *error)
{
    struct pare_level as;
    *basis = PARE_BASIS_DERIVED;
    *error = 0.3;
    if (pare_level_simulated(level)) {
        return NAN; /* no kernel anywhere */
    }
    if (t->derived) {
        return target_rpi3_us(kind, level, conv);
    }
    *basis = PARE_BASIS_MEASURED;
    *error = 0;
    if (level.kind == PARE_LEVEL_INT && level.a_bits == 32) {
        level = (struct pare_level){PARE_LEVEL_FP32, 32, 32}; /* weights only: fp32 arithmetic */
    }
    if (!runs_at(t, kind, level, &as)) {
        return NAN;
    }
    const double us = row_us(t, kind, as, conv);
    if (isfinite(us)) {
        return us;
    }
    const struct pare_predictor *p = pare_target_predictor(t, kind, as);
    *basis = PARE_BASIS_PREDICTED;
    *error = p != NULL ? p->error : NAN;
    return p != NULL ? pare_predictor_us(p, conv) : NAN;
}

bool pare_target_extrapolates(const struct pare_target *t, int kind, struct pare_level level, const struct pk_conv *conv)
{
    struct pare_level as;
    if (level.kind == PARE_LEVEL_INT && level.a_bits == 32) {
        level = (struct pare_level){PARE_LEVEL_FP32, 32, 32};
    }
    if (t->derived || !runs_at(t, kind, level, &as) || isfinite(row_us(t, kind, as, conv))) {
        return false;
    }
    const struct pare_predictor *p = pare_target_predictor(t, kind, as);
    const double macs = pare_conv_macs(conv, kind == PARE_KERNEL_DEPTHWISE);
    return p != NULL && (macs < p->least_macs || macs > p->most_macs);
}

/* ---- files ---- */

void pare_target_free(struct pare_target *t)
{
    if (t != NULL) {
        free(t->rows);
        free(t);
    }
}

const char *pare_target_name(const struct pare_target *t)
{
    return t->name;
}

const char *pare_target_machine(const struct pare_target *t)
{
    return t->machine;
}

bool pare_target_derived(const struct pare_target *t)
{
    return t->derived;
}

bool pare_target_complete(const struct pare_target *t)
{
    return t->derived || t->complete;
}

bool pare_target_is_here(const struct pare_target *t)
{
    char machine[256];
    int best = PK_REF; /* whatever PARE_ISA asks for */
    for (int i = 0; i < PK_ISA_COUNT; i++) {
        best = pk_isa_supported((enum pk_isa)i) ? i : best;
    }
    pare_watch_machine(machine, sizeof machine);
    return !t->derived && (machine[0] == '\0' || strcmp(machine, t->machine) == 0) &&
           (t->isa[0] == '\0' || strcmp(t->isa, pk_isa_name((enum pk_isa)best)) == 0);
}

int pare_target_row_count(const struct pare_target *t)
{
    return t->n;
}

const struct pare_target_row *pare_target_rows(const struct pare_target *t)
{
    return t->rows;
}

/* The rows of a table, nothing fitted to them. */
static enum pare_status open_rows(const char *path, const char *name, struct pare_target **target, struct pare_error *err)
{
    struct pare_file file;
    struct pare_target *t = calloc(1, sizeof *t);
    *target = NULL;
    enum pare_status status = t == NULL ? pare_error_nomem(err) : pare_file_open(path, MOST_BYTES, &file, err);
    if (status != PARE_OK) {
        free(t);
        return status;
    }
    snprintf(t->name, sizeof t->name, "%s", name);
    status = target_parse(t, (const char *)file.data, file.size, path, err);
    pare_file_close(&file);
    if (status != PARE_OK) {
        pare_target_free(t);
        return status;
    }
    *target = t;
    return PARE_OK;
}

enum pare_status pare_target_open(const char *path, const char *name, struct pare_target **target, struct pare_error *err)
{
    enum pare_status status = open_rows(path, name, target, err);
    if (status == PARE_OK && (status = fit_all(*target, err)) != PARE_OK) {
        pare_target_free(*target);
        *target = NULL;
    }
    return status;
}

static bool good_name(const char *name)
{
    const size_t n = strlen(name);
    for (size_t i = 0; i < n; i++) {
        if (!isalnum((unsigned char)name[i]) && strchr("._-", name[i]) == NULL) {
            return false;
        }
    }
    return n > 0 && n < PARE_TARGET_NAME && name[0] != '.';
}

static enum pare_status targets_folder(char *path, size_t size, struct pare_error *err)
{
    char folder[2048];
    enum pare_status status = pare_user_folder(PARE_USER_DATA, folder, sizeof folder, err);
    if (status == PARE_OK) {
        snprintf(path, size, "%s/targets", folder);
    }
    return status;
}

enum pare_status pare_target_path(const char *name, char *path, size_t size, struct pare_error *err)
{
    char folder[2200];
    if (!good_name(name)) {
        return pare_error(err, PARE_ERR_USAGE, name, "a target's name is letters, digits and . _ -, at most 63 of them");
    }
    enum pare_status status = targets_folder(folder, sizeof folder, err);
    if (status == PARE_OK) {
        snprintf(path, size, "%s/%s.csv", folder, name);
    }
    return status;
}

enum pare_status pare_target_load(const char *name, struct pare_target **target, struct pare_error *err)
{
    char path[4096];
    *target = NULL;
    enum pare_status status = pare_target_path(name, path, sizeof path, err);
    if (status != PARE_OK) {
        return status;
    }
    if (pare_is_file(path)) {
        return pare_target_open(path, name, target, err);
    }
    if (strcmp(name, rpi3) != 0) {
        return pare_error(err, PARE_ERR_NOINPUT, name, "no such target (see pare target list)");
    }
    struct pare_target *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return pare_error_nomem(err);
    }
    t->derived = true;
    snprintf(t->name, sizeof t->name, "%s", rpi3);
    snprintf(t->machine, sizeof t->machine, "Cortex-A53, 1.2 GHz: derived from its limits, not measured, +-30 %%");
    *target = t;
    return PARE_OK;
}

enum pare_status pare_target_import(const char *path, const char *name, char *out_name, struct pare_error *err)
{
    struct pare_target *t;
    struct pare_file file;
    char own[PARE_TARGET_NAME], to[4096], folder[2200];
    if (name == NULL) {
        const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path, *dot = strrchr(base, '.');
        snprintf(own, sizeof own, "%.*s", dot != NULL && dot > base ? (int)(dot - base) : 63, base);
        name = own;
    }
    enum pare_status status = pare_target_path(name, to, sizeof to, err);
    if (status == PARE_OK && strcmp(name, "host") == 0) {
        status = pare_error(err, PARE_ERR_USAGE, name, "host is this machine: pare bench --table measures it (import under another name with --name)");
    }
    if (status == PARE_OK) {
        status = pare_target_open(path, name, &t, err);
    }
    if (status != PARE_OK) {
        return status;
    }
    pare_target_free(t);
    status = targets_folder(folder, sizeof folder, err);
    if (status == PARE_OK) {
        status = pare_make_dirs(folder, err);
    }
    if (status == PARE_OK) {
        status = pare_file_open(path, MOST_BYTES, &file, err);
    }
    if (status == PARE_OK) {
        status = pare_file_write(to, file.data, file.size, err);
        pare_file_close(&file);
    }
    snprintf(out_name, PARE_TARGET_NAME, "%s", name);
    return status;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

int pare_target_names(char (*names)[PARE_TARGET_NAME], int max)
{
    char folder[2200];
    int n = 0;
    DIR *dir = targets_folder(folder, sizeof folder, NULL) == PARE_OK ? opendir(folder) : NULL;
    bool own_rpi3 = false;
    for (struct dirent *e; dir != NULL && n < max - 1 && (e = readdir(dir)) != NULL;) {
        const size_t length = strlen(e->d_name);
        if (length > 4 && length - 4 < PARE_TARGET_NAME && strcmp(e->d_name + length - 4, ".csv") == 0) {
            snprintf(names[n], PARE_TARGET_NAME, "%.*s", (int)(length - 4), e->d_name);
            own_rpi3 = own_rpi3 || strcmp(names[n], rpi3) == 0;
            n += good_name(names[n]);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    if (!own_rpi3 && n < max) {
        snprintf(names[n++], PARE_TARGET_NAME, "%s", rpi3);
    }
    qsort(names, (size_t)n, sizeof *names, by_name);
    return n;
}

/* ---- which kernels run here ---- */

void pare_target_use_host(char hash[40])
{
    static struct pk_choice choices[1024];
    char path[4096];
    struct pare_target *t = NULL;
    struct pare_file file;
    int n = 0, n_entries;
    const struct pare_bench_entry *entries = pare_bench_entries(&n_entries);
    hash[0] = '\0';
    if (pare_target_path("host", path, sizeof path, NULL) != PARE_OK || !pare_is_file(path) ||
        open_rows(path, "host", &t, NULL) != PARE_OK) {
        pk_set_choices(NULL, 0);
        return;
    }
    if (!pare_target_is_here(t)) { /* a home that several machines share, another processor since */
        pare_target_free(t);
        pk_set_choices(NULL, 0);
        return;
    }
    for (int i = 0; i < t->n && n < (int)(sizeof choices / sizeof choices[0]); i++) {
        for (int e = 0; e < n_entries; e++) {
            if (strcmp(entries[e].kernel->name, t->rows[i].kernel) == 0) {
                choices[n++] = (struct pk_choice){entries[e].family, entries[e].isa, t->rows[i].conv, (float)t->rows[i].us_slow};
                break;
            }
        }
    }
    pare_target_free(t);
    pk_set_choices(choices, n);
    if (pare_file_open(path, MOST_BYTES, &file, NULL) == PARE_OK) {
        pare_hash_bytes(file.data, file.size, hash);
        pare_file_close(&file);
    }
}
