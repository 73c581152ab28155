/*
 * declared.c: Lua's tokens, as far as one has to know them to find the fields of the table that a file returns. Operators of
 * several characters are several tokens here: no program means another thing by that.
 */
#include "lua/declared.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum token_kind { TOKEN_NAME, TOKEN_VALUE, TOKEN_MARK }; /* a value: a number or a text */

struct token {
    const char *at;
    size_t size;
    enum token_kind kind;
    bool left_out;
};

struct tokens {
    struct token *at;
    size_t n, cap;
};

static bool is(const struct tokens *t, size_t i, const char *word)
{
    return i < t->n && t->at[i].size == strlen(word) && memcmp(t->at[i].at, word, t->at[i].size) == 0;
}

/* Behind a long bracket "[==[ ... ]==]" that begins at p; NULL = it is none, or has no end (*open says which). */
static const char *behind_long(const char *p, const char *end, bool *open)
{
    const char *q = p + 1;
    size_t level = 0;
    *open = false;
    while (q < end && *q == '=') {
        q++;
        level++;
    }
    if (q >= end || *q != '[') {
        return NULL;
    }
    *open = true;
    for (q++; q < end; q++) {
        size_t k = 0;
        while (*q == ']' && q + 1 + k < end && q[1 + k] == '=') {
            k++;
        }
        if (*q == ']' && k == level && q + 1 + k < end && q[1 + k] == ']') {
            return q + k + 2;
        }
    }
    return NULL;
}

/* Behind a text in quotes; NULL = it has no end. */
static const char *behind_quoted(const char *p, const char *end)
{
    for (const char *q = p + 1; q < end; q++) {
        if (*q == *p) {
            return q + 1;
        }
        q += *q == '\\';
    }
    return NULL;
}

static const char *behind_number(const char *p, const char *end)
{
    for (p++; p < end && (isalnum((unsigned char)*p) || *p == '.' || (strchr("+-", *p) != NULL && strchr("eEpP", p[-1]) != NULL)); p++) {
    }
    return p;
}

/* Behind the blank or remark at p; p = there is none; NULL = it has no end. */
static const char *behind_blank(const char *p, const char *end)
{
    bool open;
    if (isspace((unsigned char)*p)) {
        return p + 1;
    }
    if (end - p < 2 || p[0] != '-' || p[1] != '-') {
        return p;
    }
    const char *q = p + 2 < end && p[2] == '[' ? behind_long(p + 2, end, &open) : (open = false, NULL);
    if (q == NULL && !open) {
        q = memchr(p, '\n', (size_t)(end - p));
        q = q != NULL ? q : end;
    }
    return q;
}

static bool add_token(struct tokens *t, const char *at, const char *end, enum token_kind kind)
{
    if (t->n == t->cap) {
        struct token *more = realloc(t->at, (2 * t->cap + 256) * sizeof *more);
        if (more == NULL) {
            return false;
        }
        t->at = more;
        t->cap = 2 * t->cap + 256;
    }
    t->at[t->n++] = (struct token){at, (size_t)(end - at), kind, false};
    return true;
}

/* False for what is no Lua text, or when memory is out. */
static bool read_tokens(const char *text, size_t size, struct tokens *t)
{
    const char *end = text + size;
    for (const char *p = text, *q; p < end; p = q) {
        const unsigned char c = (unsigned char)*p;
        enum token_kind kind = TOKEN_VALUE;
        bool open = false;
        q = behind_blank(p, end);
        if (q != p) {
            if (q == NULL) {
                return false;
            }
            continue;
        }
        if (isalpha(c) || c == '_') {
            kind = TOKEN_NAME;
            for (q = p + 1; q < end && (isalnum((unsigned char)*q) || *q == '_'); q++) {
            }
        } else if (isdigit(c) || (c == '.' && p + 1 < end && isdigit((unsigned char)p[1]))) {
            q = behind_number(p, end);
        } else if (c == '"' || c == '\'') {
            q = behind_quoted(p, end);
        } else {
            q = c == '[' ? behind_long(p, end, &open) : NULL;
            if (q == NULL && !open) {
                kind = TOKEN_MARK;
                q = p + 1;
            }
        }
        if (q == NULL || !add_token(t, p, q, kind)) {
            return false;
        }
    }
    return true;
}

