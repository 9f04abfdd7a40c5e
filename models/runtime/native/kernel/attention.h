// Attention of one sentence in one head, in float32: scores, softmax, weighted sum. No mask: a sentence sees itself alone.
#pragma once
#include "gemm.h"

// What one head of a sentence needs: pointers to its first token, and the distance between tokens.
struct Head {
    const float* query;
    const float* key;
    const float* value;
    long stride;
    float* context;  // (rows, width), where the answer goes
    long context_stride;
    const float* bias;  // bias[j - i] is added to the score of query i and key j; null for none
    int tokens;
    int rows;   // how many queries, from the first
    int width;  // numbers of a head, a multiple of 16
    float scale;
};

static inline int padded16(int count) { return (count + 15) & ~15; }

// (tokens, width) -> (width, tokens padded with zeros to 16), so that 16 keys lie side by side.
static inline void transpose_keys(const Head& head, float* keys) {
    const int padded = padded16(head.tokens);
    for (int d = 0; d < head.width; d += 16)
        for (int t = 0; t < padded; t += 16) {
            f32x16 block[16];
            for (int i = 0; i < 16; i++)
                block[i] = t + i < head.tokens ? load(head.key + (t + i) * head.stride + d) : _mm512_setzero_ps();
            transpose16(block);
            for (int i = 0; i < 16; i++) store(keys + (long)(d + i) * padded + t, block[i]);
        }
}

// Scores of R queries against 16 x C keys.
template <int R, int C>
static inline void scores_tile(const Head& head, int row, const float* keys, long padded, float* scores) {
    f32x16 sums[R][C];
    for (int r = 0; r < R; r++)
        for (int c = 0; c < C; c++) sums[r][c] = _mm512_setzero_ps();
    const float* query = head.query + row * head.stride;
    for (int d = 0; d < head.width; d++, keys += padded) {
#pragma GCC unroll 6
        for (int r = 0; r < R; r++)
#pragma GCC unroll 4
            for (int c = 0; c < C; c++) sums[r][c] = fma(all(query[r * head.stride + d]), load(keys + c * 16), sums[r][c]);
    }
    for (int r = 0; r < R; r++)
        for (int c = 0; c < C; c++) store(scores + r * padded + c * 16, _mm512_mul_ps(sums[r][c], all(head.scale)));
}

// Softmax of one row in place; what stands behind `tokens` becomes zero.
static inline void softmax(float* scores, int tokens, const float* bias) {
    const int padded = padded16(tokens);
    const __mmask16 tail = (__mmask16)((1u << (tokens - (padded - 16))) - 1);
    f32x16 most = all(-3.0e38f);
    for (int t = 0; t < padded; t += 16) {
        const __mmask16 real = t + 16 == padded ? tail : (__mmask16)0xffff;
        f32x16 score = load(scores + t);
        if (bias) score = _mm512_add_ps(score, _mm512_maskz_loadu_ps(real, bias + t));
        score = _mm512_mask_blend_ps(real, all(-3.0e38f), score);
        store(scores + t, score);
        most = _mm512_max_ps(most, score);
    }
    const f32x16 top = all(_mm512_reduce_max_ps(most));
    f32x16 total = _mm512_setzero_ps();
    for (int t = 0; t < padded; t += 16) {
        const __mmask16 real = t + 16 == padded ? tail : (__mmask16)0xffff;
        const f32x16 weight = _mm512_maskz_mov_ps(real, exp16(_mm512_sub_ps(load(scores + t), top)));
        store(scores + t, weight);
        total = _mm512_add_ps(total, weight);
    }
    const f32x16 share = all(1.0f / _mm512_reduce_add_ps(total));
    for (int t = 0; t < padded; t += 16) store(scores + t, _mm512_mul_ps(load(scores + t), share));
}

// Weighted sums of the values for R queries and 16 x C numbers.
template <int R, int C>
static inline void values_tile(const Head& head, int row, const float* scores, long padded, int column) {
    f32x16 sums[R][C];
    for (int r = 0; r < R; r++)
        for (int c = 0; c < C; c++) sums[r][c] = _mm512_setzero_ps();
    const float* value = head.value + column;
    for (int t = 0; t < head.tokens; t++, value += head.stride) {
#pragma GCC unroll 6
        for (int r = 0; r < R; r++)
#pragma GCC unroll 4
            for (int c = 0; c < C; c++) sums[r][c] = fma(all(scores[r * padded + t]), load(value + c * 16), sums[r][c]);
    }
    for (int r = 0; r < R; r++)
        for (int c = 0; c < C; c++)
            store(head.context + (row + r) * head.context_stride + column + c * 16, sums[r][c]);
}

template <int R>
static inline void attend_rows(const Head& head, int row, const float* keys, float* scores) {
    const int padded = padded16(head.tokens);
    int t = 0;
    for (; t + 64 <= padded; t += 64) scores_tile<R, 4>(head, row, keys + t, padded, scores + t);
    if (t + 32 <= padded) { scores_tile<R, 2>(head, row, keys + t, padded, scores + t); t += 32; }
    if (t < padded) scores_tile<R, 1>(head, row, keys + t, padded, scores + t);
    for (int r = 0; r < R; r++)
        softmax(scores + r * padded, head.tokens, head.bias ? head.bias - (row + r) : nullptr);
    int d = 0;
    for (; d + 64 <= head.width; d += 64) values_tile<R, 4>(head, row, scores, padded, d);
    if (d + 32 <= head.width) { values_tile<R, 2>(head, row, scores, padded, d); d += 32; }
    if (d < head.width) values_tile<R, 1>(head, row, scores, padded, d);
}

// `keys` holds width x padded tokens, `scores` ROWS x padded tokens.
static inline void attend(const Head& head, float* keys, float* scores) {
    transpose_keys(head, keys);
    int row = 0;
    for (; row + 6 <= head.rows; row += 6) attend_rows<6>(head, row, keys, scores);
    if (row + 4 <= head.rows) { attend_rows<4>(head, row, keys, scores); row += 4; }
    if (row + 2 <= head.rows) { attend_rows<2>(head, row, keys, scores); row += 2; }
    if (row < head.rows) attend_rows<1>(head, row, keys, scores);
}
