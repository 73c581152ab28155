#include "search/chain.h"

#include <stdlib.h>
#include <string.h>

#define MAX_STATES 1024
#define MAX_OPEN 16

/* The groups behind that still have a border ahead, and a state's digits: their forms, the first one lowest. */
struct frontier {
    int n, group[MAX_OPEN];
};

struct build {
    struct pare_chain *c;
    int *last;       /* [n_groups] the last group that has a border with this one */
    int *only_form;  /* [n_groups] when all its allowed levels have one form; -1 otherwise: only then it has a digit */
    int *first, *other; /* borders by group: first[g]..first[g+1] index into other (border numbers) */
};

static void compact_forms(struct pare_chain *c)
{
    const struct pare_problem *p = c->p;
    for (int l = 0; l < p->n_levels; l++) {
        int same = 0;
        while (same < l && p->form[same] != p->form[l]) {
            same++;
        }
        c->form[l] = same < l ? c->form[same] : c->n_forms++;
    }
}

static bool is_border(const struct pare_border *b)
{
    return b->from != b->to && b->ms != 0;
}

static bool index_borders(struct build *b)
{
    const struct pare_problem *p = b->c->p;
    const size_t n = (size_t)p->n_groups;
    b->last = malloc(n * sizeof *b->last);
    b->only_form = malloc(n * sizeof *b->only_form);
    b->first = calloc(n + 2, sizeof *b->first);
    b->other = malloc((2 * (size_t)p->n_borders + 1) * sizeof *b->other);
    if (b->last == NULL || b->only_form == NULL || b->first == NULL || b->other == NULL) {
        return false;
    }
    for (int g = 0; g < p->n_groups; g++) {
        b->last[g] = g;
        b->only_form[g] = -2;
        for (int l = 0; l < p->n_levels; l++) {
            if (p->allowed[g * p->n_levels + l]) {
                const int form = b->c->form[l];
                b->only_form[g] = b->only_form[g] == -2 || b->only_form[g] == form ? form : -1;
            }
        }
    }
    for (int i = 0; i < p->n_borders; i++) {
        const struct pare_border *e = &p->borders[i];
        if (is_border(e)) {
            const int lo = e->from < e->to ? e->from : e->to, hi = e->from < e->to ? e->to : e->from;
            b->last[lo] = hi > b->last[lo] ? hi : b->last[lo];
            b->first[lo + 2]++;
            b->first[hi + 2]++;
        }
    }
    for (size_t g = 2; g < n + 2; g++) {
        b->first[g] += b->first[g - 1];
    }
    for (int i = 0; i < p->n_borders; i++) {
        if (is_border(&p->borders[i])) {
            b->other[b->first[p->borders[i].from + 1]++] = i;
            b->other[b->first[p->borders[i].to + 1]++] = i;
        }
    }
    return true;
}

/* What group k at `form` pays to the groups behind it, which have the forms of `digits` or their only one. */
static double pay_of(const struct build *b, const struct frontier *f, const int *digits, int k, int form)
{
    const struct pare_problem *p = b->c->p;
    double ms = 0;
    for (int i = b->first[k]; i < b->first[k + 1]; i++) {
        const struct pare_border *e = &p->borders[b->other[i]];
        const int behind = e->from == k ? e->to : e->from;
        int its = b->only_form[behind];
        if (behind > k) {
            continue;
        }
        for (int j = 0; j < f->n && its < 0; j++) {
            its = f->group[j] == behind ? digits[j] : its;
        }
        ms += its != form ? e->ms : 0;
    }
    return ms;
}

/* Fills the transitions of group k and turns the frontier before it into the one behind it. */
static enum pare_status add_group(struct build *b, struct frontier *f, int k, struct pare_error *err)
{
    struct pare_chain *c = b->c;
    const int states = c->n_states[k], forms = c->n_forms;
    struct frontier after = {0};
    int digits[MAX_OPEN + 1], count = 1;
    c->next[k] = malloc((size_t)states * (size_t)forms * sizeof **c->next);
    c->pay[k] = malloc((size_t)states * (size_t)forms * sizeof **c->pay);
    if (c->next[k] == NULL || c->pay[k] == NULL) {
        return pare_error_nomem(err);
    }
    for (int j = 0; j <= f->n; j++) {
        const int g = j < f->n ? f->group[j] : k;
        if (b->last[g] > k && b->only_form[g] < 0) {
            if (after.n == MAX_OPEN || (count *= forms) > MAX_STATES) {
                return pare_error(err, PARE_ERR_USAGE, c->p->group_names[k],
                                  "too many borders are open at this layer for dynamic programming");
            }
            after.group[after.n++] = g;
        }
    }
    for (int s = 0; s < states; s++) {
        for (int j = 0, rest = s; j < f->n; j++, rest /= forms) {
            digits[j] = rest % forms;
        }
        for (int form = 0; form < forms; form++) {
            int next = 0, weight = 1;
            for (int j = 0, a = 0; j <= f->n && a < after.n; j++) {
                if (after.group[a] == (j < f->n ? f->group[j] : k)) {
                    next += weight * (j < f->n ? digits[j] : form);
                    weight *= forms;
                    a++;
                }
            }
            c->next[k][s * forms + form] = next;
            c->pay[k][s * forms + form] = pay_of(b, f, digits, k, form);
        }
    }
    c->n_states[k + 1] = count;
    *f = after;
    return PARE_OK;
}

enum pare_status pare_chain_new(const struct pare_problem *p, bool with_borders, struct pare_chain **out,
                                struct pare_error *err)
{
    struct pare_problem plain = *p;
    struct pare_chain *c = calloc(1, sizeof *c);
    struct build b = {.c = c};
    struct frontier f = {0};
    const size_t n = (size_t)p->n_groups;
    enum pare_status status = PARE_OK;
    *out = NULL;
    if (c == NULL) {
        return pare_error_nomem(err);
    }
    plain.n_borders = with_borders ? p->n_borders : 0;
    c->p = &plain;
    c->form = malloc((size_t)p->n_levels * sizeof *c->form);
    c->n_states = malloc((n + 1) * sizeof *c->n_states);
    c->next = calloc(n, sizeof *c->next);
    c->pay = calloc(n, sizeof *c->pay);
    if (c->form == NULL || c->n_states == NULL || c->next == NULL || c->pay == NULL) {
        status = pare_error_nomem(err);
    } else {
        compact_forms(c);
        status = index_borders(&b) ? PARE_OK : pare_error_nomem(err);
        c->n_states[0] = 1;
    }
    for (int k = 0; status == PARE_OK && k < p->n_groups; k++) {
        status = add_group(&b, &f, k, err);
    }
    free(b.last);
    free(b.only_form);
    free(b.first);
    free(b.other);
    c->p = p;
    if (status != PARE_OK) {
        pare_chain_free(c);
        return status;
    }
    *out = c;
    return PARE_OK;
}

void pare_chain_free(struct pare_chain *c)
{
    if (c == NULL) {
        return;
    }
    for (int k = 0; k < c->p->n_groups; k++) {
        if (c->next != NULL) {
            free(c->next[k]);
        }
        if (c->pay != NULL) {
            free(c->pay[k]);
        }
    }
    free(c->form);
    free(c->n_states);
    free(c->next);
    free(c->pay);
    free(c);
}