/* Behind the value that is written out from token i on, at the ',', ';' or '}' that ends it; 0 = it is computed. */
static size_t behind_literal(const struct tokens *t, size_t i)
{
    int depth = 0;
    for (; i < t->n; i++) {
        const struct token *token = &t->at[i];
        if (depth == 0 && (is(t, i, ",") || is(t, i, ";") || is(t, i, "}"))) {
            return i;
        }
        const bool constant = is(t, i, "true") || is(t, i, "false") || is(t, i, "nil");
        const bool key = depth > 0 && token->kind == TOKEN_NAME && is(t, i + 1, "=") && !is(t, i + 2, "=");
        if ((token->kind == TOKEN_NAME && !constant && !key) ||
            (token->kind == TOKEN_MARK && (token->size != 1 || strchr("{}[]=,;-", *token->at) == NULL))) {
            return 0;
        }
        depth += is(t, i, "{") ? 1 : is(t, i, "}") ? -1 : 0;
    }
    return 0;
}

/* +1 for a word that opens a block, -1 for one that ends it. */
static int block_of(const struct tokens *t, size_t i)
{
    if (is(t, i, "function") || is(t, i, "if") || is(t, i, "do") || is(t, i, "repeat")) {
        return 1;
    }
    return is(t, i, "end") || is(t, i, "until") ? -1 : 0;
}

/* The '}' of the '{' at token `first`; with `mark` the fields that only solvers read are marked. t->n = there is none. */
static size_t walk_table(const struct tokens *t, size_t first, bool mark)
{
    int braces = 0, round = 0, blocks = 0;
    for (size_t i = first; i < t->n; i++) {
        const bool field = braces == 1 && round == 0 && blocks == 0 && (i == first + 1 || is(t, i - 1, ",") || is(t, i - 1, ";"));
        if (mark && field && (is(t, i, "tie") || is(t, i, "rows")) && is(t, i + 1, "=") && !is(t, i + 2, "=")) {
            const size_t behind = behind_literal(t, i + 2);
            const size_t last = behind > 0 && !is(t, behind, "}") ? behind : behind - 1;
            for (size_t k = i; behind > 0 && k <= last; k++) {
                t->at[k].left_out = true;
            }
            i = behind > 0 ? last : i;
            continue;
        }
        if (t->at[i].kind == TOKEN_MARK) {
            braces += is(t, i, "{") ? 1 : is(t, i, "}") ? -1 : 0;
            round += is(t, i, "(") ? 1 : is(t, i, ")") ? -1 : 0;
        }
        blocks += t->at[i].kind == TOKEN_NAME ? block_of(t, i) : 0;
        if (braces == 0) {
            return i;
        }
    }
    return t->n;
}

/* A `return {` whose table ends the file is the file's own: within a function or block an `end` would follow. */
static void mark_fields(const struct tokens *t)
{
    for (size_t i = 0; i + 1 < t->n; i++) {
        if (is(t, i, "return") && is(t, i + 1, "{")) {
            const size_t last = walk_table(t, i + 1, false);
            if (last + 1 == t->n || (last + 2 == t->n && is(t, last + 1, ";"))) {
                (void)walk_table(t, i + 1, true);
                return;
            }
        }
    }
}

static bool sees_lines(const struct tokens *t)
{
    static const char *const words[] = {"pcall", "coroutine", "load", "require"};
    for (size_t i = 0; i < t->n; i++) {
        for (size_t k = 0; k < sizeof words / sizeof words[0]; k++) {
            if (is(t, i, words[k])) {
                return true;
            }
        }
    }
    return false;
}

void pare_lua_hash_declared(struct pare_hash *hash, const char *text, size_t size)
{
    struct tokens t = {0};
    if (!read_tokens(text, size, &t) || sees_lines(&t)) {
        pare_hash_add(hash, text, size);
    } else {
        mark_fields(&t);
        for (size_t i = 0; i < t.n; i++) {
            size_t next = i + 1;
            while (next < t.n && t.at[next].left_out) {
                next++;
            }
            const bool idle = (is(&t, i, ",") || is(&t, i, ";")) && is(&t, next, "}"); /* the last separator of a table */
            if (!t.at[i].left_out && !idle) {
                pare_hash_add(hash, t.at[i].at, t.at[i].size);
                pare_hash_add(hash, "", 1);
            }
        }
    }
    free(t.at);
}
