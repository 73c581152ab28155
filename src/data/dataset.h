/*
 * dataset.h: labelled samples from a .npz (arrays `image`, `label`, optional `target`), a folder of
 * classes of pictures (jpeg, png), or a pair of IDX files (NAME-images-idx3-..., labels beside it
 * as NAME-labels-idx1-...). Indexed at open; pictures are decoded one at a time.
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
    const char *path; /* resolved */
    int n_classes;
    const char *const *classes; /* folder name i = class i; NULL = all folders, sorted by byte */
    /* When n_folders > 0: these folders only, folder i has label folder_labels[i] (-1 = none). */
    int n_folders;
    const char *const *folders;
    const int *folder_labels;
    int border; /* black border added on every side, pixels */
    /* A disjoint part of the same data. Pictures: every class folder is shuffled by seed and its
     * name, then [part_begin, part_end) of it is taken, so that parts of one seed never overlap,
     * whichever folders they use; then all are shuffled, so that the first n samples are of all
     * classes. Arrays: shuffled when seed != 0 or a part is taken. */
    uint64_t seed;
    double part_begin, part_end; /* 0, 1 = all; part_end 0 means 1 */
    int limit;                   /* at most this many; 0 = all */
    bool
        keep_float; /* false: u8 arrays and pictures are divided by 255; true: nothing is divided */
};

/* Lists in spec (classes, folders) must outlive the dataset. */
enum pare_status pare_dataset_open(const struct pare_data_spec *spec, struct pare_dataset **d,
                                   struct pare_error *err);
void pare_dataset_free(struct pare_dataset *d);
int pare_dataset_count(const struct pare_dataset *d);
int pare_dataset_class_count(const struct pare_dataset *d);
const char *pare_dataset_class_name(const struct pare_dataset *d, int i);
int pare_dataset_label(const struct pare_dataset *d, int i); /* -1 = none */
const char *pare_dataset_item_name(const struct pare_dataset *d,
                                   int i); /* "1/IMG_1118.JPG", or "" */
/* Sample i as float32: dims[rank] filled, [1,H,W,C] for pictures. Memory from arena. */
enum pare_status pare_dataset_image(const struct pare_dataset *d, int i, struct pare_arena *arena,
                                    int *rank, int64_t *dims, float **data, struct pare_error *err);
/* Array `target` of sample i; *data = NULL when the data has none. */
enum pare_status pare_dataset_target(const struct pare_dataset *d, int i, struct pare_arena *arena,
                                     int *rank, int64_t *dims, float **data,
                                     struct pare_error *err);
/* A remark to show ("12 values are not finite"), or NULL. */
const char *pare_dataset_warning(const struct pare_dataset *d);
/* Content hash for job keys: file bytes (npz, idx), or names, sizes and bytes of all pictures. 32
 * hex digits. */
enum pare_status pare_dataset_hash(struct pare_dataset *d, char hex[33], struct pare_error *err);

#endif
