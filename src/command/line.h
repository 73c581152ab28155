/*
 * line.h: between the files that carry out commands as text: lines.c (which command), line_choice.c (choices, which a
 * session keeps and undoes) and hints.c (what stands beside the prompt).
 */
#ifndef PARE_COMMAND_LINE_H
#define PARE_COMMAND_LINE_H

#include "command/front.h"

#define LINE_MAX_WORDS 32

struct line_words {
    int n;
    char *word[LINE_MAX_WORDS]; /* into text */
    char text[2048];
};

/* Words are separated by blanks; '...' and "..." keep blanks. PARE_ERR_USAGE for too many. */
enum pare_status line_split(const char *line, struct line_words *w, struct pare_error *err);

/* Makes a choice (pin, keep, free, tie, untie, row, unrow, budget, minimize, quantize), keeps it in the session and solves
 * again. Nothing changes when it cannot hold. line: the text that w was split from. */
enum pare_status line_choice(struct pare_front *f, const char *line, const struct line_words *w, struct pare_error *err);
/* Takes the last choice back, or makes it again. */
enum pare_status line_undo(struct pare_front *f, bool undo, struct pare_error *err);

/* The quantization rules in force, in words; borrowed from the front. */
const char *line_rules_in_force(const struct pare_front *f);

#endif
