/*
 * hints.c: what stands beside the prompt and behind the `i` key: what a pin would change, how a word goes on, where a
 * figure comes from.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/flow.h"
#include "command/line.h"

bool pare_front_preview(struct pare_front *f, int layer, int level_lo, int level_hi, char *text, size_t size)
{
    unsigned char *levels = f->described && layer >= 0 && layer < f->n_layers && level_lo >= 0 && level_lo <= level_hi && level_hi < f->n_levels
                                ? malloc((size_t)f->n_layers + 1) : NULL;
    if (levels == NULL) {
        return false;
    }
    /* against the newest solved point, else uniform int8 */
    front_uniform(f, f->int8_level, levels);
    for (int i = f->n_points - 1; i >= 0; i--) {
        if (strcmp(f->runs[f->points[i].run].method, "solve") == 0) {
            memcpy(levels, f->points[i].levels, (size_t)f->n_layers);
            break;
        }
    }
    double loss = front_loss_sum(f, levels), ms = front_latency_sum(f, levels), bytes = front_bytes(f, levels);
    int before = levels[layer];
    if (before >= level_lo && before <= level_hi && level_lo < level_hi) {
        free(levels);
        snprintf(text, size, "%s is at %s, within the range: nothing changes by itself", f->layers[layer].name, f->level_alias[before]);
        return true;
    }
    int after = before < level_lo ? level_lo : before > level_hi ? level_hi : before; /* the nearest that is allowed */
    levels[layer] = (unsigned char)after;
    double loss2 = front_loss_sum(f, levels), ms2 = front_latency_sum(f, levels), bytes2 = front_bytes(f, levels);
    free(levels);
    if (!isfinite(loss) || !isfinite(loss2)) {
        return false;
    }
    double drop = front_drop_of_loss(f, loss), drop2 = front_drop_of_loss(f, loss2);
    if (before == after) {
        snprintf(text, size, "%s at %s, where the newest answer has it", f->layers[layer].name, f->level_alias[before]);
        return true;
    }
    size_t used = (size_t)snprintf(text, size, "%s %s > %s: ", f->layers[layer].name, f->level_alias[before], f->level_alias[after]);
    if (isfinite(drop) && isfinite(drop2) && used < size) {
        used += (size_t)snprintf(text + used, size - used, "drop ~%.2f > ~%.2f %%, ", 100 * drop, 100 * drop2);
    } else if (used < size) {
        used += (size_t)snprintf(text + used, size - used, "loss %.3g > %.3g, ", loss, loss2);
    }
    if (isfinite(ms) && isfinite(ms2) && used < size) {
        used += (size_t)snprintf(text + used, size - used, "~%.3f > ~%.3f ms, ", ms, ms2);
    }
    if (used < size && isfinite(bytes) && isfinite(bytes2)) {
        snprintf(text + used, size - used, "%.0f > %.0f kB", bytes / 1e3, bytes2 / 1e3);
    }
    return true;
}

int pare_front_complete(struct pare_front *f, const char *line, const char **words, int max)
{
    const char *last = strrchr(line, ' ');
    int n = 0;
    if (strncmp(line, "budget ", 7) == 0 || strncmp(line, "minimize ", 9) == 0) {
        for (int c = 0; last == strchr(line, ' ') && c < PARE_COST_COUNT && n < max; c++) {
            const char *name = pare_cost_name((enum pare_figure_id)c);
            if (strncmp(name, last + 1, strlen(last + 1)) == 0) {
                words[n++] = name;
            }
        }
    } else if (strncmp(line, "quantize ", 9) == 0) {
        n = front_quantize_complete(f, line, words, max);
    } else if (last == NULL) {
        for (int i = 0; i < pare_command_count() && n < max; i++) {
            if (strncmp(pare_command_info(i)->name, line, strlen(line)) == 0) {
                words[n++] = pare_command_info(i)->name;
            }
        }
    } else {
        const char *equals = strchr(last, '=');
        for (int l = 0; equals != NULL && l < f->n_levels && n < max; l++) {
            if (strncmp(f->level_alias[l], equals + 1, strlen(equals + 1)) == 0) {
                words[n++] = front_state_text(f, "%.*s=%s", (int)(equals - last - 1), last + 1, f->level_alias[l]);
            }
        }
        for (int i = 0; equals == NULL && i < f->n_layers && n < max; i++) {
            if (strncmp(f->layers[i].name, last + 1, strlen(last + 1)) == 0) {
                words[n++] = f->layers[i].name;
            }
        }
        for (int r = 0; equals == NULL && r < f->n_runs && n < max; r++) {
            if (strncmp(f->runs[r].name, last + 1, strlen(last + 1)) == 0) {
                words[n++] = f->runs[r].name;
            }
        }
    }
    for (int i = 1; i < n; i++) {
        for (int k = i; k > 0 && strcmp(words[k - 1], words[k]) > 0; k--) {
            const char *swap = words[k];
            words[k] = words[k - 1];
            words[k - 1] = swap;
        }
    }
    return n;
}

