/*
 * keys.h: names and codes of keys. A key is a code point, a control code (1..31, 127), or one of
 * enum pare_key.
 */
#ifndef PARE_KEYS_H
#define PARE_KEYS_H

#include <stdbool.h>
#include <stddef.h>

enum pare_key {
    PARE_KEY_NONE = 0,
    PARE_KEY_TAB = 9,
    PARE_KEY_ENTER = 13,
    PARE_KEY_ESC = 27,
    PARE_KEY_SPACE = 32,
    PARE_KEY_UP = 0x200000, /* above every code point */
    PARE_KEY_DOWN,
    PARE_KEY_LEFT,
    PARE_KEY_RIGHT,
    PARE_KEY_HOME,
    PARE_KEY_END,
    PARE_KEY_PAGE_UP,
    PARE_KEY_PAGE_DOWN,
    PARE_KEY_BACKTAB,
    PARE_KEY_BACKSPACE,
    PARE_KEY_DELETE,
    PARE_KEY_F1,
    PARE_KEY_CLICK, /* with pare_ui_click's place */
    PARE_KEY_WHEEL_UP,
    PARE_KEY_WHEEL_DOWN
};

enum pare_motion {
    PARE_MOVE_NONE,
    PARE_MOVE_UP,
    PARE_MOVE_DOWN,
    PARE_MOVE_LEFT,
    PARE_MOVE_RIGHT,
    PARE_MOVE_FIRST,
    PARE_MOVE_LAST,
    PARE_MOVE_PAGE_UP,
    PARE_MOVE_PAGE_DOWN,
    PARE_MOVE_HALF_UP,
    PARE_MOVE_HALF_DOWN,
    PARE_MOVE_BACK,    /* previous point of the front */
    PARE_MOVE_FORWARD, /* next point of the front */
    PARE_MOVE_ENTER,
    PARE_MOVE_ESC
};

/* "C-l", "SPACE", "TAB", "UP", "a" -> code; PARE_KEY_NONE when unknown. */
int pare_key_parse(const char *name);
/* The name of a code into out. */
const char *pare_key_name(int key, char *out, size_t size);
/* What a key moves: arrows and hjkl, g G, pages, half pages, [ ]. */
enum pare_motion pare_key_motion(int key);
/* The command (index into the command table) bound to a key, and which of its keys it is; -1 =
 * none. */
int pare_key_command(int key, int *which);
/* The i-th line of the motions, for the help page: keys and what they do; false after the last. */
bool pare_key_motion_help(int i, const char **keys, const char **help);

#endif
