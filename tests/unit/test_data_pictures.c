/* PNG and JPEG: what is read, and the damaged and hostile pictures that are refused (list G). */
#include <stdio.h>
#include <time.h>

#include <jpeglib.h>
#include <zlib.h>

#include "base/file.h"
#include "data/picture.h"
#include "support.h"

struct bytes {
    unsigned char *at;
    size_t n, capacity;
};

static void add(struct bytes *b, const void *data, size_t n)
{
    if (b->n + n > b->capacity) {
        b->capacity = 2 * (b->n + n) + 64;
        b->at = realloc(b->at, b->capacity);
        assert_non_null(b->at);
    }
    if (n > 0) {
        memcpy(b->at + b->n, data, n);
    }
    b->n += n;
}

static void add_u32(struct bytes *b, uint32_t x)
{
    const unsigned char c[4] = {(unsigned char)(x >> 24), (unsigned char)(x >> 16),
                                (unsigned char)(x >> 8), (unsigned char)x};
    add(b, c, 4);
}

static void chunk(struct bytes *b, const char *type, const void *data, size_t n)
{
    add_u32(b, (uint32_t)n);
    const size_t start = b->n;
    add(b, type, 4);
    add(b, data, n);
    add_u32(b, (uint32_t)crc32(0, b->at + start, (unsigned)(b->n - start)));
}

static void begin(struct bytes *b, uint32_t w, uint32_t h, int depth, int color, int interlace)
{
    struct bytes ihdr = {NULL, 0, 0};
    const unsigned char rest[5] = {(unsigned char)depth, (unsigned char)color, 0, 0,
                                   (unsigned char)interlace};
    b->n = 0;
    add(b, "\x89PNG\r\n\x1A\n", 8);
    add_u32(&ihdr, w);
    add_u32(&ihdr, h);
    add(&ihdr, rest, 5);
    chunk(b, "IHDR", ihdr.at, ihdr.n);
    free(ihdr.at);
}

static void pixels(struct bytes *b, const void *rows, size_t n)
{
    uLongf size = compressBound(n);
    unsigned char *packed = malloc(size);
    assert_non_null(packed);
    assert_int_equal(compress(packed, &size, rows, n), Z_OK);
    chunk(b, "IDAT", packed, size);
    free(packed);
}

static void end(struct bytes *b)
{
    chunk(b, "IEND", NULL, 0);
}

static enum pare_status decode(const struct bytes *b, unsigned char *rgb, size_t n,
                               struct pare_error *err)
{
    struct pare_arena arena = {NULL, 0};
    struct pare_picture picture;
    err->message[0] = '\0';
    const enum pare_status status = pare_png_decode(b->at, b->n, "x.png", &arena, &picture, err);
    if (status == PARE_OK && rgb != NULL) {
        assert_int_equal(3 * picture.width * picture.height, n);
        memcpy(rgb, picture.rgb, n);
    }
    pare_arena_clear(&arena);
    return status;
}

static void accepted(const struct bytes *b, const void *rgb, size_t n)
{
    unsigned char got[64];
    struct pare_error err;
    if (decode(b, got, n, &err) != PARE_OK) {
        fail_msg("%s", err.message);
    }
    assert_memory_equal(got, rgb, n);
}

static void refused_at(const struct bytes *b, int line)
{
    struct pare_error err;
    if (decode(b, NULL, 0, &err) != PARE_ERR_FORMAT || strlen(err.message) <= 6) {
        fail_msg("the picture of line %d was accepted", line);
    }
}
#define refused(b) refused_at(b, __LINE__)

static void png_formats_become_rgb(void **state)
{
    struct bytes b = {NULL, 0, 0};
    (void)state;
    begin(&b, 2, 1, 8, 2, 0);
    pixels(&b, "\0\1\2\3\4\5\6", 7);
    end(&b);
    accepted(&b, "\1\2\3\4\5\6", 6);
    begin(&b, 2, 1, 8, 0, 0); /* grey */
    pixels(&b, "\0\7\x09", 3);
    end(&b);
    accepted(&b, "\7\7\7\x09\x09\x09", 6);
    begin(&b, 2, 1, 1, 0, 0); /* black and white */
    pixels(&b, "\0\x40", 2);
    end(&b);
    accepted(&b, "\0\0\0\xFF\xFF\xFF", 6);
    begin(&b, 1, 1, 16, 4, 0); /* 16 bits, grey and alpha, with sBIT: rounded, alpha ignored */
    chunk(&b, "sBIT", "\x0C\x0C", 2);
    pixels(&b, "\0\x80\x80\0\1", 5);
    end(&b);
    accepted(&b, "\x80\x80\x80", 3);
    begin(&b, 2, 1, 8, 3, 0); /* palette */
    chunk(&b, "PLTE", "\1\2\3\4\5\6", 6);
    chunk(&b, "tRNS", "\0", 1);
    pixels(&b, "\0\1\0", 3);
    end(&b);
    accepted(&b, "\4\5\6\1\2\3", 6);
    begin(&b, 1, 1, 8, 2, 1); /* interlaced, one pixel */
    pixels(&b, "\0\1\2\3", 4);
    end(&b);
    accepted(&b, "\1\2\3", 3);
    begin(&b, 1, 1, 8, 2, 0); /* animated: the first frame */
    chunk(&b, "acTL", "\0\0\0\2\0\0\0\0", 8);
    pixels(&b, "\0\1\2\3", 4);
    chunk(&b, "fdAT", "\0\0\0\1zzz", 7);
    end(&b);
    accepted(&b, "\1\2\3", 3);
    free(b.at);
}

