/*
 * npy.h: NumPy's array files. Private to data/.
 *
 * Format: "\x93NUMPY", version (1.0: u16 header length; 2.0, 3.0: u32, little-endian), then a
 * header that is the text of a Python dictionary with exactly the keys descr, fortran_order and
 * shape, padded with spaces and ended by a newline, then the elements. The header is read by a
 * strict tokenizer: it is never code. Refused: pickled objects, structures, strings, complex
 * numbers, sizes that do not agree with the file's.
 */
#ifndef PARE_NPY_H
#define PARE_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define PARE_NPY_MAX_RANK 8

struct pare_npy {
    char kind; /* 'f', 'i', 'u' or 'b' */
    int size;  /* bytes of an element */
    bool big_endian, fortran;
    int rank;
    int64_t dims[PARE_NPY_MAX_RANK];
    int64_t elements;
    const unsigned char *data;
};

/* Parses size bytes; data stays the caller's and must outlive npy. `where` names it in messages. */
enum pare_status pare_npy_parse(const void *data, size_t size, const char *where,
                                struct pare_npy *npy, struct pare_error *err);
/* Elements of item i of the first axis (rank >= 1), in C order, as double. out[elements / dims[0]].
 */
void pare_npy_item(const struct pare_npy *npy, int64_t i, float *out);
/* Element at flat position i of memory, exact up to 2^53. */
double pare_npy_element(const struct pare_npy *npy, int64_t i);

/* npz.c: the arrays image, label and target of a .npz (the zip entries NAME.npy). bytes[] are
 * malloc'ed and the caller's; an absent array has bytes NULL. */
enum { PARE_NPZ_IMAGE, PARE_NPZ_LABEL, PARE_NPZ_TARGET, PARE_NPZ_COUNT };
enum pare_status pare_npz_read(const char *path, unsigned char *bytes[PARE_NPZ_COUNT],
                               struct pare_npy arrays[PARE_NPZ_COUNT], struct pare_error *err);

/* idx.c: an IDX file, plain or gzip, as an array. *bytes is malloc'ed and the caller's. */
enum pare_status pare_idx_read(const char *path, unsigned char **bytes, struct pare_npy *array,
                               struct pare_error *err);

#endif
