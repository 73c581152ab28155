/*
 * test_goldens.c: runs the .keys files of tests/screens on the invented session and compares the
 * screen with the golden NAME-WIDTHxHEIGHT-SIGNS.golden. The first comment lines of a script choose
 * the state and the sizes:
 *
 *   # state: full | empty | loading | failed | follower | bare
 *   # sizes: 80x24 120x36 200x60
 *   # signs: braille block ascii
 *
 * PARE_BLESS=1 writes the goldens instead; they are reviewed as text.
 */
#include <dirent.h>
#include <locale.h>
#include <stdio.h>
#include <sys/stat.h>

#include "screens/fake_state.h"
#include "support.h"
#include "ui/keyscript.h"

static int n_compared, n_differing, n_blessed;

/* The words after "# what:" in a script, or a default. */
static void header_of(const char *script, const char *what, const char *missing, char *out,
                      size_t size)
{
    char key[32];
    snprintf(key, sizeof key, "# %s:", what);
    const char *at = strstr(script, key);
    snprintf(out, size, "%s", missing);
    if (at != NULL) {
        at += strlen(key);
        at += strspn(at, " ");
        snprintf(out, size, "%.*s", (int)strcspn(at, "\n"), at);
    }
}

static char *screen_of(const char *script, const char *kind_name, int w, int h, const char *signs)
{
    static const char *const kinds[] = {"full", "empty", "loading", "failed", "follower", "bare"};
    enum fake_kind kind = FAKE_FULL;
    for (int i = 0; i < 6; i++) {
        kind = strcmp(kind_name, kinds[i]) == 0 ? (enum fake_kind)i : kind;
    }
    struct fake *f = fake_new(kind);
    assert_non_null(f);
    const struct pare_ui_host host = fake_host(f);
    const struct pare_ui_options options = {.glyphs = signs, .theme = "dark"};
    struct pare_error err = {0};
    struct pare_ui *ui = pare_ui_new(&host, &options, w, h);
    assert_non_null(ui);
    if (pare_ui_script(ui, NULL, script, &err) != PARE_OK) {
        fail_msg("%s", err.message);
    }
    pare_ui_draw(ui);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    pare_ui_write(ui, out);
    fclose(out);
    pare_ui_free(ui);
    fake_free(f);
    return text;
}

static void show_difference(const char *name, const char *wanted, const char *got)
{
    printf("%s differs:\n", name);
    for (int line = 1; *wanted != '\0' || *got != '\0'; line++) {
        const size_t a = strcspn(wanted, "\n"), b = strcspn(got, "\n");
        if (a != b || memcmp(wanted, got, a) != 0) {
            printf("%3d - %.*s\n    + %.*s\n", line, (int)a, wanted, (int)b, got);
        }
        wanted += a + (wanted[a] == '\n');
        got += b + (got[b] == '\n');
    }
}

static void compare_with_golden(const char *name, const char *text)
{
    const char *path = test_source(name), *bless = getenv("PARE_BLESS");
    char *wanted = NULL;
    size_t size = 0;
    struct pare_error err = {0};
    if (bless != NULL && bless[0] == '1') {
        FILE *out = fopen(path, "w");
        assert_non_null(out);
        fputs(text, out);
        fclose(out);
        n_blessed++;
        return;
    }
    n_compared++;
    if (pare_keyscript_read(path, &wanted, &size, &err) != PARE_OK) {
        printf("no golden %s (PARE_BLESS=1 writes it)\n", name);
        n_differing++;
        return;
    }
    if (strcmp(wanted, text) != 0) {
        show_difference(name, wanted, text);
        n_differing++;
    }
    free(wanted);
}

