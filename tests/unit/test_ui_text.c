/* Width-safe drawing, numbers as people read them, colours by meaning, the keymap. */
#include <locale.h>
#include <math.h>
#include <stdio.h>

#include "pare.h"
#include "support.h"
#include "ui/format.h"
#include "ui/keys.h"
#include "ui/surface.h"
#include "ui/theme.h"

static struct pare_surface s;

/* Row 0 of the surface as text, without blanks at its end. */
static const char *row(void)
{
    static char text[256];
    size_t used = 0;
    for (int x = 0; x < s.width; x++) {
        if (s.cells[x].ch != 0) {
            used += pare_text_encode(s.cells[x].ch, text + used);
        }
    }
    while (used > 0 && text[used - 1] == ' ') {
        used--;
    }
    text[used] = '\0';
    return text;
}

static void fresh(bool ascii)
{
    pare_surface_resize(&s, 20, 2);
    s.ascii = ascii;
}

static void long_texts_end_in_an_ellipsis(void **state)
{
    (void)state;
    fresh(false);
    assert_int_equal(pare_draw_text(&s, 0, 0, 8, 0, "abcdefghij"), 8);
    assert_string_equal(row(), "abcdefg\u2026");
    fresh(false);
    pare_draw_middle(&s, 0, 0, 9, 0, "keypoints/block5/fc");
    assert_string_equal(row(), "keyp\u20265/fc");
    fresh(true);
    pare_draw_text(&s, 0, 0, 4, 0, "abcdefghij");
    assert_string_equal(row(), "abc~");
}

static void numbers_are_cut_at_their_left(void **state)
{
    (void)state;
    fresh(false);
    pare_draw_right(&s, 0, 0, 6, 0, "1.5");
    assert_string_equal(row(), "   1.5");
    fresh(false);
    pare_draw_right(&s, 0, 0, 4, 0, "1234567");
    assert_string_equal(row(), "\u2026567");
}

static void wide_combining_and_control_characters_are_safe(void **state)
{
    (void)state;
    assert_int_equal(pare_text_width("\u5b57\u5b57"), 4);
    assert_int_equal(pare_text_width("e\u0301"), 1);
    assert_int_equal(pare_text_width("a\033[31m"), 6);
    fresh(false);
    assert_int_equal(pare_draw_text(&s, 0, 0, 20, 0, "\u5b57\033x\xff"), 5);
    assert_string_equal(row(), "\u5b57.x\uFFFD");
    assert_int_equal(s.cells[1].ch, 0);
    pare_draw_char(&s, 1, 0, 'z', 0); /* over the right half: the left half goes too */
    assert_int_equal(s.cells[0].ch, ' ');
    fresh(false);
    pare_draw_text(&s, 19, 0, 5, 0, "\u5b57"); /* half a wide character at the edge */
    assert_int_equal(s.cells[19].ch, ' ');
    fresh(true);
    pare_draw_text(&s, 0, 0, 20, 0, "a\u2264\u5b57b");
    assert_string_equal(row(), "a<??b");
}

static void drawing_outside_changes_nothing(void **state)
{
    (void)state;
    fresh(false);
    pare_draw_text(&s, -3, 0, 10, 0, "abcdef");
    pare_draw_text(&s, 0, -1, 10, 0, "abcdef");
    pare_draw_text(&s, 0, 99, 10, 0, "abcdef");
    pare_draw_fill(&s, (struct pare_rect){-5, -5, 3, 100}, 'x', 0);
    pare_draw_back(&s, -5, 0, 3, 7);
    assert_string_equal(row(), "def");
}

