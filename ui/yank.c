/* yank.c: the command line that gives this screen, on a page and for the terminal's clipboard. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "ui/app.h"

/* The solve that this screen shows; `between` stands before every pin. */
static void solve_line(struct pare_ui *ui, struct pare_strbuf *b, const char *between)
{
    const struct pare_state *st = ui->st;
    pare_strbuf_printf(b, "pare solve %s", st->path != NULL ? st->path : ".");
    if (isfinite(st->max_drop)) {
        pare_strbuf_printf(b, " --max-drop %g", st->max_drop);
    }
    if (isfinite(st->max_latency_ms)) {
        pare_strbuf_printf(b, " --max-latency %g", st->max_latency_ms);
    }
    if (isfinite(st->max_bytes)) {
        pare_strbuf_printf(b, " --max-bytes %.0f", st->max_bytes);
    }
    if (isfinite(st->max_bitops)) {
        pare_strbuf_printf(b, " --max-bitops %.0f", st->max_bitops);
    }
    if (isfinite(st->max_energy_uj)) {
        pare_strbuf_printf(b, " --max-energy %guJ", st->max_energy_uj);
    }
    if (st->minimize != NULL && strcmp(st->minimize, "latency") != 0) {
        pare_strbuf_printf(b, " --minimize %s", st->minimize);
    }
    for (int i = 0; i < st->n_layers; i++) {
        const struct pare_layer *l = &st->layers[i];
        if (l->pin_lo >= 0) {
            pare_strbuf_printf(b, "%s--pin '%s=%s", between, l->name, pare_ui_level_name(ui, l->pin_lo));
            pare_strbuf_printf(b, l->pin_hi != l->pin_lo ? "..%s'" : "'", pare_ui_level_name(ui, l->pin_hi));
        }
    }
}

/* What this screen's figures are of. */
static void rules_line(struct pare_ui *ui, struct pare_strbuf *b, const char *between)
{
    if (ui->st->quantize != NULL) {
        pare_strbuf_printf(b, "%s--quantize '%s'", between, ui->st->quantize);
    }
}

/* The ties and rows of this screen, as further options. */
static void tie_line(struct pare_ui *ui, struct pare_strbuf *b, const char *between)
{
    for (int i = 0; i < ui->st->n_ties; i++) {
        pare_strbuf_printf(b, "%s--tie '%s'", between, ui->st->ties[i]);
    }
    for (int i = 0; i < ui->st->n_rows; i++) {
        pare_strbuf_printf(b, "%s--row '", between);
        for (const char *p = ui->st->row_json[i]; *p != '\0'; p++) { /* a quote would end the word */
            pare_strbuf_append(b, *p == '\'' ? "\\u0027" : (const char[2]){*p, '\0'});
        }
        pare_strbuf_append(b, "'");
    }
}

void pare_ui_yank(struct pare_ui *ui)
{
    struct pare_strbuf b, line;
    char name[64];
    pare_strbuf_init(&b);
    pare_strbuf_init(&line);
    const char *path = ui->st->path != NULL ? ui->st->path : ".";
    solve_line(ui, &line, " ");
    tie_line(ui, &line, " ");
    rules_line(ui, &line, " ");
    free(ui->copied);
    ui->copied = line.failed ? NULL : pare_strbuf_take(&line);
    pare_strbuf_append(&b, "this solve:\n  ");
    solve_line(ui, &b, " \\\n    ");
    tie_line(ui, &b, " \\\n    ");
    rules_line(ui, &b, " \\\n    ");
    if (ui->point >= 0) {
        pare_ui_point_name(ui, ui->point, name, sizeof name);
        pare_strbuf_printf(&b, "\n\nthis point:\n  pare eval %s --run %s", path, name);
        rules_line(ui, &b, " ");
        pare_strbuf_printf(&b, "\n  pare export %s --run %s --format json --out config.json", path, name);
    }
    pare_popup_show(ui, "command line", b.text);
    pare_strbuf_clear(&b);
    pare_strbuf_clear(&line);
}
