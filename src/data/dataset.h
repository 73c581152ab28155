/*
 * dataset.h: labelled samples from a .npz (arrays `image`, `label`, optional `target`), a folder of classes of
 * pictures (jpeg, png), or a pair of IDX files. Indexed at open; pictures are decoded one at a time.
 */
#ifndef PARE_DATASET_H
#define PARE_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

struct pare_dataset;

/* What a pipeline says of a split. Only `path` is required. */
struct pare_data_spec {
    const char *path;            /* resolved */
    int n_classes;
    const char *const *classes;  /* folder name i = class i; NULL = all folders, sorted by byte */
    /* When n_folders > 0: these folders only, folder i has label folder_labels[i] (-1 = none). */
    int n_folders;
    const char *const *folders;
    const int *folder_labels;
    int border;                  /* black border added on every side, pixels */
    /* a disjoint part of the same folder: samples are shuffled by seed, then [part_begin, part_end) of 1.0 */
    uint64_t seed;
    double part_begin, part_end; /* 0, 1 = all, in listing order (no shuffle when seed == 0) */
    int limit;                   /* at most this many; 0 = all */
    bool keep_float;             /* array values are used as they are; u8 images are divided by 255 */
};

enum pare_status pare_dataset_open(const struct pare_data_spec *spec, struct pare_dataset **d,
                                   struct pare_error *err);
void pare_dataset_free(struct pare_dataset *d);
int pare_dataset_count(const struct pare_dataset *d);
int pare_dataset_class_count(const struct pare_dataset *d);
const char *pare_dataset_class_name(const struct pare_dataset *d, int i);
int pare_dataset_label(const struct pare_dataset *d, int i); /* -1 = none */
const char *pare_dataset_item_name(const struct pare_dataset *d, int i); /* "1/IMG_1118.JPG", or "" */
/* Sample i as float32: dims[rank] filled, [1,H,W,C] for pictures. Memory from arena. */
enum pare_status pare_dataset_image(const struct pare_dataset *d, int i, struct pare_arena *arena,
                                    int *rank, int64_t *dims, float **data, struct pare_error *err);
/* Array `target` of sample i; *data = NULL when the data has none. */
enum pare_status pare_dataset_target(const struct pare_dataset *d, int i, struct pare_arena *arena,
                                     int *rank, int64_t *dims, float **data, struct pare_error *err);
/* Content hash for job keys: file bytes (npz, idx), or names, sizes and bytes of all pictures. 32 hex digits. */
enum pare_status pare_dataset_hash(struct pare_dataset *d, char hex[33], struct pare_error *err);

#endif