static void damaged_png_is_refused(void **state)
{
    struct bytes b = {NULL, 0, 0};
    (void)state;
    static const struct {
        uint32_t w, h;
        int depth, color;
    } headers[] = {{0, 0, 8, 2}, {0x80000000u, 1, 8, 2}, {0x7FFFFFFF, 1, 8, 2}, {1, 1, 3, 2},
                   {1, 1, 8, 1}, {100000, 100000, 1, 0}, {8192, 8192, 1, 0},    {1, 8193, 8, 2}};
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        begin(&b, headers[i].w, headers[i].h, headers[i].depth, headers[i].color, 0);
        pixels(&b, "\0\1\2\3", 4);
        end(&b);
        refused(&b);
    }
    begin(&b, 1, 1, 8, 2, 0); /* no data */
    end(&b);
    refused(&b);
    begin(&b, 1, 2, 8, 2, 0); /* too little data */
    pixels(&b, "\0\1\2\3", 4);
    end(&b);
    refused(&b);
    begin(&b, 1, 1, 8, 2, 0); /* no end */
    pixels(&b, "\0\1\2\3", 4);
    refused(&b);
    begin(&b, 1, 1, 8, 3, 0); /* no palette */
    pixels(&b, "\0\0", 2);
    end(&b);
    refused(&b);
    begin(&b, 1, 1, 8, 3, 0); /* an index beyond the palette */
    chunk(&b, "PLTE", "\1\2\3", 3);
    pixels(&b, "\0\1", 2);
    end(&b);
    refused(&b);
    begin(&b, 1, 1, 8, 3, 0); /* more transparency than palette */
    chunk(&b, "PLTE", "\1\2\3", 3);
    chunk(&b, "tRNS", "\1\2\3", 3);
    pixels(&b, "\0\0", 2);
    end(&b);
    refused(&b);
    begin(&b, 1, 1, 8, 2, 0); /* a wrong check sum */
    pixels(&b, "\0\1\2\3", 4);
    end(&b);
    b.at[45] ^= 1;
    refused(&b);
    b.n = 0;
    add(&b, "\x89PNH\r\n\x1A\n", 8);
    refused(&b);
    b.n = 0;
    refused(&b);
    free(b.at);
}

static void texts_cannot_grow_and_chunks_cost_no_time(void **state)
{
    struct bytes b = {NULL, 0, 0};
    const size_t size = 64u << 20;
    unsigned char *zeros = calloc(1, size);
    uLongf packed_size = compressBound(size);
    unsigned char *packed = malloc(packed_size + 16);
    (void)state;
    assert_non_null(zeros);
    assert_non_null(packed);
    memcpy(packed, "k\0\0", 3);
    assert_int_equal(compress2(packed + 3, &packed_size, zeros, size, 9), Z_OK);
    begin(&b, 1, 1, 8, 2, 0);
    chunk(&b, "iCCP", packed, packed_size + 3);
    chunk(&b, "zTXt", packed, packed_size + 3);
    for (int i = 0; i < 100000; i++) {
        chunk(&b, "teSt", "x", 1);
    }
    pixels(&b, "\0\1\2\3", 4);
    end(&b);
    const clock_t start = clock();
    accepted(&b, "\1\2\3", 3);
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 2);
    free(zeros);
    free(packed);
    free(b.at);
}

/* ---- JPEG ---- */

