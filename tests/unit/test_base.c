#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/pages.h"
#include "base/strbuf.h"

static void globs_cross_slashes(void **state)
{
    (void)state;
    assert_true(pare_glob_match("detector/*", "detector/conv1"));
    assert_true(pare_glob_match("*conv*", "a/b/conv2"));
    assert_true(pare_glob_match("*/dw?", "x/y/dw3"));
    assert_true(pare_glob_match("a[0-9]b", "a7b"));
    assert_true(pare_glob_match("a[!0-9]b", "axb"));
    assert_true(pare_glob_match("a[", "a["));
    assert_true(pare_glob_match("", ""));
    assert_false(pare_glob_match("a[!0-9]b", "a7b"));
    assert_false(pare_glob_match("detector/*", "keypoints/conv1"));
    assert_false(pare_glob_match("abc", "abcd"));
    assert_false(pare_glob_match("abcd", "abc"));
}

static void names_are_escaped(void **state)
{
    char out[64];
    (void)state;
    pare_escape("a\033[31mb\n", 8, out, sizeof out);
    assert_string_equal(out, "a\\x1b[31mb\\x0a");
    pare_escape("\xff\xc3\xa9", 3, out, sizeof out);
    assert_string_equal(out, "\\xff\xc3\xa9");
    pare_escape("\xe2\x80\xae" "x", 4, out, sizeof out); /* right-to-left override */
    assert_string_equal(out, "\\xe2\\x80\\xaex");
    pare_escape("abcdef", 6, out, 4);
    assert_string_equal(out, "abc");
}

static void hashes_have_known_values(void **state)
{
    char hex[65], other[33];
    (void)state;
    pare_sha256_bytes("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    struct pare_hash h;
    assert_int_equal(pare_hash_init(&h), PARE_OK);
    pare_hash_add_string(&h, "ab");
    pare_hash_add_string(&h, "c");
    pare_hash_final(&h, hex);
    assert_int_equal(pare_hash_init(&h), PARE_OK);
    pare_hash_add_string(&h, "a");
    pare_hash_add_string(&h, "bc");
    pare_hash_final(&h, other);
    assert_string_not_equal(hex, other);
}

static void pages_are_aligned_to_their_size(void **state)
{
    static const size_t sizes[] = {0, 1, 4097, (2 << 20) - 1, 2 << 20, (4 << 20) + 5};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *p = pare_pages_alloc(sizes[i]);
        assert_non_null(p);
        assert_true((uintptr_t)p % (sizes[i] < 2 << 20 ? 64 : 2 << 20) == 0);
        memset(p, 1, sizes[i]);
        free(p);
    }
    assert_null(pare_pages_alloc(SIZE_MAX));
    (void)state;
}

static void arena_aligns_and_refuses_overflow(void **state)
{
    struct pare_arena a = {0};
    (void)state;
    for (size_t n = 0; n < 300; n++) {
        unsigned char *p = pare_arena_alloc(&a, n);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % (n >= 64 ? 64 : 16), 0);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(p[i], 0);
            p[i] = 0xff;
        }
    }
    assert_null(pare_arena_array(&a, SIZE_MAX / 2, 16));
    assert_non_null(pare_arena_alloc(&a, 1 << 20));
    assert_string_equal(pare_arena_printf(&a, "%d-%s", 7, "x"), "7-x");
    pare_arena_clear(&a);
}

static void files_are_written_whole(void **state)
{
    char path[4096];
    struct pare_error err = {0};
    struct pare_file file;
    (void)state;
    const char *dir = test_temp_dir();
    snprintf(path, sizeof path, "%s/out", dir);
    assert_int_equal(pare_file_write(path, "hello", 5, &err), PARE_OK);
    assert_int_equal(pare_file_open(path, 100, &file, &err), PARE_OK);
    assert_int_equal(file.size, 5);
    pare_file_close(&file);
    assert_int_equal(pare_file_open(path, 4, &file, &err), PARE_ERR_FORMAT);
    assert_int_equal(pare_file_open(dir, 100, &file, &err), PARE_ERR_NOINPUT);
    assert_non_null(strstr(err.message, "folder"));
    assert_int_equal(pare_file_write("/dev/full", "x", 1, &err), PARE_ERR_IO);
    snprintf(path, sizeof path, "%s/none/out", dir);
    assert_int_equal(pare_file_write(path, "x", 1, &err), PARE_ERR_CANTCREATE);
    snprintf(path, sizeof path, "%s/fifo", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(pare_file_open(path, 100, &file, &err), PARE_ERR_NOINPUT); /* and does not block */
}

static void json_is_strict(void **state)
{
    static const char *const bad[] = {"{\"a\":1,\"a\":2}", "{} x", "[NaN]", "[1e400]", "{\"a\":\"\xff\"}", "[1,]", ""};
    struct pare_error err = {0};
    json_t *json = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(pare_json_parse(bad[i], strlen(bad[i]), "f.json", &json, &err), PARE_ERR_FORMAT);
        assert_string_equal(err.where, "f.json");
    }
    char deep[20001];
    memset(deep, '[', 20000);
    deep[20000] = '\0';
    assert_int_equal(pare_json_parse(deep, 20000, "deep", &json, &err), PARE_ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(globs_cross_slashes),      cmocka_unit_test(names_are_escaped),
        cmocka_unit_test(hashes_have_known_values), cmocka_unit_test(arena_aligns_and_refuses_overflow),
        cmocka_unit_test(pages_are_aligned_to_their_size),
        cmocka_unit_test(files_are_written_whole),  cmocka_unit_test(json_is_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
