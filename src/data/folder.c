#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "data/dataset_private.h"

#define MAX_ITEMS 10000000
#define MAX_CLASSES 100000

/* A growing list of names in the dataset's arena. */
struct names {
    const char **at;
    int n, capacity;
};

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool add_name(struct names *list, const char *name)
{
    if (list->n == list->capacity) {
        const int capacity = list->capacity > 0 ? 2 * list->capacity : 256;
        void *p = realloc((void *)list->at, (size_t)capacity * sizeof *list->at);
        if (p == NULL) {
            return false;
        }
        list->at = p;
        list->capacity = capacity;
    }
    list->at[list->n++] = name;
    return true;
}

static bool is_picture(const char *name)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png"};
    const char *dot = strrchr(name, '.');
    for (int i = 0; dot != NULL && i < 3; i++) {
        if (strcasecmp(dot, endings[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Sorted names of a folder's entries: subfolders or pictures. Hidden ones are left out. */
static enum pare_status list(struct pare_dataset *d, const char *dir, bool folders, int max,
                             struct names *out, struct pare_error *err)
{
    DIR *handle = opendir(dir);
    enum pare_status status = PARE_OK;
    const struct dirent *entry;
    if (handle == NULL) {
        return pare_error(err, PARE_ERR_NOINPUT, dir, "this folder cannot be read");
    }
    while (status == PARE_OK && (entry = readdir(handle)) != NULL) {
        if (entry->d_name[0] == '.' || (!folders && !is_picture(entry->d_name))) {
            continue;
        }
        if (folders) {
            const char *path = pare_arena_printf(&d->arena, "%s/%s", dir, entry->d_name);
            if (path == NULL) {
                status = pare_error_nomem(err);
                break;
            }
            if (!pare_is_dir(path)) {
                continue;
            }
        }
        const char *name = pare_arena_strdup(&d->arena, entry->d_name);
        if (name == NULL || !add_name(out, name)) {
            status = pare_error_nomem(err);
        } else if (out->n > max) {
            status = pare_error(err, PARE_ERR_FORMAT, dir, "more than %d entries", max);
        }
    }
    closedir(handle);
    if (status == PARE_OK && out->n > 1) {
        qsort((void *)out->at, (size_t)out->n, sizeof *out->at, by_bytes);
    }
    return status;
}

static uint64_t name_seed(uint64_t seed, const char *name)
{
    for (; *name != '\0'; name++) { /* FNV-1a */
        seed = (seed ^ (unsigned char)*name) * 1099511628211u;
    }
    return seed;
}

/* Appends one class folder's part of the pictures. */
static enum pare_status add_folder(struct pare_dataset *d, const char *name, int label,
                                   int *capacity, struct pare_error *err)
{
    struct names files = {NULL, 0, 0};
    struct pare_item *items = NULL;
    int begin, end;
    const char *dir = pare_arena_printf(&d->arena, "%s/%s", d->root, name);
    enum pare_status status =
        dir == NULL ? pare_error_nomem(err) : list(d, dir, false, MAX_ITEMS, &files, err);
    if (status != PARE_OK || files.n == 0) {
        goto out;
    }
    if (d->n_items + files.n > *capacity) {
        const int wanted = 2 * (d->n_items + files.n);
        void *p = wanted > MAX_ITEMS ? NULL : realloc(d->items, (size_t)wanted * sizeof *d->items);
        if (p == NULL) {
            status = pare_error_nomem(err);
            goto out;
        }
        d->items = p;
        *capacity = wanted;
    }
    items = calloc((size_t)files.n, sizeof *items);
    if (items == NULL) {
        status = pare_error_nomem(err);
        goto out;
    }
    for (int i = 0; i < files.n; i++) {
        items[i].label = label;
        items[i].path = pare_arena_printf(&d->arena, "%s/%s", name, files.at[i]);
        if (items[i].path == NULL) {
            status = pare_error_nomem(err);
            goto out;
        }
    }
    pare_items_shuffle(items, files.n, name_seed(d->spec.seed, name));
    pare_items_part(&d->spec, files.n, &begin, &end);
    memcpy(d->items + d->n_items, items + begin, (size_t)(end - begin) * sizeof *items);
    d->n_items += end - begin;
out:
    free(items);
    free((void *)files.at);
    return status;
}

/* Label of a folder: from the spec's list of folders or of classes; -2 = not used. */
static int folder_label(const struct pare_data_spec *spec, const char *name, int position)
{
    for (int i = 0; i < spec->n_folders; i++) {
        if (strcmp(spec->folders[i], name) == 0) {
            return spec->folder_labels[i];
        }
    }
    for (int i = 0; spec->n_folders == 0 && i < spec->n_classes; i++) {
        if (strcmp(spec->classes[i], name) == 0) {
            return i;
        }
    }
    return spec->n_folders > 0 || spec->n_classes > 0 ? -2 : position;
}

static enum pare_status add_all(struct pare_dataset *d, const struct names *folders,
                                struct pare_error *err)
{
    int capacity = 0, used = 0;
    for (int i = 0; i < folders->n; i++) {
        const int label = folder_label(&d->spec, folders->at[i], i);
        if (label == -2) {
            if (d->spec.n_folders == 0) {
                return pare_error(err, PARE_ERR_FORMAT, d->root,
                                  "folder '%s' is none of the classes", folders->at[i]);
            }
            continue;
        }
        used++;
        const enum pare_status status = add_folder(d, folders->at[i], label, &capacity, err);
        if (status != PARE_OK) {
            return status;
        }
    }
    if (used < d->spec.n_folders) {
        return pare_error(err, PARE_ERR_FORMAT, d->root, "%d of %d folders are there", used,
                          d->spec.n_folders);
    }
    return PARE_OK;
}

enum pare_status pare_folder_index(struct pare_dataset *d, struct pare_error *err)
{
    struct names folders = {NULL, 0, 0};
    d->pictures = true;
    enum pare_status status = list(d, d->root, true, MAX_CLASSES, &folders, err);
    if (status == PARE_OK) {
        status = add_all(d, &folders, err);
    }
    if (status == PARE_OK) {
        pare_items_shuffle(d->items, d->n_items, d->spec.seed);
        d->n_classes = d->spec.n_classes > 0 ? d->spec.n_classes : folders.n;
        d->classes = pare_arena_array(&d->arena, (size_t)d->n_classes, sizeof *d->classes);
        if (d->classes == NULL) {
            status = pare_error_nomem(err);
        }
        for (int i = 0; status == PARE_OK && i < d->n_classes; i++) {
            d->classes[i] = d->spec.n_classes > 0 ? d->spec.classes[i] : folders.at[i];
        }
    }
    free((void *)folders.at);
    return status;
}