static void make_jpeg(struct bytes *b, int w, int h, J_COLOR_SPACE space, int components,
                      bool progressive)
{
    struct jpeg_compress_struct j;
    struct jpeg_error_mgr errors;
    unsigned char *out = NULL, row[4 * 64];
    unsigned long size = 0;
    j.err = jpeg_std_error(&errors);
    jpeg_create_compress(&j);
    jpeg_mem_dest(&j, &out, &size);
    j.image_width = (JDIMENSION)w;
    j.image_height = (JDIMENSION)h;
    j.input_components = components;
    j.in_color_space = space;
    jpeg_set_defaults(&j);
    if (progressive) {
        jpeg_simple_progression(&j);
    }
    jpeg_start_compress(&j, TRUE);
    for (int y = 0; y < h; y++) {
        JSAMPROW line = row;
        memset(row, 10 + 40 * y / h, sizeof row);
        jpeg_write_scanlines(&j, &line, 1);
    }
    jpeg_finish_compress(&j);
    jpeg_destroy_compress(&j);
    b->n = 0;
    add(b, out, size);
    free(out);
}

static enum pare_status decode_jpeg(const struct bytes *b, int *w, int *first,
                                    struct pare_error *err)
{
    struct pare_arena arena = {NULL, 0};
    struct pare_picture picture;
    const enum pare_status status = pare_jpeg_decode(b->at, b->n, "x.jpg", &arena, &picture, err);
    if (status == PARE_OK) {
        *w = picture.width;
        *first = picture.rgb[0];
    }
    pare_arena_clear(&arena);
    return status;
}

static void jpeg_is_read_and_damage_refused(void **state)
{
    struct bytes b = {NULL, 0, 0};
    struct pare_error err;
    int w = 0, first = 0;
    (void)state;
    for (int progressive = 0; progressive < 2; progressive++) {
        make_jpeg(&b, 40, 30, JCS_RGB, 3, progressive == 1);
        assert_int_equal(decode_jpeg(&b, &w, &first, &err), PARE_OK);
        assert_int_equal(w, 40);
        assert_in_range(first, 8, 13);
        const size_t n = b.n;
        for (size_t cut = 0; cut + 2 < n; cut += 7) {
            b.n = cut;
            assert_int_equal(decode_jpeg(&b, &w, &first, &err), PARE_ERR_FORMAT);
        }
        b.n = n;
        uint32_t seed = 5;
        for (size_t i = 2; i < n; i++) { /* an answer, whichever */
            const unsigned char kept = b.at[i];
            b.at[i] ^= (unsigned char)(1 + test_random(&seed) % 255);
            decode_jpeg(&b, &w, &first, &err);
            b.at[i] = kept;
        }
    }
    make_jpeg(&b, 20, 20, JCS_GRAYSCALE, 1, false);
    assert_int_equal(decode_jpeg(&b, &w, &first, &err), PARE_OK);
    make_jpeg(&b, 20, 20, JCS_CMYK, 4, false);
    assert_int_equal(decode_jpeg(&b, &w, &first, &err), PARE_ERR_FORMAT);
    assert_non_null(strstr(err.message, "CMYK"));
    make_jpeg(&b, 20, 20, JCS_RGB, 3, false);
    for (size_t i = 0; i + 9 < b.n; i++) {
        if (b.at[i] == 0xFF && b.at[i + 1] == 0xC0) { /* claims 65535 x 65535 */
            memset(b.at + i + 5, 0xFF, 4);
        }
    }
    assert_int_equal(decode_jpeg(&b, &w, &first, &err), PARE_ERR_FORMAT);
    free(b.at);
}

static void a_wrong_name_is_told(void **state)
{
    struct bytes b = {NULL, 0, 0};
    struct pare_error err;
    struct pare_arena arena = {NULL, 0};
    struct pare_picture picture;
    char path[4200];
    (void)state;
    make_jpeg(&b, 8, 8, JCS_RGB, 3, false);
    const char *dir = test_temp_dir();
    snprintf(path, sizeof path, "%s/a.png", dir);
    assert_int_equal(pare_file_write(path, b.at, b.n, &err), PARE_OK);
    assert_int_equal(pare_picture_read(path, &arena, &picture, &err), PARE_ERR_FORMAT);
    assert_non_null(strstr(err.message, "rename it to .jpg"));
    snprintf(path, sizeof path, "%s/a.jpg", dir);
    assert_int_equal(pare_file_write(path, "GIF89a", 6, &err), PARE_OK);
    assert_int_equal(pare_picture_read(path, &arena, &picture, &err), PARE_ERR_FORMAT);
    assert_int_equal(pare_file_write(path, b.at, b.n, &err), PARE_OK);
    assert_int_equal(pare_picture_read(path, &arena, &picture, &err), PARE_OK);
    pare_arena_clear(&arena);
    free(b.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(png_formats_become_rgb),
        cmocka_unit_test(damaged_png_is_refused),
        cmocka_unit_test(texts_cannot_grow_and_chunks_cost_no_time),
        cmocka_unit_test(jpeg_is_read_and_damage_refused),
        cmocka_unit_test(a_wrong_name_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
