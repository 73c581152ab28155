#include "ui/cli.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quant/method.h"

enum {
    OPT_JSON = 256, OPT_QUIET, OPT_FRESH, OPT_NO_PINS, OPT_DETACH, OPT_FRONT, OPT_KERNELS, OPT_TABLE, OPT_PEERS,
    OPT_MODELS, OPT_SESSION, OPT_LEVELS, OPT_CONFIG, OPT_RUN, OPT_LEVEL, OPT_SPLIT, OPT_OUT, OPT_FORMAT, OPT_METHOD,
    OPT_PER, OPT_MINIMIZE, OPT_NAME, OPT_FREE, OPT_KEYS, OPT_EXPLAIN, OPT_BASELINE, OPT_TARGET, OPT_PIN, OPT_KEEP, OPT_KEEP_FIRST, OPT_KEEP_SUSPECTED, OPT_QUANTIZE,
    OPT_DRY_RUN, OPT_VERIFY, OPT_PREDICTED, OPT_SET, OPT_YES, OPT_TRUST, OPT_SAMPLES, OPT_JOBS, OPT_THREADS, OPT_SEED, OPT_MAX_DROP, OPT_MAX_LATENCY, OPT_MAX_BYTES, OPT_MAX_BITOPS, OPT_SURE, OPT_TIME_LIMIT, OPT_LIST, OPT_TIE, OPT_ROW, OPT_UNROW, OPT_UNTIE, OPT_IMPORT, OPT_MAX_ENERGY, OPT_COLUMNS, OPT_CSV_DEBUGGER
};

static const struct option long_options[] = {
    {"json", no_argument, NULL, OPT_JSON},          {"quiet", no_argument, NULL, OPT_QUIET},
    {"fresh", no_argument, NULL, OPT_FRESH},        {"no-pins", no_argument, NULL, OPT_NO_PINS},
    {"detach", no_argument, NULL, OPT_DETACH},      {"front", no_argument, NULL, OPT_FRONT},
    {"verify", required_argument, NULL, OPT_VERIFY}, {"predicted", no_argument, NULL, OPT_PREDICTED}, {"set", required_argument, NULL, OPT_SET},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},    {"yes", no_argument, NULL, OPT_YES},
    {"trust", no_argument, NULL, OPT_TRUST},
    {"kernels", no_argument, NULL, OPT_KERNELS},    {"table", no_argument, NULL, OPT_TABLE},
    {"peers", no_argument, NULL, OPT_PEERS},        {"models", required_argument, NULL, OPT_MODELS},
    {"session", required_argument, NULL, OPT_SESSION}, {"levels", required_argument, NULL, OPT_LEVELS},
    {"config", required_argument, NULL, OPT_CONFIG}, {"run", required_argument, NULL, OPT_RUN},
    {"level", required_argument, NULL, OPT_LEVEL},  {"split", required_argument, NULL, OPT_SPLIT},
    {"out", required_argument, NULL, OPT_OUT},      {"format", required_argument, NULL, OPT_FORMAT},
    {"method", required_argument, NULL, OPT_METHOD}, {"per", required_argument, NULL, OPT_PER},
    {"minimize", required_argument, NULL, OPT_MINIMIZE}, {"name", required_argument, NULL, OPT_NAME},
    {"free", required_argument, NULL, OPT_FREE},    {"keys", required_argument, NULL, OPT_KEYS},
    {"columns", required_argument, NULL, OPT_COLUMNS}, {"csv-debugger", required_argument, NULL, OPT_CSV_DEBUGGER},
    {"explain", required_argument, NULL, OPT_EXPLAIN}, {"baseline", required_argument, NULL, OPT_BASELINE},
    {"target", required_argument, NULL, OPT_TARGET}, {"pin", required_argument, NULL, OPT_PIN},
    {"keep-first", required_argument, NULL, OPT_KEEP_FIRST}, {"keep-suspected", required_argument, NULL, OPT_KEEP_SUSPECTED},
    {"quantize", required_argument, NULL, OPT_QUANTIZE},
    {"keep", required_argument, NULL, OPT_KEEP},    {"samples", required_argument, NULL, OPT_SAMPLES},
    {"jobs", required_argument, NULL, OPT_JOBS},    {"threads", required_argument, NULL, OPT_THREADS},
    {"seed", required_argument, NULL, OPT_SEED},    {"max-drop", required_argument, NULL, OPT_MAX_DROP},
    {"max-latency", required_argument, NULL, OPT_MAX_LATENCY}, {"max-bytes", required_argument, NULL, OPT_MAX_BYTES},
    {"max-bitops", required_argument, NULL, OPT_MAX_BITOPS}, {"sure", no_argument, NULL, OPT_SURE},
    {"max-energy", required_argument, NULL, OPT_MAX_ENERGY},
    {"tie", required_argument, NULL, OPT_TIE}, {"row", required_argument, NULL, OPT_ROW}, {"unrow", required_argument, NULL, OPT_UNROW}, {"untie", required_argument, NULL, OPT_UNTIE}, {"import", required_argument, NULL, OPT_IMPORT}, {"time-limit", required_argument, NULL, OPT_TIME_LIMIT}, {"list", no_argument, NULL, OPT_LIST},
    {"help", no_argument, NULL, 'h'},               {"version", no_argument, NULL, 'V'},
    {"verbose", no_argument, NULL, 'v'},            {NULL, 0, NULL, 0},
};

