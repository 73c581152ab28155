/* term.c: curses and the terminal's state. */
#define NCURSES_WIDECHAR 1
#include "ui/term.h"

#include <curses.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "ui/keys.h"

#define MAX_PAIRS 250

struct pare_term {
    SCREEN *screen;
    FILE *in, *out;
    struct pare_surface sent; /* what curses has */
    enum pare_theme_kind theme;
    enum pare_depth depth;
    bool own_colors;                             /* default colours can be named -1 */
    short cache[PARE_INK_COUNT][PARE_INK_COUNT]; /* pair of (ink, background), -1 = not asked yet */
    int pair_colors[MAX_PAIRS + 1][2];
    int n_pairs, max_pairs, refused;
    bool all; /* send everything */
    int click_x, click_y;
    int saved_stderr, log_fd; /* -1 = not parked */
    bool log_is_temporary;
    struct termios before;
    bool has_before;
};

/* What fatal signals need; set while a terminal is open (one at a time), read by handlers. */
static struct {
    volatile sig_atomic_t active;
    int fd;
    struct termios before;
    bool has_before;
    char reset[256];
    size_t n_reset;
    struct pare_term *term;
} emergency;

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
#define N_FATAL ((int)(sizeof fatal_signals / sizeof fatal_signals[0]))
static struct sigaction fatal_before[N_FATAL];

/* Async-signal-safe: writes prepared bytes, restores the line settings, lets the old handler act.
 */
static void on_fatal(int number)
{
    if (emergency.active) {
        emergency.active = 0;
        ssize_t ignored = write(emergency.fd, emergency.reset, emergency.n_reset);
        (void)ignored;
        if (emergency.has_before) {
            tcsetattr(emergency.fd, TCSANOW, &emergency.before);
        }
        if (emergency.term != NULL && emergency.term->saved_stderr >= 0) {
            dup2(emergency.term->saved_stderr, 2);
        }
    }
    for (int i = 0; i < N_FATAL; i++) {
        if (fatal_signals[i] == number) {
            sigaction(number, &fatal_before[i], NULL);
        }
    }
    raise(number);
}

/* Appends a terminfo string without its padding marks. */
static void add_reset(const char *capability)
{
    const char *s = tigetstr(capability);
    if (s == NULL || s == (char *)-1) {
        return;
    }
    while (*s != '\0' && emergency.n_reset + 1 < sizeof emergency.reset) {
        if (s[0] == '$' && s[1] == '<') {
            const char *end = strchr(s, '>');
            if (end != NULL) {
                s = end + 1;
                continue;
            }
        }
        emergency.reset[emergency.n_reset++] = *s++;
    }
}

static void arm_emergency(struct pare_term *t)
{
    emergency.fd = fileno(t->out);
    emergency.before = t->before;
    emergency.has_before = t->has_before;
    emergency.n_reset = 0;
    emergency.term = t;
    static const char mouse_off[] = "\033[?1000l\033[?1006l";
    if (isatty(emergency.fd)) {
        memcpy(emergency.reset, mouse_off, sizeof mouse_off - 1);
        emergency.n_reset = sizeof mouse_off - 1;
        add_reset("sgr0");
        add_reset("rmkx");
        add_reset("cnorm");
        add_reset("rmcup");
    }
    emergency.active = 1;
    for (int i = 0; i < N_FATAL; i++) {
        struct sigaction action;
        memset(&action, 0, sizeof action);
        action.sa_handler = on_fatal;
        action.sa_flags = SA_NODEFER;
        sigaction(fatal_signals[i], &action, &fatal_before[i]);
    }
}

static void disarm_emergency(void)
{
    if (emergency.term == NULL) {
        return;
    }
    emergency.active = 0;
    emergency.term = NULL;
    for (int i = 0; i < N_FATAL; i++) {
        sigaction(fatal_signals[i], &fatal_before[i], NULL);
    }
}

static void restore_at_exit(void)
{
    if (emergency.term != NULL) {
        pare_term_close(emergency.term, false);
    }
}

/* ---- fd 2 while the screen is up ---- */

static void park_stderr(struct pare_term *t, const char *log_path)
{
    char path[] = "/tmp/pare-log-XXXXXX";
    t->log_is_temporary = log_path == NULL;
    t->log_fd = log_path != NULL ? open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)
                                 : mkstemp(path);
    if (log_path == NULL && t->log_fd >= 0) {
        unlink(path);
        fcntl(t->log_fd, F_SETFD, FD_CLOEXEC);
    }
    if (t->log_fd < 0) {
        t->log_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    }
    fflush(stderr);
    t->saved_stderr = fcntl(2, F_DUPFD_CLOEXEC, 3);
    if (t->log_fd >= 0) {
        dup2(t->log_fd, 2);
    }
}

