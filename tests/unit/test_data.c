/* Datasets: what is read, and the hostile npy, npz, IDX, PNG and JPEG files that are refused. */
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>
#include <zlib.h>

#include "base/file.h"
#include "data/dataset.h"
#include "support.h"

static char dir[4096];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "%s", test_temp_dir());
    return 0;
}

static const char *in_dir(const char *name)
{
    static char paths[4][4200];
    static int next;
    next = (next + 1) % 4;
    snprintf(paths[next], sizeof paths[next], "%s/%s", dir, name);
    return paths[next];
}

static const char *put(const char *name, const void *data, size_t n)
{
    struct pare_error err;
    const char *path = in_dir(name);
    assert_int_equal(pare_file_write(path, data, n, &err), PARE_OK);
    return path;
}

static struct pare_dataset *opened(const struct pare_data_spec *spec)
{
    struct pare_dataset *d;
    struct pare_error err = {.message = ""};
    if (pare_dataset_open(spec, &d, &err) != PARE_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    return d;
}

static void refused(const char *path, const char *message)
{
    const struct pare_data_spec spec = {.path = path};
    struct pare_dataset *d;
    struct pare_error err = {.message = ""};
    const enum pare_status status = pare_dataset_open(&spec, &d, &err);
    if (status != PARE_ERR_FORMAT || strstr(err.message, message) == NULL) {
        fail_msg("%s\n  gave %d '%s'\n  expected '%s'", path, (int)status, err.message, message);
    }
}

/* ---- npy ---- */

/* A version 1.0 file with this header text and n bytes of data; returns its size. */
static size_t npy(unsigned char *out, const char *header, const void *data, size_t n)
{
    const size_t h = strlen(header);
    memcpy(out, "\x93NUMPY\1\0", 8);
    out[8] = (unsigned char)(h & 255);
    out[9] = (unsigned char)(h >> 8);
    memcpy(out + 10, header, h);
    if (n > 0) {
        memcpy(out + 10 + h, data, n);
    }
    return 10 + h + n;
}

static void npy_refused(const char *header, size_t n, const char *message)
{
    unsigned char file[4096];
    static const unsigned char zeros[1024];
    const char *path = put("bad.npy", file, npy(file, header, zeros, n));
    refused(path, message);
}

static void npy_headers_are_strict(void **state)
{
    (void)state;
    npy_refused("{'descr': __import__('os').system('x'), 'fortran_order': False, 'shape': (1,)}", 4,
                "element type");
    npy_refused("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", 8, "never loaded");
    npy_refused("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", 4,
                "no structures");
    npy_refused("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", 8,
                "'<c8' is not supported");
    npy_refused("{'descr': '<U4', 'fortran_order': False, 'shape': (1,)}", 16, "not supported");
    npy_refused("{'descr': 'f4', 'fortran_order': False, 'shape': (1,)}", 4, "not supported");
    npy_refused("{'descr': '', 'fortran_order': False, 'shape': (1,)}", 4, "not supported");
    npy_refused("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", 4, "True or False");
    npy_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627777,)}", 4, "2^40");
    npy_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,)}", 4,
                "2^40");
    npy_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 2)}", 4, "2^40");
    npy_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,)}", 4,
                "4 bytes follow");
    npy_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", 4, "a size");
    npy_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", 4,
                "8 dimensions");
    npy_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (1)}", 4, "in the shape");
    npy_refused("{'descr': '<f4', 'fortran_order': False, 'shape': 1}", 4, "a shape");
    npy_refused("{'descr': '<f4', 'fortran_order': False}", 4, "the keys");
    npy_refused("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 4,
                "once each");
    npy_refused("{'descr': '<f4', 'x': False, 'shape': (1,)}", 4, "once each");
    npy_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} + x", 4, "nothing behind");
    npy_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)", 4, "'}'");
    npy_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 4, "4 bytes follow");
    npy_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 5, "5 bytes follow");
    npy_refused("{'descr': '<f4', 'fortran_order': False, 'shape': ()}", 4, "no array 'image'");
    npy_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (0,)}", 0, "no samples");
    npy_refused("", 0, "'{'");
    refused(put("bad.npy", "\x93NUMPX\1\0\0\0", 10), "wrong first bytes");
    refused(put("bad.npy", "\x93NUMPY\x09\x09\0\0", 10), "version");
    refused(put("bad.npy", "\x93NUMPY\2\0\xFF\xFF\xFF\xFF", 12), "npy header of 4294967295");
    refused(put("bad.npy", "", 0), "wrong first bytes");
}

