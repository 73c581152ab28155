/*
 * peers.h: the same work by other people's runtimes, in the same run, interleaved: products of matrices (onnxruntime,
 * oneDNN, OpenBLAS) and whole networks (onnxruntime in fp32 and in its own static int8 QDQ; ai-edge-litert). Peers live in
 * helper processes and are optional; what is absent is said and left out.
 */
#ifndef PARE_PEERS_H
#define PARE_PEERS_H

#include "measure/stopwatch.h"
#include "pipeline/pipeline.h"
#include "pk.h"

struct pare_peer_row {
    const char *name;              /* "gemm 784x128x1152", "palm_detection_lite" */
    const char *level;             /* ours */
    const char *kernel;            /* ours, of a product; "" */
    const char *peer, *peer_level; /* "onednn", "fp32" "w8a8 (u8 out)" "int8 QDQ" "as in the file" */
    double macs;                   /* NaN for networks */
    struct pare_timing pare, theirs;
    double ratio, low, high;       /* our time over theirs, median of the rounds, 95 % interval; NaN when noisy */
    enum pare_tiles tiles;         /* state of the tile unit that the figures are of */
    const char *problem;           /* the peer broke while it was timed: how; NULL. Then there is no ratio */
};

struct pare_peers_options {
    const char *const *models;     /* bare models or pipelines; none: the products */
    int n_models;
    const char *models_dir;        /* as for pare_pipeline_open */
    const char *helper, *script;   /* pare-peers; pare_peers.py */
    const char *pythons;           /* interpreters, separated by ':' */
    double seconds;                /* per piece of work */
    void *self;
    void (*row)(void *self, const struct pare_peer_row *row);
    void (*say)(void *self, const char *text); /* which peers there are, what is left out */
};

enum pare_status pare_peers_bench(const struct pare_peers_options *options, struct pare_error *err);

#endif
