/* bench_shapes.c: the shapes that kernels are timed on. */
#include "measure/bench_kernels.h"

#define POINTWISE(h, w, k, n) {h, w, k, h, w, n, 1, 1, 1, 1, 1, 1, 0, 0, 1}
#define SAME(s, k, n, size) {s, s, k, s, s, n, size, size, 1, 1, 1, 1, (size) / 2, (size) / 2, 1}
#define HALF(s, k, n, size) {s, s, k, (s) / 2, (s) / 2, n, size, size, 2, 2, 1, 1, ((size) - 2) / 2, ((size) - 2) / 2, 1}
#define DEPTHWISE(s, c, size) {s, s, c, s, s, c, size, size, 1, 1, 1, 1, (size) / 2, (size) / 2, c}
#define DEPTHWISE_HALF(s, c, size)                                                                                    \
    {s, s, c, (s) / 2, (s) / 2, c, size, size, 2, 2, 1, 1, ((size) - 2) / 2, ((size) - 2) / 2, c}
#define ROW(k, n) {1, 1, k, 1, 1, n, 1, 1, 1, 1, 1, 1, 0, 0, 1}

enum {
    GEMM = PARE_SHAPE_GEMM | PARE_SHAPE_TABLE,
    CONV = PARE_SHAPE_CONV | PARE_SHAPE_TABLE,
    DW = PARE_SHAPE_DEPTHWISE | PARE_SHAPE_TABLE,
    FC = PARE_SHAPE_FC | PARE_SHAPE_TABLE,
    TABLE = PARE_SHAPE_TABLE
};

