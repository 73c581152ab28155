/*
 * glyph.h: the three sets of signs (braille, block, ASCII), chosen from the locale's character set
 * and by option. Views take every sign from here, so that a screen without UTF-8 stays whole.
 */
#ifndef PARE_GLYPH_H
#define PARE_GLYPH_H

#include <stdbool.h>
#include <stdint.h>

enum pare_glyph_kind { PARE_GLYPHS_BRAILLE, PARE_GLYPHS_BLOCK, PARE_GLYPHS_ASCII };

struct pare_glyphs {
    enum pare_glyph_kind kind;
    bool ascii;
    uint32_t horizontal, vertical, top_left, top_right, bottom_left, bottom_right;
    uint32_t tick_left, axis_corner, axis_down, cut_left, cut_right;
    uint32_t pin, keep, tie, suspect, chosen, differs, here, bar_full, bar_rest, bar_half;
    uint32_t up, down, left, right, dot;
    uint32_t measured[6], predicted[6]; /* one sign per run, filled and hollow */
    const char *le, *plus_minus, *none, *arrow, *times, *ellipsis;
};

const struct pare_glyphs *pare_glyphs(enum pare_glyph_kind kind);
/* From nl_langinfo(CODESET) of the current LC_CTYPE and TERM (the Linux console has no braille). */
enum pare_glyph_kind pare_glyphs_detect(void);
/* "braille", "block", "ascii"; -1 when unknown. */
int pare_glyphs_parse(const char *name);
const char *pare_glyphs_name(enum pare_glyph_kind kind);

#endif