static int bad(const char *option, const char *value, const char *expected)
{
    fprintf(stderr, "pare: %s: expected %s, found '%s'\n", option, expected, value);
    return PARE_ERR_USAGE;
}

static int parse_int(const char *option, const char *text, int least, int *value)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (end == text || *end != '\0' || n < least || n > 1000000000) {
        return bad(option, text, "a whole number");
    }
    *value = (int)n;
    return 0;
}

/* A number with an optional unit or %. */
static int parse_real(const char *option, const char *text, double *value)
{
    char *end;
    double n = strtod(text, &end);
    double factor = strcmp(end, "") == 0 || strcmp(end, "ms") == 0 || strcmp(end, "B") == 0 ? 1
                    : strcmp(end, "%") == 0                                                 ? 0.01
                    : strcmp(end, "kB") == 0                                                ? 1e3
                    : strcmp(end, "KiB") == 0                                               ? 1024
                    : strcmp(end, "MB") == 0                                                ? 1e6
                    : strcmp(end, "MiB") == 0                                               ? 1048576
                    : strcmp(end, "M") == 0                                                 ? 1e6
                    : strcmp(end, "G") == 0                                                 ? 1e9
                    : strcmp(end, "us") == 0                                                ? 1e-3
                    : strcmp(end, "s") == 0                                                 ? 1e3
                    : strcmp(end, "J") == 0                                                 ? 1
                    : strcmp(end, "mJ") == 0                                                ? 1e-3
                    : strcmp(end, "uJ") == 0                                                ? 1e-6
                                                                                            : NAN;
    if (end == text || !isfinite(n) || n < 0 || !isfinite(factor)) {
        return bad(option, text, "a number such as 0.01, 1%, 1.5ms or 300kB");
    }
    *value = n * factor;
    return 0;
}

