/* test_bind.c: the user's own keys: what a file binds happens, what is wrong in it is named by line. */
#include <stdio.h>

#include "screens/fake_state.h"
#include "support.h"
#include "ui/bind.h"
#include "ui/keys.h"

static const char *write_keys(const char *text)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/keys", test_temp_dir());
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    return path;
}

static bool screen_has(struct pare_ui *ui, const char *what)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    pare_ui_draw(ui);
    pare_ui_write(ui, out);
    fclose(out);
    const bool found = strstr(text, what) != NULL;
    free(text);
    return found;
}

static void bound_keys_run_their_line(void **state)
{
    struct pare_bindings b;
    struct pare_error err = {0};
    struct fake *f = fake_new(FAKE_FULL);
    (void)state;
    const char *path = write_keys("# mine\n\nQ quit\nq none\nw :budget drop 2%\n  F1\tview jobs  \nC-t sense\nx export csv /tmp/y\nx view log\n");
    if (pare_bindings_read(&b, path, &err) != PARE_OK) {
        fail_msg("%s: %s", err.where, err.message);
    }
    assert_int_equal(b.n, 7);
    const struct pare_ui_host host = fake_host(f);
    const struct pare_ui_options options = {.glyphs = "ascii", .bindings = &b};
    struct pare_ui *ui = pare_ui_new(&host, &options, 100, 30);
    assert_non_null(ui);
    pare_ui_key(ui, 'q');
    assert_false(pare_ui_wants_quit(ui)); /* none */
    pare_ui_key(ui, 'w');
    assert_string_equal(fake_last_command(f), "budget drop 2%");
    pare_ui_key(ui, PARE_KEY_F1);
    assert_true(screen_has(ui, "jobs: 2 running"));
    pare_ui_key(ui, 'x'); /* the last line counts */
    assert_true(screen_has(ui, "what happened"));
    pare_ui_key(ui, 't' - 'a' + 1); /* a bare command asks as its own key does */
    assert_true(screen_has(ui, ":sense"));
    pare_ui_key(ui, PARE_KEY_ESC);
    pare_ui_key(ui, '2'); /* what is not bound stays */
    assert_true(screen_has(ui, "layers"));
    pare_ui_key(ui, '?');
    pare_ui_key(ui, 'G');
    assert_true(screen_has(ui, "your keys"));
    pare_ui_key(ui, PARE_KEY_ESC);
    pare_ui_key(ui, 'Q');
    assert_true(pare_ui_wants_quit(ui));
    pare_ui_free(ui);
    fake_free(f);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *text, *where, *message;
    } cases[] = {
        {"q quit\nQQ quit\n", ":2", "unknown key \"QQ\""},
        {"z fly\n", ":1", "unknown command \"fly\""},
        {"# only\nz\n", ":2", "unknown command \"\""},
        {"C- quit", ":1", "unknown key"},
        {"\x80\xff quit", ":1", "unknown"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pare_bindings b;
        struct pare_error err = {0};
        assert_int_equal(pare_bindings_read(&b, write_keys(cases[i].text), &err), PARE_ERR_CONFIG);
        if (strstr(err.message, cases[i].message) == NULL || strstr(err.where, cases[i].where) == NULL) {
            fail_msg("case %zu: %s: %s", i, err.where, err.message);
        }
    }
    struct pare_bindings b;
    struct pare_error err = {0};
    assert_int_equal(pare_bindings_read(&b, "/nonexistent/keys", &err), PARE_ERR_NOINPUT);
    char many[2000] = "";
    for (int i = 0; i < PARE_MAX_BINDINGS + 1; i++) {
        strcat(many, "z quit\n");
    }
    assert_int_equal(pare_bindings_read(&b, write_keys(many), &err), PARE_ERR_CONFIG);
    assert_int_equal(pare_bindings_read(&b, write_keys(""), &err), PARE_OK);
    assert_int_equal(b.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bound_keys_run_their_line), cmocka_unit_test(what_is_wrong_is_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
