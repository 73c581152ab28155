/* scatter_trust.c: predicted against measured: which figure to trust on this pipeline. */
#include <math.h>
#include <string.h>

#include "ui/app.h"
#include "ui/scatter.h"

#define TABLE_W 34

bool pare_quantity_is_prediction(enum pare_quantity q)
{
    return q == PARE_Q_LOSS || q == PARE_Q_DROP_PREDICTED || q == PARE_Q_LATENCY_PREDICTED;
}

bool pare_scatter_is_trust(const struct pare_ui *ui)
{
    return pare_quantity_is_prediction(ui->scatter.quantity[0]) || pare_quantity_is_prediction(ui->scatter.quantity[1]);
}

/* Asks the host again when anything has changed: a measurement, and as well what is predicted (sensitivities, ties, pins). */
static void refresh(struct pare_ui *ui)
{
    struct pare_scatter_state *sc = &ui->scatter;
    if (sc->proxies_version != ui->st->version + 1) {
        sc->proxies_version = ui->st->version + 1; /* 0 = never asked */
        sc->n_proxies = ui->host.proxies != NULL ? ui->host.proxies(ui->host.user, sc->proxies) : 0;
    }
}

void pare_trust_draw(struct pare_ui *ui, struct pare_rect area)
{
    struct pare_scatter_state *sc = &ui->scatter;
    refresh(ui);
    const int rows = sc->n_proxies + 1;
    if (area.w < TABLE_W + 24 || area.h < rows + 3 || sc->n_proxies == 0) {
        return;
    }
    /* measured grows upwards: the upper left is what nobody predicted, seldom much */
    const struct pare_rect r = {area.x + 2, area.y, TABLE_W, rows};
    pare_draw_fill(&ui->surface, (struct pare_rect){r.x - 1, r.y, r.w + 1, r.h}, ' ', PARE_INK_TEXT);
    struct pare_pen pen = pare_pen(&ui->surface, r.x, r.y, r.w);
    pare_pen_put(&pen, PARE_INK_DIM, "ranks what was measured (Spearman)");
    for (int i = 0; i < sc->n_proxies; i++) {
        const struct pare_proxy *p = &sc->proxies[i];
        const bool best = i == 0 && isfinite(p->spearman);
        const uint32_t ink = best ? PARE_INK_TEXT | PARE_BOLD : PARE_INK_DIM;
        char value[16];
        snprintf(value, sizeof value, isfinite(p->spearman) ? "%5.2f" : "    -", p->spearman);
        pen = pare_pen(&ui->surface, r.x, r.y + 1 + i, r.w);
        pare_pen_put(&pen, ink, "%s %-9s %s  %s", best ? "*" : " ", p->name, value,
                     best          ? "trust this here"
                     : p->knows    ? "knows them"
                     : p->latency  ? "of latencies"
                                   : "");
    }
}
