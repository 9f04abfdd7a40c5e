// 16 floats in a register, and the few functions of them that an encoder needs.
#pragma once
#include <immintrin.h>
#include <stdint.h>

typedef __m512 f32x16;
typedef __m512i i32x16;

static inline f32x16 load(const float* from) { return _mm512_loadu_ps(from); }
static inline void store(float* to, f32x16 v) { _mm512_storeu_ps(to, v); }
static inline f32x16 all(float v) { return _mm512_set1_ps(v); }
static inline f32x16 fma(f32x16 a, f32x16 b, f32x16 c) { return _mm512_fmadd_ps(a, b, c); }

// e^v to about 2e-7; v at most 88.
static inline f32x16 exp16(f32x16 v) {
    v = _mm512_max_ps(v, all(-87.0f));
    const f32x16 scaled = _mm512_mul_ps(v, all(1.44269504f));
    const f32x16 whole = _mm512_roundscale_ps(scaled, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    f32x16 rest = fma(whole, all(-0.693359375f), v);
    rest = fma(whole, all(2.12194440e-4f), rest);
    f32x16 power = all(1.3981999507e-3f);
    power = fma(power, rest, all(8.3334519073e-3f));
    power = fma(power, rest, all(4.1665795894e-2f));
    power = fma(power, rest, all(1.6666665459e-1f));
    power = fma(power, rest, all(5.0000001201e-1f));
    power = fma(_mm512_mul_ps(power, rest), rest, _mm512_add_ps(rest, all(1.0f)));
    return _mm512_scalef_ps(power, whole);
}

// Column j of 16 rows becomes row j: pairs of numbers, then of pairs, then of lanes.
static inline void transpose16(f32x16 (&rows)[16]) {
    f32x16 pairs[16], fours[16];
    for (int i = 0; i < 16; i += 2) {
        pairs[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int half = 0; half < 2; half++) {
            const __m512d low = _mm512_castps_pd(pairs[i + half]), high = _mm512_castps_pd(pairs[i + 2 + half]);
            fours[i + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
            fours[i + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
        }
    for (int k = 0; k < 4; k++) {
        const f32x16 even_low = _mm512_shuffle_f32x4(fours[k], fours[4 + k], 0x88);
        const f32x16 odd_low = _mm512_shuffle_f32x4(fours[k], fours[4 + k], 0xdd);
        const f32x16 even_high = _mm512_shuffle_f32x4(fours[8 + k], fours[12 + k], 0x88);
        const f32x16 odd_high = _mm512_shuffle_f32x4(fours[8 + k], fours[12 + k], 0xdd);
        rows[k] = _mm512_shuffle_f32x4(even_low, even_high, 0x88);
        rows[4 + k] = _mm512_shuffle_f32x4(odd_low, odd_high, 0x88);
        rows[8 + k] = _mm512_shuffle_f32x4(even_low, even_high, 0xdd);
        rows[12 + k] = _mm512_shuffle_f32x4(odd_low, odd_high, 0xdd);
    }
}
