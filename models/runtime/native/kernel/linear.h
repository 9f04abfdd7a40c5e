// A linear layer in one of the number formats: its packed weight, and what turns sums back into numbers.
#pragma once
#include <string.h>
#include "rows.h"

static inline void* allocate(long bytes) { return aligned_alloc(64, (bytes + 63) & ~63L); }

static inline uint16_t bfloat16_of(float v) {
    uint32_t bits;
    memcpy(&bits, &v, 4);
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// The left side of a product: rows as the format takes them.
template <class F>
struct Left {
    typename F::Left* data;
    long stride;
    Quantised* rows;  // Int8 only
};

template <class F>
struct Linear {
    typename F::Right* weight = nullptr;
    float* bias = nullptr;
    float* scale = nullptr;  // Int8: of each column
    float* total = nullptr;  // Int8: scale x sum of the column's weights, which the offset of a row is multiplied with
    int columns = 0, depth = 0, panels = 0;

    // Column c is row `from[c]` of `weights` (any, depth), or zeros where that is -1.
    bool pack(const float* weights, const float* biases, const int* from, int count, int deep) {
        columns = count, depth = deep, panels = (count + PANEL - 1) / PANEL;
        const long padded = (long)panels * PANEL;
        weight = (typename F::Right*)allocate(padded * depth * sizeof(typename F::Right));
        bias = (float*)allocate(3 * padded * sizeof(float));
        if (!weight || !bias) return false;
        scale = bias + padded, total = scale + padded;
        memset(weight, 0, padded * depth * sizeof(typename F::Right));
        memset(bias, 0, 3 * padded * sizeof(float));
        for (int c = 0; c < count; c++) {
            if (from[c] < 0) continue;
            if (biases) bias[c] = biases[from[c]];
            pack_column(weights + (long)from[c] * depth, c);
        }
        return true;
    }

    void pack_column(const float* from, int column) {
        typename F::Right* panel = weight + (long)(column / PANEL) * PANEL * depth + (column % PANEL) * F::STEP;
        const auto place = [&](int k) -> typename F::Right& {
            return panel[(long)(k / F::STEP) * PANEL * F::STEP + k % F::STEP];
        };
        if constexpr (F::STEP == 1) {
            for (int k = 0; k < depth; k++) place(k) = from[k];
        } else if constexpr (F::STEP == 2) {
            for (int k = 0; k < depth; k++) place(k) = bfloat16_of(from[k]);
        } else {
            float most = 0.0f;
            for (int k = 0; k < depth; k++) most = __builtin_fmaxf(most, __builtin_fabsf(from[k]));
            const float unit = most > 0.0f ? most / 127.0f : 1.0f;
            long sum = 0;
            for (int k = 0; k < depth; k++) {
                const int q = (int)__builtin_rintf(from[k] / unit);
                place(k) = (int8_t)q;
                sum += q;
            }
            scale[column] = unit, total[column] = unit * (float)sum;
        }
    }

    // `finish(row, column, 16 numbers)` for each row and each 16 columns of the panels [first, last).
    template <class Finish>
    void apply(const Left<F>& left, int rows, int first, int last, Finish&& finish) const {
        multiply<F>(left.data, left.stride, rows, weight, depth, first, last,
                    [&](int row, int panel, typename F::Sum(&sums)[4]) {
                        for (int c = 0; c < 4; c++) {
                            const int column = panel * PANEL + c * 16;
                            finish(row, column, numbers(left, row, column, sums[c]));
                        }
                    });
    }

    f32x16 numbers(const Left<F>& left, int row, int column, typename F::Sum sum) const {
        if constexpr (F::STEP == 4) {
            const f32x16 shift = fma(load(total + column), all(left.rows[row].offset), load(bias + column));
            const f32x16 unit = _mm512_mul_ps(load(scale + column), all(left.rows[row].scale));
            return fma(_mm512_cvtepi32_ps(sum), unit, shift);
        } else {
            return _mm512_add_ps(sum, load(bias + column));
        }
    }

    void release() {
        free(weight);
        free(bias);
    }
};

// Rows of float32 as the left side of a product. Float32 reads them where they are.
template <class F>
static inline Left<F> prepare(const float* from, int rows, int width, typename F::Left* to, Quantised* quantised) {
    if constexpr (F::STEP == 1) {
        return {(float*)from, width, nullptr};
    } else if constexpr (F::STEP == 2) {
        for (long i = 0; i < (long)rows * width; i += 16) store_bfloat16(to + i, load(from + i));
        return {to, width, nullptr};
    } else {
        for (int r = 0; r < rows; r++) {
            const float* row = from + (long)r * width;
            quantised[r] = quantise(to + (long)r * width, width, [&](int i) { return load(row + i); });
        }
        return {to, width, quantised};
    }
}
