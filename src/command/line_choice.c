/*
 * line_choice.c: choices as text: pins, ties, rows, budgets, what is minimised, quantization rules. A session keeps them
 * as they were typed; opening it makes them again, and undo is making all but the last.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "command/line.h"
#include "command/linear.h"

static int find_level(const struct pare_front *f, const char *text, struct pare_error *err)
{
    struct pare_level level;
    if (pare_level_parse(text, &level, err) != PARE_OK) {
        return -1;
    }
    for (int l = 0; l < f->n_levels; l++) {
        if (pare_level_equal(level, f->levels[l])) {
            return l;
        }
    }
    pare_error(err, PARE_ERR_USAGE, text, "not among the candidate levels (use --levels)");
    return -1;
}

/* "GLOB=LEVEL", "GLOB=LEVEL..LEVEL" or "GLOB=free". */
static enum pare_status apply_pin(struct pare_front *f, const char *text, bool dry, int *matched, struct pare_error *err)
{
    char glob[512], first[64];
    const char *equals = strrchr(text, '=');
    int lo = -1, hi = -1;
    *matched = 0;
    if (equals == NULL || equals == text || (size_t)(equals - text) >= sizeof glob) {
        return pare_error(err, PARE_ERR_USAGE, text, "expected GLOB=LEVEL or GLOB=LEVEL..LEVEL");
    }
    memcpy(glob, text, (size_t)(equals - text));
    glob[equals - text] = '\0';
    if (strcmp(equals + 1, "free") != 0) {
        const char *dots = strstr(equals + 1, "..");
        snprintf(first, sizeof first, "%.*s", dots != NULL ? (int)(dots - equals - 1) : 60, equals + 1);
        lo = find_level(f, first, err);
        hi = lo >= 0 && dots != NULL ? find_level(f, dots + 2, err) : lo;
        if (lo < 0 || hi < 0) {
            return PARE_ERR_USAGE;
        }
    }
    return front_pin(f, glob, lo < hi ? lo : hi, lo < hi ? hi : lo, dry, matched, err);
}

/* The words of one tie or untie. */
static enum pare_status apply_ties(struct pare_front *f, const struct line_words *w, bool dry, struct pare_error *err)
{
    const bool ties = strcmp(w->word[0], "tie") == 0;
    enum pare_status status = PARE_OK;
    int tied = 0;
    for (int i = 1; i < w->n && status == PARE_OK; i++) {
        status = ties ? front_tie(f, w->word[i], dry, &tied, err) : front_untie(f, w->word[i], dry, err);
    }
    if (status == PARE_OK && !dry && !f->replaying) {
        front_say(f, false, ties ? "tie %s: %d %s" : "untied: %s", w->word[1], tied,
                  strchr(w->word[1], '+') != NULL || strpbrk(w->word[1], "*/") != NULL ? "layers take one level"
                  : tied == 1                                                          ? "pair of layers that meet"
                                                                                       : "pairs of layers that meet");
    }
    return status;
}

/* row JSON, unrow NAME. */
static enum pare_status apply_row(struct pare_front *f, const struct line_words *w, bool dry, struct pare_error *err)
{
    const bool adds = strcmp(w->word[0], "row") == 0;
    json_error_t why;
    json_t *row = adds ? json_loads(w->word[1], 0, &why) : NULL;
    enum pare_status status;
    if (adds && !json_is_object(row)) {
        status = pare_error(err, PARE_ERR_USAGE, "row", "expected a row as JSON in '...' such as '{\"at\": \"int4\", \"at_most\": 3}'%s%s",
                            row == NULL ? ": " : "", row == NULL ? why.text : "");
    } else {
        status = adds ? front_row_take(f, row, true, dry, err) : front_row_drop(f, w->word[1], dry, err);
    }
    if (status == PARE_OK && !dry && !f->replaying) {
        char words[300] = "";
        if (adds) {
            front_row_words(row, words, sizeof words);
        }
        front_say(f, false, "%s %s", w->word[0], adds ? words : w->word[1]);
    }
    json_decref(row);
    return status;
}

static double parse_amount(const char *text, bool fraction)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text) {
        return NAN;
    }
    if (*end == '%' && fraction) {
        return value / 100;
    }
    static const struct {
        const char *unit;
        double factor;
    } units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"us", 1e-3}, {"B", 1}, {"kB", 1e3}, {"KB", 1e3}, {"KiB", 1024}, {"MB", 1e6}, {"MiB", 1048576},
                 {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}, {"J", 1}, {"mJ", 1e-3}, {"uJ", 1e-6}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].unit) == 0) {
            return value * units[i].factor;
        }
    }
    return NAN;
}

