/* bind.c: the user's own keys. */
#include "ui/bind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "pare.h"
#include "ui/keys.h"

#define MAX_FILE ((size_t)1 << 16)

/* One line, trimmed; false with err when it is wrong. */
static bool take_line(struct pare_bindings *b, char *line, struct pare_error *err, const char *where)
{
    line += strspn(line, " \t");
    for (size_t n = strlen(line); n > 0 && strchr(" \t\r", line[n - 1]) != NULL; n--) {
        line[n - 1] = '\0';
    }
    if (line[0] == '\0' || line[0] == '#') {
        return true;
    }
    char *rest = line + strcspn(line, " \t");
    char name[32] = "";
    if (*rest != '\0') {
        *rest++ = '\0';
        rest += strspn(rest, " \t:");
    }
    sscanf(rest, "%31s", name);
    const int key = pare_key_parse(line);
    if (key == PARE_KEY_NONE) {
        pare_error(err, PARE_ERR_CONFIG, where, "unknown key \"%.20s\" (a letter, C-x, SPACE, TAB, F1, UP, ...)", line);
    } else if (strcmp(name, "none") != 0 && pare_command_find(name) < 0) {
        pare_error(err, PARE_ERR_CONFIG, where, "unknown command \"%.31s\" (? in the workbench lists them)", name);
    } else if (b->n == PARE_MAX_BINDINGS || strlen(rest) >= sizeof b->line[0]) {
        pare_error(err, PARE_ERR_CONFIG, where, "more than %d keys, or a line that is too long", PARE_MAX_BINDINGS);
    } else {
        b->key[b->n] = key;
        snprintf(b->line[b->n++], sizeof b->line[0], "%s", rest);
        return true;
    }
    return false;
}

enum pare_status pare_bindings_read(struct pare_bindings *b, const char *path, struct pare_error *err)
{
    struct pare_file file;
    memset(b, 0, sizeof *b);
    enum pare_status status = pare_file_open(path, MAX_FILE, &file, err);
    char *text = status == PARE_OK ? calloc(file.size + 1, 1) : NULL;
    if (status != PARE_OK || text == NULL) {
        return status != PARE_OK ? status : pare_error_nomem(err);
    }
    if (file.size > 0) {
        memcpy(text, file.data, file.size);
    }
    pare_file_close(&file);
    int number = 1;
    for (char *line = text, *next; line != NULL && status == PARE_OK; line = next, number++) {
        char where[512];
        next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        snprintf(where, sizeof where, "%.480s:%d", path, number);
        status = take_line(b, line, err, where) ? PARE_OK : PARE_ERR_CONFIG;
    }
    free(text);
    return status;
}

const char *pare_bindings_line(const struct pare_bindings *b, int key)
{
    for (int i = b->n - 1; i >= 0; i--) { /* the last line counts */
        if (b->key[i] == key) {
            return b->line[i];
        }
    }
    return NULL;
}