static void unpark_stderr(struct pare_term *t, bool show)
{
    if (t->saved_stderr < 0) {
        return;
    }
    fflush(stderr);
    dup2(t->saved_stderr, 2);
    close(t->saved_stderr);
    t->saved_stderr = -1;
    if (show && t->log_is_temporary && t->log_fd >= 0 && lseek(t->log_fd, 0, SEEK_SET) == 0) {
        char bytes[4096];
        size_t total = 0;
        for (ssize_t n; total < 65536 && (n = read(t->log_fd, bytes, sizeof bytes)) > 0;
             total += (size_t)n) {
            ssize_t ignored = write(2, bytes, (size_t)n);
            (void)ignored;
        }
    }
    if (t->log_fd >= 0) {
        close(t->log_fd);
        t->log_fd = -1;
    }
}

/* ---- colours ---- */

static void forget_pairs(struct pare_term *t)
{
    memset(t->cache, -1, sizeof t->cache);
    t->n_pairs = 0;
}

static void start_colors(struct pare_term *t, int max_pairs)
{
    t->depth = PARE_DEPTH_NONE;
    forget_pairs(t);
    if (!has_colors() || start_color() == ERR) {
        return;
    }
    t->own_colors = use_default_colors() == OK;
    const bool direct = tigetflag("RGB") > 0 || COLORS >= 1 << 24;
    t->depth = direct          ? PARE_DEPTH_TRUE
               : COLORS >= 256 ? PARE_DEPTH_256
               : COLORS >= 16  ? PARE_DEPTH_16
               : COLORS >= 8   ? PARE_DEPTH_8
                               : PARE_DEPTH_NONE;
    t->max_pairs = COLOR_PAIRS - 1 < MAX_PAIRS ? COLOR_PAIRS - 1 : MAX_PAIRS;
    if (max_pairs > 0 && max_pairs < t->max_pairs) {
        t->max_pairs = max_pairs;
    }
}

/* The pair for two colours, made when it is new; -1 when there is none left. */
static int pair_of(struct pare_term *t, int fg, int bg)
{
    if (!t->own_colors) {
        fg = fg < 0 ? COLOR_WHITE : fg;
        bg = bg < 0 ? COLOR_BLACK : bg;
    } else if (fg < 0 && bg < 0) {
        return 0;
    }
    for (int i = 1; i <= t->n_pairs; i++) {
        if (t->pair_colors[i][0] == fg && t->pair_colors[i][1] == bg) {
            return i;
        }
    }
    if (t->n_pairs >= t->max_pairs || init_extended_pair(t->n_pairs + 1, fg, bg) == ERR) {
        t->refused++;
        return -1;
    }
    t->n_pairs++;
    t->pair_colors[t->n_pairs][0] = fg;
    t->pair_colors[t->n_pairs][1] = bg;
    return t->n_pairs;
}

static attr_t attributes(uint32_t style)
{
    return (style & PARE_BOLD ? A_BOLD : 0) | (style & PARE_REVERSE ? A_REVERSE : 0) |
           (style & PARE_UNDERLINE ? A_UNDERLINE : 0) | (style & PARE_FAINT ? A_DIM : 0);
}

/* Attributes and pair of a style; without a pair left, the background becomes reverse video. */
static attr_t resolve(struct pare_term *t, uint32_t style, short *pair)
{
    const enum pare_ink ink = (enum pare_ink)(style & 0xff),
                        back = (enum pare_ink)(style >> 8 & 0xff);
    const struct pare_look fg = pare_theme_look(t->theme, t->depth, ink);
    const struct pare_look bg = pare_theme_look(t->theme, t->depth, back);
    uint32_t attr = (style & ~0xffffu) | fg.attr;
    *pair = 0;
    if (back != PARE_INK_TEXT && bg.attr != 0) {
        attr = (attr | bg.attr) & ~PARE_FAINT;
    }
    if (t->theme == PARE_THEME_MONO || t->depth == PARE_DEPTH_NONE) {
        return attributes(attr);
    }
    short *known = &t->cache[ink < PARE_INK_COUNT ? ink : 0][back < PARE_INK_COUNT ? back : 0];
    if (*known == -1) {
        int made = pair_of(t, fg.color, back == PARE_INK_TEXT ? -1 : bg.color);
        if (made < 0 && back != PARE_INK_TEXT) {
            made = pair_of(t, fg.color, -1);
        }
        *known = (short)(made < 0 ? -2 : made);
    }
    *pair = *known < 0 ? 0 : *known;
    if (*known == -2 && back != PARE_INK_TEXT && bg.color >= 0) {
        attr |= PARE_REVERSE;
    }
    return attributes(attr);
}

