/* prompt.c: the one-line prompt (':' '/' '&') with history and completion. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ui/app.h"

void pare_prompt_open(struct pare_ui *ui, char sign, const char *text)
{
    struct pare_prompt *p = &ui->prompt;
    p->open = true;
    p->sign = sign;
    snprintf(p->text, sizeof p->text, "%s", text);
    p->length = p->cursor = (int)strlen(p->text);
    p->at = p->n_history;
    p->n_words = 0;
    p->priced[0] = '\0';
    p->price[0] = '\0';
    ui->message[0] = '\0';
    ui->dirty = true;
}

static void insert(struct pare_prompt *p, const char *bytes, int n)
{
    if (p->length + n >= (int)sizeof p->text) {
        return;
    }
    memmove(p->text + p->cursor + n, p->text + p->cursor, (size_t)(p->length - p->cursor + 1));
    memcpy(p->text + p->cursor, bytes, (size_t)n);
    p->length += n;
    p->cursor += n;
}

/* Bytes of the character before the cursor. */
static int before(const struct pare_prompt *p)
{
    int n = p->cursor > 0 ? 1 : 0;
    while (n < p->cursor && ((unsigned char)p->text[p->cursor - n] & 0xC0) == 0x80) {
        n++;
    }
    return n;
}

static int after(const struct pare_prompt *p)
{
    int n = p->cursor < p->length ? 1 : 0;
    while (p->cursor + n < p->length && ((unsigned char)p->text[p->cursor + n] & 0xC0) == 0x80) {
        n++;
    }
    return n;
}

static void remove_bytes(struct pare_prompt *p, int from, int n)
{
    memmove(p->text + from, p->text + from + n, (size_t)(p->length - from - n + 1));
    p->length -= n;
    p->cursor = from;
}

static void history_add(struct pare_prompt *p)
{
    const int n = (int)(sizeof p->history / sizeof p->history[0]);
    if (p->length == 0 || p->sign != ':' ||
        (p->n_history > 0 && strcmp(p->history[p->n_history - 1], p->text) == 0)) {
        return;
    }
    if (p->n_history == n) {
        memmove(p->history[0], p->history[1], sizeof p->history - sizeof p->history[0]);
        p->n_history--;
    }
    snprintf(p->history[p->n_history++], sizeof p->history[0], "%s", p->text);
}

static void history_go(struct pare_prompt *p, int step)
{
    if (p->sign != ':' || p->at + step < 0 || p->at + step > p->n_history) {
        return;
    }
    if (p->at == p->n_history) {
        snprintf(p->kept, sizeof p->kept, "%s", p->text);
    }
    p->at += step;
    snprintf(p->text, sizeof p->text, "%s", p->at == p->n_history ? p->kept : p->history[p->at]);
    p->length = p->cursor = (int)strlen(p->text);
}

/* Words that the last word of the line can become: our own for UI commands, the host's for the
 * others. */
