#include "job/sched.h"

#include <stdlib.h>
#include <string.h>

#include "job/pool.h"

static struct pare_task *task_at(const struct pare_sched *s, int i)
{
    return s->tasks[i];
}

int pare_sched_compute(const struct pare_sched *s)
{
    return s->n_compute;
}

double pare_sched_now(const struct pare_sched *s)
{
    return (double)uv_hrtime() * 1e-9 - s->start_seconds;
}

int pare_sched_count(const struct pare_sched *s)
{
    return s->n_tasks;
}

const struct pare_task *pare_sched_task(const struct pare_sched *s, int i)
{
    return task_at(s, i);
}

const struct pare_task *pare_sched_find(const struct pare_sched *s, uint64_t id)
{
    /* ids grow with the index */
    for (int i = s->n_tasks - 1; i >= 0; i--) {
        if (task_at(s, i)->id == id) {
            return task_at(s, i);
        }
    }
    return NULL;
}

uint64_t pare_sched_last_id(const struct pare_sched *s)
{
    return s->last_id;
}

void pare_sched_forgive(struct pare_sched *s)
{
    s->failed_starts = 0;
}

int pare_sched_pending(const struct pare_sched *s)
{
    return s->n_pending;
}

static void free_task(struct pare_task *t)
{
    free((char *)(uintptr_t)t->kind);
    free((char *)(uintptr_t)t->title);
    free((char *)(uintptr_t)t->key);
    for (int i = 0; i < t->n_needs; i++) {
        free(t->needs[i]);
    }
    free(t->needs);
    json_decref(t->params);
    free(t);
}

static struct pare_task *new_task(const struct pare_task_spec *spec)
{
    struct pare_task *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    t->kind = strdup(spec->kind);
    t->title = strdup(spec->title != NULL ? spec->title : spec->kind);
    t->key = strdup(spec->key != NULL ? spec->key : "");
    t->params = spec->params_take;
    t->needs = calloc((size_t)spec->n_needs + 1, sizeof *t->needs);
    bool ok = t->kind != NULL && t->title != NULL && t->key != NULL && t->needs != NULL && t->params != NULL;
    for (int i = 0; ok && i < spec->n_needs; i++) {
        t->needs[i] = strdup(spec->needs[i]);
        t->n_needs = i + 1;
        ok = t->needs[i] != NULL;
    }
    t->max_attempts = spec->max_attempts > 0 ? spec->max_attempts : 2;
    t->quiet = spec->quiet;
    t->interactive = spec->interactive;
    t->priority = spec->priority;
    t->limit_seconds = spec->limit_seconds > 0 ? spec->limit_seconds : 120;
    t->total = spec->total > 0 ? spec->total : 1;
    t->worker = -1;
    t->tag = spec->tag;
    if (!ok) {
        free_task(t);
        return NULL;
    }
    return t;
}

static bool is_pending(const struct pare_task *t)
{
    return t->state == PARE_TASK_QUEUED || t->state == PARE_TASK_RUNNING;
}

uint64_t pare_sched_add(struct pare_sched *s, const struct pare_task_spec *spec)
{
    for (int i = s->first_pending; spec->key != NULL && spec->key[0] != '\0' && i < s->n_tasks; i++) {
        struct pare_task *other = task_at(s, i);
        if (is_pending(other) && strcmp(other->key, spec->key) == 0) {
            json_decref(spec->params_take);
            other->priority = spec->priority > other->priority ? spec->priority : other->priority;
            return other->id;
        }
    }
    if (s->n_tasks == s->cap_tasks) {
        int cap = s->cap_tasks > 0 ? 2 * s->cap_tasks : 64;
        struct pare_task **tasks = realloc(s->tasks, (size_t)cap * sizeof *tasks);
        if (tasks == NULL) {
            json_decref(spec->params_take);
            return 0;
        }
        s->tasks = tasks;
        s->cap_tasks = cap;
    }
    struct pare_task *t = new_task(spec);
    if (t == NULL) {
        return 0;
    }
    t->id = ++s->last_id;
    s->tasks[s->n_tasks++] = t;
    s->n_pending++;
    pare_pool_kick(s);
    return t->id;
}

void pare_sched_end_task(struct pare_sched *s, struct pare_task *t, enum pare_task_state state)
{
    if (!is_pending(t)) {
        return;
    }
    t->state = state;
    t->finished = pare_sched_now(s);
    t->worker = -1;
    s->n_pending--;
    while (s->first_pending < s->n_tasks && !is_pending(task_at(s, s->first_pending))) {
        s->first_pending++;
    }
    if (state == PARE_TASK_DONE) {
        t->done = t->total;
    } else {
        s->owner.failed(s->owner.self, t);
    }
    /* A finished job keeps its name, not its parameters: sessions of many jobs stay small. */
    json_decref(t->params);
    t->params = NULL;
    pare_pool_kick(s);
}

bool pare_sched_cancel(struct pare_sched *s, uint64_t id)
{
    for (int i = s->first_pending; i < s->n_tasks; i++) {
        struct pare_task *t = task_at(s, i);
        if (t->id == id && is_pending(t)) {
            if (t->state == PARE_TASK_RUNNING) {
                pare_pool_kill_worker(s, t->worker);
            }
            pare_error(&t->error, PARE_ERR_FAIL, NULL, "cancelled");
            pare_sched_end_task(s, t, PARE_TASK_CANCELLED);
            return true;
        }
    }
    return false;
}

void pare_sched_cancel_all(struct pare_sched *s)
{
    for (int i = s->first_pending; i < s->n_tasks; i++) {
        if (is_pending(task_at(s, i))) {
            pare_sched_cancel(s, task_at(s, i)->id);
        }
    }
}

static bool needs_are_there(struct pare_sched *s, const struct pare_task *t)
{
    for (int i = 0; i < t->n_needs; i++) {
        if (s->owner.find_row(s->owner.self, t->needs[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* A need whose job has failed will never come. */
static bool need_is_lost(const struct pare_sched *s, const struct pare_task *t, const char **which)
{
    for (int i = 0; i < t->n_needs; i++) {
        bool made = false, failed = false;
        for (int k = 0; k < s->n_tasks; k++) {
            const struct pare_task *other = task_at(s, k);
            if (strcmp(other->key, t->needs[i]) == 0) {
                failed = failed || !is_pending(other);
                made = made || is_pending(other) || other->state == PARE_TASK_DONE;
            }
        }
        if (!made && failed) {
            *which = t->needs[i];
            return true;
        }
    }
    return false;
}

struct pare_task *pare_sched_pick(struct pare_sched *s, bool interactive, bool quiet)
{
    struct pare_task *best = NULL;
    for (int i = s->first_pending; i < s->n_tasks; i++) {
        struct pare_task *t = task_at(s, i);
        const char *lost = NULL;
        if (t->state != PARE_TASK_QUEUED || t->interactive != interactive || t->quiet != quiet ||
            (best != NULL && t->priority <= best->priority)) {
            continue;
        }
        if (needs_are_there(s, t)) {
            best = t;
        } else if (need_is_lost(s, t, &lost)) {
            pare_error(&t->error, PARE_ERR_FAIL, t->title, "a job before it failed");
            pare_sched_end_task(s, t, PARE_TASK_FAILED);
        }
    }
    return best;
}

void pare_sched_free(struct pare_sched *s)
{
    if (s == NULL) {
        return;
    }
    for (int i = 0; i < s->n_tasks; i++) {
        free_task(s->tasks[i]);
    }
    free(s->tasks);
    free(s->exe);
    free(s);
}