static int take_option(struct cli_options *o, int c, const char *value)
{
    switch (c) {
    case OPT_JSON: o->json = true; break;
    case OPT_QUIET: o->quiet = true; break;
    case OPT_FRESH: o->fresh = true; break;
    case OPT_NO_PINS: o->no_pins = true; break;
    case OPT_DETACH: o->detach = true; break;
    case OPT_FRONT: o->front = true; break;
    case OPT_DRY_RUN: o->dry_run = true; break;
    case OPT_YES: o->yes = true; break;
    case OPT_TRUST: o->trust = true; break;
    case OPT_KERNELS: o->kernels = true; break;
    case OPT_TABLE: o->table = true; break;
    case OPT_PEERS: o->peers = true; break;
    case OPT_LIST: o->list = true; break;
    case OPT_PREDICTED: o->predicted = true; break;
    case OPT_SET:
        if (o->n_sets == 32 || strchr(value, '=') == NULL || value[0] == '=') {
            return bad("--set", value, "NAME=VALUE, at most 32 of them");
        }
        o->sets[o->n_sets++] = value;
        break;
    case OPT_MODELS: o->models = value; break;
    case OPT_SESSION: o->session = value; break;
    case OPT_LEVELS: o->levels = value; break;
    case OPT_CONFIG: o->config = value; break;
    case OPT_RUN: o->run = value; break;
    case OPT_LEVEL: o->level = value; break;
    case OPT_SPLIT: o->split = value; break;
    case OPT_OUT: o->out = value; break;
    case OPT_FORMAT: o->format = value; break;
    case OPT_METHOD: o->method = value; break;
    case OPT_PER: o->per = value; break;
    case OPT_MINIMIZE: o->minimize = value; break;
    case OPT_NAME: o->name = value; break;
    case OPT_FREE: o->free_glob = value; break;
    case OPT_KEYS: o->keys = value; break;
    case OPT_EXPLAIN: o->explain = value; break;
    case OPT_BASELINE: o->baseline = value; break;
    case OPT_COLUMNS: o->columns = value; break;
    case OPT_CSV_DEBUGGER: o->csv_debugger = value; break;
    case OPT_TARGET: o->target = value; break;
    case OPT_SAMPLES: return parse_int("--samples", value, 1, &o->samples);
    case OPT_VERIFY: return parse_int("--verify", value, 1, &o->verify);
    case OPT_JOBS: return parse_int("--jobs", value, 1, &o->jobs);
    case OPT_THREADS: return parse_int("--threads", value, 1, &o->threads);
    case OPT_SEED: return parse_int("--seed", value, 0, &o->seed);
    case OPT_MAX_DROP: return parse_real("--max-drop", value, &o->max_drop);
    case OPT_MAX_LATENCY: return parse_real("--max-latency", value, &o->max_latency);
    case OPT_MAX_BYTES: return parse_real("--max-bytes", value, &o->max_bytes);
    case OPT_MAX_BITOPS: return parse_real("--max-bitops", value, &o->max_bitops);
    case OPT_MAX_ENERGY: return parse_real("--max-energy", value, &o->max_energy);
    case OPT_SURE: o->sure = true; break;
    case OPT_TIME_LIMIT: {
        int seconds = 0, rc = parse_int("--time-limit", value, 1, &seconds);
        o->time_limit = seconds;
        return rc;
    }
    case OPT_PIN:
        if (o->n_pins == 64) {
            return bad("--pin", value, "at most 64 pins");
        }
        o->pins[o->n_pins++] = value;
        break;
    case OPT_IMPORT:
        if (o->n_imports == 8) {
            return bad("--import", value, "at most 8 files");
        }
        o->imports[o->n_imports++] = value;
        break;
    case OPT_TIE:
        if (o->n_ties == 32) {
            return bad("--tie", value, "at most 32 ties");
        }
        o->ties[o->n_ties++] = value;
        break;
    case OPT_ROW:
        if (o->n_rows == 32) {
            return bad("--row", value, "at most 32 rows (@FILE holds more)");
        }
        o->rows[o->n_rows++] = value;
        break;
    case OPT_UNROW: o->unrow = value; break;
    case OPT_UNTIE: o->untie = value; break;
    case OPT_KEEP_FIRST: return parse_int("--keep-first", value, 0, &o->keep_first_n);
    case OPT_KEEP_SUSPECTED: return parse_real("--keep-suspected", value, &o->keep_suspected);
    case OPT_QUANTIZE: {
        struct pare_error err = {0};
        struct pare_method method;
        if (pare_method_parse(value, NULL, &method, &err) != PARE_OK) {
            fprintf(stderr, "pare: --quantize: %s\n", err.message);
            return PARE_ERR_USAGE;
        }
        o->quantize = value;
        break;
    }
    case OPT_KEEP:
        if (o->n_keep == 8) {
            return bad("--keep", value, "at most 8 sets");
        }
        if (strncmp(value, "inputs=", 7) != 0 && strncmp(value, "outputs=", 8) != 0) {
            return bad("--keep", value, "inputs=LEVEL or outputs=LEVEL");
        }
        o->keep[o->n_keep++] = value;
        break;
    case 'h': o->help = true; break;
    case 'v': o->verbose = true; break;
    case 'V': o->verb = "version"; break;
    default: return PARE_ERR_USAGE; /* getopt has said why */
    }
    return 0;
}