static void collect_words(struct pare_ui *ui, const char *line)
{
    struct pare_prompt *p = &ui->prompt;
    const char *space = strrchr(line, ' ');
    const size_t stem = space != NULL ? (size_t)(space - line) + 1 : 0;
    const int max = (int)(sizeof p->words / sizeof p->words[0]);
    snprintf(p->stem, sizeof p->stem, "%.*s", (int)stem, line);
    p->n_words = 0;
    p->word = -1;
    char first[32] = "", arguments[160] = "";
    sscanf(line, "%31s", first);
    const int command = stem > 0 ? pare_command_find(first) : -1;
    if (stem == 0) {
        for (int i = 0; i < pare_command_count() && p->n_words < max; i++) {
            if (strncmp(pare_command_info(i)->name, line, strlen(line)) == 0) {
                snprintf(p->words[p->n_words++], sizeof p->words[0], "%s",
                         pare_command_info(i)->name);
            }
        }
    } else if (command >= 0 && pare_command_info(command)->core && ui->host.complete != NULL) {
        const char *words[16];
        const int n = ui->host.complete(ui->host.user, line, words, max);
        for (int i = 0; i < n && p->n_words < max; i++) {
            snprintf(p->words[p->n_words++], sizeof p->words[0], "%s", words[i]);
        }
    } else if (command >= 0 && strcmp(first, "columns") == 0) { /* words behind the last comma */
        static const char *const sets[] = {"usual", "errors", "parts", "all"};
        const char *comma = strrchr(line + stem, ','), *word = comma != NULL ? comma + 1 : line + stem;
        for (int i = comma != NULL ? 0 : -4; i < PARE_COLUMN_COUNT && p->n_words < max; i++) {
            const char *name = i < 0 ? sets[i + 4] : pare_column_info((enum pare_layer_column)i)->word;
            if (strncmp(name, word, strlen(word)) == 0) {
                snprintf(p->words[p->n_words++], sizeof p->words[0], "%.*s%s", (int)(word - line) - (int)stem, line + stem, name);
            }
        }
    } else if (command >= 0) {
        snprintf(arguments, sizeof arguments, "%s", pare_command_info(command)->arguments);
        char *rest = NULL;
        for (char *w = strtok_r(arguments, " |[]", &rest); w != NULL && p->n_words < max;
             w = strtok_r(NULL, " |[]", &rest)) {
            if (strncmp(w, line + stem, strlen(line + stem)) == 0 && w[0] >= 'a' && w[0] <= 'z') {
                snprintf(p->words[p->n_words++], sizeof p->words[0], "%s", w);
            }
        }
    }
}

static void complete(struct pare_ui *ui, int step)
{
    struct pare_prompt *p = &ui->prompt;
    if (p->sign != ':') {
        return;
    }
    if (p->n_words == 0) {
        p->text[p->cursor] = '\0';
        p->length = p->cursor;
        collect_words(ui, p->text);
        if (p->n_words == 0) {
            return;
        }
    }
    p->word = ((p->word + step) % p->n_words + p->n_words) % p->n_words;
    char line[640];
    snprintf(line, sizeof line, "%s%s", p->stem, p->words[p->word]);
    snprintf(p->text, sizeof p->text, "%.500s", line);
    if (p->n_words == 1 && strchr(p->text, '=') == NULL && strlen(p->text) + 2 < sizeof p->text) {
        strcat(p->text, " ");
        p->n_words = 0;
    }
    p->length = p->cursor = (int)strlen(p->text);
}

static void finish(struct pare_ui *ui)
{
    struct pare_prompt *p = &ui->prompt;
    char text[sizeof p->text];
    history_add(p);
    snprintf(text, sizeof text, "%s", p->text);
    p->open = false;
    if (p->sign == ':') {
        pare_ui_execute(ui, text);
    } else if (p->sign == '&') {
        struct pare_table *t = &ui->tables[pare_ui_active(ui)];
        snprintf(t->filter, sizeof t->filter, "%.63s", text);
    } else {
        snprintf(ui->search, sizeof ui->search, "%.63s", text);
        pare_ui_search(ui, ui->search, 1, true);
    }
}

/* What changes at once while typing: the filter and the search. */
static void typed(struct pare_ui *ui)
{
    struct pare_prompt *p = &ui->prompt;
    p->n_words = 0;
    if (p->sign == '&') {
        snprintf(ui->tables[pare_ui_active(ui)].filter, sizeof ui->tables[0].filter, "%.63s",
                 p->text);
    }
}

/* C-w: the word before the cursor. */
static void remove_word(struct pare_prompt *p)
{
    int from = p->cursor;
    for (; from > 0 && p->text[from - 1] == ' '; from--) {
    }
    for (; from > 0 && p->text[from - 1] != ' '; from--) {
    }
    remove_bytes(p, from, p->cursor - from);
}

#define CONTROL(letter) ((letter) - 'a' + 1)

