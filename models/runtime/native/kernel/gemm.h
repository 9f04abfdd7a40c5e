// Matrix products of a few rows with a packed weight, in three number formats.
//
// A weight (columns x depth) is cut into panels of 64 columns. A panel holds, for each step of the depth, the 64 columns side
// by side, so that four loads feed one step of 6 rows x 64 columns: 24 multiply-adds for 10 loads, 28 of 32 registers.
#pragma once
#include <stdlib.h>
#include "vec.h"

constexpr int PANEL = 64;
constexpr int ROWS = 6;

struct Float32 {
    using Left = float;      // what a row holds
    using Right = float;     // what a weight holds
    using Sum = f32x16;
    static constexpr int STEP = 1;  // numbers of a row that one multiply-add takes
    static inline Sum zero() { return _mm512_setzero_ps(); }
    static inline Sum add(Sum sum, const Left* left, const Right* right) {
        return fma(all(*left), load(right), sum);
    }
};

struct BFloat16 {
    using Left = uint16_t;
    using Right = uint16_t;
    using Sum = f32x16;
    static constexpr int STEP = 2;
    static inline Sum zero() { return _mm512_setzero_ps(); }
    static inline Sum add(Sum sum, const Left* left, const Right* right) {
        const i32x16 pair = _mm512_set1_epi32(*(const int32_t*)left);
        return _mm512_dpbf16_ps(sum, (__m512bh)pair, (__m512bh)_mm512_loadu_si512(right));
    }
};

struct Int8 {
    using Left = uint8_t;
    using Right = int8_t;
    using Sum = i32x16;
    static constexpr int STEP = 4;
    static inline Sum zero() { return _mm512_setzero_si512(); }
    static inline Sum add(Sum sum, const Left* left, const Right* right) {
        return _mm512_dpbusd_epi32(sum, _mm512_set1_epi32(*(const int32_t*)left), _mm512_loadu_si512(right));
    }
};

// `R` rows from `left` against one panel.
template <class F, int R>
static inline void tile(const typename F::Left* left, long stride, const typename F::Right* panel, int steps,
                        typename F::Sum (&sums)[ROWS][4]) {
    for (int r = 0; r < R; r++)
        for (int c = 0; c < 4; c++) sums[r][c] = F::zero();
    for (int s = 0; s < steps; s++) {
#pragma GCC unroll 6
        for (int r = 0; r < R; r++)
#pragma GCC unroll 4
            for (int c = 0; c < 4; c++)
                sums[r][c] = F::add(sums[r][c], left + r * stride + s * F::STEP, panel + c * 16 * F::STEP);
        panel += PANEL * F::STEP;
    }
}

// Every row of `left` against the panels [first, last): `finish(row, panel, sums of the row)`.
template <class F, int R, class Finish>
static inline void rows_of(const typename F::Left* left, long stride, int row, const typename F::Right* panel, int steps,
                           int index, Finish&& finish) {
    typename F::Sum sums[ROWS][4];
    tile<F, R>(left + row * stride, stride, panel, steps, sums);
    for (int r = 0; r < R; r++) finish(row + r, index, sums[r]);
}

template <class F, class Finish>
static inline void multiply(const typename F::Left* left, long stride, int rows, const typename F::Right* weight, int depth,
                            int first, int last, Finish&& finish) {
    const int steps = depth / F::STEP;
    for (int p = first; p < last; p++) {
        const typename F::Right* panel = weight + (long)p * PANEL * depth;
        int row = 0;
        for (; row + ROWS <= rows; row += ROWS) rows_of<F, 6>(left, stride, row, panel, steps, p, finish);
        switch (rows - row) {
            case 5: rows_of<F, 5>(left, stride, row, panel, steps, p, finish); break;
            case 4: rows_of<F, 4>(left, stride, row, panel, steps, p, finish); break;
            case 3: rows_of<F, 3>(left, stride, row, panel, steps, p, finish); break;
            case 2: rows_of<F, 2>(left, stride, row, panel, steps, p, finish); break;
            case 1: rows_of<F, 1>(left, stride, row, panel, steps, p, finish); break;
            default: break;
        }
    }
}