static bool is_one_of(const char *value, const char *list)
{
    const char *at = value != NULL ? strstr(list, value) : NULL;
    size_t n = value != NULL ? strlen(value) : 0;
    return n > 0 && at != NULL && (at == list || at[-1] == '|') && (at[n] == '|' || at[n] == '\0');
}

/* Options that say something to some verbs only; elsewhere they would silently do nothing. "" = the workbench. */
static int check_places(const struct cli_options *o, const bool *given)
{
    static const struct {
        int code;
        const char *option, *verbs;
    } places[] = {{OPT_CONFIG, "--config", "eval|bench|export"},
                  {OPT_RUN, "--run", "eval|bench|export"},
                  {OPT_LEVEL, "--level", "eval|bench"},
                  {OPT_SPLIT, "--split", "eval"},
                  {OPT_OUT, "--out", "solve|sense|export|bench|compare"},
                  {OPT_FORMAT, "--format", "export|sense|compare"},
                  {OPT_METHOD, "--method", "solve"},
                  {OPT_PER, "--per", "solve"},
                  {OPT_MINIMIZE, "--minimize", "solve"},
                  {OPT_MAX_DROP, "--max-drop", "solve"},
                  {OPT_MAX_LATENCY, "--max-latency", "solve"},
                  {OPT_MAX_BYTES, "--max-bytes", "solve"},
                  {OPT_MAX_BITOPS, "--max-bitops", "solve"},
                  {OPT_MAX_ENERGY, "--max-energy", "solve"},
                  {OPT_SURE, "--sure", "solve"},
                  {OPT_TIME_LIMIT, "--time-limit", "solve|bench"},
                  {OPT_VERIFY, "--verify", "solve"},
                  {OPT_PREDICTED, "--predicted", "solve"},
                  {OPT_SET, "--set", "solve"},
                  {OPT_NAME, "--name", "solve|target"},
                  {OPT_PIN, "--pin", "solve"},
                  {OPT_TIE, "--tie", "solve|pin"},
                  {OPT_ROW, "--row", "solve|pin"},
                  {OPT_UNROW, "--unrow", "pin"},
                  {OPT_UNTIE, "--untie", "pin"},
                  {OPT_IMPORT, "--import", "compare"},
                  {OPT_FRONT, "--front", "solve|export"},
                  {OPT_EXPLAIN, "--explain", "sense"},
                  {OPT_BASELINE, "--baseline", "sense"},
                  {OPT_COLUMNS, "--columns", "sense"},
                  {OPT_CSV_DEBUGGER, "--csv-debugger", "sense"},
                  {OPT_FREE, "--free", "pin"},
                  {OPT_LIST, "--list", "pin"},
                  {OPT_TARGET, "--target", "info|solve|compare|runs|export|the workbench"},
                  {OPT_THREADS, "--threads", "bench"},
                  {OPT_KERNELS, "--kernels", "bench"},
                  {OPT_TABLE, "--table", "bench"},
                  {OPT_PEERS, "--peers", "bench"},
                  {OPT_DRY_RUN, "--dry-run", "session"},
                  {OPT_YES, "--yes", "session"},
                  {OPT_DETACH, "--detach", "eval|sense|bench|solve|script|the workbench"},
                  {OPT_KEYS, "--keys", "the workbench"}};
    const char *verb = o->verb != NULL ? o->verb : "the workbench";
    if (o->help || strcmp(verb, "help") == 0 || strcmp(verb, "version") == 0) {
        return 0;
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (given[places[i].code - OPT_JSON] && !is_one_of(verb, places[i].verbs)) {
            fprintf(stderr, "pare: %s: no option of %s (only of %s)\n", places[i].option, verb, places[i].verbs);
            return PARE_ERR_USAGE;
        }
    }
    return 0;
}

