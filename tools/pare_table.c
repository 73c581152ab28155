/*
 * pare_table.c: one small static program for a bare board: measures the board's table of latencies and writes it to
 * standard output, or to the file named. `pare target import FILE` takes it.
 *   pare-table [FILE]
 */
#include "measure/stopwatch.h"
#include "measure/table_write.h"

#include <stdio.h>
#include <string.h>

static void tell(void *self, int rows)
{
    (void)self;
    fprintf(stderr, "\rpare-table: %d rows", rows);
}

int main(int argc, char **argv)
{
    char machine[256];
    int noisy = 0;
    if (argc > 2 || (argc == 2 && argv[1][0] == '-' && argv[1][1] != '\0')) {
        fprintf(stderr, "usage: pare-table [FILE]\n");
        return 2;
    }
    FILE *out = argc == 2 && strcmp(argv[1], "-") != 0 ? fopen(argv[1], "w") : stdout;
    if (out == NULL) {
        fprintf(stderr, "pare-table: %s: cannot write\n", argv[1]);
        return 73;
    }
    pare_watch_machine(machine, sizeof machine);
    const struct pare_table_write options = {.out = out, .machine = machine[0] != '\0' ? machine : NULL, .done = tell};
    const int rows = pare_table_write(&options, &noisy);
    const int closed = fclose(out);
    fprintf(stderr, "\rpare-table: %d rows, %d noisy ones left out\n", rows, noisy);
    return rows < 0 || closed != 0 ? 74 : rows == 0 ? 1 : 0;
}
