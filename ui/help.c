/* help.c: the page of keys, signs and commands, made from their tables. */
#include <string.h>

#include "base/strbuf.h"
#include "ui/app.h"

/* Appends text broken at blanks; further lines start at `indent`. */
static void append_wrapped(struct pare_strbuf *b, const char *text, int indent, int width)
{
    int at = indent;
    while (*text != '\0') {
        const int n = (int)strcspn(text, " ");
        if (at > indent && at + n > width) {
            pare_strbuf_printf(b, "\n%*s", indent, "");
            at = indent;
        }
        pare_strbuf_printf(b, "%.*s", n, text);
        at += n + 1;
        text += n;
        for (; *text == ' '; text++) {
            pare_strbuf_append(b, at < width ? " " : "");
        }
    }
    pare_strbuf_append(b, "\n");
}

/* "1 2 3 4 5 6 7 8" as "1..8". */
static void short_keys(const char *keys, char *out, size_t size)
{
    const char *last = strrchr(keys, ' ');
    snprintf(out, size, strlen(keys) > 8 && last != NULL ? "%.*s..%s" : "%.*s",
             strlen(keys) > 8 && last != NULL ? (int)strcspn(keys, " ") : 60, keys,
             last != NULL ? last + 1 : "");
}

/* One sign, or two of a kind, and what they mean. */
static void append_sign(struct pare_strbuf *b, uint32_t sign, uint32_t other, const char *means, int width)
{
    char first[8] = "", second[8] = "";
    pare_text_encode(sign, first);
    if (other != 0) {
        pare_text_encode(other, second);
    }
    const int used = pare_text_width(first) + (other != 0 ? 1 + pare_text_width(second) : 0);
    pare_strbuf_printf(b, "  %s%s%s%*s", first, other != 0 ? " " : "", second, used < 11 ? 11 - used : 1, "");
    append_wrapped(b, means, 13, width);
}

static void append_signs(struct pare_ui *ui, struct pare_strbuf *b, int width)
{
    const struct pare_glyphs *g = ui->g;
    pare_strbuf_append(b, "\nsigns:\n");
    append_sign(b, g->here, 0, "the point under the cursor; in the matrix the level that it uses", width);
    append_sign(b, g->measured[0], g->predicted[0], "points of the first run, measured and predicted; each run has its own sign (view 5)", width);
    append_sign(b, g->dot, 0, "a point off the front; dotted lines are fronts, measured and predicted", width);
    append_sign(b, g->pin, g->keep, "pinned at a level, kept within a range", width);
    append_sign(b, g->tie, 0, "with a letter: tied, one level with the others of that letter", width);
    append_sign(b, g->suspect, 0, "suspected: RMSE over scale above 0.7", width);
    append_sign(b, '~', 0, "predicted, not measured", width);
    append_sign(b, g->up, g->down, "points beyond the plot", width);
}

void pare_ui_show_help(struct pare_ui *ui, const char *command)
{
    struct pare_strbuf b;
    pare_strbuf_init(&b);
    const int width = ui->surface.width > 110 ? 100 : ui->surface.width - 8;
    const int only = command[0] != '\0' ? pare_command_find(command) : -1;
    const char *keys = NULL, *help = NULL;
    char text[64];
    if (command[0] != '\0' && only < 0) {
        pare_ui_say(ui, true, "no command \"%s\"", command);
    } else if (only >= 0) {
        const struct pare_command_info *c = pare_command_info(only);
        pare_strbuf_printf(&b, "usage:\n  :%s %s\n", c->name, c->arguments);
        pare_strbuf_printf(&b, "keys:\n  %s\n\n", c->keys[0] != '\0' ? c->keys : "none");
        append_wrapped(&b, c->help, 0, width);
        pare_popup_show(ui, command, b.text);
    } else {
        pare_strbuf_append(&b, "moving:\n");
        for (int i = 0; pare_key_motion_help(i, &keys, &help); i++) {
            pare_strbuf_printf(&b, "  %-10s ", keys);
            append_wrapped(&b, help, 13, width);
        }
        append_signs(ui, &b, width);
        pare_strbuf_append(
            &b, "\nkeys and commands; : types one, :help COMMAND tells its arguments:\n");
        for (int i = 0; i < pare_command_count(); i++) {
            const struct pare_command_info *c = pare_command_info(i);
            short_keys(c->keys, text, sizeof text);
            pare_strbuf_printf(&b, "  %-8s %-9s ", text, c->name);
            append_wrapped(&b, c->help, 21, width);
        }
        for (int i = 0; i < ui->bindings.n; i++) {
            pare_strbuf_printf(&b, i == 0 ? "\nyour keys:\n  %-10s %s\n" : "  %-10s %s\n",
                               pare_key_name(ui->bindings.key[i], text, sizeof text), ui->bindings.line[i]);
        }
        pare_popup_show(ui, "help", b.text);
    }
    pare_strbuf_clear(&b);
}
