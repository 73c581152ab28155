/* target_parts.h: shared by target.c, target_read.c, target_limits.c. */
#ifndef PARE_TARGET_PARTS_H
#define PARE_TARGET_PARTS_H

#include "measure/target.h"

enum { TARGET_KINDS = 3, TARGET_LEVELS = 24 };

struct pare_target {
    char name[PARE_TARGET_NAME], machine[256], isa[32]; /* isa: the best of that machine, "" when the table does not say */
    bool derived, complete;                             /* complete: the table's end was there */
    int n;
    struct pare_target_row *rows;
    int n_levels;
    struct pare_level levels[TARGET_LEVELS];
    struct {
        bool there;
        struct pare_predictor p;
    } fits[TARGET_LEVELS][TARGET_KINDS];
};

/* target_read.c: fills rows, machine. where: for messages. */
enum pare_status target_parse(struct pare_target *t, const char *text, size_t size, const char *where, struct pare_error *err);
/* target_limits.c */
double target_rpi3_us(int kind, struct pare_level level, const struct pk_conv *c);
/* The same shape, whatever its padding. */
bool target_same_shape(const struct pk_conv *a, const struct pk_conv *b);

#endif