/* ---- opening and closing ---- */

enum pare_status pare_term_open(struct pare_term **out, const struct pare_term_setup *setup,
                                struct pare_error *err)
{
    static bool registered;
    struct pare_term *t = calloc(1, sizeof *t);
    *out = NULL;
    if (t == NULL) {
        return pare_error_nomem(err);
    }
    t->in = setup->in != NULL ? setup->in : stdin;
    t->out = setup->out != NULL ? setup->out : stdout;
    t->saved_stderr = t->log_fd = -1;
    t->has_before = tcgetattr(fileno(t->in), &t->before) == 0;
    setenv("ESCDELAY", "25", 0);
    t->screen = newterm(setup->type, t->out, t->in);
    if (t->screen == NULL) {
        const char *type = setup->type != NULL ? setup->type : getenv("TERM");
        free(t);
        return pare_error(err, PARE_ERR_CONFIG, NULL,
                          "unknown terminal \"%s\"; set TERM (xterm-256color, ...)",
                          type != NULL ? type : "");
    }
    set_term(t->screen);
    set_escdelay(25);
    raw();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    leaveok(stdscr, TRUE);
    curs_set(0);
    start_colors(t, setup->max_pairs);
    if (setup->columns > 0 && setup->rows > 0) {
        resize_term(setup->rows, setup->columns);
    }
    if (setup->park) {
        park_stderr(t, setup->log_path);
    }
    t->all = true;
    arm_emergency(t);
    if (!registered) {
        registered = atexit(restore_at_exit) == 0;
    }
    *out = t;
    return PARE_OK;
}

void pare_term_close(struct pare_term *t, bool lost)
{
    if (t == NULL) {
        return;
    }
    disarm_emergency();
    mousemask(0, NULL);
    curs_set(1);
    endwin();
    delscreen(t->screen);
    if (t->has_before && !lost) {
        tcsetattr(fileno(t->in), TCSANOW, &t->before);
    }
    unpark_stderr(t, !lost);
    pare_surface_free(&t->sent);
    free(t);
}

/* ---- frames ---- */

static void send_row(struct pare_term *t, const struct pare_surface *s, int y)
{
    for (int x = 0; x < s->width; x++) {
        const struct pare_surface_cell *cell = &s->cells[y * s->width + x];
        if (cell->ch == 0) {
            continue;
        }
        const wchar_t text[2] = {(wchar_t)cell->ch, 0};
        cchar_t wide;
        short pair = 0;
        const attr_t attr = resolve(t, cell->style, &pair);
        if (setcchar(&wide, text, attr, pair, NULL) == OK) {
            mvadd_wch(y, x, &wide);
        }
    }
}

void pare_term_blit(struct pare_term *t, const struct pare_surface *s, enum pare_theme_kind theme)
{
    if (theme != t->theme) {
        t->theme = theme;
        forget_pairs(t);
        t->all = true;
    }
    if (t->sent.width != s->width || t->sent.height != s->height) {
        pare_surface_resize(&t->sent, s->width, s->height);
        t->all = true;
    }
    const size_t row_size = (size_t)s->width * sizeof *s->cells;
    bool changed = t->all;
    if (t->all) {
        clearok(stdscr, TRUE);
    }
    for (int y = 0; y < s->height && t->sent.cells != NULL; y++) {
        struct pare_surface_cell *old = &t->sent.cells[y * s->width];
        if (t->all || memcmp(old, &s->cells[y * s->width], row_size) != 0) {
            send_row(t, s, y);
            memcpy(old, &s->cells[y * s->width], row_size);
            changed = true;
        }
    }
    t->all = false;
    if (changed) {
        wnoutrefresh(stdscr);
        doupdate();
    }
}

void pare_term_redraw(struct pare_term *t)
{
    t->all = true;
}

