/*
 * table_write.h: a machine's table of latencies, measured: about 60 shapes by every level that it has kernels for. Needs
 * only kernels/ and libc (tools/pare_table.c for bare boards).
 *
 * The file is text, one line per row, fields separated by commas:
 *   # pare latency table 1
 *   # machine: TEXT                      any number of lines that begin with #
 *   kind,level,kernel,isa,in_h,in_w,in_c,out_h,out_w,out_c,kernel_h,kernel_w,stride,groups,us,us_slow
 *   conv,w8a8,conv_u8s8_amx,amx,8,8,256,8,8,64,1,1,1,1,1.03,2.81
 * kind: conv, depthwise, fc. stride: of both axes. us: median of the clean blocks, microseconds. us_slow: in the slow state of the
 * tile unit; elsewhere the same as us. Noisy rows are left out. The last line is "# end: N rows": without it, or without its
 * line end, a table may have been cut.
 */
#ifndef PARE_TABLE_WRITE_H
#define PARE_TABLE_WRITE_H

#include <stdbool.h>
#include <stdio.h>

#define PARE_TABLE_MAGIC "# pare latency table 1"
#define PARE_TABLE_END "# end: "
/* AMX where only its fast state was seen: so much longer in the slow one (the same block 628 and 227 MAC per cycle). */
#define PARE_TILES_SLOWDOWN 2.8

struct pare_table_write {
    FILE *out;
    const char *machine;   /* a line about it; NULL = the instruction set */
    double seconds;        /* per shape; 0 = 0.25 */
    double most_macs;      /* leaves out shapes of more multiply-adds; 0: none */
    void *self;
    void (*done)(void *self, int rows); /* NULL */
};
/* Returns rows written, -1 when memory is out or out cannot be written. noisy: rows left out. */
int pare_table_write(const struct pare_table_write *options, int *noisy);

#endif
