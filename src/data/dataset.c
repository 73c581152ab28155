#include "data/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "data/dataset_private.h"
#include "data/picture.h"

#define MAX_CLASSES 100000
#define MAX_FILE_BYTES ((size_t)8 << 30)

/* ---- order and parts ---- */

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

void pare_items_shuffle(struct pare_item *items, int n, uint64_t seed)
{
    for (int i = n - 1; i > 0; i--) {
        const int j = (int)(splitmix(&seed) % (uint64_t)(i + 1));
        const struct pare_item t = items[i];
        items[i] = items[j];
        items[j] = t;
    }
}

void pare_items_part(const struct pare_data_spec *spec, int n, int *begin, int *end)
{
    const double to = spec->part_end > 0 ? spec->part_end : 1;
    *begin = (int)floor(spec->part_begin * n + 0.5);
    *end = (int)floor(to * n + 0.5);
    *begin = *begin < 0 ? 0 : *begin > n ? n : *begin;
    *end = *end < *begin ? *begin : *end > n ? n : *end;
}

/* ---- arrays ---- */

static enum pare_status read_label(const struct pare_dataset *d, int64_t i, int *label,
                                   struct pare_error *err)
{
    const struct pare_npy *a = &d->arrays[PARE_NPZ_LABEL];
    *label = -1;
    if (d->bytes[PARE_NPZ_LABEL] == NULL) {
        return PARE_OK;
    }
    const double x = pare_npy_element(a, i);
    const int limit = d->spec.n_classes > 0 ? d->spec.n_classes : MAX_CLASSES;
    if (!(x >= -1 && x < limit)) {
        return pare_error(err, PARE_ERR_FORMAT, d->root, "label %lld is %.17g, expected -1 to %d",
                          (long long)i, x, limit - 1);
    }
    *label = (int)x;
    return PARE_OK;
}

static enum pare_status check_arrays(struct pare_dataset *d, struct pare_error *err)
{
    const struct pare_npy *image = &d->arrays[PARE_NPZ_IMAGE];
    if (d->bytes[PARE_NPZ_IMAGE] == NULL || image->rank < 1) {
        return pare_error(err, PARE_ERR_FORMAT, d->root, "there is no array 'image' (N, ...)");
    }
    for (int k = PARE_NPZ_LABEL; k < PARE_NPZ_COUNT; k++) {
        const struct pare_npy *a = &d->arrays[k];
        if (d->bytes[k] != NULL && (a->rank < 1 || a->dims[0] != image->dims[0])) {
            return pare_error(err, PARE_ERR_FORMAT, d->root,
                              "array '%s' has %lld items, 'image' %lld",
                              k == PARE_NPZ_LABEL ? "label" : "target",
                              a->rank < 1 ? 1LL : (long long)a->dims[0], (long long)image->dims[0]);
        }
    }
    const struct pare_npy *label = &d->arrays[PARE_NPZ_LABEL];
    if (d->bytes[PARE_NPZ_LABEL] != NULL &&
        (label->kind == 'f' || label->elements != image->dims[0])) {
        return pare_error(err, PARE_ERR_FORMAT, d->root,
                          "array 'label' must hold one integer per item");
    }
    if (image->dims[0] > 1 << 24) {
        return pare_error(err, PARE_ERR_FORMAT, d->root, "more than 2^24 items");
    }
    return PARE_OK;
}

/* Values that are not finite are told, not hidden. */
static void count_nonfinite(struct pare_dataset *d)
{
    const struct pare_npy *a = &d->arrays[PARE_NPZ_IMAGE];
    int64_t n = 0;
    for (int64_t i = 0; a->kind == 'f' && i < a->elements; i++) {
        n += !isfinite(pare_npy_element(a, i));
    }
    if (n > 0) {
        d->warning =
            pare_arena_printf(&d->arena, "%lld values of 'image' are not finite", (long long)n);
    }
}

