/* `pare sense --explain LAYER` as text: histograms, ranges, channels, one line why, and what would cure it at what cost. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "src/base/json.h"
#include "ui/cli.h"
#include "ui/glyph.h"

static double of(const json_t *json, const char *key)
{
    return pare_json_get_real(json, key);
}

static const char *number(char buf[32], double value, const char *format)
{
    snprintf(buf, 32, isfinite(value) ? format : "-", value);
    return buf;
}

/* Heights are logarithms of counts: tails are what a range is about. */
static void print_bars(const json_t *bins, bool ascii)
{
    static const char *const blocks[] = {" ", "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588"};
    static const char *const signs[] = {" ", ".", ":", "-", "=", "+", "*", "#", "@"};
    double most = 1;
    for (size_t i = 0; i < json_array_size(bins); i++) {
        most = fmax(most, pare_json_at_real(bins, i));
    }
    for (size_t i = 0; i < json_array_size(bins); i++) {
        const double n = pare_json_at_real(bins, i);
        const int height = n > 0 ? 1 + (int)(7.0 * log1p(n) / log1p(most) + 0.5) : 0;
        fputs((ascii ? signs : blocks)[height > 8 ? 8 : height], stdout);
    }
}

/* Where the chosen range ends under the bars: '[' and ']'; beyond the data: at the margin. */
static void print_range(const json_t *h, int bins)
{
    const double lo = of(h, "lo"), hi = of(h, "hi"), from = of(h, "range_lo"), to = of(h, "range_hi");
    char line[80];
    const double x = floor((from - lo) / (hi - lo) * bins), y = ceil((to - lo) / (hi - lo) * bins) + 1;
    if (!isfinite(x) || !isfinite(y) || !(hi > lo) || bins < 1 || bins > 70) {
        return;
    }
    memset(line, ' ', sizeof line);
    const int a = (int)fmax(-1, fmin(x, bins)), b = (int)fmax(0, fmin(y, bins + 1)); /* a range beside the data: at its margin */
    line[a + 1] = '[';
    line[b] = ']';
    line[bins + 2] = '\0';
    printf("%20s%s\n", "", line);
}

static void print_histogram(const char *name, const json_t *h, bool ascii)
{
    char a[32], b[32], c[32], d[32], e[32], f[32];
    const json_t *bins = json_object_get(h, "bins");
    printf("%-8s %10s  ", name, number(a, of(h, "lo"), "%.4g"));
    print_bars(bins, ascii);
    printf("  %s\n", number(b, of(h, "hi"), "%.4g"));
    print_range(h, (int)json_array_size(bins));
    printf("%21srange %s .. %s   clipped %s %%   sigma %s   largest %s sigma\n", "", number(a, of(h, "range_lo"), "%.4g"),
           number(b, of(h, "range_hi"), "%.4g"), number(c, 100 * of(h, "clipped"), "%.2f"), number(d, of(h, "sigma"), "%.4g"),
           number(e, of(h, "peak") / of(h, "sigma"), "%.1f"));
    (void)f;
}

static void print_channels(const char *name, const json_t *c)
{
    char a[32], b[32];
    printf("%-8s %lld channels, %lld dead, the farthest reaches %sx the median", name, (long long)pare_json_get_int(c, "n", 0),
           (long long)pare_json_get_int(c, "dead", 0), number(a, of(c, "spread"), "%.1f"));
    if (of(c, "worst_share") > 0) {
        printf("; channel %lld has %s %% of the weights' error", (long long)pare_json_get_int(c, "worst", 0),
               number(b, 100 * of(c, "worst_share"), "%.0f"));
    }
    printf("\n");
}

static void print_cures(const json_t *json)
{
    const char *layer = pare_json_get_string(json, "layer", "");
    char a[32], b[32], c[32], d[32];
    size_t i;
    json_t *item;
    printf("\n%-52s %10s %10s %10s %10s\n", "what would cure it", "step RMSE", "loss", "kB more", "ms more");
    json_array_foreach(json_object_get(json, "cures"), i, item) {
        char rule[160];
        snprintf(rule, sizeof rule, "--quantize '%s:%s'", layer, pare_json_get_string(item, "rule", ""));
        printf("  %-50s %10s %10s %10s %10s\n", rule, number(a, of(item, "step_rmse"), "%.4g"), "-",
               number(b, of(item, "bytes") / 1000, "%.2f"), of(item, "bytes") > 0 ? "-" : "0");
    }
    json_array_foreach(json_object_get(json, "wider"), i, item) {
        char level[96];
        snprintf(level, sizeof level, "level %s", pare_json_get_string(item, "level", ""));
        printf("  %-50s %10s %10s %10s %10s\n", level, number(a, of(item, "step_rmse"), "%.4g"), number(b, of(item, "loss"), "%.4f"),
               number(c, of(item, "bytes") / 1000, "%.2f"), number(d, of(item, "ms"), "%+.4f"));
    }
    if (json_object_get(json, "quantize") != NULL && json_array_size(json_object_get(json, "cures")) > 0) {
        printf("  (these rules come behind those that hold: '%s; ...')\n", pare_json_get_string(json, "quantize", ""));
    }
    if (json_array_size(json_object_get(json, "cures")) == 0) {
        printf("  (of the rules that were tried on this layer alone none takes a tenth off its step error)\n");
    }
}

void cli_print_explain(const json_t *json)
{
    const bool ascii = pare_glyphs_detect() == PARE_GLYPHS_ASCII;
    const json_t *rmse = json_object_get(json, "rmse");
    char a[32], b[32], c[32], d[32];
    printf("\nwhy %s loses at %s (%lld calls of its stage)\n  %s\n\n", pare_json_get_string(json, "layer", ""),
           pare_json_get_string(json, "level", ""), (long long)pare_json_get_int(json, "calls", 0), pare_json_get_string(json, "why", ""));
    print_histogram("weights", json_object_get(json, "weights"), ascii);
    print_histogram("input", json_object_get(json, "input"), ascii);
    print_histogram("output", json_object_get(json, "output"), ascii);
    print_channels("\nweights", json_object_get(json, "channels"));
    print_channels("input", json_object_get(json, "input_channels"));
    printf("errors   own %s   step %s: weights alone %s, activations alone %s\n", number(a, of(rmse, "own"), "%.4g"),
           number(b, of(rmse, "step"), "%.4g"), number(c, of(rmse, "weights"), "%.4g"), number(d, of(rmse, "activations"), "%.4g"));
    print_cures(json);
}
