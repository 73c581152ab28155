/*
 * app.h: the inside of the workbench, shared by the files of ui/. Everything that the screen
 * remembers hangs on struct pare_ui; there are no globals.
 */
#ifndef PARE_APP_H
#define PARE_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "pare.h"
#include "ui/axis.h"
#include "ui/bind.h"
#include "ui/column.h"
#include "ui/format.h"
#include "ui/glyph.h"
#include "ui/keys.h"
#include "ui/layout.h"
#include "ui/surface.h"
#include "ui/table.h"
#include "ui/theme.h"
#include "ui/ui.h"

enum pare_view {
    PARE_VIEW_SCATTER,
    PARE_VIEW_LAYERS,
    PARE_VIEW_MATRIX,
    PARE_VIEW_STAGES,
    PARE_VIEW_RUNS,
    PARE_VIEW_COMPARE,
    PARE_VIEW_JOBS,
    PARE_VIEW_LOG,
    PARE_VIEW_WHY,
    PARE_VIEW_COUNT
};

/* Where the matrix' list of figures has them. */
enum { PARE_MATRIX_LOSS, PARE_MATRIX_DROP };

enum pare_quantity {
    PARE_Q_ACCURACY,
    PARE_Q_DROP,
    PARE_Q_LATENCY,
    PARE_Q_BYTES,
    PARE_Q_BITOPS,
    PARE_Q_ENERGY,
    PARE_Q_LOSS,
    PARE_Q_DROP_PREDICTED,
    PARE_Q_LATENCY_PREDICTED,
    PARE_Q_COUNT
};

/* What stays the same while points are added: run and number. */
struct pare_point_id {
    int run, number;
};

#define PARE_MARKS 16 /* points beside the one under the cursor; 1 to 9, a to g */

struct pare_prompt {
    bool open;
    char sign; /* ':' '/' '&' */
    char text[512];
    int length, cursor; /* bytes */
    char history[32][512];
    int n_history, at; /* at == n_history: the line being typed */
    char kept[512];
    char stem[512]; /* while completing: the text before the word */
    char words[16][96];
    int n_words, word; /* word -1 = not chosen yet */
    char priced[512], price[200]; /* the line that was priced last, what it costs */
};

struct pare_popup {
    bool open;
    char title[96];
    char *text; /* lines */
    int top;
};

struct pare_scatter_state {
    enum pare_quantity quantity[2]; /* x, y */
    bool log[2];
    bool zoomed, all;           /* all: points far from the front too */
    struct pare_axis window[2]; /* while zoomed */
    struct pare_rect plot;      /* of the last draw: where the dots are */
    struct pare_axis axis[2];   /* of the last draw */
    unsigned char *marks;       /* [n_points] of the state and the quantities below: pare_state_marks */
    int n_marks;
    uint64_t marks_version;
    enum pare_quantity marks_of[2];
    struct pare_proxy proxies[PARE_PROXIES]; /* of the state below, asked for when they are shown */
    int n_proxies;
    uint64_t proxies_version;
};

struct pare_ui {
    struct pare_ui_host host;
    const struct pare_state *st;
    struct pare_surface surface;
    struct pare_layout layout;
    const struct pare_glyphs *g;
    enum pare_theme_kind theme;
    enum pare_view view;
    int focus;
    bool dirty, quit, suspend, redraw, mouse, settled;
    uint64_t drawn_version;
    int n_runs_seen;

    int point; /* index of the point under the cursor, -1 = none */
    struct pare_point_id point_id;
    struct pare_point_id marks[PARE_MARKS];
    int n_marks;

    struct pare_scatter_state scatter;
    struct pare_table tables[PARE_VIEW_COUNT]; /* [LAYERS] serves the main screen too */
    int layer;                                 /* under the cursor in layers and matrix */
    int level;                                 /* column under the cursor in the matrix */
    int figure;                                /* what the matrix shows */
    unsigned char columns[PARE_COLUMN_COUNT];  /* of the layers' table: enum pare_layer_column, in order */
    int n_columns, column_first;               /* the first that is shown when not all have room */
    bool columns_usual;
    int level_first, level_shown;              /* of the last draw */

    struct pare_why why;     /* of the layer and level under the cursor, while that view is shown */
    int cure;                /* the chosen one */
    enum pare_view why_from; /* where ESC goes back to */

    struct pare_prompt prompt;
    struct pare_popup popup;
    struct pare_bindings bindings;
    char *copied;      /* text for the terminal's clipboard, taken by the loop; malloc'ed */
    char message[512]; /* our own answer; "" = the state's */
    bool message_is_error;
    char search[64];
};

/* One view. */
struct pare_view_ops {
    const char *name;
    void (*draw)(struct pare_ui *ui, struct pare_rect r, bool focused, int panel);
    bool (*move)(struct pare_ui *ui, enum pare_motion motion);   /* false = not mine */
    const struct pare_table_model *(*model)(struct pare_ui *ui); /* NULL = no table */
    const char *keys; /* what the key line says: "p pin|f free|..." */
};