static int check_choices(const struct cli_options *o)
{
    static const char formats[] = "json|csv|md|png|svg";
    if (o->per != NULL && !is_one_of(o->per, "layer|model")) {
        return bad("--per", o->per, "layer or model");
    }
    if (o->minimize != NULL && !is_one_of(o->minimize, "latency|bytes|bitops|energy|drop")) {
        return bad("--minimize", o->minimize, "latency, bytes, bitops, energy or drop");
    }
    const bool has_file = o->method != NULL && ((strncmp(o->method, "lua:", 4) == 0 && o->method[4] != '\0') ||
                                                (strncmp(o->method, "plugin:", 7) == 0 && o->method[7] != '\0'));
    if (o->method != NULL && !has_file && !is_one_of(o->method, "exact|ilp|greedy|bisect|nsga2|random|paper|hawq|exhaustive")) {
        return bad("--method", o->method, "exact, ilp, greedy, bisect, nsga2, random, paper, hawq, exhaustive, lua:NAME or plugin:NAME");
    }
    if (o->split != NULL && !is_one_of(o->split, "calibration|search|test|all")) {
        return bad("--split", o->split, "calibration, search, test or all");
    }
    if (o->baseline != NULL && !is_one_of(o->baseline, "fp32|int8")) {
        return bad("--baseline", o->baseline, "fp32 or int8");
    }
    if (o->columns != NULL && !cli_sense_columns(o->columns)) {
        return bad("--columns", o->columns,
                   "all, or of rmse mse scale sigma sqnr cosine max clip weights activations step accumulated loss drop");
    }
    if (o->format != NULL && !is_one_of(o->format, formats)) {
        return bad("--format", o->format, formats);
    }
    return 0;
}

int cli_parse(int argc, char **argv, struct cli_options *o)
{
    static const char *const verbs[] = {"new", "info", "eval", "sense", "bench", "solve", "pin", "runs", "compare", "export",
                                        "script", "worker", "doctor", "paths", "plugins", "session", "help", "version", "target"};
    enum { N_GIVEN = 64 };
    bool given[N_GIVEN] = {false};
    memset(o, 0, sizeof *o);
    o->exe = "/proc/self/exe";
    o->max_drop = o->max_latency = o->max_bytes = o->max_bitops = o->max_energy = o->time_limit = NAN;
    opterr = 1;
    for (int c; (c = getopt_long(argc, argv, "hVv", long_options, NULL)) != -1;) {
        int rc = take_option(o, c, optarg);
        if (c >= OPT_JSON && c - OPT_JSON < N_GIVEN) {
            given[c - OPT_JSON] = true;
        }
        if (rc != 0) {
            return rc;
        }
    }
    o->args = argv + optind;
    o->n_args = argc - optind;
    for (size_t i = 0; o->n_args > 0 && o->verb == NULL && i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(o->args[0], verbs[i]) == 0) {
            o->verb = verbs[i];
            o->args++;
            o->n_args--;
            break;
        }
    }
    int rc = check_places(o, given);
    return rc != 0 ? rc : check_choices(o);
}