static enum pare_status index_arrays(struct pare_dataset *d, struct pare_error *err)
{
    enum pare_status status = check_arrays(d, err);
    if (status != PARE_OK) {
        return status;
    }
    const int n = (int)d->arrays[PARE_NPZ_IMAGE].dims[0];
    int begin, end;
    d->items = calloc((size_t)n + 1, sizeof *d->items);
    if (d->items == NULL) {
        return pare_error_nomem(err);
    }
    for (int i = 0; i < n; i++) {
        d->items[i].row = i;
        status = read_label(d, i, &d->items[i].label, err);
        if (status != PARE_OK) {
            return status;
        }
        d->n_classes = d->items[i].label >= d->n_classes ? d->items[i].label + 1 : d->n_classes;
    }
    if (d->spec.n_classes > 0) {
        d->n_classes = d->spec.n_classes;
        d->classes = (const char **)(uintptr_t)d->spec.classes;
    }
    pare_items_part(&d->spec, n, &begin, &end);
    if (d->spec.seed != 0 || end - begin < n) {
        pare_items_shuffle(d->items, n, d->spec.seed);
    }
    d->n_items = end - begin;
    memmove(d->items, d->items + begin, (size_t)d->n_items * sizeof *d->items);
    count_nonfinite(d);
    return PARE_OK;
}

/* ---- opening ---- */

static bool ends_with(const char *s, const char *ending)
{
    const size_t n = strlen(s), m = strlen(ending);
    return n >= m && strcmp(s + n - m, ending) == 0;
}

static enum pare_status open_idx(struct pare_dataset *d, struct pare_error *err)
{
    struct pare_npy *image = &d->arrays[PARE_NPZ_IMAGE];
    enum pare_status status = pare_idx_read(d->root, &d->bytes[PARE_NPZ_IMAGE], image, err);
    if (status != PARE_OK) {
        return status;
    }
    d->add_channel = image->rank == 3;
    const char *at = strstr(d->root, "images-idx");
    if (at == NULL || at[10] == '\0') {
        return PARE_OK;
    }
    const char *labels =
        pare_arena_printf(&d->arena, "%.*slabels-idx1%s", (int)(at - d->root), d->root, at + 11);
    if (labels == NULL) {
        return pare_error_nomem(err);
    }
    if (pare_is_file(labels)) {
        d->files[1] = labels;
        status = pare_idx_read(labels, &d->bytes[PARE_NPZ_LABEL], &d->arrays[PARE_NPZ_LABEL], err);
    }
    return status;
}

static enum pare_status open_npy(struct pare_dataset *d, struct pare_error *err)
{
    struct pare_file file;
    enum pare_status status = pare_file_open(d->root, MAX_FILE_BYTES, &file, err);
    if (status != PARE_OK) {
        return status;
    }
    unsigned char *copy =
        malloc(file.size > 0 ? file.size : 1); /* the file may change while we use it */
    if (copy == NULL) {
        status = pare_error_nomem(err);
    } else {
        if (file.size > 0) {
            memcpy(copy, file.data, file.size);
        }
        d->bytes[PARE_NPZ_IMAGE] = copy;
        status = pare_npy_parse(copy, file.size, d->root, &d->arrays[PARE_NPZ_IMAGE], err);
    }
    pare_file_close(&file);
    return status;
}

static enum pare_status open_any(struct pare_dataset *d, struct pare_error *err)
{
    if (pare_is_dir(d->root)) {
        return pare_folder_index(d, err);
    }
    enum pare_status status;
    d->files[0] = d->root;
    if (ends_with(d->root, ".npz")) {
        status = pare_npz_read(d->root, d->bytes, d->arrays, err);
    } else if (ends_with(d->root, ".npy")) {
        status = open_npy(d, err);
    } else if (strstr(d->root, "idx") != NULL) {
        status = open_idx(d, err);
    } else {
        return pare_error(err, PARE_ERR_FORMAT, d->root,
                          "expected a folder of class folders, a .npz, a .npy or an IDX file");
    }
    return status == PARE_OK ? index_arrays(d, err) : status;
}

