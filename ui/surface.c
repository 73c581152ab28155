/* surface.c: drawing into a grid of cells, safe for any text and any size. */
#include "ui/surface.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

bool pare_surface_resize(struct pare_surface *s, int width, int height)
{
    width = width < 1 ? 1 : width > 2000 ? 2000 : width;
    height = height < 1 ? 1 : height > 1000 ? 1000 : height;
    struct pare_surface_cell *cells = calloc((size_t)width * (size_t)height, sizeof *cells);
    if (cells == NULL) {
        return false;
    }
    free(s->cells);
    s->cells = cells;
    s->width = width;
    s->height = height;
    pare_surface_clear(s);
    return true;
}

void pare_surface_clear(struct pare_surface *s)
{
    for (int i = 0; i < s->width * s->height; i++) {
        s->cells[i] = (struct pare_surface_cell){' ', 0};
    }
}

void pare_surface_free(struct pare_surface *s)
{
    free(s->cells);
    *s = (struct pare_surface){0};
}

size_t pare_text_encode(uint32_t ch, char out[8])
{
    utf8proc_uint8_t bytes[4] = {0};
    size_t n = (size_t)utf8proc_encode_char((utf8proc_int32_t)ch, bytes);
    memcpy(out, bytes, n);
    out[n] = '\0';
    return n;
}

void pare_surface_write(const struct pare_surface *s, FILE *out)
{
    for (int y = 0; y < s->height; y++) {
        const struct pare_surface_cell *row = &s->cells[y * s->width];
        int end = s->width;
        while (end > 0 && row[end - 1].ch == ' ') {
            end--;
        }
        for (int x = 0; x < end; x++) {
            char bytes[8];
            if (row[x].ch != 0) {
                pare_text_encode(row[x].ch, bytes);
                fputs(bytes, out);
            }
        }
        fputc('\n', out);
    }
}

size_t pare_text_next(const char *text, uint32_t *ch, int *width)
{
    if (*text == '\0') {
        return 0;
    }
    utf8proc_int32_t code = 0;
    const size_t left = strnlen(text, 4);
    const utf8proc_ssize_t n =
        utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)left, &code);
    if (n < 1 || code < 0) {
        *ch = 0xFFFD;
        *width = 1;
        return 1;
    }
    *ch = (uint32_t)code;
    *width = utf8proc_charwidth(code);
    if (code < 32 || (code >= 127 && code < 160)) {
        *ch = '.';
        *width = 1;
    }
    return (size_t)n;
}

int pare_text_width(const char *text)
{
    int total = 0, width = 0;
    uint32_t ch = 0;
    for (size_t n; (n = pare_text_next(text, &ch, &width)) > 0; text += n) {
        total += width;
    }
    return total;
}

/* The nearest ASCII sign for what our own texts use; '?' for the rest. */
static uint32_t ascii_of(uint32_t ch)
{
    static const struct {
        uint32_t from;
        char to;
    } map[] = {{0x2264, '<'},  {0x2265, '>'},  {0xB1, '~'},   {0x2192, '>'}, {0x2013, '-'},
               {0x2014, '-'},  {0x2026, '~'},  {0xB7, '.'},   {0xD7, 'x'},   {0x2022, '*'},
               {0x2018, '\''}, {0x2019, '\''}, {0x201C, '"'}, {0x201D, '"'}, {0x2190, '<'},
               {0xB5, 'u'},    {0x394, 'd'},   {0x2212, '-'}};
    if (ch < 127) {
        return ch;
    }
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
        if (map[i].from == ch) {
            return (uint32_t)map[i].to;
        }
    }
    return '?';
}

void pare_draw_char(struct pare_surface *s, int x, int y, uint32_t ch, uint32_t style)
{
    if (x < 0 || y < 0 || x >= s->width || y >= s->height) {
        return;
    }
    struct pare_surface_cell *cell = &s->cells[y * s->width + x];
    if (cell->ch == 0 && x > 0) { /* the right half of a wide character: its left half goes too */
        cell[-1].ch = ' ';
    }
    if (x + 1 < s->width && cell[1].ch == 0) {
        cell[1].ch = ' ';
    }
    cell->ch = s->ascii ? ascii_of(ch) : ch;
    cell->style = style;
}