void pare_term_size(struct pare_term *t, int *columns, int *rows)
{
    struct winsize size;
    int w = COLS, h = LINES;
    if (ioctl(fileno(t->out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        w = size.ws_col > 2000 ? 2000 : size.ws_col;
        h = size.ws_row > 1000 ? 1000 : size.ws_row;
    }
    if (w != COLS || h != LINES) {
        resize_term(h, w);
        t->all = true;
    }
    *columns = w;
    *rows = h;
}

/* ---- keys ---- */

static int mouse_key(struct pare_term *t)
{
    MEVENT event;
    if (getmouse(&event) != OK) {
        return PARE_KEY_NONE;
    }
    t->click_x = event.x;
    t->click_y = event.y;
    if (event.bstate & BUTTON4_PRESSED) {
        return PARE_KEY_WHEEL_UP;
    }
    if (event.bstate & BUTTON5_PRESSED) {
        return PARE_KEY_WHEEL_DOWN;
    }
    return event.bstate & BUTTON1_PRESSED ? PARE_KEY_CLICK : PARE_KEY_NONE;
}

int pare_term_key(struct pare_term *t)
{
    static const struct {
        int curses, key;
    } map[] = {{KEY_UP, PARE_KEY_UP},         {KEY_DOWN, PARE_KEY_DOWN},
               {KEY_LEFT, PARE_KEY_LEFT},     {KEY_RIGHT, PARE_KEY_RIGHT},
               {KEY_HOME, PARE_KEY_HOME},     {KEY_END, PARE_KEY_END},
               {KEY_PPAGE, PARE_KEY_PAGE_UP}, {KEY_NPAGE, PARE_KEY_PAGE_DOWN},
               {KEY_BTAB, PARE_KEY_BACKTAB},  {KEY_BACKSPACE, PARE_KEY_BACKSPACE},
               {KEY_DC, PARE_KEY_DELETE},     {KEY_ENTER, PARE_KEY_ENTER},
               {KEY_F(1), PARE_KEY_F1}};
    for (;;) {
        wint_t ch = 0;
        const int kind = get_wch(&ch);
        if (kind == ERR) {
            return PARE_KEY_NONE;
        }
        if (kind == OK) {
            return (int)ch;
        }
        if (ch == KEY_MOUSE) {
            const int key = mouse_key(t);
            if (key != PARE_KEY_NONE) {
                return key;
            }
            continue;
        }
        for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
            if (map[i].curses == (int)ch) {
                return map[i].key;
            }
        }
    }
}

void pare_term_click(const struct pare_term *t, int *x, int *y)
{
    *x = t->click_x;
    *y = t->click_y;
}

void pare_term_mouse(struct pare_term *t, bool on)
{
    (void)t;
    mouseinterval(0);
    mousemask(on ? BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED : 0, NULL);
}

#define MAX_COPY 5000 /* bytes: some terminals take no more than 8 kB of base64 */

bool pare_term_copy(struct pare_term *t, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *type = getenv("TERM"), *tmux = getenv("TMUX");
    const unsigned char *p = (const unsigned char *)text;
    const size_t n = strlen(text);
    const bool wrap = tmux != NULL && tmux[0] != '\0';
    if (n > MAX_COPY || type == NULL || strcmp(type, "linux") == 0 || strcmp(type, "dumb") == 0 || strncmp(type, "vt", 2) == 0) {
        return false;
    }
    /* tmux hands on only what is wrapped, and only with allow-passthrough */
    fputs(wrap ? "\033Ptmux;\033\033]52;c;" : "\033]52;c;", t->out);
    for (size_t i = 0; i < n; i += 3) {
        const unsigned long bits = (unsigned long)p[i] << 16 | (i + 1 < n ? (unsigned long)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);
        fputc(digits[bits >> 18 & 63], t->out);
        fputc(digits[bits >> 12 & 63], t->out);
        fputc(i + 1 < n ? digits[bits >> 6 & 63] : '=', t->out);
        fputc(i + 2 < n ? digits[bits & 63] : '=', t->out);
    }
    fputs(wrap ? "\a\033\\" : "\a", t->out);
    return fflush(t->out) == 0;
}

void pare_term_suspend(struct pare_term *t)
{
    struct sigaction stop, before;
    memset(&stop, 0, sizeof stop);
    stop.sa_handler = SIG_DFL;
    endwin();
    if (t->has_before) {
        tcsetattr(fileno(t->in), TCSANOW, &t->before);
    }
    sigaction(SIGTSTP, &stop, &before);
    raise(SIGTSTP); /* returns after SIGCONT */
    sigaction(SIGTSTP, &before, NULL);
    raw();
    reset_prog_mode();
    t->all = true;
}

bool pare_term_lost(const struct pare_term *t)
{
    struct pollfd p = {.fd = fileno(t->in), .events = POLLIN};
    if (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) {
        return true;
    }
    return !isatty(p.fd);
}

int pare_term_fd(const struct pare_term *t)
{
    return fileno(t->in);
}

void pare_term_pairs(const struct pare_term *t, int *used, int *refused)
{
    *used = t->n_pairs;
    *refused = t->refused;
}

enum pare_depth pare_term_depth(const struct pare_term *t)
{
    return t->depth;
}