static enum pare_status apply_budget(struct pare_front *f, const struct line_words *w, struct pare_error *err)
{
    double value = NAN;
    if (w->n < 3) {
        return pare_error(err, PARE_ERR_USAGE, "budget", "expected drop|latency|bytes|bitops|energy VALUE|none");
    }
    bool drop = strcmp(w->word[1], "drop") == 0;
    if (strcmp(w->word[2], "none") != 0) {
        value = parse_amount(w->word[2], drop);
        if (!isfinite(value) || value < 0) {
            return pare_error(err, PARE_ERR_USAGE, w->word[2], "expected a number such as %s, or none", drop ? "0.01 or 1%" : "1.5");
        }
    }
    if (drop) {
        f->max_drop = value;
    } else if (strcmp(w->word[1], "latency") == 0) {
        f->max_latency_ms = value;
    } else if (strcmp(w->word[1], "bytes") == 0) {
        f->max_bytes = value;
    } else if (strcmp(w->word[1], "bitops") == 0) {
        f->max_bitops = value;
    } else if (strcmp(w->word[1], "energy") == 0) {
        f->max_energy_uj = 1e6 * value; /* said in joules */
    } else {
        return pare_error(err, PARE_ERR_USAGE, w->word[1], "expected drop, latency, bytes, bitops or energy");
    }
    return PARE_OK;
}

/* "quantize RULES": its words joined again. */
static enum pare_status apply_rules(struct pare_front *f, const struct line_words *w, bool dry, struct pare_error *err)
{
    struct pare_strbuf b;
    pare_strbuf_init(&b);
    for (int i = 1; i < w->n; i++) {
        pare_strbuf_printf(&b, "%s%s", i > 1 ? " " : "", w->word[i]);
    }
    enum pare_status status = b.failed || b.text == NULL ? pare_error_nomem(err) : front_quantize(f, b.text, dry, err);
    pare_strbuf_clear(&b);
    if (status == PARE_OK && !dry && !f->replaying) {
        const char *now = f->quantize_said;
        front_say(f, false, now != NULL && now[0] != '\0' ? "quantize: %.300s; figures of other methods are kept apart" : "quantize: %snone but the pipeline's own", now != NULL ? now : "");
        front_quantize_settle(f);
    }
    return status;
}

/* A choice: pins, budgets, what is minimised. Choices are replayed from the session and can be undone. */
static enum pare_status apply_choice(struct pare_front *f, const struct line_words *w, bool dry, struct pare_error *err)
{
    int matched = 0;
    if (w->n < 2) {
        return pare_error(err, PARE_ERR_USAGE, w->word[0], "expected an argument");
    }
    if (strcmp(w->word[0], "pin") == 0 || strcmp(w->word[0], "keep") == 0 || strcmp(w->word[0], "free") == 0) {
        for (int i = 1; i < w->n; i++) {
            char text[600];
            bool frees = strcmp(w->word[0], "free") == 0;
            snprintf(text, sizeof text, "%s%s", w->word[i], frees ? "=free" : "");
            enum pare_status status = apply_pin(f, text, dry, &matched, err);
            if (status != PARE_OK) {
                return status;
            }
        }
        if (!dry && !f->replaying) {
            front_say(f, false, matched > 0 ? "%s %s: %d %s" : "%s %s: waits for the sensitivity table (pare sense)", w->word[0], w->word[1],
                      matched, matched == 1 ? "layer" : "layers");
        }
        return PARE_OK;
    }
    if (strcmp(w->word[0], "tie") == 0 || strcmp(w->word[0], "untie") == 0) {
        return apply_ties(f, w, dry, err);
    }
    if (strcmp(w->word[0], "quantize") == 0) {
        return apply_rules(f, w, dry, err);
    }
    if (strcmp(w->word[0], "row") == 0 || strcmp(w->word[0], "unrow") == 0) {
        return apply_row(f, w, dry, err);
    }
    if (strcmp(w->word[0], "budget") == 0) {
        double before[5] = {f->max_drop, f->max_latency_ms, f->max_bytes, f->max_bitops, f->max_energy_uj};
        enum pare_status status = apply_budget(f, w, err);
        if (status == PARE_OK && !dry && !f->replaying) {
            front_say(f, false, "budget: %s %s", w->word[1], w->word[2]);
        }
        if (dry || status != PARE_OK) {
            f->max_drop = before[0];
            f->max_latency_ms = before[1];
            f->max_bytes = before[2];
            f->max_bitops = before[3];
            f->max_energy_uj = before[4];
        }
        return status;
    }
    for (int c = 0; c < PARE_COST_COUNT; c++) {
        if (strcmp(w->word[1], pare_cost_name((enum pare_figure_id)c)) == 0) {
            f->minimize = dry ? f->minimize : (enum pare_figure_id)c;
            if (!dry && !f->replaying) {
                front_say(f, false, "minimize: %s", w->word[1]);
            }
            return PARE_OK;
        }
    }
    return pare_error(err, PARE_ERR_USAGE, w->word[1], "expected latency, bytes, bitops, energy or drop");
}

