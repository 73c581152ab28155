/* popup.c: the page of text over the views. Lines that are wider than the screen go on in the next one. */
#include <stdlib.h>
#include <string.h>

#include "ui/app.h"

void pare_popup_show(struct pare_ui *ui, const char *title, const char *text)
{
    char *copy = strdup(text);
    if (copy == NULL) {
        return;
    }
    pare_popup_close(ui);
    ui->popup.text = copy;
    ui->popup.open = true;
    snprintf(ui->popup.title, sizeof ui->popup.title, "%s", title);
    ui->dirty = true;
}

void pare_popup_close(struct pare_ui *ui)
{
    free(ui->popup.text);
    ui->popup = (struct pare_popup){0};
    ui->dirty = true;
}

/* A walk through the text, piece by piece as it is drawn; a piece is (a part of) one line. */
struct walk {
    const char *at, *line; /* what comes next; where its line starts */
    bool inside;           /* `at` is in the middle of its line */
    const char *from;      /* the piece: n bytes, behind indent cells */
    int n, indent;
    bool goes_on;          /* a command that goes on in the next piece: ends in a backslash */
};

static int spaces(const char *text)
{
    return (int)strspn(text, " ");
}

/* The next piece, at most w cells wide; false at the end of the text. Text is broken at spaces, commands never inside quotes. */
static bool walk_on(struct walk *k, int w)
{
    if (*k->at == '\0') {
        return false;
    }
    k->line = k->inside ? k->line : k->at;
    const int lead = spaces(k->line);
    const bool command = strncmp(k->line + lead, "pare ", 5) == 0;
    k->indent = k->inside && lead + 2 < w / 2 ? lead + 2 : 0;
    k->from = k->at;
    const char *const end = k->at + strcspn(k->at, "\n"), *fits = k->at, *gap = NULL;
    const int room = w - k->indent;
    bool quoted = false;
    int used = 0, width = 0;
    uint32_t ch = 0;
    for (const char *p = k->at; p < end; p = fits) {
        const size_t n = pare_text_next(p, &ch, &width);
        if (n == 0 || used + width > room) {
            break;
        }
        if (ch == ' ' && !(command && quoted) && p > k->at + spaces(k->at) && used + (command ? 2 : 0) <= room) {
            gap = p;
        }
        quoted ^= ch == '\'';
        used += width;
        fits = p + n;
    }
    const bool all = fits >= end;
    if (!all && fits == k->at) { /* a character that is wider than the room */
        fits += pare_text_next(fits, &ch, &width);
    }
    k->n = (int)((all ? end : gap != NULL ? gap : fits) - k->from);
    k->at += k->n;
    k->at += all ? *k->at == '\n' : spaces(k->at);
    k->inside = !all;
    k->goes_on = !all && gap != NULL && command;
    return true;
}

/* Its lines on this screen; *w = its width with the border. */
static int lines_of(const struct pare_ui *ui, int *w)
{
    const struct pare_popup *p = &ui->popup;
    int widest = pare_text_width(p->title) + 8, lines = 0;
    struct walk k = {.at = p->text};
    char line[512];
    for (const char *q = p->text; *q != '\0'; q += strcspn(q, "\n"), q += *q == '\n') {
        snprintf(line, sizeof line, "%.*s", (int)strcspn(q, "\n"), q);
        const int width = pare_text_width(line);
        widest = width > widest ? width : widest;
    }
    *w = widest + 4 > ui->surface.width - 2 ? ui->surface.width - 2 : widest + 4;
    while (walk_on(&k, *w - 4)) {
        lines++;
    }
    return lines;
}

static int height_of(const struct pare_ui *ui, int lines)
{
    return lines + 2 > ui->surface.height - 4 ? ui->surface.height - 4 : lines + 2;
}

bool pare_popup_key(struct pare_ui *ui, int key)
{
    struct pare_popup *p = &ui->popup;
    int w;
    const int lines = lines_of(ui, &w), shown = height_of(ui, lines) - 2, page = shown > 2 ? shown - 2 : 2;
    ui->dirty = true;
    switch (pare_key_motion(key)) {
    case PARE_MOVE_UP:
        p->top--;
        break;
    case PARE_MOVE_DOWN:
        p->top++;
        break;
    case PARE_MOVE_PAGE_UP:
    case PARE_MOVE_HALF_UP:
        p->top -= page;
        break;
    case PARE_MOVE_PAGE_DOWN:
    case PARE_MOVE_HALF_DOWN:
        p->top += page;
        break;
    case PARE_MOVE_FIRST:
        p->top = 0;
        break;
    case PARE_MOVE_LAST:
        p->top = lines;
        break;
    default:
        pare_popup_close(ui);
        return true;
    }
    p->top = p->top > lines - shown ? lines - shown : p->top;
    p->top = p->top < 0 ? 0 : p->top;
    return true;
}

void pare_popup_draw(struct pare_ui *ui)
{
    struct pare_popup *p = &ui->popup;
    struct pare_surface *s = &ui->surface;
    int w;
    const int lines = lines_of(ui, &w), h = height_of(ui, lines);
    p->top = p->top > lines - (h - 2) ? lines - (h - 2) : p->top; /* the screen has grown */
    const struct pare_rect r = {(s->width - w) / 2, (s->height - h) / 2, w, h};
    pare_draw_fill(s, r, ' ', 0);
    char place[32] = "", line[512];
    if (lines > h - 2) {
        snprintf(place, sizeof place, "%d/%d", p->top + h - 2, lines);
    }
    pare_ui_draw_box(ui, r, true, p->title, place);
    struct walk k = {.at = p->text};
    for (int y = -p->top; y < h - 2 && walk_on(&k, w - 4); y++) {
        snprintf(line, sizeof line, "%.*s%s", k.n, k.from, k.goes_on ? " \\" : "");
        const bool heading = line[0] != '\0' && line[0] != ' ' && !k.inside && line[strlen(line) - 1] == ':';
        if (y >= 0) {
            pare_draw_text(s, r.x + 2 + k.indent, r.y + 1 + y, w - 4 - k.indent, heading ? PARE_INK_TITLE : PARE_INK_TEXT, line);
        }
    }
}