static void npy_values(const char *header, const void *data, size_t n, const double *expected,
                       int count)
{
    unsigned char file[4096];
    const struct pare_data_spec spec = {.path = put("good.npy", file, npy(file, header, data, n))};
    struct pare_dataset *d = opened(&spec);
    struct pare_arena arena = {NULL, 0};
    struct pare_error err;
    int k = 0;
    for (int i = 0; i < pare_dataset_count(d); i++) {
        int rank;
        int64_t dims[8], size = 1;
        float *x;
        assert_int_equal(pare_dataset_image(d, i, &arena, &rank, dims, &x, &err), PARE_OK);
        for (int a = 0; a < rank; a++) {
            size *= dims[a];
        }
        for (int64_t j = 0; j < size && k < count; j++, k++) {
            if (!(fabs((double)x[j] - expected[k]) < 1e-6)) {
                fail_msg("%s: value %d is %g, not %g", header, k, (double)x[j], expected[k]);
            }
        }
    }
    assert_int_equal(k, count);
    pare_arena_clear(&arena);
    pare_dataset_free(d);
}

static void npy_types_and_orders_are_read(void **state)
{
    (void)state;
    const float f[4] = {1, -2, 3.5f, 0};
    const double six[6] = {1, 2, 3, 4, 5, 6}, sixt[6] = {1, 3, 5, 2, 4, 6};
    const unsigned char half[4] = {0x00, 0x3C, 0x00, 0xC1};
    npy_values("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", f, 16,
               (double[]){1, -2, 3.5, 0}, 4);
    npy_values("{\"shape\":(2,),\"descr\":\"<f2\",\"fortran_order\":False}", half, 4,
               (double[]){1, -2.5}, 2);
    npy_values("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)}", six, 48, six, 6);
    npy_values("{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3)}", six, 48, sixt, 6);
    npy_values("{'descr': '>i2', 'fortran_order': False, 'shape': (2,)}", "\xFF\xFE\x01\x00", 4,
               (double[]){-2, 256}, 2);
    npy_values("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}", "\xFF\x33", 2,
               (double[]){1, 0.2}, 2);
    npy_values("{'descr': '|i1', 'fortran_order': False, 'shape': (2,)}", "\xFF\x33", 2,
               (double[]){-1, 51}, 2);
    npy_values("{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}   \n", "\1\0", 2,
               (double[]){1, 0}, 2);
}

/* ---- npz ---- */

struct member {
    const char *name;
    const void *data;
    size_t size;
};

static const char *npz(const char *name, const struct member *members, int n, int method)
{
    const char *path = in_dir(name);
    int code;
    unlink(path);
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
    assert_non_null(zip);
    for (int i = 0; i < n; i++) {
        zip_source_t *source = zip_source_buffer(zip, members[i].data, members[i].size, 0);
        const zip_int64_t at = zip_file_add(zip, members[i].name, source, ZIP_FL_OVERWRITE);
        assert_true(at >= 0);
        assert_int_equal(zip_set_file_compression(zip, (zip_uint64_t)at, method, 9), 0);
    }
    assert_int_equal(zip_close(zip), 0);
    return path;
}

static unsigned char image_npy[512], label_npy[512], target_npy[512];
static size_t image_size, label_size, target_size;

static void make_arrays(const char *labels, size_t n_labels)
{
    char header[128];
    unsigned char pixels[5 * 12];
    for (int i = 0; i < 60; i++) {
        pixels[i] = (unsigned char)(i * 4);
    }
    image_size = npy(image_npy, "{'descr': '|u1', 'fortran_order': False, 'shape': (5, 2, 2, 3)}",
                     pixels, 60);
    snprintf(header, sizeof header, "{'descr': '|i1', 'fortran_order': False, 'shape': (%d,)}",
             (int)n_labels);
    label_size = npy(label_npy, header, labels, n_labels);
    float target[5] = {0, 0.5f, 1, 1.5f, 2};
    target_size =
        npy(target_npy, "{'descr': '<f4', 'fortran_order': False, 'shape': (5,)}", target, 20);
}

