/*
 * npz.c: arrays out of a zip file. Entries are read one by one into memory and never written to
 * disk. Refused: more than 1024 entries, two entries of one name, encryption, methods other than
 * store and deflate, an entry that claims more than 1032 times its packed size (deflate's limit) or
 * more than 4 GiB, entries that together claim more packed bytes than the file has (overlapping
 * ones), a file that does not begin with an entry, and every inconsistency that libzip's check
 * finds. Memory grows with the bytes that arrive.
 */
#include "data/npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zip.h>

#include "base/file.h"

#define MAX_ENTRIES 1024
#define MAX_ENTRY_BYTES ((uint64_t)4 << 30)
#define MAX_FILE_BYTES ((size_t)8 << 30)

static const char *const entry_names[PARE_NPZ_COUNT] = {"image.npy", "label.npy", "target.npy"};

/* The first entry lies at the start of the file. */
static enum pare_status check_start(const char *path, uint64_t *size, struct pare_error *err)
{
    struct pare_file file;
    const enum pare_status status = pare_file_open(path, MAX_FILE_BYTES, &file, err);
    if (status != PARE_OK) {
        return status;
    }
    const bool good = file.size > 22 && memcmp(file.data, "PK\3\4", 4) == 0;
    *size = file.size;
    pare_file_close(&file);
    return good ? PARE_OK
                : pare_error(err, PARE_ERR_FORMAT, path, "not an npz file (wrong first bytes)");
}

static enum pare_status check_entry(zip_t *zip, zip_uint64_t i, const char *path, uint64_t *packed,
                                    int *which, struct pare_error *err)
{
    zip_stat_t st;
    const zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE |
                                ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    zip_stat_init(&st);
    *which = -1;
    if (zip_stat_index(zip, i, 0, &st) != 0 || (st.valid & needed) != needed) {
        return pare_error(err, PARE_ERR_FORMAT, path, "entry %llu cannot be read",
                          (unsigned long long)i);
    }
    if (zip_name_locate(zip, st.name, 0) != (zip_int64_t)i) {
        return pare_error(err, PARE_ERR_FORMAT, path, "two entries are named '%s'", st.name);
    }
    if (st.encryption_method != ZIP_EM_NONE ||
        (st.comp_method != ZIP_CM_STORE && st.comp_method != ZIP_CM_DEFLATE)) {
        return pare_error(err, PARE_ERR_FORMAT, path,
                          "entry '%s' is encrypted or packed in an unknown way", st.name);
    }
    if (st.size > MAX_ENTRY_BYTES || st.size / 1032 > st.comp_size) {
        return pare_error(err, PARE_ERR_FORMAT, path, "entry '%s' claims %llu bytes out of %llu",
                          st.name, (unsigned long long)st.size, (unsigned long long)st.comp_size);
    }
    *packed += st.comp_size;
    for (int k = 0; k < PARE_NPZ_COUNT; k++) {
        if (strcmp(st.name, entry_names[k]) == 0) {
            *which = k;
        }
    }
    return PARE_OK;
}

static enum pare_status read_entry(zip_t *zip, zip_uint64_t i, const char *where,
                                   unsigned char **out, size_t *out_size, struct pare_error *err)
{
    enum pare_status status = PARE_OK;
    zip_stat_t st;
    unsigned char *bytes = NULL;
    size_t used = 0, capacity = 0;
    zip_file_t *file = zip_fopen_index(zip, i, 0);
    if (file == NULL || zip_stat_index(zip, i, 0, &st) != 0) {
        status = pare_error(err, PARE_ERR_FORMAT, where, "%s", zip_strerror(zip));
        goto out;
    }
    for (;;) {
        if (used == capacity) {
            size_t wanted = capacity < 65536 ? 65536 : 2 * capacity;
            unsigned char *p = realloc(bytes, wanted);
            if (p == NULL) {
                status = pare_error_nomem(err);
                goto out;
            }
            bytes = p;
            capacity = wanted;
        }
        const zip_int64_t n = zip_fread(file, bytes + used, capacity - used);
        if (n < 0) {
            status = pare_error(err, PARE_ERR_FORMAT, where, "%s", zip_file_strerror(file));
            goto out;
        }
        if (n == 0) {
            break;
        }
        used += (size_t)n;
        if (used > st.size) {
            break;
        }
    }
    if (used != st.size) {
        status = pare_error(err, PARE_ERR_FORMAT, where, "%llu bytes declared, %s found",
                            (unsigned long long)st.size, used > st.size ? "more" : "fewer");
    }
out:
    if (file != NULL) {
        zip_fclose(file);
    }
    if (status != PARE_OK) {
        free(bytes);
        bytes = NULL;
    }
    *out = bytes;
    *out_size = used;
    return status;
}

static enum pare_status read_arrays(zip_t *zip, const char *path, uint64_t file_size,
                                    unsigned char **bytes, struct pare_npy *arrays,
                                    struct pare_error *err)
{
    const zip_int64_t n = zip_get_num_entries(zip, 0);
    zip_int64_t index[PARE_NPZ_COUNT] = {-1, -1, -1};
    uint64_t packed = 0;
    if (n < 1 || n > MAX_ENTRIES) {
        return pare_error(err, PARE_ERR_FORMAT, path, "%lld entries, expected 1 to %d",
                          (long long)n, MAX_ENTRIES);
    }
    for (zip_int64_t i = 0; i < n; i++) {
        int which;
        const enum pare_status status =
            check_entry(zip, (zip_uint64_t)i, path, &packed, &which, err);
        if (status != PARE_OK) {
            return status;
        }
        if (which >= 0) {
            index[which] = i;
        }
    }
    if (packed > file_size) {
        return pare_error(err, PARE_ERR_FORMAT, path, "entries overlap");
    }
    for (int k = 0; k < PARE_NPZ_COUNT; k++) {
        char where[512];
        size_t size;
        if (index[k] < 0) {
            continue;
        }
        snprintf(where, sizeof where, "%.400s: %s", path, entry_names[k]);
        enum pare_status status =
            read_entry(zip, (zip_uint64_t)index[k], where, &bytes[k], &size, err);
        if (status == PARE_OK) {
            status = pare_npy_parse(bytes[k], size, where, &arrays[k], err);
        }
        if (status != PARE_OK) {
            return status;
        }
    }
    return PARE_OK;
}

enum pare_status pare_npz_read(const char *path, unsigned char *bytes[PARE_NPZ_COUNT],
                               struct pare_npy arrays[PARE_NPZ_COUNT], struct pare_error *err)
{
    uint64_t size;
    memset(bytes, 0, PARE_NPZ_COUNT * sizeof *bytes);
    enum pare_status status = check_start(path, &size, err);
    if (status != PARE_OK) {
        return status;
    }
    int code;
    zip_t *zip = zip_open(path, ZIP_RDONLY | ZIP_CHECKCONS, &code);
    if (zip == NULL) {
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        status = pare_error(err, PARE_ERR_FORMAT, path, "%s", zip_error_strerror(&error));
        zip_error_fini(&error);
        return status;
    }
    status = read_arrays(zip, path, size, bytes, arrays, err);
    zip_discard(zip);
    for (int k = 0; k < PARE_NPZ_COUNT && status != PARE_OK; k++) {
        free(bytes[k]);
        bytes[k] = NULL;
    }
    return status;
}
