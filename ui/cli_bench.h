/*
 * cli_bench.h: the parts of `pare bench` that need no pipeline, run in this process.
 */
#ifndef PARE_CLI_BENCH_H
#define PARE_CLI_BENCH_H

#include "ui/cli.h"

/* Refuses words and options that go with none or another of --kernels, --peers, --table. 0 or an exit code. */
int cli_bench_refuse(const struct cli_options *o);
/* --kernels [WORD ...]: words are parts of kernel or shape names, instruction sets or levels; all must match, those that
 * begin with - must not. */
int cli_bench_kernels(const struct cli_options *o);
/* --peers [MODEL|PIPELINE ...]: without one, products of matrices. */
int cli_bench_peers(const struct cli_options *o);

/* --table [--out F]: this machine's table, to a file, or kept as the target host. */
int cli_bench_table(const struct cli_options *o);
/* target list | import FILE [--name NAME]. */
int cli_target(const struct cli_options *o);

#endif
