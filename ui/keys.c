/* keys.c: the keymap: commands.inc for commands, one small table for motions. */
#include "ui/keys.h"

#include <stdio.h>
#include <string.h>

#include "pare.h"
#include "ui/surface.h"

static const struct {
    const char *name;
    int key;
} names[] = {{"SPACE", PARE_KEY_SPACE},  {"TAB", PARE_KEY_TAB},      {"ENTER", PARE_KEY_ENTER},
             {"ESC", PARE_KEY_ESC},      {"UP", PARE_KEY_UP},        {"DOWN", PARE_KEY_DOWN},
             {"LEFT", PARE_KEY_LEFT},    {"RIGHT", PARE_KEY_RIGHT},  {"HOME", PARE_KEY_HOME},
             {"END", PARE_KEY_END},      {"PGUP", PARE_KEY_PAGE_UP}, {"PGDN", PARE_KEY_PAGE_DOWN},
             {"BTAB", PARE_KEY_BACKTAB}, {"BS", PARE_KEY_BACKSPACE}, {"DEL", PARE_KEY_DELETE},
             {"F1", PARE_KEY_F1}};

int pare_key_parse(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i].name, name) == 0) {
            return names[i].key;
        }
    }
    if (name[0] == 'C' && name[1] == '-' && name[2] >= 'a' && name[2] <= 'z' && name[3] == '\0') {
        return name[2] - 'a' + 1;
    }
    uint32_t ch = 0;
    int width = 0;
    const size_t n = pare_text_next(name, &ch, &width);
    return n > 0 && name[n] == '\0' ? (int)ch : PARE_KEY_NONE;
}

const char *pare_key_name(int key, char *out, size_t size)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].key == key) {
            snprintf(out, size, "%s", names[i].name);
            return out;
        }
    }
    if (key > 0 && key < 32) {
        snprintf(out, size, "C-%c", key - 1 + 'a');
    } else {
        char bytes[8];
        pare_text_encode((uint32_t)key, bytes);
        snprintf(out, size, "%s", bytes);
    }
    return out;
}

static const struct {
    enum pare_motion motion;
    int keys[3];
} motions[] = {{PARE_MOVE_UP, {PARE_KEY_UP, 'k', PARE_KEY_WHEEL_UP}},
               {PARE_MOVE_DOWN, {PARE_KEY_DOWN, 'j', PARE_KEY_WHEEL_DOWN}},
               {PARE_MOVE_LEFT, {PARE_KEY_LEFT, 'h', 0}},
               {PARE_MOVE_RIGHT, {PARE_KEY_RIGHT, 'l', 0}},
               {PARE_MOVE_FIRST, {PARE_KEY_HOME, 'g', 0}},
               {PARE_MOVE_LAST, {PARE_KEY_END, 'G', 0}},
               {PARE_MOVE_PAGE_UP, {PARE_KEY_PAGE_UP, 'b' - 'a' + 1, 0}},
               {PARE_MOVE_PAGE_DOWN, {PARE_KEY_PAGE_DOWN, 'f' - 'a' + 1, 0}},
               {PARE_MOVE_HALF_UP, {'u' - 'a' + 1, 0, 0}},
               {PARE_MOVE_HALF_DOWN, {'d' - 'a' + 1, 0, 0}},
               {PARE_MOVE_BACK, {'[', 0, 0}},
               {PARE_MOVE_FORWARD, {']', 0, 0}},
               {PARE_MOVE_ENTER, {PARE_KEY_ENTER, '\n', 0}},
               {PARE_MOVE_ESC, {PARE_KEY_ESC, 0, 0}}};

enum pare_motion pare_key_motion(int key)
{
    for (size_t i = 0; i < sizeof motions / sizeof motions[0]; i++) {
        for (int k = 0; k < 3; k++) {
            if (motions[i].keys[k] == key && key != 0) {
                return motions[i].motion;
            }
        }
    }
    return PARE_MOVE_NONE;
}

int pare_key_command(int key, int *which)
{
    for (int i = 0; i < pare_command_count(); i++) {
        char keys[64];
        snprintf(keys, sizeof keys, "%s", pare_command_info(i)->keys);
        char *rest = NULL;
        *which = 0;
        for (char *word = strtok_r(keys, " ", &rest); word != NULL;
             word = strtok_r(NULL, " ", &rest)) {
            if (pare_key_parse(word) == key) {
                return i;
            }
            ++*which;
        }
    }
    return -1;
}

bool pare_key_motion_help(int i, const char **keys, const char **help)
{
    static const char *const lines[][2] = {
        {"arrows", "move (also h j k l); in the plot from point to point"},
        {"g G", "first, last"},
        {"C-d C-u", "half a page down, up"},
        {"PGDN PGUP", "a page down, up (also C-f C-b)"},
        {"[ ]", "previous, next point of the front (matrix: another figure)"},
        {"ENTER", "open what is under the cursor (matrix: pin the layer at this level)"},
        {"n N", "next, previous row found"},
        {"ESC", "leave a prompt or page, clear filter, search, marks and zoom"},
    };
    if (i < 0 || i >= (int)(sizeof lines / sizeof lines[0])) {
        return false;
    }
    *keys = lines[i][0];
    *help = lines[i][1];
    return true;
}
