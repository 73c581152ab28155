/*
 * pare_table.c: one small static program for a bare board: measures the board's table of latencies and writes it to
 * standard output, or to the file named. `pare target import FILE` takes it.
 *   pare-table [--up-to MMAC] [FILE]     MMAC: only shapes of at most so many million multiply-adds
 */
#include "measure/stopwatch.h"
#include "measure/table_write.h"
#include "pk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void tell(void *self, int rows)
{
    (void)self;
    fprintf(stderr, "\rpare-table: %d rows", rows);
}

/* The words after the options; -1: not understood. */
static int options(int argc, char **argv, double *most_macs, const char **file)
{
    int i = 1;
    if (i + 1 < argc && strcmp(argv[i], "--up-to") == 0) {
        char *end;
        *most_macs = 1e6 * strtod(argv[i + 1], &end);
        if (*end != '\0' || !(*most_macs > 0)) {
            return -1;
        }
        i += 2;
    }
    if (i < argc && (argv[i][0] != '-' || argv[i][1] == '\0')) {
        *file = argv[i++];
    }
    return i == argc ? 0 : -1;
}

int main(int argc, char **argv)
{
    char machine[256];
    const char *file = "-";
    int noisy = 0;
    struct pare_table_write o = {.done = tell};
    if (options(argc, argv, &o.most_macs, &file) != 0) {
        fprintf(stderr, "usage: pare-table [--up-to MMAC] [FILE]\n");
        return 2;
    }
    if (pk_isa_refused() != NULL) {
        fprintf(stderr, "pare-table: PARE_ISA: \"%.40s\" is no instruction set of this machine\n", pk_isa_refused());
        return 78;
    }
    o.out = strcmp(file, "-") != 0 ? fopen(file, "w") : stdout;
    if (o.out == NULL) {
        fprintf(stderr, "pare-table: %s: cannot write\n", file);
        return 73;
    }
    pare_watch_machine(machine, sizeof machine);
    o.machine = machine[0] != '\0' ? machine : NULL;
    const int rows = pare_table_write(&o, &noisy);
    const int closed = fclose(o.out);
    fprintf(stderr, "\rpare-table: %d rows, %d noisy ones left out\n", rows, noisy);
    return rows < 0 || closed != 0 ? 74 : rows == 0 ? 1 : 0;
}
