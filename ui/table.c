/* table.c: rows and columns. */
#include "ui/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ui/app.h"

void pare_table_free(struct pare_table *t)
{
    free(t->order);
    memset(t, 0, sizeof *t);
    t->sort = -1;
}

static int row_id(const struct pare_ui *ui, const struct pare_table_model *m, int row)
{
    return m->id != NULL ? m->id(ui, row) : row;
}

/* True when any cell of the row contains the text. */
static bool row_matches(const struct pare_ui *ui, const struct pare_table_model *m, int id,
                        const char *text)
{
    for (int c = 0; c < m->n_columns; c++) {
        char cell[160] = "";
        uint32_t style = 0;
        m->cell(ui, id, c, cell, sizeof cell, &style);
        if (strcasestr(cell, text) != NULL) {
            return true;
        }
    }
    return false;
}

struct sorted {
    double key;
    char text[48];
    int id, place;
};

static int compare(const void *pa, const void *pb)
{
    const struct sorted *a = pa, *b = pb;
    const bool na = isnan(a->key), nb = isnan(b->key);
    if (!na && !nb && a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    if (na != nb) {
        return na ? 1 : -1;
    }
    const int by_text = na ? strcmp(a->text, b->text) : 0;
    return by_text != 0 ? by_text : a->place - b->place;
}

static void sort_rows(const struct pare_ui *ui, struct pare_table *t,
                      const struct pare_table_model *m)
{
    struct sorted *rows = calloc((size_t)(t->n > 0 ? t->n : 1), sizeof *rows);
    if (rows == NULL) {
        return;
    }
    for (int i = 0; i < t->n; i++) {
        uint32_t style = 0;
        rows[i].id = t->order[i];
        rows[i].place = i;
        rows[i].key = m->key != NULL ? m->key(ui, t->order[i], t->sort) : NAN;
        m->cell(ui, t->order[i], t->sort, rows[i].text, sizeof rows[i].text, &style);
        if (t->invert && !isnan(rows[i].key)) {
            rows[i].key = -rows[i].key;
        }
    }
    qsort(rows, (size_t)t->n, sizeof *rows, compare);
    for (int i = 0; i < t->n; i++) {
        t->order[i] = rows[i].id;
    }
    free(rows);
}

static int index_of(const struct pare_table *t, int id)
{
    for (int i = 0; i < t->n; i++) {
        if (t->order[i] == id) {
            return i;
        }
    }
    return -1;
}

void pare_table_update(const struct pare_ui *ui, struct pare_table *t,
                       const struct pare_table_model *m)
{
    const int before = index_of(t, t->cursor);
    if (m->n_rows > t->capacity) {
        int *order = realloc(t->order, (size_t)m->n_rows * sizeof *order);
        if (order == NULL) {
            t->n = 0;
            return;
        }
        t->order = order;
        t->capacity = m->n_rows;
    }
    t->n = 0;
    const bool flat = t->sort >= 0 && t->sort < m->n_columns;
    for (int row = 0; row < m->n_rows; row++) {
        const int id = row_id(ui, m, row);
        const bool heading = id < 0;
        if (heading && (flat || t->filter[0] != '\0')) {
            continue;
        }
        if (heading || t->filter[0] == '\0' || row_matches(ui, m, id, t->filter)) {
            t->order[t->n++] = id;
        }
    }
    if (flat) {
        sort_rows(ui, t, m);
    }
    if (index_of(t, t->cursor) < 0 && t->n > 0) {
        int at = before < 0 ? 0 : before >= t->n ? t->n - 1 : before;
        for (; at < t->n - 1 && t->order[at] < 0; at++) {
        }
        t->cursor = t->order[at];
    }
}

void pare_table_move(struct pare_table *t, int by)
{
    int at = index_of(t, t->cursor);
    if (at < 0) {
        pare_table_first(t);
        return;
    }
    const int step = by < 0 ? -1 : 1;
    int last = at;
    for (int left = abs(by); left > 0;) {
        at += step;
        if (at < 0 || at >= t->n) {
            break;
        }
        if (t->order[at] >= 0) {
            last = at;
            left--;
        }
    }
    t->cursor = t->order[last];
}

void pare_table_first(struct pare_table *t)
{
    for (int i = 0; i < t->n; i++) {
        if (t->order[i] >= 0) {
            t->cursor = t->order[i];
            t->top = 0;
            return;
        }
    }
}

void pare_table_last(struct pare_table *t)
{
    for (int i = t->n - 1; i >= 0; i--) {
        if (t->order[i] >= 0) {
            t->cursor = t->order[i];
            return;
        }
    }
}

bool pare_table_go(struct pare_table *t, enum pare_motion motion)
{
    const int page = t->page > 1 ? t->page : 2;
    switch (motion) {
    case PARE_MOVE_UP:
        pare_table_move(t, -1);
        return true;
    case PARE_MOVE_DOWN:
        pare_table_move(t, 1);
        return true;
    case PARE_MOVE_PAGE_UP:
        pare_table_move(t, -page);
        return true;
    case PARE_MOVE_PAGE_DOWN:
        pare_table_move(t, page);
        return true;
    case PARE_MOVE_HALF_UP:
        pare_table_move(t, -page / 2);
        return true;
    case PARE_MOVE_HALF_DOWN:
        pare_table_move(t, page / 2);
        return true;
    case PARE_MOVE_FIRST:
        pare_table_first(t);
        return true;
    case PARE_MOVE_LAST:
        pare_table_last(t);
        return true;
    default:
        return false;
    }
}

bool pare_table_search(const struct pare_ui *ui, struct pare_table *t,
                       const struct pare_table_model *m, const char *text, int step, bool stay)
{
    const int start = index_of(t, t->cursor);
    for (int i = stay ? 0 : 1; i <= t->n; i++) {
        const int at = ((start + i * step) % t->n + t->n) % t->n;
        if (t->n > 0 && t->order[at] >= 0 && row_matches(ui, m, t->order[at], text)) {
            t->cursor = t->order[at];
            return true;
        }
    }
    return false;
}

void pare_table_place(const struct pare_table *t, int *at, int *of)
{
    *at = *of = 0;
    for (int i = 0; i < t->n; i++) {
        if (t->order[i] >= 0) {
            ++*of;
            *at = t->order[i] == t->cursor ? *of : *at;
        }
    }
}

/* Which columns have room, where they stand; one blank between columns, one cell for the row
 * marker. */
static void place_columns(struct pare_table *t, const struct pare_table_model *m,
                          struct pare_rect r)
{
    int total = 0, worst = 0;
    bool out[PARE_TABLE_COLUMNS] = {false};
    const int n = m->n_columns < PARE_TABLE_COLUMNS ? m->n_columns : PARE_TABLE_COLUMNS;
    for (int c = 0; c < n; c++) {
        total += m->columns[c].width + 1;
    }
    while (total > r.w) {
        worst = -1;
        for (int c = 0; c < n; c++) {
            if (!out[c] && m->columns[c].priority > 0 &&
                (worst < 0 || m->columns[c].priority >= m->columns[worst].priority)) {
                worst = c;
            }
        }
        if (worst < 0) {
            break;
        }
        out[worst] = true;
        total -= m->columns[worst].width + 1;
    }
    int spare = r.w - total > 0 ? r.w - total : 0;
    int x = r.x + 1;
    for (int c = 0; c < n; c++) {
        const int grow = out[c] ? 0 : m->columns[c].most - m->columns[c].width;
        const int more = grow < 0 ? 0 : grow < spare ? grow : spare;
        spare -= more;
        t->x[c] = (short)x;
        t->w[c] = (short)(out[c] ? 0 : m->columns[c].width + more);
        if (t->w[c] > r.x + r.w - x) {
            t->w[c] = (short)(r.x + r.w - x > 0 ? r.x + r.w - x : 0);
        }
        x += out[c] ? 0 : t->w[c] + 1;
    }
}

static void draw_cell(struct pare_ui *ui, const struct pare_column *column, int x, int y, int w,
                      uint32_t style, const char *text)
{
    if (column->right) {
        pare_draw_right(&ui->surface, x, y, w, style, text);
    } else if (column->middle) {
        pare_draw_middle(&ui->surface, x, y, w, style, text);
    } else {
        pare_draw_text(&ui->surface, x, y, w, style, text);
    }
}

static void draw_head(struct pare_ui *ui, struct pare_table *t, const struct pare_table_model *m,
                      int y)
{
    for (int c = 0; c < m->n_columns && c < PARE_TABLE_COLUMNS; c++) {
        if (t->w[c] == 0) {
            continue;
        }
        const bool sorted = t->sort == c;
        draw_cell(ui, &m->columns[c], t->x[c], y, t->w[c],
                  sorted ? PARE_INK_TITLE | PARE_UNDERLINE : PARE_INK_HEAD, m->columns[c].title);
        if (sorted) {
            const int title = pare_text_width(m->columns[c].title);
            const int x = m->columns[c].right ? t->x[c] + t->w[c] - title - 1 : t->x[c] + title;
            pare_draw_char(&ui->surface, x, y, t->invert ? ui->g->down : ui->g->up, PARE_INK_TITLE);
        }
    }
}

/* The chosen row is marked by a sign and by the background of its name only: a bar over the whole
 * row would cost 235 to 600 bytes per step of the cursor over a slow line, this costs 60 to 160 (21
 * Nov 2026). */
static void draw_row(struct pare_ui *ui, struct pare_table *t, const struct pare_table_model *m,
                     int id, int y, struct pare_rect r, bool focused)
{
    const bool chosen = id >= 0 && id == t->cursor;
    uint32_t back = !chosen ? 0 : focused ? PARE_INK_CHOSEN : PARE_INK_CHOSEN_FAR;
    if (chosen) {
        pare_draw_char(&ui->surface, r.x, y, ui->g->chosen, PARE_INK_HERE);
    }
    for (int c = 0; c < m->n_columns && c < PARE_TABLE_COLUMNS; c++) {
        char text[160] = "";
        uint32_t style = 0;
        if (t->w[c] == 0) {
            continue;
        }
        m->cell(ui, id, c, text, sizeof text, &style);
        if (back != 0 && (style & PARE_ON(0xff)) == 0) {
            pare_draw_fill(&ui->surface, (struct pare_rect){t->x[c], y, t->w[c], 1}, ' ',
                           PARE_ON(back));
            style = (style & ~0xffu) | PARE_INK_TITLE | PARE_ON(back);
        }
        draw_cell(ui, &m->columns[c], t->x[c], y, t->w[c], style, text);
        back = t->w[c] > 1 ? 0 : back;
    }
}

void pare_table_draw(struct pare_ui *ui, struct pare_table *t, const struct pare_table_model *m,
                     struct pare_rect r, bool focused)
{
    pare_table_update(ui, t, m);
    if (r.w <= 2 || r.h < 2) {
        return;
    }
    if (m->n_rows == 0) {
        pare_ui_draw_note(ui, r, m->empty != NULL ? m->empty : "nothing here yet");
        return;
    }
    place_columns(t, m, (struct pare_rect){r.x, r.y, r.w - 1, r.h});
    draw_head(ui, t, m, r.y);
    t->page = r.h - 1;
    const int at = index_of(t, t->cursor);
    if (at >= 0 && at < t->top) {
        t->top = at > 0 && t->order[at - 1] < 0 ? at - 1 : at;
    }
    if (at >= t->top + t->page) {
        t->top = at - t->page + 1;
    }
    if (t->top > t->n - t->page) {
        t->top = t->n - t->page;
    }
    t->top = t->top < 0 ? 0 : t->top;
    for (int i = 0; i < t->page && t->top + i < t->n; i++) {
        draw_row(ui, t, m, t->order[t->top + i], r.y + 1 + i, r, focused);
    }
    if (t->n == 0) {
        pare_ui_draw_note(ui, r, "no row matches the filter; Esc clears it");
    }
}