/* Keys that move the cursor or go through the history; false = not one of them. */
static bool prompt_moves(struct pare_prompt *p, int key)
{
    switch (key) {
    case PARE_KEY_UP:
    case CONTROL('p'):
        history_go(p, -1);
        return true;
    case PARE_KEY_DOWN:
    case CONTROL('n'):
        history_go(p, 1);
        return true;
    case PARE_KEY_LEFT:
    case CONTROL('b'):
        p->cursor -= before(p);
        return true;
    case PARE_KEY_RIGHT:
    case CONTROL('f'):
        p->cursor += after(p);
        return true;
    case PARE_KEY_HOME:
    case CONTROL('a'):
        p->cursor = 0;
        return true;
    case PARE_KEY_END:
    case CONTROL('e'):
        p->cursor = p->length;
        return true;
    default:
        return false;
    }
}

/* Keys that take text away; false = not one of them. */
static bool prompt_erases(struct pare_prompt *p, int key)
{
    const int n = before(p);
    switch (key) {
    case PARE_KEY_BACKSPACE:
    case 127:
    case CONTROL('h'):
        p->open = p->length > 0;
        remove_bytes(p, p->cursor - n, n);
        return true;
    case PARE_KEY_DELETE:
    case CONTROL('d'):
        remove_bytes(p, p->cursor, after(p));
        return true;
    case CONTROL('u'):
        remove_bytes(p, 0, p->cursor);
        return true;
    case CONTROL('k'):
        remove_bytes(p, p->cursor, p->length - p->cursor);
        return true;
    case CONTROL('w'):
        remove_word(p);
        return true;
    default:
        return false;
    }
}

bool pare_prompt_key(struct pare_ui *ui, int key)
{
    struct pare_prompt *p = &ui->prompt;
    ui->dirty = true;
    if (key == PARE_KEY_ESC || key == CONTROL('c') || key == CONTROL('g')) {
        p->open = false;
        if (p->sign == '&') {
            ui->tables[pare_ui_active(ui)].filter[0] = '\0';
        }
    } else if (key == PARE_KEY_ENTER || key == '\n') {
        finish(ui);
    } else if (key == PARE_KEY_TAB || key == PARE_KEY_BACKTAB) {
        complete(ui, key == PARE_KEY_TAB ? 1 : -1);
    } else if (prompt_erases(p, key)) {
        typed(ui);
    } else if (!prompt_moves(p, key) && key >= 32 && key < PARE_KEY_UP) {
        char bytes[8];
        insert(p, bytes, (int)pare_text_encode((uint32_t)key, bytes));
        typed(ui);
    }
    return true;
}

static int level_named(const struct pare_ui *ui, const char *name)
{
    for (int l = 0; l < ui->st->n_levels; l++) {
        if (strcmp(ui->st->level_names[l], name) == 0) {
            return l;
        }
    }
    return -1;
}

/* While "pin LAYER=LEVEL[..LEVEL]" is being typed: what it would change, from cached costs. */
static bool preview_of_line(const struct pare_ui *ui, const char *line, char *text, size_t size)
{
    char name[128] = "", level[64] = "", *dots;
    if (ui->host.preview == NULL || (sscanf(line, "pin %127[^= ]=%63s", name, level) != 2 &&
                                     sscanf(line, "keep %127[^= ]=%63s", name, level) != 2)) {
        return false;
    }
    dots = strstr(level, "..");
    if (dots != NULL) {
        *dots = '\0';
    }
    const int a = level_named(ui, level), b = dots != NULL ? level_named(ui, dots + 2) : a;
    for (int i = 0; a >= 0 && b >= 0 && i < ui->st->n_layers; i++) {
        if (strcmp(ui->st->layers[i].name, name) == 0) {
            return ui->host.preview(ui->host.user, i, a < b ? a : b, a < b ? b : a, text, size);
        }
    }
    return false;
}

double pare_ui_price(struct pare_ui *ui, const char *line, char *text, size_t size)
{
    text[0] = '\0';
    return ui->host.price != NULL ? ui->host.price(ui->host.user, line, ui->point, text, size) : NAN;
}

