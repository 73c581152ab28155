/* calibration.c: two passes over the calibration split, in parts that workers share, and their sum (work/calibrate.c). */
#include <stdio.h>
#include <string.h>

#include "command/front.h"

static json_t *part_params(const struct pare_front *f, int pass, int first, const json_t *seen)
{
    const int left = f->split_samples[0] - first, n = left < PARE_CALIBRATE_PART ? left : PARE_CALIBRATE_PART;
    json_t *params = json_pack("{s:i, s:i, s:i}", "pass", pass, "first", first, "n", n);
    if (pass == 1) {
        json_object_set(params, "seen", (json_t *)(uintptr_t)seen);
    }
    return params;
}

/* The keys of the parts of a pass; an empty list when the split is one part. */
static json_t *part_keys(const struct pare_front *f, int pass, const json_t *seen)
{
    json_t *keys = json_array();
    for (int first = 0; f->split_samples[0] > PARE_CALIBRATE_PART && first < f->split_samples[0]; first += PARE_CALIBRATE_PART) {
        char key[40];
        json_t *params = part_params(f, pass, first, seen);
        front_job_key(f, "calibrate", params, key);
        json_decref(params);
        json_array_append_new(keys, json_string(key));
    }
    return keys;
}

json_t *front_calibration_params(struct pare_front *f, json_t **seen, json_t **bins)
{
    json_t *params = json_pack("{s:i}", "samples", 0);
    *seen = part_keys(f, 0, NULL);
    *bins = part_keys(f, 1, *seen);
    if (json_array_size(*seen) > 0) {
        json_object_set(params, "seen", *seen);
        json_object_set(params, "bins", *bins);
    }
    front_job_key(f, "calibrate", params, f->calibration_key);
    return params;
}

/* Asks for all parts at once: each waits for what it needs. They are not kept in the session: large, and of no use later. */
static void ask_for_parts(struct pare_front *f, json_t *seen, bool *failed, struct pare_error *err)
{
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < json_array_size(seen) && !*failed; i++) {
            char title[96];
            const int first = (int)i * PARE_CALIBRATE_PART;
            snprintf(title, sizeof title, "calibrate, %s of samples from %d on", pass == 0 ? "ranges" : "histograms", first + 1);
            json_t *params = part_params(f, pass, first, seen);
            struct front_job job = {.kind = "calibrate",
                                    .title = title,
                                    .total = (double)pare_json_get_int(params, "n", 1),
                                    .params = params,
                                    .priority = 91 - pass,
                                    .rows = pass == 1 ? seen : NULL};
            (void)front_row(f, &job, failed, err);
        }
    }
}

/* What the sum was made of is no longer needed. */
static void forget_parts(struct pare_front *f, const json_t *keys)
{
    for (size_t i = 0; i < json_array_size(keys); i++) {
        json_object_del(f->recent, json_string_value(json_array_get(keys, i)));
    }
}

bool front_is_part(const char *kind, const json_t *params)
{
    return strcmp(kind, "calibrate") == 0 && json_object_get(params, "pass") != NULL;
}

bool front_ensure_calibration(struct pare_front *f, bool *failed, struct pare_error *err)
{
    if (f->calibration != NULL) {
        return true;
    }
    json_t *seen, *bins, *params = front_calibration_params(f, &seen, &bins), *needs = json_array();
    json_array_extend(needs, seen);
    json_array_extend(needs, bins);
    if (front_find_row(f, f->calibration_key) == NULL) {
        ask_for_parts(f, seen, failed, err);
    }
    const json_t *row = NULL;
    if (*failed) {
        json_decref(params);
    } else {
        struct front_job job = {.kind = "calibrate",
                                .title = "calibrate",
                                .params = params,
                                .priority = 90,
                                .rows = needs,
                                .total = json_array_size(bins) > 0 ? 1 : 2.0 * f->split_samples[0]};
        row = front_row(f, &job, failed, err);
    }
    f->calibration = row != NULL ? json_incref((json_t *)(uintptr_t)row) : NULL;
    if (row != NULL) {
        forget_parts(f, needs);
    }
    json_decref(seen);
    json_decref(bins);
    json_decref(needs);
    return f->calibration != NULL;
}
