/*
 * test_pty.c: the workbench (demo_ui) on a real pseudo terminal: hang-up, resize storm, suspend and
 * resume, crash, SIGTERM, idling. A small shell between (job control needs one) reports through a
 * pipe.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

struct session {
    int master;
    pid_t shell;
    int reports; /* lines of the shell */
    int orders;  /* bytes to the shell */
    char text[1 << 16];
    size_t n; /* bytes of output kept (the last ones) */
    size_t total;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static bool line_is_sane(void)
{
    struct termios t;
    return tcgetattr(0, &t) == 0 && (t.c_lflag & ICANON) != 0 && (t.c_lflag & ECHO) != 0;
}

/* The shell: runs demo_ui in its own process group; says "stopped S" and "ended CODE SECONDS S", S
 * = line settings are those of a shell. A byte from `orders` continues a stopped program. */
static void shell(int reports, int orders, const char *argument, bool block_hangup)
{
    signal(SIGTTOU, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    const pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        tcsetpgrp(0, getpid());
        signal(SIGTTOU, SIG_DFL);
        signal(SIGHUP, SIG_DFL);
        if (block_hangup) { /* as under nohup: only the poll can tell */
            sigset_t set;
            sigemptyset(&set);
            sigaddset(&set, SIGHUP);
            sigprocmask(SIG_BLOCK, &set, NULL);
        }
        execl(PARE_DEMO, PARE_DEMO, argument, (char *)NULL);
        _exit(99);
    }
    setpgid(child, child);
    for (;;) {
        int status = 0;
        struct rusage usage;
        char byte = 0;
        if (wait4(child, &status, WUNTRACED, &usage) < 0) {
            _exit(1);
        }
        if (WIFSTOPPED(status)) {
            tcsetpgrp(0, getpid());
            dprintf(reports, "stopped %d\n", line_is_sane());
            if (read(orders, &byte, 1) != 1) {
                kill(-child, SIGKILL);
                _exit(1);
            }
            tcsetpgrp(0, child);
            kill(-child, SIGCONT);
            continue;
        }
        tcsetpgrp(0, getpid());
        dprintf(reports, "ended %d %.3f %d\n",
                WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec * 1e-6,
                line_is_sane());
        _exit(0);
    }
}

static void start(struct session *s, int w, int h, const char *argument, bool block_hangup)
{
    int reports[2], orders[2];
    struct winsize size = {.ws_col = (unsigned short)w, .ws_row = (unsigned short)h};
    memset(s, 0, sizeof *s);
    assert_int_equal(pipe(reports), 0);
    assert_int_equal(pipe(orders), 0);
    s->shell = forkpty(&s->master, NULL, NULL, &size);
    assert_true(s->shell >= 0);
    if (s->shell == 0) {
        close(reports[0]);
        close(orders[1]);
        fcntl(reports[1], F_SETFD, FD_CLOEXEC);
        fcntl(orders[0], F_SETFD, FD_CLOEXEC);
        setenv("TERM", "xterm-256color", 1);
        setenv("LC_ALL", "C.UTF-8", 1);
        unsetenv("COLUMNS");
        unsetenv("LINES");
        shell(reports[1], orders[0], argument, block_hangup);
    }
    close(reports[1]);
    close(orders[0]);
    s->reports = reports[0];
    s->orders = orders[1];
}

