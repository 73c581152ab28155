/* glyph.c: the sets of signs. No emoji, and nothing that East Asian terminals draw over two cells
 * by default. */
#include "ui/glyph.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>

#define UNICODE_SIGNS                                                                              \
    .horizontal = 0x2500, .vertical = 0x2502, .top_left = 0x256D, .top_right = 0x256E,             \
    .bottom_left = 0x2570, .bottom_right = 0x256F, .tick_left = 0x2524, .axis_corner = 0x2514,     \
    .axis_down = 0x252C, .cut_left = 0x2524, .cut_right = 0x251C, .pin = 0x25A0, .keep = 0x25E7,   \
    .tie = '=', .suspect = '!', .chosen = 0x258C, .differs = 0x2260, .here = 0x25C6, .bar_full = 0x2501,       \
    .bar_rest = 0x2500, .bar_half = 0x257E, .up = 0x2191, .down = 0x2193, .left = 0x2190,           \
    .right = 0x2192, .dot = 0xB7,                                                                  \
    .measured = {0x25CF, 0x25B2, 0x25A0, 0x25BC, 0x25B6, 0x2605},                                  \
    .predicted = {0x25CB, 0x25B3, 0x25A1, 0x25BD, 0x25B7, 0x2606}, .le = "\u2264",                 \
    .plus_minus = "\u00b1", .none = "\u2013", .arrow = "\u2192", .times = "x",                     \
    .ellipsis = "\u2026"

static const struct pare_glyphs sets[] = {
    {.kind = PARE_GLYPHS_BRAILLE, .ascii = false, UNICODE_SIGNS},
    {.kind = PARE_GLYPHS_BLOCK, .ascii = false, UNICODE_SIGNS},
    {.kind = PARE_GLYPHS_ASCII,
     .ascii = true,
     .horizontal = '-',
     .vertical = '|',
     .top_left = '+',
     .top_right = '+',
     .bottom_left = '+',
     .bottom_right = '+',
     .tick_left = '+',
     .axis_corner = '+',
     .axis_down = '+',
     .cut_left = '|',
     .cut_right = '|',
     .pin = '#',
     .keep = '%',
     .tie = '=',
     .suspect = '!',
     .chosen = '>',
     .differs = '*',
     .here = '@',
     .bar_full = '#',
     .bar_rest = '.',
     .bar_half = '#',
     .up = '^',
     .down = 'v',
     .left = '<',
     .right = '>',
     .dot = '.',
     .measured = {'A', 'B', 'C', 'D', 'E', 'F'},
     .predicted = {'a', 'b', 'c', 'd', 'e', 'f'},
     .le = "<=",
     .plus_minus = "+-",
     .none = "-",
     .arrow = "->",
     .times = "x",
     .ellipsis = "~"},
};

const struct pare_glyphs *pare_glyphs(enum pare_glyph_kind kind)
{
    return &sets[kind];
}

enum pare_glyph_kind pare_glyphs_detect(void)
{
    const char *codeset = nl_langinfo(CODESET);
    if (codeset == NULL || strcmp(codeset, "UTF-8") != 0) {
        return PARE_GLYPHS_ASCII;
    }
    const char *term = getenv("TERM");
    return term != NULL && strcmp(term, "linux") == 0 ? PARE_GLYPHS_BLOCK : PARE_GLYPHS_BRAILLE;
}

static const char *const names[] = {"braille", "block", "ascii"};

int pare_glyphs_parse(const char *name)
{
    for (int i = 0; i < 3; i++) {
        if (strcmp(name, names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

const char *pare_glyphs_name(enum pare_glyph_kind kind)
{
    return names[kind];
}
