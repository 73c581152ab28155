/* keyscript.c: runs key scripts on a workbench without a terminal. */
#include "ui/keyscript.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "ui/app.h"

enum pare_status pare_keyscript_read(const char *path, char **text, size_t *size,
                                     struct pare_error *err)
{
    struct pare_file file;
    const enum pare_status status = pare_file_open(path, 1 << 20, &file, err);
    if (status != PARE_OK) {
        return status;
    }
    *text = malloc(file.size + 1);
    if (*text == NULL) {
        pare_file_close(&file);
        return pare_error_nomem(err);
    }
    if (file.size > 0) {
        memcpy(*text, file.data, file.size);
    }
    (*text)[file.size] = '\0';
    *size = file.size;
    pare_file_close(&file);
    return PARE_OK;
}

struct wait {
    struct pare_ui *ui;
    bool anything;
};

static bool is_idle(void *user)
{
    struct wait *w = user;
    const struct pare_state *st = w->ui->host.state(w->ui->host.user);
    return w->anything && !st->loading && st->progress_total <= 0;
}

static enum pare_status save_display(struct pare_ui *ui, const char *path, struct pare_error *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return pare_error_nomem(err);
    }
    pare_ui_draw(ui);
    pare_ui_write(ui, out);
    fclose(out);
    const enum pare_status status = pare_file_write(path, text, size, err);
    free(text);
    return status;
}

static enum pare_status run_colon(struct pare_ui *ui, struct uv_loop_s *loop, const char *line,
                                  int number, struct pare_error *err)
{
    char name[32] = "";
    sscanf(line, "%31s", name);
    const char *argument = line + strlen(name);
    argument += strspn(argument, " ");
    if (strcmp(name, "save-display") == 0) {
        return save_display(ui, argument, err);
    }
    if (strcmp(name, "resize") == 0) {
        int w = 0, h = 0;
        if (sscanf(argument, "%dx%d", &w, &h) != 2) {
            return pare_error(err, PARE_ERR_USAGE, NULL, "key script line %d: resize WIDTHxHEIGHT",
                              number);
        }
        pare_ui_resize(ui, w, h);
        return PARE_OK;
    }
    if (strcmp(name, "wait") == 0) {
        const double seconds = argument[0] != '\0' ? strtod(argument, NULL) : 600;
        struct wait w = {ui, argument[0] == '\0'};
        if (loop != NULL) {
            pare_loop_wait(loop, seconds, is_idle, &w);
        }
        return PARE_OK;
    }
    pare_ui_execute(ui, line);
    return PARE_OK;
}

static enum pare_status run_keys(struct pare_ui *ui, const char *line, int number,
                                 struct pare_error *err)
{
    while (*line != '\0') {
        if (isspace((unsigned char)*line)) {
            line++;
            continue;
        }
        if (*line == '"') {
            for (line++; *line != '\0' && *line != '"';) {
                uint32_t ch = 0;
                int width = 0;
                line += pare_text_next(line, &ch, &width);
                pare_ui_key(ui, (int)ch);
            }
            line += *line == '"';
            continue;
        }
        char word[32];
        const size_t n = strcspn(line, " \t\r");
        snprintf(word, sizeof word, "%.*s", (int)n, line);
        const int key = pare_key_parse(word);
        if (key == PARE_KEY_NONE) {
            return pare_error(err, PARE_ERR_USAGE, NULL, "key script line %d: unknown key \"%s\"",
                              number, word);
        }
        pare_ui_key(ui, key);
        line += n;
    }
    return PARE_OK;
}

enum pare_status pare_ui_script(struct pare_ui *ui, struct uv_loop_s *loop, const char *text,
                                struct pare_error *err)
{
    enum pare_status status = PARE_OK;
    for (int number = 1; *text != '\0' && status == PARE_OK && !ui->quit; number++) {
        char line[1024];
        const size_t n = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)n, text);
        text += n + (text[n] == '\n');
        pare_ui_draw(ui); /* keys act on what is seen */
        const char *start = line + strspn(line, " \t");
        if (*start == ':') {
            status = run_colon(ui, loop, start + 1, number, err);
        } else if (*start != '#') {
            status = run_keys(ui, start, number, err);
        }
    }
    return status;
}