void cli_usage(const char *verb)
{
    static const struct {
        const char *name, *line, *what;
    } lines[] = {
        {"", "pare PIPELINE [--keys SCRIPT]", "the workbench: a folder with pipeline.lua, or a bare .onnx/.tflite; keys from a file, without a terminal"},
        {"new", "pare new DIR MODEL ...", "write a pipeline.lua for these models, to be filled in"},
        {"info", "pare info P", "stages, layers, shapes, parameters, MACs"},
        {"eval", "pare eval P [--config F | --run R[:POINT] | --level L] [--split S] [--samples N]", "accuracy with interval, drop, bytes, BitOps"},
        {"sense", "pare sense P [--levels L,L] [--samples N] [--baseline fp32|int8] [--explain LAYER]", "what every layer loses at every level"},
        {"sense", "           [--columns all|WORD,...] [--out F.csv|.md|.json] [--csv-debugger F (TFLite's table, one level)]", ""},
        {"bench", "pare bench P [--config F | --run R | --level L] [--threads N]", "latency, per layer with its floor and end to end; hot, cold"},
        {"bench", "pare bench --kernels [WORD ...]", "every kernel of this machine: MAC per cycle, limit, share"},
        {"bench", "pare bench --peers [MODEL ...]", "the same work by onnxruntime, oneDNN, OpenBLAS, ai-edge-litert, interleaved"},
        {"bench", "pare bench --table [--out F]", "this machine's table of latencies; without F it chooses the kernels here"},
        {"target", "pare target list | import FILE [--name NAME]", "machines whose latencies count"},
        {"solve", "pare solve P [--minimize latency|bytes|bitops|energy|drop] [--max-drop X] [--max-latency MS] [--max-bytes N]", "the best configuration within budgets"},
        {"solve", "           [--max-bitops N] [--max-energy J (a table's prediction)] [--sure (the drop's 95 % upper bound holds)]", ""},
        {"solve", "           [--method exact|ilp|greedy|bisect|nsga2|random|paper|hawq|exhaustive|lua:NAME|plugin:NAME] [--predicted] [--verify K] [--seed N] [--set NAME=VALUE]", ""},
        {"solve", "           [--per layer|model] [--pin 'GLOB=LEVEL[..LEVEL]'|@FILE] [--tie auto|shared-inputs|residual|'GLOB+GLOB'|@FILE]", ""},
        {"solve", "           [--row '{\"at\": \"int4\", \"at_most\": 3}'|@FILE (rows, as in Lua)] [--no-pins] [--front] [--name RUN] [--out F]", ""},
        {"pin", "pare pin P ['GLOB=LEVEL[..LEVEL]' | @FILE | --tie T | --free GLOB | --untie T|all | --list]", "hold layers at a level, tie layers to one level; @FILE: a pin or tie a line"},
        {"pin", "           [--row JSON|@FILE | --unrow NAME|all]", "hold sums over layers between bounds (man pare, ROWS)"},
        {"runs", "pare runs P", "what was solved so far"},
        {"compare", "pare compare P RUN[:POINT] ... [--import FILE (AIMET, TFLite debugger, CSV)] [--out F.md|.csv|.json|.png|.svg]", "differences between answers"},
        {"export", "pare export P (--config F | --run R[:POINT] | --front) --format json|csv|md|png|svg --out PATH", "take it away"},
        {"script", "pare script F.lua [ARG ...] [--detach]", "the same verbs from Lua"},
        {"session", "pare session list | show P | tail P | stop P | gc [--dry-run] [--yes]", "sessions: what they hold, who works on them; P is a pipeline or a session file"},
        {"doctor", "pare doctor", "what this machine can do"},
        {"paths", "pare paths", "where things are kept"},
        {"plugins", "pare plugins [P]", "solvers in shared objects that --method plugin:NAME finds, with version and path"},
    };
    printf("usage:\n");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (verb == NULL || strcmp(lines[i].name, verb) == 0) {
            printf("  %s\n%s%s%s", lines[i].line, lines[i].what[0] != '\0' ? "      " : "", lines[i].what,
                   lines[i].what[0] != '\0' ? "\n" : "");
        }
    }
    printf("everywhere: --json  --fresh (ignore cached results)  --session F  --models DIR  --levels L,L|paper|default\n"
           "            --keep inputs=LEVEL --keep outputs=LEVEL  --keep-first N  --keep-suspected 0.7\n"
           "            --quantize '[GLOB:]WORD,...;...'  --jobs N  --quiet  --help  --version\n"
           "            --trust (this version of a pipeline.lua or script that others could have written)\n"
           "            --target T (info, solve, runs, compare, export: another machine's latencies, see pare target list)\n"
           "            --detach (eval, sense, bench, solve, script: go on without a terminal)\n"
           "levels: fp32 fp16 w<W>a<A> (W, A 1..8) w<W>a32; int8 = w8a8, int4 = w4a4, int2 = w2a2, bin1 = w1a1;\n"
           "        w8a16 w16a16, powers of two: simulated (no kernel, no latency); W8A8I32O32: first and last layers apart\n"
           "pins:   a GLOB may also be inputs, outputs, first:N or suspected:X (RMSE/scale above X at int8)\n"
           "quantize: minmax datafree best, or ranges=minmax|average|percentile:P|mse|kl|bn:K|LO..HI\n"
           "        rounding=nearest|squant|adaround|descent|seqmse scales=minmax|mse per=channel|tensor|group:N\n"
           "        weights=symmetric|asymmetric|quantized_bits:I|po2|po2:M|binary|ternary\n"
           "        equalize=on|streams absorb=on bias=analytic|empirical|reestimate inputs=synthetic order=sequence\n"
           "exit:   0 ok, 1 failed, 2 usage, 3 infeasible, 4 partial, 65 bad data, 66 no input, 70 our bug,\n"
           "        73/74 cannot write, 75 busy, 77 permission, 78 configuration, 128+n signal\n");
}