extern const struct pare_view_ops pare_view_scatter, pare_view_layers, pare_view_matrix,
    pare_view_stages, pare_view_runs, pare_view_compare, pare_view_jobs, pare_view_log, pare_view_why;
const struct pare_view_ops *pare_view_ops(enum pare_view view);
/* The view that has the keyboard: on the main screen the focused panel's. */
enum pare_view pare_ui_active(const struct pare_ui *ui);

/* app.c */
void pare_ui_say(struct pare_ui *ui, bool error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void pare_ui_set_point(struct pare_ui *ui, int point);
void pare_ui_refresh_state(struct pare_ui *ui); /* asks the host again */
int pare_ui_find_point(const struct pare_ui *ui, struct pare_point_id id);
int pare_ui_mark_of(const struct pare_ui *ui, int point); /* 1-based mark number, 0 = none */
uint32_t pare_ui_mark_sign(int mark); /* of a mark from 1 on: '1' ... '9', 'a' ... */
void pare_ui_toggle_mark(struct pare_ui *ui, int point);
/* Level index of a layer in a point; -1 when unknown. */
int pare_ui_level_of(const struct pare_ui *ui, int point, int layer);
/* "int8" and its ink. */
const char *pare_ui_level_name(const struct pare_ui *ui, int level);
enum pare_ink pare_ui_level_ink(const struct pare_ui *ui, int level);
/* The sign of a layer's pin, or a blank; then '=' and the letter of its tie. "" when it has neither. */
void pare_ui_pin_sign(const struct pare_ui *ui, int layer, char *text, size_t size);
/* "a:12" */
const char *pare_ui_point_name(const struct pare_ui *ui, int point, char *out, size_t size);
/* A layer as lists show it: "stage/name". Cells of the widest, with or without the stage (then behind a blank): least to 44. */
const char *pare_ui_label(const struct pare_ui *ui, int layer);
short pare_ui_label_width(const struct pare_ui *ui, bool with_stage, short least);
/* "3x3/2 3>16" with the arrow of the signs in use. */
void pare_ui_shape(const struct pare_ui *ui, const char *shape, char *out, size_t size);
const struct pare_figure *pare_ui_figure(const struct pare_point *p, enum pare_quantity q);

/* frame.c: what surrounds views */
void pare_ui_draw_box(struct pare_ui *ui, struct pare_rect r, bool focused, const char *title,
                      const char *right);
void pare_ui_draw_note(struct pare_ui *ui, struct pare_rect r, const char *text);
/* A progress bar of w cells. */
void pare_ui_draw_bar(struct pare_ui *ui, int x, int y, int w, double part);

/* status.c */
void pare_status_draw(struct pare_ui *ui);
void pare_status_draw_point(struct pare_ui *ui, struct pare_rect r, bool boxed);

/* command.c: commands that only change the screen */
void pare_ui_run_command(struct pare_ui *ui, const char *name, const char *argument);
/* The table that has the keyboard, NULL when the view has none. */
struct pare_table *pare_ui_active_table(struct pare_ui *ui);
/* Layers and matrix share the layer under the cursor. */
void pare_ui_take_cursor(struct pare_ui *ui);
void pare_ui_show_help(struct pare_ui *ui, const char *command);
/* Shows the command line that gives this screen (yank.c) and leaves the solve in ui->copied. */
void pare_ui_yank(struct pare_ui *ui);
void pare_ui_search(struct pare_ui *ui, const char *text, int step, bool stay);

/* view_why.c */
void pare_why_enter(struct pare_ui *ui);
/* Asks the host for what the view shows; it starts the work that is missing. */
void pare_why_refresh(struct pare_ui *ui);

/* prompt.c */
void pare_prompt_open(struct pare_ui *ui, char sign, const char *text);
/* Seconds that a command line would take, NaN when it starts no work; in words into text. */
double pare_ui_price(struct pare_ui *ui, const char *line, char *text, size_t size);
bool pare_prompt_key(struct pare_ui *ui, int key);
void pare_prompt_draw(struct pare_ui *ui, struct pare_rect r);
void pare_popup_show(struct pare_ui *ui, const char *title, const char *text);
void pare_popup_close(struct pare_ui *ui);
bool pare_popup_key(struct pare_ui *ui, int key);
void pare_popup_draw(struct pare_ui *ui);

/* view_scatter.c */
void pare_scatter_zoom(struct pare_ui *ui, double factor); /* 0 = fit */
const char *pare_quantity_name(enum pare_quantity q);
int pare_quantity_parse(const char *name);
/* Value in the unit that is shown (percent, ms, MB, G). */
double pare_quantity_shown(enum pare_quantity q, double value);
const char *pare_quantity_unit(enum pare_quantity q);

#endif