void pare_front_explain_cell(struct pare_front *f, int layer, int level, char *text, size_t size)
{
    const struct front_cell *c;
    if (!f->described || layer < 0 || layer >= f->n_layers || level < 0 || level >= f->n_levels) {
        snprintf(text, size, "nothing here");
        return;
    }
    c = &f->cells[layer * f->n_levels + level];
    char latency[640] = "not measured yet, B (bench) measures it";
    json_t *slower = flow_slower_json(f, layer, level);
    if (f->target != NULL) { /* its kernel is the basis of its time (target.c) */
        const double error = 100 * (c->ms_p90 / c->ms - 1);
        if (isfinite(c->ms)) {
            snprintf(latency, sizeof latency, error > 0 ? "%s for %.60s (%.200s), within %.0f %% on average" : "%s for %.60s (%.200s): a row of its table",
                     c->kernel != NULL ? c->kernel : "predicted", pare_target_name(f->target), pare_target_machine(f->target), error);
        } else {
            snprintf(latency, sizeof latency, "not known for %.60s: its table has no such layers", pare_target_name(f->target));
        }
    } else if (slower != NULL) {
        snprintf(latency, sizeof latency, "kernel %.60s, %.2fx the time of %s: %s;\n  median of one call in place, on this host (%.160s), pinned, 1 thread",
                 c->kernel, pare_json_get_real(slower, "times"), pare_json_get_string(slower, "than", ""), pare_json_get_string(slower, "why", ""), f->cpu);
        json_decref(slower);
    } else if (c->kernel != NULL) {
        snprintf(latency, sizeof latency, "median of one call in place, uniform profile, kernel %.60s, on this host (%.160s), pinned, 1 thread", c->kernel, f->cpu);
    }
    if (c->samples == 0) {
        snprintf(text, size, "drop and loss: not measured yet, S (sense) measures them\nlatency: %s", latency);
        return;
    }
    snprintf(text, size,
             "drop and loss: measured on %d samples of the search split, this layer lowered, all others fp32;\n"
             "  loss = mean KL of the final decision against fp32 (where it is no class: its relative squared error);\n"
             "  drop paired with fp32 on the same samples, 95 %% interval\n"
             "RMSE: the layer's own error (both paths read the same quantized input), %d samples\n"
             "  own %.4g, weights alone %.4g, activations alone %.4g; step %.4g; accumulated %.4g; cosine %.6f\n"
             "  why, and what would cure it: w, or pare sense --explain %s --levels %s\n"
             "latency: %s\n"
             "quantized by: %.200s; calibration over %d samples; row %s",
             c->samples, c->own_n,
             front_own_rmse(c, PARE_OWN_MSE), front_own_rmse(c, PARE_OWN_WEIGHTS), front_own_rmse(c, PARE_OWN_ACTIVATIONS),
             front_own_rmse(c, PARE_OWN_STEP), front_own_rmse(c, PARE_OWN_ACCUMULATED), front_own(c, PARE_OWN_COSINE),
             f->layers[layer].name, f->level_names[level], latency, line_rules_in_force(f), f->split_samples[0], f->calibration_key);
}

void pare_front_explain_point(struct pare_front *f, int point, char *text, size_t size)
{
    if (point < 0 || point >= f->n_points) {
        snprintf(text, size, "no point here");
        return;
    }
    const struct front_point *p = &f->points[point];
    const char *found = pare_json_get_string(f->runs[p->run].settings, "quantize", f->options.quantize != NULL ? "the pipeline's own rules" : "");
    found = f->options.quantize != NULL && strcmp(found, f->options.quantize) == 0 ? "" : found;
    found = strcmp(f->runs[p->run].method, "uniform") == 0 ? "" : found;
    const json_t *settings = f->runs[p->run].settings;
    const double claimed = pare_json_get_real(json_object_get(p->facts, "claimed"), "accuracy");
    char from[400] = "", claims[64] = "";
    if (isfinite(claimed)) {
        snprintf(claims, sizeof claims, ", which claims an accuracy of %.2f %%", 100 * claimed);
    }
    if (pare_json_get_string(settings, "hash", NULL) != NULL) {
        snprintf(from, sizeof from, "\nread from %.200s (%.60s)%s; nothing of a claim is taken over", pare_json_get_string(settings, "file", "?"),
                 pare_json_get_string(settings, "budget", "?"), claims);
    }
    snprintf(text, size,
             "point %d of run %s (%s)%s\n"
             "accuracy and drop: %s, %d samples of the search split, integer arithmetic at every integer level\n"
             "latency: %s on this host (%s), %s, 1 thread, glue included\n"
             "predicted drop: monotone fit from the summed loss %.4g over %d measured configurations\n"
             "bytes: packed weights at their bits, scales and biases; BitOps: MACs x weight bits x activation bits\n"
             "quantized by: %.200s%s%.200s",
             p->number, f->runs[p->run].name, f->runs[p->run].method, from, p->search.samples > 0 ? "measured" : "predicted",
             p->search.samples, isfinite(p->latency[1]) ? "measured end to end, interleaved with fp32" : "predicted: sum of the layers' times",
             f->isa, f->cpu, p->loss_sum, f->n_fit, line_rules_in_force(f), found[0] != '\0' ? "; it was found by: " : "", found);
}