void pare_draw_back(struct pare_surface *s, int x, int y, int w, uint32_t ink)
{
    for (int i = x < 0 ? 0 : x; i < x + w && i < s->width && y >= 0 && y < s->height; i++) {
        uint32_t *style = &s->cells[y * s->width + i].style;
        *style = (*style & ~PARE_ON(0xff)) | PARE_ON(ink);
    }
}

void pare_draw_fill(struct pare_surface *s, struct pare_rect r, uint32_t ch, uint32_t style)
{
    for (int y = r.y; y < r.y + r.h; y++) {
        for (int x = r.x; x < r.x + r.w; x++) {
            pare_draw_char(s, x, y, ch, style);
        }
    }
}

/* Draws without an ellipsis until w cells are used; returns cells used. */
static int draw_plain(struct pare_surface *s, int x, int y, int w, uint32_t style, const char *text)
{
    int used = 0, width = 0;
    uint32_t ch = 0;
    for (size_t n; (n = pare_text_next(text, &ch, &width)) > 0; text += n) {
        if (width == 0) {
            continue;
        }
        if (used + width > w) {
            break;
        }
        pare_draw_char(s, x + used, y, ch, style);
        if (width == 2) {
            if (s->ascii) {
                pare_draw_char(s, x + used + 1, y, '?', style);
            } else if (x + used + 1 < s->width && x + used >= 0 && y >= 0 && y < s->height) {
                s->cells[y * s->width + x + used + 1] = (struct pare_surface_cell){0, style};
            } else {
                pare_draw_char(s, x + used, y, ' ', style);
            }
        }
        used += width;
    }
    return used;
}

int pare_draw_text(struct pare_surface *s, int x, int y, int w, uint32_t style, const char *text)
{
    if (w <= 0) {
        return 0;
    }
    if (pare_text_width(text) <= w) {
        return draw_plain(s, x, y, w, style, text);
    }
    const int used = draw_plain(s, x, y, w - 1, style, text);
    pare_draw_char(s, x + used, y, 0x2026, style);
    return used + 1;
}

/* The tail of text that takes at most w cells. */
static const char *tail_of(const char *text, int w)
{
    int width = 0, left = pare_text_width(text);
    uint32_t ch = 0;
    for (size_t n; left > w && (n = pare_text_next(text, &ch, &width)) > 0; text += n) {
        left -= width;
    }
    return text;
}

void pare_draw_right(struct pare_surface *s, int x, int y, int w, uint32_t style, const char *text)
{
    const int width = pare_text_width(text);
    if (w <= 0) {
        return;
    }
    if (width <= w) {
        draw_plain(s, x + w - width, y, width, style, text);
        return;
    }
    pare_draw_char(s, x, y, 0x2026, style);
    const char *tail = tail_of(text, w - 1);
    draw_plain(s, x + w - pare_text_width(tail), y, w - 1, style, tail);
}

int pare_draw_middle(struct pare_surface *s, int x, int y, int w, uint32_t style, const char *text)
{
    if (w <= 0) {
        return 0;
    }
    if (pare_text_width(text) <= w) {
        return draw_plain(s, x, y, w, style, text);
    }
    const int head = (w - 1) / 2;
    int used = draw_plain(s, x, y, head, style, text);
    pare_draw_char(s, x + used, y, 0x2026, style);
    used++;
    return used + draw_plain(s, x + used, y, w - used, style, tail_of(text, w - used));
}

struct pare_pen pare_pen(struct pare_surface *s, int x, int y, int w)
{
    return (struct pare_pen){s, x, y, x + w};
}

void pare_pen_put(struct pare_pen *pen, uint32_t style, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (pen->x < pen->end) {
        pen->x += pare_draw_text(pen->s, pen->x, pen->y, pen->end - pen->x, style, text);
    }
}
