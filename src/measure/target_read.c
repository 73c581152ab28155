/* target_read.c: the text of a table of latencies (format: table_write.h), from anywhere: every field is checked. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "measure/table_write.h"
#include "measure/target_parts.h"

enum { FIELDS = 16, MOST_EXTENT = 65536 };

static bool whole_number(const char *text, int least, int most, int *value)
{
    char *end;
    const long n = strtol(text, &end, 10);
    *value = (int)n;
    return end != text && *end == '\0' && n >= least && n <= most;
}

static bool positive(const char *text, double *value)
{
    char *end;
    *value = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*value) && *value > 0 && *value < 1e9;
}

static int split(char *line, char *fields[FIELDS])
{
    int n = 0;
    for (char *at = line; at != NULL; n++) {
        char *comma = strchr(at, ',');
        if (n < FIELDS) {
            fields[n] = at;
        }
        if (comma != NULL) {
            *comma++ = '\0';
        }
        at = comma;
    }
    return n;
}

static const char *parse_row(char *line, struct pare_target_row *row)
{
    static const char *const kinds[] = {[PARE_KERNEL_CONV] = "conv", [PARE_KERNEL_DEPTHWISE] = "depthwise", [PARE_KERNEL_FC] = "fc"};
    char *f[FIELDS];
    int extent[10];
    if (split(line, f) != FIELDS) {
        return "16 fields separated by commas";
    }
    row->kind = -1;
    for (int k = 0; k < TARGET_KINDS; k++) {
        row->kind = strcmp(f[0], kinds[k]) == 0 ? k : row->kind;
    }
    if (row->kind < 0) {
        return "conv, depthwise or fc in the first field";
    }
    if (pare_level_parse(f[1], &row->level, NULL) != PARE_OK) {
        return "a level in the second field";
    }
    for (int i = 0; i < 10; i++) {
        if (!whole_number(f[4 + i], 1, MOST_EXTENT, &extent[i])) {
            return "sizes of 1 to 65536 in fields 5 to 14";
        }
    }
    snprintf(row->kernel, sizeof row->kernel, "%.47s", f[2]);
    row->conv = (struct pk_conv){.in_h = extent[0], .in_w = extent[1], .in_c = extent[2], .out_h = extent[3], .out_w = extent[4],
                                 .out_c = extent[5], .kernel_h = extent[6], .kernel_w = extent[7], .stride_h = extent[8],
                                 .stride_w = extent[8], .dilation_h = 1, .dilation_w = 1, .groups = extent[9]};
    if (extent[2] % extent[9] != 0 || extent[5] % extent[9] != 0 || (row->kind == PARE_KERNEL_DEPTHWISE) != (extent[9] > 1 && extent[9] == extent[2])) {
        return "groups that divide the channels (depthwise: as many as channels)";
    }
    if (!positive(f[14], &row->us) || !positive(f[15], &row->us_slow)) {
        return "microseconds above 0 in the last two fields";
    }
    return NULL;
}

/* A line that begins with #. What was expected instead, or NULL. */
static const char *parse_remark(struct pare_target *t, const char *line)
{
    int rows = -1;
    if (strncmp(line, "# machine: ", 11) == 0) {
        pare_escape(line + 11, strlen(line + 11), t->machine, sizeof t->machine);
    } else if (strncmp(line, "# isa: ", 7) == 0) {
        snprintf(t->isa, sizeof t->isa, "%.*s", (int)strcspn(line + 7, ","), line + 7);
    } else if (strncmp(line, PARE_TABLE_END, strlen(PARE_TABLE_END)) == 0) {
        t->complete = sscanf(line + strlen(PARE_TABLE_END), "%d rows", &rows) == 1 && rows == t->n;
        return t->complete ? NULL : "as many rows as the table's end says";
    }
    return NULL;
}

enum pare_status target_parse(struct pare_target *t, const char *text, size_t size, const char *where, struct pare_error *err)
{
    char line[512], place[600];
    int number = 0;
    t->rows = calloc(PARE_TARGET_ROWS, sizeof *t->rows);
    if (t->rows == NULL) {
        return pare_error_nomem(err);
    }
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        const size_t n = end != NULL ? (size_t)(end - text) - at : size - at;
        number++;
        snprintf(place, sizeof place, "%.500s:%d", where, number);
        if (n >= sizeof line || memchr(text + at, '\0', n) != NULL) {
            return pare_error(err, PARE_ERR_FORMAT, place, "expected a line of text shorter than 512 bytes");
        }
        memcpy(line, text + at, n);
        line[n] = '\0';
        line[strcspn(line, "\r")] = '\0';
        at += n + 1;
        if (number == 1 && strcmp(line, PARE_TABLE_MAGIC) != 0) {
            return pare_error(err, PARE_ERR_FORMAT, place, "expected '%s': no table of latencies", PARE_TABLE_MAGIC);
        }
        const char *remark = parse_remark(t, line);
        if (end == NULL || remark != NULL) { /* a number that lost its last digits is still a number */
            return pare_error(err, PARE_ERR_FORMAT, place, "expected %s: was the file cut?", end == NULL ? "a line end" : remark);
        }
        if (line[0] == '#' || line[0] == '\0' || strncmp(line, "kind,", 5) == 0) {
            continue;
        }
        if (t->complete) {
            return pare_error(err, PARE_ERR_FORMAT, place, "expected no row behind the table's end");
        }
        if (t->n == PARE_TARGET_ROWS) {
            return pare_error(err, PARE_ERR_FORMAT, place, "expected at most %d rows", PARE_TARGET_ROWS);
        }
        const char *wanted = parse_row(line, &t->rows[t->n]);
        if (wanted != NULL) {
            return pare_error(err, PARE_ERR_FORMAT, place, "expected %s", wanted);
        }
        t->n++;
    }
    return t->n > 0 ? PARE_OK : pare_error(err, PARE_ERR_FORMAT, where, "expected rows of latencies, found none");
}
