/* range_part.c: calibration of some of the samples: adding parts up, and parts as text between processes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/strbuf.h"
#include "quant/range.h"

bool pare_run_log_add(struct pare_run_log *log, int tensor, float min, float max)
{
    if (log->n == log->cap) {
        const int cap = log->cap > 0 ? 2 * log->cap : 1024;
        struct pare_logged_run *runs = realloc(log->runs, (size_t)cap * sizeof *runs);
        if (runs == NULL) {
            return false;
        }
        log->runs = runs;
        log->cap = cap;
    }
    log->runs[log->n++] = (struct pare_logged_run){tensor, min, max};
    return true;
}

void pare_run_log_clear(struct pare_run_log *log)
{
    free(log->runs);
    *log = (struct pare_run_log){0, 0, NULL};
}

static void merge_bins(struct pare_range *to, const struct pare_range *part)
{
    for (int i = 0; i < PARE_HISTOGRAM_BINS; i++) {
        const uint32_t room = UINT32_MAX - to->bins[i];
        to->bins[i] += part->bins[i] < room ? part->bins[i] : room;
    }
}

void pare_calibration_merge(struct pare_calibration *to, const struct pare_calibration *part, int pass)
{
    for (int t = 0; t < to->n_tensors && t < part->n_tensors; t++) {
        const struct pare_range *from = &part->ranges[t];
        struct pare_range *r = &to->ranges[t];
        if (pass == 1) {
            merge_bins(r, from);
            continue;
        }
        if (from->n > 0) {
            r->min = r->n == 0 || from->min < r->min ? from->min : r->min;
            r->max = r->n == 0 || from->max > r->max ? from->max : r->max;
        }
        r->n += from->n;
        r->n_nonfinite += from->n_nonfinite;
        r->sum += from->sum;
        r->sum_squares += from->sum_squares;
    }
    for (int i = 0; pass == 0 && part->log != NULL && i < part->log->n; i++) {
        const struct pare_logged_run *run = &part->log->runs[i];
        pare_range_average(&to->ranges[run->tensor], run->min, run->max);
    }
}

/* ---- as text ---- */

static bool is_empty(const struct pare_range *r, int pass)
{
    if (pass == 0) {
        return r->n == 0 && r->n_nonfinite == 0;
    }
    for (int i = 0; i < PARE_HISTOGRAM_BINS; i++) {
        if (r->bins[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Counts in hexadecimal; "-N" stands for N (hexadecimal) empty bins in a row. */
static json_t *bins_to_json(const struct pare_range *r)
{
    char text[PARE_HISTOGRAM_BINS * 10 + 1];
    size_t at = 0;
    for (int i = 0; i < PARE_HISTOGRAM_BINS;) {
        int zeros = 0;
        while (i + zeros < PARE_HISTOGRAM_BINS && r->bins[i + zeros] == 0) {
            zeros++;
        }
        at += (size_t)snprintf(text + at, sizeof text - at, zeros > 0 ? "-%x " : "%x ", zeros > 0 ? (unsigned)zeros : r->bins[i]);
        i += zeros > 0 ? zeros : 1;
    }
    return json_stringn(text, at > 0 ? at - 1 : 0);
}

static bool bins_from_text(const char *text, struct pare_range *r)
{
    int i = 0;
    for (const char *p = text; *p != '\0';) {
        const bool zeros = *p == '-';
        char *end;
        const unsigned long n = strtoul(p + zeros, &end, 16);
        if (end == p + zeros || (*end != ' ' && *end != '\0') || n > UINT32_MAX || i >= PARE_HISTOGRAM_BINS ||
            (zeros && n > (unsigned long)(PARE_HISTOGRAM_BINS - i))) {
            return false;
        }
        if (!zeros) {
            r->bins[i] = (uint32_t)n;
        }
        i += zeros ? (int)n : 1;
        p = *end == ' ' ? end + 1 : end;
    }
    return i == PARE_HISTOGRAM_BINS;
}

json_t *pare_calibration_part_to_json(const struct pare_calibration *part, int pass)
{
    json_t *list = json_array(), *runs = part->log != NULL && pass == 0 ? json_array() : NULL;
    for (int t = 0; t < part->n_tensors; t++) {
        const struct pare_range *r = &part->ranges[t];
        json_array_append_new(list, is_empty(r, pass) ? json_null()
                                    : pass == 1      ? bins_to_json(r)
                                                     : json_pack("[I,I,f,f,f,f]", (json_int_t)r->n, (json_int_t)r->n_nonfinite,
                                                                 (double)r->min, (double)r->max, r->sum, r->sum_squares));
    }
    for (int i = 0; runs != NULL && i < part->log->n; i++) {
        const struct pare_logged_run *run = &part->log->runs[i];
        json_array_append_new(runs, json_integer(run->tensor));
        json_array_append_new(runs, json_real((double)run->min));
        json_array_append_new(runs, json_real((double)run->max));
    }
    json_t *root = json_pack("{s:o}", pass == 1 ? "bins" : "seen", list);
    if (runs != NULL && root != NULL) {
        json_object_set_new(root, "runs", runs);
    }
    return root;
}

static bool seen_from_json(const json_t *row, struct pare_range *r)
{
    double v[6];
    for (size_t i = 0; i < 6; i++) {
        v[i] = pare_json_at_real(row, i);
        if (!isfinite(v[i])) {
            return false;
        }
    }
    r->n = (int64_t)json_integer_value(json_array_get(row, 0));
    r->n_nonfinite = (int64_t)json_integer_value(json_array_get(row, 1));
    r->min = (float)v[2];
    r->max = (float)v[3];
    r->sum = v[4];
    r->sum_squares = v[5];
    return r->n >= 0 && r->n_nonfinite >= 0 && r->min <= r->max && isfinite(r->min) && isfinite(r->max);
}

static enum pare_status runs_from_json(const json_t *runs, int n_tensors, struct pare_run_log *log, struct pare_error *err)
{
    for (size_t i = 0; i + 2 < json_array_size(runs); i += 3) {
        const json_int_t t = json_integer_value(json_array_get(runs, i));
        if (t < 0 || t >= n_tensors) {
            return pare_error(err, PARE_ERR_FORMAT, "calibration", "a run of tensor %lld of %d", (long long)t, n_tensors);
        }
        if (!pare_run_log_add(log, (int)t, (float)pare_json_at_real(runs, i + 1), (float)pare_json_at_real(runs, i + 2))) {
            return pare_error_nomem(err);
        }
    }
    return PARE_OK;
}

enum pare_status pare_calibration_part_from_json(const json_t *json, int pass, struct pare_calibration *part,
                                                 struct pare_error *err)
{
    const json_t *list = json_object_get(json, pass == 1 ? "bins" : "seen");
    if (!json_is_array(list) || json_array_size(list) != (size_t)part->n_tensors) {
        return pare_error(err, PARE_ERR_FORMAT, "calibration", "a part of %zu tensors, expected %d", json_array_size(list),
                          part->n_tensors);
    }
    for (int t = 0; t < part->n_tensors; t++) {
        const json_t *row = json_array_get(list, (size_t)t);
        struct pare_range *r = &part->ranges[t];
        if (!json_is_null(row) && !(pass == 1 ? json_is_string(row) && bins_from_text(json_string_value(row), r)
                                              : seen_from_json(row, r))) {
            return pare_error(err, PARE_ERR_FORMAT, "calibration", "what a part saw of tensor %d cannot be read", t);
        }
    }
    return part->log != NULL && pass == 0 ? runs_from_json(json_object_get(json, "runs"), part->n_tensors, part->log, err) : PARE_OK;
}
