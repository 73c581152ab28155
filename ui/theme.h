/*
 * theme.h: colours by meaning. Views name an ink; a theme says what it looks like with true colour,
 * 256, 8 or no colours. Nothing is told by colour alone. The default background stays the
 * terminal's own.
 */
#ifndef PARE_THEME_H
#define PARE_THEME_H

#include <stdbool.h>
#include <stdint.h>

#include "quant/level.h"

enum pare_ink {
    PARE_INK_TEXT,  /* the terminal's own colours */
    PARE_INK_DIM,   /* units, hints, what is not measured */
    PARE_INK_TITLE, /* panel titles, the chosen tab */
    PARE_INK_BORDER,
    PARE_INK_BORDER_FOCUS,
    PARE_INK_HEAD, /* column heads */
    PARE_INK_KEY,  /* keys in the key line */
    PARE_INK_NAME, /* pipeline, stages */
    PARE_INK_GOOD,
    PARE_INK_WARN,
    PARE_INK_BAD,
    PARE_INK_AXIS,
    PARE_INK_PREDICTED,
    PARE_INK_FRONT,
    PARE_INK_GHOST,
    PARE_INK_HERE, /* the cursor */
    PARE_INK_MARK,
    PARE_INK_BAR,
    PARE_INK_BAR_REST,
    PARE_INK_RUN, /* 6 inks, one per run in turn */
    PARE_INK_RUN_LAST = PARE_INK_RUN + 5,
    PARE_INK_LEVEL, /* 8 inks, a ramp from fp32 to bin1 */
    PARE_INK_LEVEL_LAST = PARE_INK_LEVEL + 7,
    PARE_INK_CHOSEN,     /* background of the chosen row in the focused panel */
    PARE_INK_CHOSEN_FAR, /* the same in other panels */
    PARE_INK_COUNT
};

enum pare_theme_kind { PARE_THEME_DARK, PARE_THEME_LIGHT, PARE_THEME_MONO };

/* What a terminal can show. */
enum pare_depth { PARE_DEPTH_NONE, PARE_DEPTH_8, PARE_DEPTH_16, PARE_DEPTH_256, PARE_DEPTH_TRUE };

/* One ink as the terminal wants it. */
struct pare_look {
    int color;     /* -1 = the terminal's own; else an index, or 0xRRGGBB at PARE_DEPTH_TRUE */
    uint32_t attr; /* PARE_BOLD, PARE_FAINT, PARE_REVERSE, ... to add */
};

struct pare_look pare_theme_look(enum pare_theme_kind theme, enum pare_depth depth,
                                 enum pare_ink ink);
/* "dark", "light", "mono"; -1 when unknown. */
int pare_theme_parse(const char *name);
const char *pare_theme_name(enum pare_theme_kind theme);
/* The ink of a level: 8 steps by bit operations, fp32 first. */
enum pare_ink pare_theme_level(struct pare_level level);
enum pare_ink pare_theme_run(int run);

#endif
