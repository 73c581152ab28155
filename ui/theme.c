/* theme.c: what inks look like. */
#include "ui/theme.h"

#include <string.h>

#include "ui/surface.h"

#define NONE 0xFFFFFFFFu

struct row {
    uint32_t dark, light; /* 0xRRGGBB, NONE = the terminal's own */
    signed char basic;    /* of 8 colours, -1 = own; + 8 = bright where there are 16 */
    uint32_t attr;        /* with 8 and 16 colours, both themes */
    uint32_t mono;        /* without colours */
};

enum { BLACK, RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN, WHITE };

static const struct row rows[PARE_INK_COUNT] = {
    [PARE_INK_TEXT] = {NONE, NONE, -1, 0, 0},
    [PARE_INK_DIM] = {0x808893, 0x6a7079, -1, PARE_FAINT, PARE_FAINT},
    [PARE_INK_TITLE] = {0xe6edf3, 0x1f2328, -1, PARE_BOLD, PARE_BOLD},
    [PARE_INK_BORDER] = {0x4a515c, 0xb5bcc5, -1, PARE_FAINT, PARE_FAINT},
    [PARE_INK_BORDER_FOCUS] = {0x5fafd7, 0x0969da, CYAN, 0, PARE_BOLD},
    [PARE_INK_HEAD] = {0x9aa4b1, 0x57606a, -1, PARE_FAINT, 0},
    [PARE_INK_KEY] = {0x87d7ff, 0x0550ae, CYAN, 0, PARE_BOLD},
    [PARE_INK_NAME] = {0xffffff, 0x000000, -1, PARE_BOLD, PARE_BOLD},
    [PARE_INK_GOOD] = {0x87d787, 0x1a7f37, GREEN, 0, 0},
    [PARE_INK_WARN] = {0xffd75f, 0x9a6700, YELLOW, 0, PARE_BOLD},
    [PARE_INK_BAD] = {0xff6e6e, 0xcf222e, RED, PARE_BOLD, PARE_BOLD},
    [PARE_INK_AXIS] = {0x6c7683, 0x8c959f, -1, PARE_FAINT, PARE_FAINT},
    [PARE_INK_PREDICTED] = {0x6f7d91, 0x8c97a6, -1, PARE_FAINT, PARE_FAINT},
    [PARE_INK_FRONT] = {0xafd7af, 0x116329, GREEN, 0, 0},
    [PARE_INK_GHOST] = {0x5f5f87, 0xb0a8d0, BLUE, 0, PARE_FAINT},
    [PARE_INK_HERE] = {0xffffff, 0xd1006c, WHITE + 8, PARE_BOLD, PARE_BOLD},
    [PARE_INK_MARK] = {0xffd75f, 0x953800, YELLOW + 8, PARE_BOLD, PARE_BOLD},
    [PARE_INK_BAR] = {0x5fafd7, 0x0969da, CYAN, 0, 0},
    [PARE_INK_BAR_REST] = {0x3a4048, 0xd0d7de, -1, PARE_FAINT, PARE_FAINT},
    [PARE_INK_RUN + 0] = {0x5fd7ff, 0x0550ae, CYAN + 8, 0, 0},
    [PARE_INK_RUN + 1] = {0xffaf5f, 0xbc4c00, YELLOW + 8, 0, 0},
    [PARE_INK_RUN + 2] = {0xd7afff, 0x6639ba, MAGENTA + 8, 0, 0},
    [PARE_INK_RUN + 3] = {0x87ff87, 0x1a7f37, GREEN + 8, 0, 0},
    [PARE_INK_RUN + 4] = {0xff87af, 0xbf3989, RED + 8, 0, 0},
    [PARE_INK_RUN + 5] = {0xd7d7d7, 0x424a53, WHITE, 0, 0},
    [PARE_INK_LEVEL + 0] = {0xf0f6fc, 0x24292f, WHITE, PARE_BOLD, PARE_BOLD},
    [PARE_INK_LEVEL + 1] = {0x87afff, 0x0550ae, BLUE + 8, PARE_BOLD, 0},
    [PARE_INK_LEVEL + 2] = {0x5fd7d7, 0x0a6e79, CYAN, 0, 0},
    [PARE_INK_LEVEL + 3] = {0x87d75f, 0x1a7f37, GREEN, 0, 0},
    [PARE_INK_LEVEL + 4] = {0xd7d75f, 0x7d6200, YELLOW, 0, 0},
    [PARE_INK_LEVEL + 5] = {0xffaf5f, 0xa04100, YELLOW, PARE_BOLD, 0},
    [PARE_INK_LEVEL + 6] = {0xff8787, 0xcf222e, RED, 0, 0},
    [PARE_INK_LEVEL + 7] = {0xff5fd7, 0x99286e, MAGENTA, 0, 0},
    [PARE_INK_CHOSEN] = {0x264f78, 0xcfe3fa, BLUE, 0, PARE_REVERSE},
    [PARE_INK_CHOSEN_FAR] = {0x2b3038, 0xe4e8ed, -1, 0, 0},
};