static const struct pare_bench_shape shapes[] = {
    {"gemm 64x64x256", GEMM, POINTWISE(8, 8, 256, 64)},
    {"gemm 256x256x256", GEMM, POINTWISE(16, 16, 256, 256)},
    {"gemm 512x512x512", GEMM, POINTWISE(16, 32, 512, 512)},
    {"gemm 1024x1024x1024", PARE_SHAPE_GEMM, POINTWISE(32, 32, 1024, 1024)},
    {"gemm 12544x64x147", PARE_SHAPE_GEMM, POINTWISE(112, 112, 147, 64)},
    {"gemm 3136x64x576", PARE_SHAPE_GEMM, POINTWISE(56, 56, 576, 64)},
    {"gemm 784x128x1152", GEMM, POINTWISE(28, 28, 1152, 128)},
    {"gemm 196x256x2304", GEMM, POINTWISE(14, 14, 2304, 256)},
    {"gemm 784x512x144", GEMM, POINTWISE(28, 28, 144, 512)},
    {"gemm 196x512x1024", GEMM, POINTWISE(14, 14, 1024, 512)},
    {"gemm 1024x16x144", GEMM, POINTWISE(32, 32, 144, 16)},
    {"gemm 256x32x288", GEMM, POINTWISE(16, 16, 288, 32)},
    {"gemm 64x64x576", GEMM, POINTWISE(8, 8, 576, 64)},
    {"conv 3x3 64>64 56", CONV, SAME(56, 64, 64, 3)},
    {"conv 3x3 128>128 28", CONV, SAME(28, 128, 128, 3)},
    {"conv 3x3 256>256 14", CONV, SAME(14, 256, 256, 3)},
    {"conv 3x3 16>16 32", CONV, SAME(32, 16, 16, 3)},
    {"conv 3x3 32>32 16", CONV, SAME(16, 32, 32, 3)},
    {"conv 3x3 64>64 8", CONV, SAME(8, 64, 64, 3)},
    {"first 3x3/2 3>32 192", CONV, HALF(192, 3, 32, 3)},
    {"conv 1x1 24>24 112", CONV, POINTWISE(112, 112, 24, 24)},
    {"conv 1x1 64>64 48", CONV, POINTWISE(48, 48, 64, 64)},
    {"conv 1x1 128>128 24", CONV, POINTWISE(24, 24, 128, 128)},
    {"conv 1x1 288>48 14", CONV, POINTWISE(14, 14, 288, 48)},
    {"conv 1x1 192>1152 7", CONV, POINTWISE(7, 7, 192, 1152)},
    {"dw 3x3 24 112", DW, DEPTHWISE(112, 24, 3)},
    {"dw 3x3 64 48", DW, DEPTHWISE(48, 64, 3)},
    {"dw 3x3/2 64 96", DW, DEPTHWISE_HALF(96, 64, 3)},
    {"dw 5x5 32 96", DW, DEPTHWISE(96, 32, 5)},
    {"dw 5x5 128 24", DW, DEPTHWISE(24, 128, 5)},
    {"dw 5x5 256 12", DW, DEPTHWISE(12, 256, 5)},
    {"dw 5x5 1152 7", DW, DEPTHWISE(7, 1152, 5)},
    {"dw 5x5/2 96 28", DW, DEPTHWISE_HALF(28, 96, 5)},
    {"dw 5x5 144 28", DW, DEPTHWISE(28, 144, 5)},
    {"dw 5x5 672 7", DW, DEPTHWISE(7, 672, 5)},
    {"dw 3x3/2 144 28", DW, DEPTHWISE_HALF(28, 144, 3)},
    {"fc 1152>63", FC, ROW(1152, 63)},
    {"fc 640>128", FC, ROW(640, 128)},
    {"fc 1024>1000", FC, ROW(1024, 1000)},
    {"fc 8192>8192", PARE_SHAPE_FC, ROW(8192, 8192)},
    /* further ones for tables of latencies: small, odd, thin and wide */
    {"conv 1x1 16>16 24", TABLE, POINTWISE(24, 24, 16, 16)},
    {"conv 1x1 8>48 40", TABLE, POINTWISE(40, 40, 8, 48)},
    {"conv 1x1 32>96 28", TABLE, POINTWISE(28, 28, 32, 96)},
    {"conv 1x1 96>24 28", TABLE, POINTWISE(28, 28, 96, 24)},
    {"conv 1x1 144>40 14", TABLE, POINTWISE(14, 14, 144, 40)},
    {"conv 1x1 320>1280 7", TABLE, POINTWISE(7, 7, 320, 1280)},
    {"conv 1x1 256>18 12", TABLE, POINTWISE(12, 12, 256, 18)},
    {"conv 1x1 100>70 9", TABLE, POINTWISE(9, 9, 100, 70)},
    {"conv 1x1 64>64 25x5", TABLE, POINTWISE(25, 5, 64, 64)},
    {"conv 3x3 8>8 48", TABLE, SAME(48, 8, 8, 3)},
    {"conv 3x3 24>48 20", TABLE, SAME(20, 24, 48, 3)},
    {"conv 3x3 96>32 10", TABLE, SAME(10, 96, 32, 3)},
    {"conv 3x3/2 16>32 32", TABLE, HALF(32, 16, 32, 3)},
    {"conv 3x3/2 32>64 16", TABLE, HALF(16, 32, 64, 3)},
    {"conv 5x5 16>16 14", TABLE, SAME(14, 16, 16, 5)},
    {"first 3x3 3>16 32", TABLE, SAME(32, 3, 16, 3)},
    {"first 3x3/2 1>8 96", TABLE, HALF(96, 1, 8, 3)},
    {"first 10x4/2 1>64 49x10", TABLE, {49, 10, 1, 25, 5, 64, 10, 4, 2, 2, 1, 1, 4, 1, 1}},
    {"dw 3x3 16 24", TABLE, DEPTHWISE(24, 16, 3)},
    {"dw 3x3 64 25x5", TABLE, {25, 5, 64, 25, 5, 64, 3, 3, 1, 1, 1, 1, 1, 1, 64}},
    {"dw 3x3 512 14", TABLE, DEPTHWISE(14, 512, 3)},
    {"dw 3x3/2 144 56", TABLE, DEPTHWISE_HALF(56, 144, 3)},
    {"dw 5x5 40 20", TABLE, DEPTHWISE(20, 40, 5)},
    {"fc 64>10", TABLE, ROW(64, 10)},
    {"fc 128>8", TABLE, ROW(128, 8)},
    {"fc 42>20", TABLE, ROW(42, 20)},
    {"fc 3136>128", TABLE, ROW(3136, 128)},
};

const struct pare_bench_shape *pare_bench_shapes(int *n)
{
    *n = (int)(sizeof shapes / sizeof shapes[0]);
    return shapes;
}