enum pare_status pare_dataset_open(const struct pare_data_spec *spec, struct pare_dataset **out,
                                   struct pare_error *err)
{
    struct pare_dataset *d = calloc(1, sizeof *d);
    *out = NULL;
    if (d == NULL) {
        return pare_error_nomem(err);
    }
    d->spec = *spec;
    d->root = pare_arena_strdup(&d->arena, spec->path);
    enum pare_status status = d->root == NULL ? pare_error_nomem(err) : open_any(d, err);
    if (status == PARE_OK && spec->limit > 0 && d->n_items > spec->limit) {
        d->n_items = spec->limit;
    }
    if (status == PARE_OK && d->n_items == 0) {
        status = pare_error(err, PARE_ERR_FORMAT, d->root, "there are no samples");
    }
    if (status != PARE_OK) {
        pare_dataset_free(d);
        return status;
    }
    *out = d;
    return PARE_OK;
}

void pare_dataset_free(struct pare_dataset *d)
{
    if (d == NULL) {
        return;
    }
    for (int k = 0; k < PARE_NPZ_COUNT; k++) {
        free(d->bytes[k]);
    }
    free(d->items);
    pare_arena_clear(&d->arena);
    free(d);
}

/* ---- reading ---- */

int pare_dataset_count(const struct pare_dataset *d)
{
    return d->n_items;
}

int pare_dataset_class_count(const struct pare_dataset *d)
{
    return d->n_classes;
}

const char *pare_dataset_class_name(const struct pare_dataset *d, int i)
{
    return d->classes != NULL && i >= 0 && i < d->n_classes ? d->classes[i] : "";
}

int pare_dataset_label(const struct pare_dataset *d, int i)
{
    return i >= 0 && i < d->n_items ? d->items[i].label : -1;
}

const char *pare_dataset_item_name(const struct pare_dataset *d, int i)
{
    return d->pictures && i >= 0 && i < d->n_items ? d->items[i].path : "";
}

const char *pare_dataset_warning(const struct pare_dataset *d)
{
    return d->warning;
}

/* A border of zeros around [1,h,w,c]. */
static enum pare_status add_border(int border, struct pare_arena *arena, int64_t *dims,
                                   float **data, struct pare_error *err)
{
    const int64_t h = dims[1], w = dims[2], c = dims[3], b = border;
    float *wide =
        pare_arena_array(arena, (size_t)(h + 2 * b), (size_t)((w + 2 * b) * c) * sizeof *wide);
    if (wide == NULL) {
        return pare_error_nomem(err);
    }
    for (int64_t y = 0; y < h; y++) {
        memcpy(wide + ((y + b) * (w + 2 * b) + b) * c, *data + y * w * c,
               (size_t)(w * c) * sizeof *wide);
    }
    dims[1] += 2 * b;
    dims[2] += 2 * b;
    *data = wide;
    return PARE_OK;
}

static enum pare_status picture_values(const struct pare_dataset *d, int i,
                                       struct pare_arena *arena, int64_t *dims, float **data,
                                       struct pare_error *err)
{
    struct pare_picture picture;
    const char *path = pare_arena_printf(arena, "%s/%s", d->root, d->items[i].path);
    if (path == NULL) {
        return pare_error_nomem(err);
    }
    const enum pare_status status = pare_picture_read(path, arena, &picture, err);
    if (status != PARE_OK) {
        return status;
    }
    const size_t n = 3 * (size_t)picture.width * (size_t)picture.height;
    *data = pare_arena_array(arena, n, sizeof **data);
    if (*data == NULL) {
        return pare_error_nomem(err);
    }
    for (size_t k = 0; k < n; k++) {
        (*data)[k] = d->spec.keep_float ? (float)picture.rgb[k] : (float)picture.rgb[k] / 255.0f;
    }
    dims[0] = 1;
    dims[1] = picture.height;
    dims[2] = picture.width;
    dims[3] = 3;
    return PARE_OK;
}

static enum pare_status array_values(const struct pare_npy *a, int64_t row, bool divide,
                                     struct pare_arena *arena, int *rank, int64_t *dims,
                                     float **data, struct pare_error *err)
{
    const int64_t n = a->dims[0] > 0 ? a->elements / a->dims[0] : 0;
    *rank = a->rank > 1 ? a->rank : 2;
    dims[0] = dims[1] = 1;
    for (int k = 1; k < a->rank; k++) {
        dims[k] = a->dims[k];
    }
    *data = pare_arena_array(arena, (size_t)n, sizeof **data);
    if (*data == NULL) {
        return pare_error_nomem(err);
    }
    pare_npy_item(a, row, *data);
    for (int64_t k = 0; divide && k < n; k++) {
        (*data)[k] /= 255.0f;
    }
    return PARE_OK;
}