/* "" when the line being typed starts no work. Asked again only when the line changes: a price looks at every row. */
static const char *price_of_line(struct pare_ui *ui)
{
    struct pare_prompt *p = &ui->prompt;
    if (strcmp(p->priced, p->text) != 0) {
        char text[160];
        double seconds = pare_ui_price(ui, p->text, text, sizeof text);
        snprintf(p->priced, sizeof p->priced, "%s", p->text);
        const bool starts = strncmp(p->text, "quantize", 8) != 0; /* rules cost when their figures are asked for */
        snprintf(p->price, sizeof p->price, isnan(seconds) ? "" : starts ? "%s; ENTER starts" : "%s; ENTER takes them", text);
    }
    return p->price;
}

/* The commands that a word may become, as many as fit. */
static void draw_candidates(struct pare_pen *pen, const char *word)
{
    for (int i = 0; i < pare_command_count(); i++) {
        const char *name = pare_command_info(i)->name;
        if (strncmp(name, word, strlen(word)) == 0) {
            if (pen->x + pare_text_width(name) > pen->end) {
                return;
            }
            pare_pen_put(pen, PARE_INK_DIM, "%s", name);
            pen->x += 2;
        }
    }
}

void pare_prompt_draw(struct pare_ui *ui, struct pare_rect r)
{
    const struct pare_prompt *p = &ui->prompt;
    struct pare_surface *s = &ui->surface;
    char head[sizeof p->text];
    snprintf(head, sizeof head, "%.*s", p->cursor, p->text);
    pare_draw_char(s, r.x + 1, r.y, (uint32_t)p->sign, PARE_INK_KEY);
    const int room = r.w - 4;
    int skip = 0, width = 0, at = pare_text_width(head);
    uint32_t ch = 0;
    while (at >= room &&
           p->text[skip] != '\0') { /* a long line scrolls so that the cursor stays visible */
        skip += (int)pare_text_next(p->text + skip, &ch, &width);
        at -= width;
    }
    const int used = pare_draw_text(s, r.x + 2, r.y, room, PARE_INK_TEXT, p->text + skip);
    uint32_t under = ' ';
    if (p->cursor < p->length) {
        pare_text_next(p->text + p->cursor, &under, &width);
    }
    pare_draw_char(s, r.x + 2 + at, r.y, under, PARE_INK_TEXT | PARE_REVERSE);
    struct pare_pen pen = pare_pen(s, r.x + 5 + used, r.y, r.w - 6 - used);
    if (p->n_words > 0) {
        for (int i = 0; i < p->n_words; i++) {
            pare_pen_put(&pen, i == p->word ? PARE_INK_TITLE | PARE_UNDERLINE : PARE_INK_DIM, "%s",
                         p->words[i]);
            pare_pen_put(&pen, 0, "  ");
        }
        return;
    }
    char first[32] = "", preview[256] = "";
    sscanf(p->text, "%31s", first);
    const int command = p->sign == ':' ? pare_command_find(first) : -1;
    if (p->sign == ':' && preview_of_line(ui, p->text, preview, sizeof preview)) {
        pare_pen_put(&pen, PARE_INK_GOOD, "%s", preview);
    } else if (p->sign == ':' && price_of_line(ui)[0] != '\0') {
        pare_pen_put(&pen, PARE_INK_WARN, "%s", p->price);
    } else if (command >= 0) {
        const struct pare_command_info *info = pare_command_info(command);
        pare_pen_put(&pen, PARE_INK_DIM, "%s%s%s", info->arguments,
                     info->arguments[0] != '\0' ? "   " : "", info->help);
    } else if (p->sign == ':' && strchr(p->text, ' ') == NULL) {
        draw_candidates(&pen, p->text);
    } else if (p->length == 0) {
        pare_pen_put(&pen, PARE_INK_DIM, p->sign == '/' ? "the next row with this text; n N go on" : "only rows with this text; ESC shows all again");
    }
}