/* Reads output for some seconds, or until it contains `text`. */
static bool output(struct session *s, const char *text, double seconds)
{
    const double until = now() + seconds;
    while (now() < until) {
        struct pollfd p = {s->master, POLLIN, 0};
        if (text != NULL && strstr(s->text, text) != NULL) {
            return true;
        }
        if (poll(&p, 1, 20) > 0) {
            if (s->n > sizeof s->text / 2) {
                memmove(s->text, s->text + s->n / 2, s->n - s->n / 2);
                s->n -= s->n / 2;
            }
            const ssize_t got = read(s->master, s->text + s->n, sizeof s->text - 1 - s->n);
            if (got <= 0) {
                return false;
            }
            for (ssize_t i = 0; i < got; i++) {
                s->text[s->n + (size_t)i] =
                    s->text[s->n + (size_t)i] == '\0' ? ' ' : s->text[s->n + (size_t)i];
            }
            s->n += (size_t)got;
            s->total += (size_t)got;
            s->text[s->n] = '\0';
        }
        if (text != NULL && strstr(s->text, text) != NULL) {
            return true;
        }
    }
    return text == NULL;
}

/* One line of the shell within some seconds; the output is read meanwhile so that nothing blocks.
 */
static bool report(struct session *s, char *line, size_t size, double seconds, bool drain)
{
    const double until = now() + seconds;
    size_t n = 0;
    while (now() < until) {
        struct pollfd p = {s->reports, POLLIN, 0};
        if (drain) {
            output(s, NULL, 0.02);
        }
        while (poll(&p, 1, 10) > 0 && n + 1 < size && read(s->reports, line + n, 1) == 1) {
            if (line[n++] == '\n') {
                line[n] = '\0';
                return true;
            }
        }
    }
    line[n] = '\0';
    return false;
}

static void finish(struct session *s)
{
    close(s->master);
    close(s->orders);
    close(s->reports);
    waitpid(s->shell, NULL, 0);
}

static void resize(struct session *s, int w, int h)
{
    struct winsize size = {.ws_col = (unsigned short)w, .ws_row = (unsigned short)h};
    ioctl(s->master, TIOCSWINSZ, &size);
}

static void hang_up_ends_within_a_second_without_spinning(void **state)
{
    (void)state;
    for (int blocked = 0; blocked < 2; blocked++) {
        struct session s;
        char line[64];
        int code = -1, sane = 0;
        double cpu = 99;
        start(&s, 120, 36, "--live", blocked);
        assert_true(output(&s, "hand_gesture", 20));
        output(&s, NULL, 0.3);
        const double from = now();
        close(s.master);
        s.master = -1;
        assert_true(report(&s, line, sizeof line, 10, false));
        const double took = now() - from;
        assert_int_equal(sscanf(line, "ended %d %lf %d", &code, &cpu, &sane), 3);
        printf("hang-up%s: exit %d after %.3f s, %.3f s of processor time in all\n",
               blocked ? ", SIGHUP blocked" : "", code, took, cpu);
        assert_int_equal(code, 3);
        assert_true(took < 1.0);
        finish(&s);
    }
}

static void yank_reaches_the_terminal(void **state)
{
    (void)state;
    struct session s;
    char line[64] = "";
    start(&s, 120, 36, "--full", false);
    assert_true(output(&s, "hand_gesture", 20));
    output(&s, NULL, 0.3);
    assert_int_equal(write(s.master, "y", 1), 1);
    assert_true(output(&s, "\033]52;c;cGFyZSBzb2x2ZS", 5)); /* "pare solve" in base64 */
    assert_true(output(&s, "clipboard", 5));
    assert_int_equal(write(s.master, "\033", 1), 1);
    output(&s, NULL, 0.3);
    assert_int_equal(write(s.master, "q", 1), 1);
    assert_true(report(&s, line, sizeof line, 10, true));
    assert_memory_equal(line, "ended 0 ", 8);
    finish(&s);
}