static void npz_is_read(void **state)
{
    struct pare_arena arena = {NULL, 0};
    struct pare_error err;
    int rank;
    int64_t dims[8];
    float *x;
    char a[33], b[33];
    (void)state;
    make_arrays("\0\1\2\1\xFF", 5);
    const struct member members[] = {{"image.npy", image_npy, image_size},
                                     {"label.npy", label_npy, label_size},
                                     {"target.npy", target_npy, target_size},
                                     {"../evil", "x", 1}};
    struct pare_data_spec spec = {.path = npz("good.npz", members, 4, ZIP_CM_DEFLATE), .border = 1};
    struct pare_dataset *d = opened(&spec);
    assert_int_equal(pare_dataset_count(d), 5);
    assert_int_equal(pare_dataset_class_count(d), 3);
    assert_int_equal(pare_dataset_label(d, 2), 2);
    assert_int_equal(pare_dataset_label(d, 4), -1);
    assert_int_equal(pare_dataset_image(d, 1, &arena, &rank, dims, &x, &err), PARE_OK);
    assert_int_equal(rank, 4);
    assert_int_equal(dims[1], 4);
    assert_true(x[0] == 0 && fabsf(x[(4 + 1) * 3] - 48.0f / 255) < 1e-6f);
    assert_int_equal(pare_dataset_target(d, 3, &arena, &rank, dims, &x, &err), PARE_OK);
    assert_true(x[0] == 1.5f);
    assert_int_equal(pare_dataset_image(d, 5, &arena, &rank, dims, &x, &err), PARE_ERR_INTERNAL);
    assert_int_equal(pare_dataset_hash(d, a, &err), PARE_OK);
    pare_dataset_free(d);
    spec.limit = 2;
    d = opened(&spec);
    assert_int_equal(pare_dataset_count(d), 2);
    assert_int_equal(pare_dataset_hash(d, b, &err), PARE_OK);
    assert_string_not_equal(a, b);
    pare_dataset_free(d);
    pare_arena_clear(&arena);
}

static void labels_must_fit(void **state)
{
    struct pare_dataset *d;
    struct pare_error err;
    (void)state;
    make_arrays("\0\1\2\3", 4);
    const struct member members[] = {{"image.npy", image_npy, image_size},
                                     {"label.npy", label_npy, label_size}};
    refused(npz("count.npz", members, 2, ZIP_CM_STORE), "'label' has 4 items, 'image' 5");
    refused(npz("only.npz", members + 1, 1, ZIP_CM_STORE), "no array 'image'");
    make_arrays("\0\1\2\3\xFE", 5);
    const struct member low[] = {{"image.npy", image_npy, image_size},
                                 {"label.npy", label_npy, label_size}};
    refused(npz("low.npz", low, 2, ZIP_CM_STORE), "label 4 is -2");
    make_arrays("\0\1\2\3\4", 5);
    const struct member high[] = {{"image.npy", image_npy, image_size},
                                  {"label.npy", label_npy, label_size}};
    const char *classes[] = {"a", "b"};
    const struct pare_data_spec spec = {
        .path = npz("high.npz", high, 2, ZIP_CM_STORE), .n_classes = 2, .classes = classes};
    assert_int_equal(pare_dataset_open(&spec, &d, &err), PARE_ERR_FORMAT);
    assert_non_null(strstr(err.message, "expected -1 to 1"));
}

static unsigned char *slurp(const char *path, size_t *n)
{
    struct pare_file file;
    struct pare_error err;
    assert_int_equal(pare_file_open(path, 1 << 26, &file, &err), PARE_OK);
    unsigned char *copy = malloc(file.size + 64);
    assert_non_null(copy);
    memcpy(copy, file.data, file.size);
    *n = file.size;
    pare_file_close(&file);
    return copy;
}