enum pare_status pare_dataset_image(const struct pare_dataset *d, int i, struct pare_arena *arena,
                                    int *rank, int64_t *dims, float **data, struct pare_error *err)
{
    enum pare_status status;
    if (i < 0 || i >= d->n_items) {
        return pare_error(err, PARE_ERR_INTERNAL, d->root, "there is no sample %d", i);
    }
    if (d->pictures) {
        *rank = 4;
        status = picture_values(d, i, arena, dims, data, err);
    } else {
        const struct pare_npy *a = &d->arrays[PARE_NPZ_IMAGE];
        const bool divide = a->kind == 'u' && a->size == 1 && !d->spec.keep_float;
        status = array_values(a, d->items[i].row, divide, arena, rank, dims, data, err);
        if (status == PARE_OK && d->add_channel) {
            dims[(*rank)++] = 1;
        }
    }
    if (status == PARE_OK && d->spec.border > 0 && *rank == 4) {
        status = add_border(d->spec.border, arena, dims, data, err);
    }
    return status;
}

enum pare_status pare_dataset_target(const struct pare_dataset *d, int i, struct pare_arena *arena,
                                     int *rank, int64_t *dims, float **data, struct pare_error *err)
{
    *data = NULL;
    *rank = 0;
    if (d->bytes[PARE_NPZ_TARGET] == NULL || i < 0 || i >= d->n_items) {
        return PARE_OK;
    }
    return array_values(&d->arrays[PARE_NPZ_TARGET], d->items[i].row, false, arena, rank, dims,
                        data, err);
}

/* ---- the hash ---- */

static enum pare_status hash_file(struct pare_hash *h, const char *path, struct pare_error *err)
{
    struct pare_file file;
    const enum pare_status status = pare_file_open(path, MAX_FILE_BYTES, &file, err);
    if (status == PARE_OK) {
        const uint64_t size = file.size;
        pare_hash_add(h, &size, sizeof size);
        pare_hash_add(h, file.data, file.size);
        pare_file_close(&file);
    }
    return status;
}

/* Names, labels, bytes and the options that change samples. */
static enum pare_status hash_all(const struct pare_dataset *d, struct pare_hash *h,
                                 struct pare_error *err)
{
    const int64_t options[3] = {d->n_items, d->spec.border, d->spec.keep_float};
    enum pare_status status = PARE_OK;
    struct pare_arena arena = {NULL, 0};
    pare_hash_add(h, options, sizeof options);
    for (int k = 0; k < 2 && status == PARE_OK; k++) {
        status = d->files[k] != NULL ? hash_file(h, d->files[k], err) : PARE_OK;
    }
    for (int i = 0; i < d->n_items && status == PARE_OK; i++) {
        const int64_t numbers[2] = {d->items[i].label, d->items[i].row};
        pare_hash_add(h, numbers, sizeof numbers);
        if (d->pictures) {
            const char *path = pare_arena_printf(&arena, "%s/%s", d->root, d->items[i].path);
            pare_hash_add_string(h, d->items[i].path);
            status = path == NULL ? pare_error_nomem(err) : hash_file(h, path, err);
        }
    }
    pare_arena_clear(&arena);
    return status;
}

enum pare_status pare_dataset_hash(struct pare_dataset *d, char hex[33], struct pare_error *err)
{
    if (d->hash[0] == '\0') {
        struct pare_hash h;
        char result[33];
        if (pare_hash_init(&h) != PARE_OK) {
            return pare_error_nomem(err);
        }
        const enum pare_status status = hash_all(d, &h, err);
        pare_hash_final(&h, result);
        if (status != PARE_OK) {
            return status;
        }
        memcpy(d->hash, result, sizeof d->hash);
    }
    memcpy(hex, d->hash, 33);
    return PARE_OK;
}