static void numbers_read_well(void **state)
{
    (void)state;
    char out[64];
    const struct pare_glyphs *g = pare_glyphs(PARE_GLYPHS_ASCII);
    assert_string_equal(pare_format_ms(out, sizeof out, 8.314, g), "8.31");
    assert_string_equal(pare_format_ms(out, sizeof out, 0.0612, g), "0.061");
    assert_string_equal(pare_format_ms(out, sizeof out, 1250.4, g), "1250");
    assert_string_equal(pare_format_ms(out, sizeof out, NAN, g), "-");
    assert_string_equal(pare_format_percent(out, sizeof out, 0.01234, g), "1.2");
    assert_string_equal(pare_format_percent(out, sizeof out, -0.0002, g), "0.0");
    assert_string_equal(pare_format_bytes(out, sizeof out, 2080000, g), "2.08 MB");
    assert_string_equal(pare_format_bytes(out, sizeof out, 812, g), "812 B");
    assert_string_equal(pare_format_bytes(out, sizeof out, 999700, g), "1.00 MB");
    assert_string_equal(pare_format_count(out, sizeof out, 12400000, g), "12.4 M");
    assert_string_equal(pare_format_duration(out, sizeof out, 12, g), "0:12");
    assert_string_equal(pare_format_duration(out, sizeof out, 3723, g), "1:02:03");
    assert_string_equal(pare_format_duration(out, sizeof out, INFINITY, g), "-");
    assert_int_equal(pare_format_decimals(96.4, NAN), 1);
    assert_int_equal(pare_format_decimals(96.4, 0.02),
                     3); /* more digits when values lie close together */
    assert_int_equal(pare_format_decimals(0.0003, NAN), 4);
}

static void levels_stay_apart_with_eight_colours(void **state)
{
    (void)state;
    static const char *const names[] = {"fp32", "fp16", "int8", "w4a8",
                                        "int4", "w2a8", "int2", "bin1"};
    for (int depth = PARE_DEPTH_8; depth <= PARE_DEPTH_TRUE; depth++) {
        for (int i = 0; i < 8; i++) {
            struct pare_level level;
            assert_int_equal(pare_level_parse(names[i], &level, NULL), PARE_OK);
            assert_int_equal(pare_theme_level(level), PARE_INK_LEVEL + i);
            const struct pare_look a =
                pare_theme_look(PARE_THEME_DARK, (enum pare_depth)depth, pare_theme_level(level));
            assert_true(depth > PARE_DEPTH_8 || a.color < 8);
            for (int j = 0; j < i; j++) {
                const struct pare_look b = pare_theme_look(PARE_THEME_DARK, (enum pare_depth)depth,
                                                           (enum pare_ink)(PARE_INK_LEVEL + j));
                assert_true(a.color != b.color || a.attr != b.attr);
            }
        }
    }
    for (int ink = 0; ink < PARE_INK_COUNT; ink++) {
        assert_int_equal(pare_theme_look(PARE_THEME_MONO, PARE_DEPTH_256, (enum pare_ink)ink).color,
                         -1);
        assert_int_equal(
            pare_theme_look(PARE_THEME_DARK, PARE_DEPTH_NONE, (enum pare_ink)ink).color, -1);
        const struct pare_look look =
            pare_theme_look(PARE_THEME_DARK, PARE_DEPTH_8, (enum pare_ink)ink);
        assert_true(look.color != 0); /* black text on a black screen */
    }
}

/* Every command has help, every key one meaning, and no key of a command is a motion. */
static void keymap_is_whole(void **state)
{
    (void)state;
    for (int i = 0; i < pare_command_count(); i++) {
        char keys[64];
        const struct pare_command_info *c = pare_command_info(i);
        assert_true(strlen(c->help) >= 4);
        snprintf(keys, sizeof keys, "%s", c->keys);
        char *rest = NULL;
        int nth = 0;
        for (char *word = strtok_r(keys, " ", &rest); word != NULL;
             word = strtok_r(NULL, " ", &rest), nth++) {
            int which = -1;
            const int key = pare_key_parse(word);
            char name[16];
            assert_true(key != PARE_KEY_NONE);
            assert_string_equal(pare_key_name(key, name, sizeof name), word);
            if (pare_key_command(key, &which) != i || which != nth ||
                pare_key_motion(key) != PARE_MOVE_NONE) {
                fail_msg("key %s of %s has another meaning", word, c->name);
            }
        }
    }
    const char *keys = NULL, *help = NULL;
    int n = 0;
    while (pare_key_motion_help(n, &keys, &help)) {
        n++;
    }
    assert_true(n > 5);
}

int main(void)
{
    setlocale(LC_CTYPE, "");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_texts_end_in_an_ellipsis),
        cmocka_unit_test(numbers_are_cut_at_their_left),
        cmocka_unit_test(wide_combining_and_control_characters_are_safe),
        cmocka_unit_test(drawing_outside_changes_nothing),
        cmocka_unit_test(numbers_read_well),
        cmocka_unit_test(levels_stay_apart_with_eight_colours),
        cmocka_unit_test(keymap_is_whole)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pare_surface_free(&s);
    return failed;
}