static void hostile_npz_is_refused(void **state)
{
    size_t n;
    (void)state;
    make_arrays("\0\1\2\3\4", 5);
    const struct member members[] = {{"image.npy", image_npy, image_size},
                                     {"label.npy", label_npy, label_size}};
    unsigned char *good = slurp(npz("good.npz", members, 2, ZIP_CM_STORE), &n);
    unsigned char *bad = malloc(n + 64);
    assert_non_null(bad);
    refused(put("bad.npz", "", 0), "wrong first bytes");
    refused(put("bad.npz", "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22), "wrong first bytes");
    memcpy(bad, "junk", 4); /* something in front */
    memcpy(bad + 4, good, n);
    refused(put("bad.npz", bad, n + 4), "");
    memcpy(bad, good, n);
    bad[60] ^= 1; /* data does not fit its CRC */
    refused(put("bad.npz", bad, n), "");
    refused(put("bad.npz", good, n - 7), "");
    struct member many[1100];
    static char names[1100][16];
    for (int i = 0; i < 1100; i++) {
        snprintf(names[i], sizeof names[i], "m%d", i);
        many[i] = (struct member){names[i], "x", 1};
    }
    refused(npz("many.npz", many, 1100, ZIP_CM_STORE), "1100 entries");
    free(good);
    free(bad);
}

/* Every prefix, every flipped byte: an answer, never a crash. */
static void damaged_npz_never_crashes(void **state)
{
    size_t n;
    uint32_t seed = 3;
    (void)state;
    make_arrays("\0\1\2\3\4", 5);
    const struct member members[] = {{"image.npy", image_npy, image_size},
                                     {"label.npy", label_npy, label_size}};
    unsigned char *good = slurp(npz("good.npz", members, 2, ZIP_CM_DEFLATE), &n);
    for (size_t i = 0; i < n; i++) {
        struct pare_dataset *d;
        struct pare_error err;
        const unsigned char kept = good[i];
        good[i] ^= (unsigned char)(1 + test_random(&seed) % 255);
        const struct pare_data_spec spec = {.path = put("flip.npz", good, i % 3 == 0 ? i : n)};
        if (pare_dataset_open(&spec, &d, &err) == PARE_OK) {
            pare_dataset_free(d);
        }
        good[i] = kept;
    }
    free(good);
}

static void zip_bombs_are_refused(void **state)
{
    size_t n;
    (void)state;
    /* an honest bomb: deflate packs zeros 1030:1, the array's header says 64 MiB more than is there
     */
    const size_t size = 32u << 20;
    unsigned char *zeros = calloc(1, size);
    assert_non_null(zeros);
    npy(zeros, "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 99999999)}", NULL, 0);
    const struct member members[] = {{"image.npy", zeros, size}};
    const char *path = npz("bomb.npz", members, 1, ZIP_CM_DEFLATE);
    refused(path, "bytes follow");
    /* one that lies about its size: both headers say 3 GiB */
    unsigned char *bytes = slurp(path, &n);
    for (size_t i = 0; i + 4 < n; i++) {
        if (memcmp(bytes + i, "PK\1\2", 4) == 0) {
            memcpy(bytes + i + 24, "\0\0\0\xC0", 4);
        }
    }
    memcpy(bytes + 22, "\0\0\0\xC0", 4);
    refused(put("liar.npz", bytes, n), "");
    free(bytes);
    free(zeros);
}

static void values_that_are_not_finite_are_told(void **state)
{
    unsigned char file[512];
    const float f[3] = {1, NAN, INFINITY};
    (void)state;
    const struct pare_data_spec spec = {
        .path = put("nan.npy", file,
                    npy(file, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1)}", f, 12))};
    struct pare_dataset *d = opened(&spec);
    assert_non_null(strstr(pare_dataset_warning(d), "2 values"));
    pare_dataset_free(d);
}

/* ---- IDX ---- */

static void idx_is_read(void **state)
{
    static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0,   2, 0,  0,
                                           0, 1, 0, 0, 0, 2, 255, 0, 51, 102};
    static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 1};
    struct pare_arena arena = {NULL, 0};
    struct pare_error err;
    int rank;
    int64_t dims[8];
    float *x;
    (void)state;
    put("t-labels-idx1-ubyte", labels, sizeof labels);
    const struct pare_data_spec spec = {.path = put("t-images-idx3-ubyte", images, sizeof images)};
    struct pare_dataset *d = opened(&spec);
    assert_int_equal(pare_dataset_count(d), 2);
    assert_int_equal(pare_dataset_label(d, 0), 7);
    assert_int_equal(pare_dataset_image(d, 1, &arena, &rank, dims, &x, &err), PARE_OK);
    assert_int_equal(rank, 4);
    assert_true(dims[2] == 2 && dims[3] == 1 && fabsf(x[1] - 0.4f) < 1e-6f);
    pare_dataset_free(d);
    pare_arena_clear(&arena);
    refused(put("idx-short", images, sizeof images - 1), "bytes follow");
    refused(put("idx-long", labels, 8), "bytes follow");
    refused(put("idx-magic", "\1\0\x8\1", 4), "wrong first bytes");
    refused(put("idx-huge", "\0\0\x8\3\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 16),
            "too large");
    refused(put("idx-type", "\0\0\7\1\0\0\0\0", 8), "element type");
}

static void gzip_idx_is_bounded(void **state)
{
    unsigned char packed[65536];
    const char *path = in_dir("bomb-idx.gz");
    (void)state;
    gzFile gz = gzopen(path, "wb9");
    static unsigned char block[1 << 16];
    assert_non_null(gz);
    gzwrite(gz, "\0\0\x8\1\0\0\0\4", 8);
    for (int i = 0; i < 64; i++) {
        gzwrite(gz, block, sizeof block);
    }
    gzclose(gz);
    refused(path, "4 elements");
    size_t n;
    unsigned char *bytes = slurp(path, &n);
    memcpy(packed, bytes, 100);
    refused(put("cut-idx.gz", packed, 100), "cut off");
    free(bytes);
}

static void mnist_is_read(void **state)
{
    const char *path = test_model("mnist/t10k-images-idx3-ubyte.gz");
    (void)state;
    if (path == NULL) {
        test_skip("the folder of models is not there");
        return;
    }
    const struct pare_data_spec spec = {.path = path};
    struct pare_dataset *d = opened(&spec);
    assert_int_equal(pare_dataset_count(d), 10000);
    assert_int_equal(pare_dataset_class_count(d), 10);
    assert_int_equal(pare_dataset_label(d, 0), 7);
    pare_dataset_free(d);
}

/* ---- folders ---- */

static int contains(const struct pare_dataset *d, const char *name)
{
    for (int i = 0; i < pare_dataset_count(d); i++) {
        if (strcmp(pare_dataset_item_name(d, i), name) == 0) {
            return 1;
        }
    }
    return 0;
}

static void parts_of_a_folder_never_overlap(void **state)
{
    const char *names[] = {"a", "b", "c"};
    const int labels[] = {0, -1};
    const char *some[] = {"a", "c"};
    (void)state;
    for (int c = 0; c < 3; c++) {
        char name[64];
        snprintf(name, sizeof name, "photos/%s", names[c]);
        struct pare_error err;
        assert_int_equal(pare_make_dirs(in_dir(name), &err), PARE_OK);
        for (int i = 0; i < 20; i++) {
            snprintf(name, sizeof name, "photos/%s/%02d.png", names[c], i);
            put(name, "x", 1);
        }
    }
    put("photos/a/notes.txt", "x", 1);
    struct pare_data_spec all = {.path = in_dir("photos"), .seed = 5, .part_end = 0.3};
    struct pare_data_spec rest = {.path = in_dir("photos"),
                                  .seed = 5,
                                  .part_begin = 0.3,
                                  .part_end = 1,
                                  .n_folders = 2,
                                  .folders = some,
                                  .folder_labels = labels};
    struct pare_dataset *a = opened(&all), *b = opened(&rest);
    assert_int_equal(pare_dataset_count(a), 18);
    assert_int_equal(pare_dataset_class_count(a), 3);
    assert_int_equal(pare_dataset_count(b), 28);
    int unlabelled = 0;
    for (int i = 0; i < 28; i++) {
        assert_false(contains(a, pare_dataset_item_name(b, i)));
        unlabelled += pare_dataset_label(b, i) == -1;
    }
    assert_int_equal(unlabelled, 14);
    int seen[3] = {0};
    for (int i = 0; i < 9; i++) {
        seen[pare_dataset_label(a, i)]++;
    }
    assert_true(seen[0] > 0 && seen[1] > 0 && seen[2] > 0); /* the first half is of all classes */
    pare_dataset_free(a);
    pare_dataset_free(b);
    const struct pare_data_spec wrong = {
        .path = in_dir("photos"), .n_classes = 2, .classes = names};
    struct pare_error err;
    assert_int_equal(pare_dataset_open(&wrong, &a, &err), PARE_ERR_FORMAT);
    assert_non_null(strstr(err.message, "'c' is none of the classes"));
    const char *missing[] = {"a", "zz"};
    rest.folders = missing;
    assert_int_equal(pare_dataset_open(&rest, &a, &err), PARE_ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy_headers_are_strict),
        cmocka_unit_test(npy_types_and_orders_are_read),
        cmocka_unit_test(npz_is_read),
        cmocka_unit_test(labels_must_fit),
        cmocka_unit_test(hostile_npz_is_refused),
        cmocka_unit_test(damaged_npz_never_crashes),
        cmocka_unit_test(zip_bombs_are_refused),
        cmocka_unit_test(values_that_are_not_finite_are_told),
        cmocka_unit_test(idx_is_read),
        cmocka_unit_test(gzip_idx_is_bounded),
        cmocka_unit_test(mnist_is_read),
        cmocka_unit_test(parts_of_a_folder_never_overlap),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
