/*
 * table.h: rows and columns that sort, filter, search and scroll. A view describes its rows (struct
 * pare_table_model); the table keeps the choices. Rows are named by ids of the view (>= 0);
 * negative ids are headings, which the cursor passes over.
 */
#ifndef PARE_TABLE_H
#define PARE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ui/keys.h"
#include "ui/surface.h"

struct pare_ui;

struct pare_column {
    const char *title;
    short width;    /* least cells */
    short most;     /* may grow to this */
    short priority; /* 0 = always there; greater ones leave first when there is no room */
    bool right;     /* numbers */
    bool middle;    /* a longer text loses its middle, not its end */
};

#define PARE_TABLE_COLUMNS 32

struct pare_table_model {
    const struct pare_column *columns;
    int n_columns, n_rows;
    const char *empty;                            /* what fills this view, when there are no rows */
    int (*id)(const struct pare_ui *ui, int row); /* natural order; NULL = the row itself */
    /* Text and style of a cell; text is empty and style 0 on entry. For headings too. */
    void (*cell)(const struct pare_ui *ui, int id, int column, char *text, size_t size,
                 uint32_t *style);
    /* What a column sorts by; NaN = last. NULL = by text. */
    double (*key)(const struct pare_ui *ui, int id, int column);
};

struct pare_table {
    int cursor; /* id */
    int top, page;
    int sort; /* column, -1 = natural order */
    bool invert;
    char filter[64];
    int *order, n, capacity;                            /* ids after filter and sort */
    short x[PARE_TABLE_COLUMNS], w[PARE_TABLE_COLUMNS]; /* of the last draw; w 0 = left out */
};

void pare_table_free(struct pare_table *t);
/* Fills order; keeps the cursor on its id, else moves it to the nearest row. */
void pare_table_update(const struct pare_ui *ui, struct pare_table *t,
                       const struct pare_table_model *m);
/* Head line and rows inside r. */
void pare_table_draw(struct pare_ui *ui, struct pare_table *t, const struct pare_table_model *m,
                     struct pare_rect r, bool focused);
/* Moves the cursor by rows (headings are passed over). */
void pare_table_move(struct pare_table *t, int by);
void pare_table_first(struct pare_table *t);
void pare_table_last(struct pare_table *t);
/* The same by a motion key: rows, pages and halves of pages, ends. false = a motion that a table does not know. */
bool pare_table_go(struct pare_table *t, enum pare_motion motion);
/* The next row (step +1 or -1, around the end) whose text contains `text`, ignoring case; false =
 * none. */
bool pare_table_search(const struct pare_ui *ui, struct pare_table *t,
                       const struct pare_table_model *m, const char *text, int step, bool stay);
/* Place of the cursor among selectable rows, 1-based, and their number. */
void pare_table_place(const struct pare_table *t, int *at, int *of);

#endif
