/*
 * idx.c: IDX files (MNIST's format), plain or gzip. Two zero bytes, a type (8 u8, 9 i8, 11 i16, 12
 * i32, 13 f32, 14 f64), the rank, the sizes as big-endian u32, then the elements, big-endian. The
 * unpacked size must be exactly what the sizes say; memory grows with the bytes that arrive, and
 * packed data may not exceed deflate's 1032 to 1.
 */
#include "data/npy.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "base/file.h"

#define MAX_FILE_BYTES ((size_t)4 << 30)
#define MAX_UNPACKED ((size_t)4 << 30)

struct bytes {
    unsigned char *data;
    size_t size, capacity;
};

static bool grow(struct bytes *b)
{
    const size_t wanted = b->capacity < 65536 ? 65536 : 2 * b->capacity;
    unsigned char *p = realloc(b->data, wanted);
    if (p == NULL) {
        return false;
    }
    b->data = p;
    b->capacity = wanted;
    return true;
}

static enum pare_status unpack(const struct pare_file *file, const char *path, struct bytes *out,
                               struct pare_error *err)
{
    z_stream z = {0};
    int code = Z_OK;
    size_t given = 0;
    if (inflateInit2(&z, 15 + 16) != Z_OK) {
        return pare_error_nomem(err);
    }
    while (code == Z_OK) {
        if (out->size == out->capacity && !grow(out)) {
            inflateEnd(&z);
            return pare_error_nomem(err);
        }
        const size_t in = file->size - given < (1u << 30) ? file->size - given : (1u << 30);
        const size_t room =
            out->capacity - out->size < (1u << 30) ? out->capacity - out->size : (1u << 30);
        z.next_in = (unsigned char *)(uintptr_t)(file->data + given); /* zlib only reads it */
        z.avail_in = (unsigned)in;
        z.next_out = out->data + out->size;
        z.avail_out = (unsigned)room;
        code = inflate(&z, Z_NO_FLUSH);
        given += in - z.avail_in;
        out->size += room - z.avail_out;
        if (out->size > MAX_UNPACKED) {
            code = Z_DATA_ERROR;
        }
    }
    inflateEnd(&z);
    if (code != Z_STREAM_END || given != file->size) {
        return pare_error(err, PARE_ERR_FORMAT, path, "the gzip data is damaged or cut off");
    }
    return PARE_OK;
}

static enum pare_status parse(const unsigned char *p, size_t size, const char *path,
                              struct pare_npy *a, struct pare_error *err)
{
    static const struct {
        int code, size;
        char kind;
    } types[] = {{8, 1, 'u'}, {9, 1, 'i'}, {11, 2, 'i'}, {12, 4, 'i'}, {13, 4, 'f'}, {14, 8, 'f'}};
    memset(a, 0, sizeof *a);
    if (size < 4 || p[0] != 0 || p[1] != 0 || p[3] < 1 || p[3] > PARE_NPY_MAX_RANK) {
        return pare_error(err, PARE_ERR_FORMAT, path, "not an IDX file (wrong first bytes)");
    }
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].code == p[2]) {
            a->kind = types[i].kind;
            a->size = types[i].size;
        }
    }
    a->rank = p[3];
    a->big_endian = true;
    a->elements = 1;
    const size_t header = 4 + 4 * (size_t)a->rank;
    if (a->size == 0 || size < header) {
        return pare_error(err, PARE_ERR_FORMAT, path,
                          "IDX: unknown element type, or the header is cut off");
    }
    for (int i = 0; i < a->rank; i++) {
        const unsigned char *q = p + 4 + 4 * i;
        const int64_t n = (int64_t)q[0] << 24 | q[1] << 16 | q[2] << 8 | q[3];
        if (n > 0 && a->elements > ((int64_t)1 << 40) / n) {
            return pare_error(err, PARE_ERR_FORMAT, path, "IDX: the sizes' product is too large");
        }
        a->dims[i] = n;
        a->elements *= n;
    }
    if ((uint64_t)a->elements * (uint64_t)a->size != size - header) {
        return pare_error(err, PARE_ERR_FORMAT, path,
                          "IDX: %lld elements of %d bytes, but %zu bytes follow",
                          (long long)a->elements, a->size, size - header);
    }
    a->data = p + header;
    return PARE_OK;
}

enum pare_status pare_idx_read(const char *path, unsigned char **bytes, struct pare_npy *array,
                               struct pare_error *err)
{
    struct pare_file file;
    struct bytes b = {NULL, 0, 0};
    *bytes = NULL;
    enum pare_status status = pare_file_open(path, MAX_FILE_BYTES, &file, err);
    if (status != PARE_OK) {
        return status;
    }
    if (file.size >= 2 && file.data[0] == 0x1F && file.data[1] == 0x8B) {
        status = unpack(&file, path, &b, err);
    } else {
        b.data = malloc(file.size > 0 ? file.size : 1);
        b.size = file.size;
        if (b.data == NULL) {
            status = pare_error_nomem(err);
        } else if (file.size > 0) {
            memcpy(b.data, file.data, file.size);
        }
    }
    pare_file_close(&file);
    if (status == PARE_OK) {
        status = parse(b.data, b.size, path, array, err);
    }
    if (status != PARE_OK) {
        free(b.data);
        return status;
    }
    *bytes = b.data;
    return PARE_OK;
}
