/*
 * dataset_private.h: what the files of data/ share about a dataset.
 */
#ifndef PARE_DATASET_PRIVATE_H
#define PARE_DATASET_PRIVATE_H

#include "data/dataset.h"
#include "data/npy.h"

struct pare_item {
    int label;
    int64_t row;      /* arrays: index along the first axis */
    const char *path; /* pictures: below `root` ("1/IMG_1118.JPG") */
};

struct pare_dataset {
    struct pare_arena arena;
    struct pare_data_spec spec; /* its lists belong to the caller, who keeps them */
    const char *root;
    int n_items;
    struct pare_item *items;
    int n_classes;
    const char **classes; /* [n_classes], or NULL when names are unknown */
    bool pictures;
    bool add_channel; /* IDX pictures [N,H,W] become [1,H,W,1] */
    unsigned char *bytes[PARE_NPZ_COUNT];
    struct pare_npy arrays[PARE_NPZ_COUNT];
    const char *files[2]; /* for the hash of array data */
    const char *warning;
    char hash[33]; /* "" until asked for */
};

/* folder.c: fills items and classes from a folder of class folders. */
enum pare_status pare_folder_index(struct pare_dataset *d, struct pare_error *err);

/* Shuffles n items by seed (Fisher-Yates on splitmix64: the same everywhere). */
void pare_items_shuffle(struct pare_item *items, int n, uint64_t seed);
/* [begin, end) of n as indices. */
void pare_items_part(const struct pare_data_spec *spec, int n, int *begin, int *end);

#endif