static void run_script(const char *file)
{
    char path[256], state[32], sizes[64], signs[64], name[128];
    char *script = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "tests/screens/%s", file);
    assert_int_equal(pare_keyscript_read(test_source(path), &script, &size, NULL), PARE_OK);
    header_of(script, "state", "full", state, sizeof state);
    header_of(script, "sizes", "80x24 120x36", sizes, sizeof sizes);
    header_of(script, "signs", "braille", signs, sizeof signs);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(file, "."), file);
    char *rest = NULL;
    for (char *one = strtok_r(sizes, " ", &rest); one != NULL; one = strtok_r(NULL, " ", &rest)) {
        int w = 0, h = 0;
        assert_int_equal(sscanf(one, "%dx%d", &w, &h), 2);
        char copy[64], *inner = NULL;
        snprintf(copy, sizeof copy, "%s", signs);
        for (char *sign = strtok_r(copy, " ", &inner); sign != NULL;
             sign = strtok_r(NULL, " ", &inner)) {
            char golden[256];
            snprintf(golden, sizeof golden, "tests/screens/%s-%dx%d-%s.golden", name, w, h, sign);
            char *text = screen_of(script, state, w, h, sign);
            compare_with_golden(golden, text);
            free(text);
        }
    }
    free(script);
}

static void screens_equal_their_goldens(void **state)
{
    (void)state;
    struct dirent **files = NULL;
    const int n = scandir(test_source("tests/screens"), &files, NULL, alphasort);
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        const size_t length = strlen(files[i]->d_name);
        if (length > 5 && strcmp(files[i]->d_name + length - 5, ".keys") == 0) {
            run_script(files[i]->d_name);
        }
        free(files[i]);
    }
    free(files);
    printf("%d goldens compared, %d differ, %d written\n", n_compared, n_differing, n_blessed);
    assert_int_equal(n_differing, 0);
    assert_true(n_compared + n_blessed > 10);
}

/* What the ASCII set draws is ASCII, whatever the texts hold. */
static void ascii_screens_are_ascii(void **state)
{
    (void)state;
    static const char *const views[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9", "?"};
    for (int i = 0; i < 10; i++) {
        char *text = screen_of(views[i], "full", 100, 30, "ascii");
        for (const char *p = text; *p != '\0'; p++) {
            assert_true(*p == '\n' || (*p >= 32 && *p < 127));
        }
        free(text);
    }
}

/* Every view at every size: nothing may crash or read outside (run under ASan), lines keep their
 * width. */
static void every_view_draws_at_every_size(void **state)
{
    (void)state;
    static const char *const kinds[] = {"full", "empty", "loading", "failed", "follower", "bare"};
    struct fake *fakes[6];
    struct pare_ui *uis[6];
    for (int k = 0; k < 6; k++) {
        fakes[k] = fake_new((enum fake_kind)k);
        const struct pare_ui_host host = fake_host(fakes[k]);
        const struct pare_ui_options options = {.glyphs = k % 2 == 0 ? "braille" : "ascii"};
        uis[k] = pare_ui_new(&host, &options, 80, 24);
        assert_non_null(uis[k]);
        (void)kinds;
    }
    uint32_t seed = 11;
    for (int turn = 0; turn < 1500; turn++) {
        struct pare_ui *ui = uis[turn % 6];
        static const int keys[] = {'1', '2', '3', '4', '5', '6', '7', '8', '9', 'w', 'C', 'j', 'k', 'h', 'l',
                                   'g', 'G', ' ', '[', ']', '+', '-', '0', 9,   27,  '>', 'I',
                                   '/', 'c', 13,  '?', ':', 'p', 'i', 'y', 'a', 'A', 'L'};
        const int w = 1 + (int)(test_random(&seed) % 220), h = 1 + (int)(test_random(&seed) % 70);
        pare_ui_resize(ui, w, h);
        for (int k = 0; k < 3; k++) {
            pare_ui_key(ui, keys[test_random(&seed) % (sizeof keys / sizeof keys[0])]);
        }
        pare_ui_draw(ui);
    }
    for (int k = 0; k < 6; k++) {
        pare_ui_free(uis[k]);
        fake_free(fakes[k]);
    }
}

int main(void)
{
    setlocale(LC_CTYPE, "");
    const struct CMUnitTest tests[] = {cmocka_unit_test(screens_equal_their_goldens),
                                       cmocka_unit_test(ascii_screens_are_ascii),
                                       cmocka_unit_test(every_view_draws_at_every_size)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
