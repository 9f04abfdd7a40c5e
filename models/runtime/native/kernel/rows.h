// Work on single rows: layer norm, GELU, and the conversion of a row into what a product takes.
#pragma once
#include "gemm.h"

static inline void layer_norm(float* row, int width, const float* weight, const float* bias, float eps) {
    f32x16 total = _mm512_setzero_ps();
    for (int i = 0; i < width; i += 16) total = _mm512_add_ps(total, load(row + i));
    const f32x16 mean = all(_mm512_reduce_add_ps(total) / (float)width);
    f32x16 squares = _mm512_setzero_ps();
    for (int i = 0; i < width; i += 16) {
        const f32x16 away = _mm512_sub_ps(load(row + i), mean);
        squares = fma(away, away, squares);
    }
    const f32x16 scale = all(1.0f / __builtin_sqrtf(_mm512_reduce_add_ps(squares) / (float)width + eps));
    for (int i = 0; i < width; i += 16) {
        const f32x16 normal = _mm512_mul_ps(_mm512_sub_ps(load(row + i), mean), scale);
        store(row + i, fma(normal, load(weight + i), load(bias + i)));
    }
}

// x Phi(x), with Phi as 0.5 + x Q(x^2): minimax fits of the error function.
// Fine: Q of degree 14 up to |x| = 5.5, within 1e-6. Coarse: degree 7 up to 4, within 1.3e-4, half a step of bfloat16.
template <bool fine>
static inline f32x16 gelu(f32x16 x) {
    const float reach = fine ? 5.5f : 4.0f;
    const f32x16 near = _mm512_max_ps(_mm512_min_ps(x, all(reach)), all(-reach));
    const f32x16 square = _mm512_mul_ps(near, near);
    f32x16 q;
    if constexpr (fine) {
        static constexpr float Q[15] = {
            0.12855194509029388f, -0.06417237967252731f, 0.047736745327711105f, -0.038790713995695114f,
            0.03208770975470543f, -0.02607777900993824f, 0.02023717202246189f, -0.014816360548138618f,
            0.0106623200699687f, -0.007387093733996153f, 0.0038735223934054375f, -0.001497853547334671f,
            0.001349820988252759f, -0.0012739617377519608f, 0.0004260025452822447f};
        const f32x16 u = fma(square, all(2.0f / (5.5f * 5.5f)), all(-1.0f));
        q = all(Q[14]);
        for (int i = 13; i >= 0; i--) q = fma(q, u, all(Q[i]));
    } else {
        static constexpr float Q[8] = {0.3986734449863434f, -0.0658879280090332f, 0.009505446068942547f,
                                       -0.0010065034730359912f, 7.485696551157162e-05f, -3.657287834357703e-06f,
                                       1.0420247775755342e-07f, -1.3014022082202814e-09f};
        q = all(Q[7]);
        for (int i = 6; i >= 0; i--) q = fma(q, square, all(Q[i]));
    }
    const f32x16 phi = fma(near, q, all(0.5f));
    return _mm512_mul_ps(x, _mm512_max_ps(_mm512_min_ps(phi, all(1.0f)), _mm512_setzero_ps()));
}

// x / (1 + e^-2u): the approximation of GELU by tanh(u).
static inline f32x16 gelu_tanh(f32x16 x) {
    const f32x16 inner = _mm512_mul_ps(x, fma(_mm512_mul_ps(x, x), all(0.044715f), all(1.0f)));
    const f32x16 grown = exp16(_mm512_min_ps(_mm512_mul_ps(inner, all(-1.5957691216f)), all(87.0f)));
    return _mm512_div_ps(x, _mm512_add_ps(all(1.0f), grown));
}

// Rounded to the nearest, ties to even.
static inline void store_bfloat16(uint16_t* to, f32x16 v) {
#ifdef __AVX512BF16__
    _mm256_storeu_si256((__m256i*)to, (__m256i)_mm512_cvtneps_pbh(v));
#else
    const i32x16 bits = _mm512_castps_si512(v);
    const i32x16 odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const i32x16 rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    _mm256_storeu_si256((__m256i*)to, _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
#endif
}
static inline f32x16 load_bfloat16(const uint16_t* from) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)from)), 16));
}

// One row as the left side of an Int8 product: x is about scale * q + offset.
struct Quantised {
    float scale;
    float offset;
};

template <class Load>
static inline Quantised quantise(uint8_t* to, int width, Load&& at) {
    f32x16 least = at(0), most = at(0);
    for (int i = 16; i < width; i += 16) {
        least = _mm512_min_ps(least, at(i));
        most = _mm512_max_ps(most, at(i));
    }
    const float low = _mm512_reduce_min_ps(least), high = _mm512_reduce_max_ps(most);
    const float scale = high > low ? (high - low) / 255.0f : 1.0f;
    const f32x16 inverse = all(1.0f / scale), offset = all(low);
    for (int i = 0; i < width; i += 16) {
        const i32x16 q = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_sub_ps(at(i), offset), inverse));
        _mm_storeu_si128((__m128i*)(to + i), _mm512_cvtusepi32_epi8(q));
    }
    return {scale, low};
}