/* The nearest of the 6x6x6 cube and the 24 greys: indices 16..255 look the same on every terminal.
 */
static int nearest_256(uint32_t rgb)
{
    static const int steps[6] = {0, 95, 135, 175, 215, 255};
    const int v[3] = {(int)(rgb >> 16 & 255), (int)(rgb >> 8 & 255), (int)(rgb & 255)};
    int cube = 16, error_cube = 0;
    static const int weight[3] = {36, 6, 1};
    for (int c = 0; c < 3; c++) {
        int best = 0;
        for (int i = 1; i < 6; i++) {
            const int d = v[c] - steps[i], e = v[c] - steps[best];
            best = d * d < e * e ? i : best;
        }
        cube += best * weight[c];
        error_cube += (v[c] - steps[best]) * (v[c] - steps[best]);
    }
    const int mean = (v[0] + v[1] + v[2]) / 3;
    int grey = (mean - 3) / 10;
    grey = grey < 0 ? 0 : grey > 23 ? 23 : grey;
    int error_grey = 0;
    for (int c = 0; c < 3; c++) {
        const int d = v[c] - (8 + 10 * grey);
        error_grey += d * d;
    }
    return error_grey < error_cube ? 232 + grey : cube;
}

struct pare_look pare_theme_look(enum pare_theme_kind theme, enum pare_depth depth,
                                 enum pare_ink ink)
{
    if ((unsigned)ink >= PARE_INK_COUNT) {
        ink = PARE_INK_TEXT;
    }
    const struct row *r = &rows[ink];
    if (theme == PARE_THEME_MONO || depth == PARE_DEPTH_NONE) {
        return (struct pare_look){-1, r->mono};
    }
    if (depth <= PARE_DEPTH_16) {
        if (theme == PARE_THEME_LIGHT && ((r->basic & 7) == WHITE || (r->basic & 7) == YELLOW) &&
            r->basic >= 0) {
            return (struct pare_look){(r->basic & 7) == WHITE ? -1 : RED, r->attr};
        }
        const int color = r->basic < 8 || depth == PARE_DEPTH_16 ? r->basic : r->basic - 8;
        return (struct pare_look){color, r->attr};
    }
    const uint32_t rgb = theme == PARE_THEME_LIGHT ? r->light : r->dark;
    const uint32_t attr = ink == PARE_INK_TITLE || ink == PARE_INK_NAME || ink == PARE_INK_HERE ||
                                  ink == PARE_INK_MARK
                              ? PARE_BOLD
                              : 0;
    if (rgb == NONE) {
        return (struct pare_look){-1, attr};
    }
    return (struct pare_look){depth == PARE_DEPTH_TRUE ? (int)rgb : nearest_256(rgb), attr};
}

static const char *const names[] = {"dark", "light", "mono"};

int pare_theme_parse(const char *name)
{
    for (int i = 0; i < 3; i++) {
        if (strcmp(name, names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

const char *pare_theme_name(enum pare_theme_kind theme)
{
    return names[theme];
}

enum pare_ink pare_theme_level(struct pare_level level)
{
    static const int limits[] = {1024, 128, 64, 32,
                                 16,   6,   2}; /* bit operations of one MAC, at least */
    const int product = level.w_bits * level.a_bits;
    int step = 0;
    while (step < 7 && product < limits[step]) {
        step++;
    }
    if (step == 4 &&
        level.w_bits <= 2) { /* w2a8 multiplies like w4a4, but its weights are narrower */
        step = 5;
    }
    return (enum pare_ink)(PARE_INK_LEVEL + step);
}

enum pare_ink pare_theme_run(int run)
{
    return (enum pare_ink)(PARE_INK_RUN + (run < 0 ? 0 : run % 6));
}
