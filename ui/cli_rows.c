/* cli_rows.c: --row and --unrow: extra rows of the session from the command line, as JSON of what Lua declares. */
#include "ui/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/strbuf.h"

/* One row as a command; a quote in it must not end the command's word. 0 or an exit code. */
static int add_row(struct cli_session *s, const struct cli_options *o, const json_t *row)
{
    struct pare_error err = {0};
    struct pare_strbuf line;
    char *text = json_dumps(row, JSON_COMPACT | JSON_ENCODE_ANY);
    pare_strbuf_init(&line);
    pare_strbuf_append(&line, "row '");
    for (const char *p = text; p != NULL && *p != '\0'; p++) {
        if (*p == '\'') {
            pare_strbuf_append(&line, "\\u0027");
        } else {
            pare_strbuf_append_n(&line, p, 1);
        }
    }
    pare_strbuf_append(&line, "'");
    enum pare_status status = text == NULL || line.failed ? pare_error_nomem(&err) : pare_front_command(s->front, line.text, -1, &err);
    free(text);
    pare_strbuf_clear(&line);
    return status == PARE_OK ? 0 : cli_fail(o, &err);
}

static int add_rows(struct cli_session *s, const struct cli_options *o, const char *value)
{
    struct pare_error err = {0};
    json_error_t why;
    json_t *json = NULL;
    int rc = 0;
    if (value[0] == '@') {
        rc = pare_json_load(value + 1, &json, &err) == PARE_OK ? 0 : cli_fail(o, &err);
    } else if ((json = json_loads(value, 0, &why)) == NULL) {
        pare_error(&err, PARE_ERR_USAGE, "--row", "expected JSON such as '{\"at\": \"int4\", \"at_most\": 3}', or @FILE: %s", why.text);
        rc = cli_fail(o, &err);
    }
    for (size_t i = 0; rc == 0 && i < (json_is_array(json) ? json_array_size(json) : 1); i++) {
        rc = add_row(s, o, json_is_array(json) ? json_array_get(json, i) : json);
    }
    json_decref(json);
    return rc;
}

int cli_apply_rows(struct cli_session *s, const struct cli_options *o)
{
    int rc = 0;
    if (o->unrow != NULL) {
        struct pare_error err = {0};
        char line[1100];
        snprintf(line, sizeof line, strchr(o->unrow, '\'') != NULL ? "unrow \"%.1000s\"" : "unrow '%.1000s'", o->unrow);
        rc = pare_front_command(s->front, line, -1, &err) == PARE_OK ? 0 : cli_fail(o, &err);
    }
    for (int i = 0; rc == 0 && i < o->n_rows; i++) {
        rc = add_rows(s, o, o->rows[i]);
    }
    return rc;
}