static void resize_storm_is_survived(void **state)
{
    (void)state;
    struct session s;
    char line[64] = "";
    uint32_t seed = 5;
    start(&s, 120, 36, "--live", false);
    assert_true(output(&s, "hand_gesture", 20));
    for (int i = 0; i < 60; i++) {
        const int w = i % 5 == 0 ? 1 : 1 + (int)(test_random(&seed) % 240);
        const int h = i % 5 == 0 ? 1 : 1 + (int)(test_random(&seed) % 70);
        static const char keys[] = "12345678jkl?\033";
        resize(&s, w, h);
        output(&s, NULL, 0.02);
        assert_int_equal(write(s.master, &keys[test_random(&seed) % (sizeof keys - 1)], 1), 1);
    }
    resize(&s, 80, 24);
    assert_int_equal(write(s.master, "\033", 1), 1);
    output(&s, NULL, 0.3);
    s.n = 0;
    s.text[0] = '\0';
    assert_int_equal(write(s.master, "\014", 1), 1); /* C-l: everything again */
    assert_true(output(&s, "help", 5));
    assert_int_equal(write(s.master, "q", 1), 1);
    assert_true(report(&s, line, sizeof line, 10, true));
    assert_memory_equal(line, "ended 0 ", 8);
    assert_non_null(strstr(line, " 1\n"));
    finish(&s);
}

static void suspend_gives_the_line_back_and_resume_redraws(void **state)
{
    (void)state;
    struct session s;
    char line[64] = "";
    start(&s, 120, 36, "--full", false);
    assert_true(output(&s, "hand_gesture", 20));
    output(&s, NULL, 0.3);
    assert_int_equal(write(s.master, "\032", 1), 1); /* ^Z */
    assert_true(report(&s, line, sizeof line, 10, true));
    assert_string_equal(line, "stopped 1\n");
    assert_true(output(&s, "\033[?1049l", 2)); /* the shell's own screen is back */
    resize(&s, 60, 20);                        /* while stopped: no SIGWINCH reaches us */
    output(&s, NULL, 0.1);
    s.n = 0;
    s.text[0] = '\0';
    assert_int_equal(write(s.orders, "c", 1), 1);
    assert_true(output(&s, "help", 5));
    assert_non_null(strstr(s.text, "hand_gesture"));
    assert_non_null(strstr(s.text, "lay")); /* 60 columns: short tabs */
    output(&s, NULL, 0.3);
    assert_int_equal(write(s.master, "q", 1), 1);
    assert_true(report(&s, line, sizeof line, 10, true));
    assert_memory_equal(line, "ended 0 ", 8);
    assert_non_null(strstr(line, " 1\n"));
    finish(&s);
}

static void crash_leaves_a_usable_terminal(void **state)
{
    (void)state;
    struct session s;
    char line[64] = "";
    start(&s, 120, 36, "--crash", false);
    assert_true(output(&s, "hand_gesture", 20));
    assert_true(report(&s, line, sizeof line, 20, true));
    assert_true(output(&s, "\033[?1049l", 2));
    assert_non_null(strstr(line, " 1\n")); /* canonical mode and echo are back */
    assert_memory_equal(line, "ended 134 ", 10);
    finish(&s);
}

static void idle_sends_nothing_and_sleeps(void **state)
{
    (void)state;
    struct session s;
    char line[64] = "";
    double cpu = 99;
    start(&s, 120, 36, "--full", false);
    assert_true(output(&s, "hand_gesture", 20));
    output(&s, NULL, 0.5);
    const size_t before = s.total;
    output(&s, NULL, 1.0);
    assert_int_equal(s.total, before);
    assert_int_equal(write(s.master, "q", 1), 1);
    assert_true(report(&s, line, sizeof line, 10, true));
    assert_int_equal(sscanf(line, "ended 0 %lf", &cpu), 1);
    printf("idle for 1.5 s: 0 bytes, %.3f s of processor time in all\n", cpu);
    finish(&s);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hang_up_ends_within_a_second_without_spinning),
        cmocka_unit_test(yank_reaches_the_terminal),
                                       cmocka_unit_test(resize_storm_is_survived),
        cmocka_unit_test(suspend_gives_the_line_back_and_resume_redraws),
        cmocka_unit_test(crash_leaves_a_usable_terminal),
        cmocka_unit_test(idle_sends_nothing_and_sleeps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
