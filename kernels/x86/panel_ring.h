/*
 * panel_ring.h: what the windows of a first layer read, for tiles, with each code copied once: the windows of neighbouring
 * output pixels lie in it side by side and overlap. A place holds as many columns as the window moves (stride_w), of all
 * kernel rows: kernel_h slots of a power of two of bytes. Picture row r (counted with padding) is in slot r % kernel_h, so
 * that the next row of outputs needs stride_h new rows only; the order of the rows in K then turns with the row of outputs,
 * and so the weights are packed once for each of the kernel_h turns.
 *
 *   K of output pixel x begins at place x:  [place][slot][column of stride_w][channel], weights of 0 where no tap is
 */
#ifndef PARE_PK_PANEL_RING_H
#define PARE_PK_PANEL_RING_H

#include "body.h"

#include <string.h>

/* Last byte of K that is a tap, plus one. */
static size_t ring_k(const struct pk_conv *c, size_t slot)
{
    const int last = (c->kernel_w - 1) / c->stride_w, columns = (c->kernel_w - 1) % c->stride_w + 1;
    return ((size_t)last * (size_t)c->kernel_h + (size_t)c->kernel_h - 1) * slot + (size_t)(columns * c->in_c);
}

/* Bytes of a slot; 0: this layer gains nothing. The same for every band of rows of a picture. */
static size_t ring_slot(const struct pk_conv *c)
{
    const size_t bytes = (size_t)c->stride_w * (size_t)c->in_c, k = (size_t)(c->kernel_h * c->kernel_w * c->in_c);
    const size_t slot = bytes > 4 ? 8 : bytes > 2 ? 4 : bytes;
    const bool whole_tiles = c->out_w >= 48 || (c->out_w > 0 && c->out_w % 16 == 0);
    if (bytes > 8 || c->groups != 1 || c->dilation_h != 1 || c->dilation_w != 1 || c->kernel_h == 1 || !whole_tiles ||
        c->kernel_h > 16 || pk_round_up(ring_k(c, slot), 64) != pk_round_up(k, 64)) {
        return 0;
    }
    return slot;
}

/* Places of a row of outputs. */
static size_t ring_places(const struct pk_conv *c)
{
    return (size_t)(c->out_w + (c->kernel_w - 1) / c->stride_w);
}

/* Tiles read as far as 32 pixels and K in whole products go. */
static size_t ring_bytes(const struct pk_conv *c, size_t slot)
{
    const size_t place = slot * (size_t)c->kernel_h, places = ring_places(c);
    const size_t read = (pk_round_up((size_t)c->out_w, 32) - 1) * place + pk_round_up(ring_k(c, slot), 64);
    return read > places * place ? read : places * place;
}

/* The tap of byte k of K in turn `turn`: its place among the weights of an output channel; -1: none. */
static ptrdiff_t ring_tap(const struct pk_conv *c, size_t slot, int turn, size_t k)
{
    const size_t place = slot * (size_t)c->kernel_h, at = k % slot;
    const int s = (int)(k % place / slot), ky = (s - turn + c->kernel_h) % c->kernel_h;
    const int column = (int)at / c->in_c, kx = (int)(k / place) * c->stride_w + column;
    return column < c->stride_w && kx < c->kernel_w ? ((ptrdiff_t)ky * c->kernel_w + kx) * c->in_c + (ptrdiff_t)at % c->in_c : -1;
}

/* n slots of `slot`, a constant, bytes each: `step` bytes apart in the picture, `place` in the ring. */
PK_INLINE void ring_copy(uint8_t *to, size_t place, const uint8_t *from, size_t step, size_t n, const size_t slot)
{
    for (size_t i = 0; i < n; i++, to += place, from += step) {
        memcpy(to, from, slot);
    }
}

/* A place that reaches beyond the picture's columns, or its last bytes. row NULL: of padding. */
static void ring_edge(const struct pk_conv *c, const uint8_t *row, ptrdiff_t ix, uint8_t pad, uint8_t *to)
{
    for (int i = 0; i < c->stride_w * c->in_c; i++) {
        const ptrdiff_t x = ix + i / c->in_c;
        to[i] = row != NULL && x >= 0 && x < c->in_w ? row[x * c->in_c + i % c->in_c] : pad;
    }
}

/* Picture row iy, maybe outside, to its slot; to: of the first place. */
static void ring_put(const struct pk_conv *c, const uint8_t *x, int iy, uint8_t pad, uint8_t *to, size_t slot)
{
    const size_t place = slot * (size_t)c->kernel_h, places = ring_places(c), step = (size_t)(c->stride_w * c->in_c);
    const size_t line = (size_t)c->in_w * (size_t)c->in_c;
    const bool inside = iy >= 0 && iy < c->in_h;
    const uint8_t *row = inside ? x + (size_t)iy * line : NULL;
    size_t begin = places, end = places;
    if (inside) { /* places wholly inside whose slot may be read as one */
        const size_t all = (size_t)(c->in_h - iy) * line, left = (size_t)c->pad_left;
        const size_t columns = (size_t)(c->in_w + c->pad_left) / (size_t)c->stride_w;
        begin = (left + (size_t)c->stride_w - 1) / (size_t)c->stride_w;
        end = columns < places ? columns : places;
        begin = begin < end ? begin : end;
        while (end > begin && (end - 1) * step - left * (size_t)c->in_c + slot > all) {
            end--;
        }
    }
    for (size_t i = 0; i < places; i++) {
        if (i == begin && end > begin) {
            const uint8_t *from = row + begin * step - (size_t)(c->pad_left * c->in_c);
            uint8_t *at = to + begin * place;
            if (slot == 8) {
                ring_copy(at, place, from, step, end - begin, 8);
            } else if (slot == 4) {
                ring_copy(at, place, from, step, end - begin, 4);
            } else if (slot == 2) {
                ring_copy(at, place, from, step, end - begin, 2);
            } else {
                ring_copy(at, place, from, step, end - begin, 1);
            }
            i = end - 1;
            continue;
        }
        ring_edge(c, row, (ptrdiff_t)(i * (size_t)c->stride_w) - c->pad_left, pad, to + i * place);
    }
}

/* Sum of the taps of output pixel ox, for weight zero points. */
static int32_t ring_sum(const struct pk_conv *c, const uint8_t *ring, size_t slot, int ox)
{
    const size_t place = slot * (size_t)c->kernel_h;
    int32_t sum = 0;
    for (size_t k = 0; k < ring_k(c, slot); k++) {
        sum += ring_tap(c, slot, 0, k) >= 0 ? ring[(size_t)ox * place + k] : 0;
    }
    return sum;
}

#endif
