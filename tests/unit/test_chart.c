/* Charts from JSON: what is drawn, what is refused by name. */
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <setjmp.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "export/chart.h"
#include "tests/support.h"

static char where[512];

static const char *path_of(const char *name)
{
    snprintf(where, sizeof where, "%s/%s", test_temp_dir(), name);
    return where;
}

static enum pare_status draw(const char *name, const char *rest, struct pare_error *err)
{
    char text[2048];
    json_t *json = NULL;
    snprintf(text, sizeof text, "{\"path\": \"%s\", %s}", path_of(name), rest);
    memset(err, 0, sizeof *err);
    assert_int_equal(pare_json_parse(text, strlen(text), "test", &json, err), PARE_OK);
    const enum pare_status status = pare_chart_write_json(json, err);
    json_decref(json);
    return status;
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what)) {
        n++;
    }
    return n;
}

/* The file just written, NUL-terminated. */
static char *content(size_t *size)
{
    FILE *f = fopen(where, "rb");
    assert_non_null(f);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    *size = fread(text, 1, (1 << 20) - 1, f);
    fclose(f);
    return text;
}

static const char *const bars = "\"categories\": [\"w8a8\", \"w4a4\", \"w2a2\"], \"series\": [{\"name\": \"nearest\", \"kind\": \"bars\", "
                                "\"points\": [{\"x\": 0, \"y\": 94, \"low\": 93, \"high\": 95, \"label\": \"94\"}, {\"x\": 1, \"y\": 40}, {\"x\": 2, \"y\": 3}]},"
                                "{\"name\": \"squant\", \"kind\": \"bars\", \"points\": [{\"x\": 0, \"y\": 94}, {\"x\": 1, \"y\": 80, \"open\": true}]}]";

static void every_kind_is_drawn(void **state)
{
    struct pare_error err;
    size_t size;
    (void)state;
    assert_int_equal(draw("bars.svg", bars, &err), PARE_OK);
    char *svg = content(&size);
    assert_true(count(svg, "fill:rgb(0%,45%,70%)") == 4);    /* three bars and the name's square, in the first look's colour */
    assert_true(count(svg, "fill:rgb(60%,60%,60%)") == 2);   /* the second series; its open bar is an outline */
    free(svg);
    assert_int_equal(draw("all.svg", "\"title\": \"t\", \"x\": {\"label\": \"ms\", \"log\": true}, \"series\": [{\"kind\": \"line\", "
                                     "\"points\": [{\"x\": 0.1, \"y\": 1}, {\"x\": 10, \"y\": 2}]}, {\"kind\": \"steps\", \"points\": "
                                     "[{\"x\": 1, \"y\": 1}]}, {\"name\": \"p\", \"points\": [{\"x\": 3, \"y\": 1.5, \"label\": \"here\"}, "
                                     "{\"x\": -3, \"y\": 9}, {\"y\": 2}]}]", &err), PARE_OK);
    assert_int_equal(draw("all.png", bars, &err), PARE_OK);
    char *png = content(&size);
    assert_memory_equal(png, "\x89PNG\r\n\x1a\n", 8);
    assert_memory_equal(png + 16, "\0\0\x07\x08\0\0\x04\x60", 8); /* 1800 x 1120 */
    free(png);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *name, *rest, *message;
        enum pare_status status;
    } cases[] = {
        {"a.gif", "\"series\": [{\"points\": [{\"x\": 1, \"y\": 1}]}]", "expected png or svg", PARE_ERR_USAGE},
        {"a.svg", "\"series\": []", "1 to 24 series", PARE_ERR_USAGE},
        {"a.svg", "\"series\": [{\"kind\": \"pie\", \"points\": []}]", "found \"pie\"", PARE_ERR_USAGE},
        {"a.svg", "\"series\": [{\"points\": [3]}]", "point 1: expected {x =, y =}", PARE_ERR_USAGE},
        {"a.svg", "\"series\": [{\"points\": []}]", "no point to draw", PARE_ERR_NOINPUT},
        {"a.svg", "\"x\": {\"log\": true}, \"series\": [{\"points\": [{\"x\": -1, \"y\": 1}]}]", "no point to draw", PARE_ERR_NOINPUT},
        {"none/a.svg", "\"series\": [{\"points\": [{\"x\": 1, \"y\": 1}]}]", "", PARE_ERR_CANTCREATE},
    };
    struct pare_error err;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(draw(cases[i].name, cases[i].rest, &err), cases[i].status);
        assert_non_null(strstr(err.message, cases[i].message));
        assert_int_not_equal(access(where, F_OK), 0); /* nothing is left behind */
    }
}

/* An interval that the frame cuts has an open arrow there; one that ends within it has none. */
static void cut_intervals_are_open(void **state)
{
    static const struct {
        const char *interval;
        size_t arrows;
    } cases[] = {{"\"low\": 4, \"high\": 6", 0}, {"\"low\": -4, \"high\": 6", 1}, {"\"low\": 4, \"high\": 16", 1}, {"\"low\": -4, \"high\": 16", 2}};
    struct pare_error err;
    size_t size;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char rest[400];
        snprintf(rest, sizeof rest, "\"y\": {\"low\": 0, \"high\": 10}, \"series\": [{\"points\": [{\"x\": 1, \"y\": 5, %s}, {\"x\": 2, \"y\": 5}]}]", cases[i].interval);
        assert_int_equal(draw("cut.svg", rest, &err), PARE_OK);
        char *svg = content(&size);
        assert_int_equal(count(svg, "stroke:rgb(0%,45%,70%)"), 1 + cases[i].arrows); /* the interval, its open ends */
        free(svg);
    }
    assert_int_equal(draw("log.svg", "\"y\": {\"low\": 1, \"high\": 10, \"log\": true}, \"series\": [{\"points\": [{\"x\": 1, \"y\": 5, \"low\": -1, \"high\": 6},"
                                     "{\"x\": 2, \"y\": 5}]}]", &err), PARE_OK);
    char *svg = content(&size);
    assert_null(strstr(svg, "nan"));
    free(svg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_drawn), cmocka_unit_test(cut_intervals_are_open),
        cmocka_unit_test(what_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