static void replay_action(void *self, const char *line, bool undone)
{
    struct pare_front *f = self;
    struct line_words w;
    f->can_undo = f->can_undo || !undone;
    f->can_redo = f->can_redo || undone;
    if (!undone && !f->options.no_pins && !front_quantize_skips(f, line) && line_split(line, &w, NULL) == PARE_OK && w.n > 0) {
        struct pare_error err = {0};
        if (apply_choice(f, &w, false, &err) != PARE_OK) { /* as a pattern that matches nothing any more: kept, and shown */
            char text[sizeof f->unmet[0]];
            const int last = (int)(sizeof f->unmet / sizeof f->unmet[0]) - 1;
            snprintf(text, sizeof text, "%.120s cannot hold now: %.100s", line, err.message);
            front_log(f, "%s", text);
            memcpy(f->unmet[f->n_unmet < last ? f->n_unmet : last], text, sizeof text);
            f->n_unmet += f->n_unmet <= last;
        }
    }
}

void front_apply_actions(struct pare_front *f)
{
    front_quantize_reset(f);
    (void)front_choices_clear(f, NULL); /* checked when the pipeline was opened */
    f->max_drop = pare_json_get_bool(f->description, "bare", false) ? NAN : 0.01;
    f->max_latency_ms = f->max_bytes = f->max_bitops = f->max_energy_uj = NAN;
    f->minimize = PARE_COST_LATENCY;
    f->can_undo = f->can_redo = false;
    f->replaying = true;
    pare_session_each_action(f->session, f, replay_action);
    f->replaying = false;
    f->message[0] = '\0';
    front_quantize_settle(f);
    front_changed(f);
}

/* "Pinning re-solves at once from cached costs": only when nothing has to be measured for it. */
void front_solve_again(struct pare_front *f)
{
    bool sensed = f->n_chunks > 0 && f->profiled && f->calibration != NULL;
    for (int i = 0; sensed && i < f->n_levels * f->n_chunks; i++) {
        sensed = f->sense_chunk[i] || i < f->n_chunks;
    }
    if (sensed && (pare_json_get_bool(f->description, "bare", false) || front_probes_known(f))) {
        json_t *args = json_pack("{s:b}", "measure", 0);
        front_drop_flow(f, f->resolve); /* of the pins before: nobody waits for it any more */
        f->resolve = pare_front_start(f, "solve", args, NULL);
        json_decref(args);
    }
}

enum pare_status line_choice(struct pare_front *f, const char *line, const struct line_words *w, struct pare_error *err)
{
    enum pare_status status = apply_choice(f, w, true, err);
    if (status == PARE_OK) {
        status = pare_session_add_action(f->session, line, err);
    }
    if (status == PARE_OK) {
        (void)apply_choice(f, w, false, err);
        f->can_undo = true;
        f->can_redo = false;
        front_changed(f);
        front_solve_again(f);
    }
    return status;
}

enum pare_status line_undo(struct pare_front *f, bool undo, struct pare_error *err)
{
    char *line = NULL;
    enum pare_status status = pare_session_undo(f->session, undo, &line, err);
    if (status == PARE_OK && line != NULL) {
        front_apply_actions(f);
        front_say(f, false, "%s: %s", undo ? "undone" : "done again", line);
        front_solve_again(f);
    } else if (status == PARE_OK) {
        front_say(f, false, "nothing to %s", undo ? "undo" : "redo");
    }
    free(line);
    return status;
}
