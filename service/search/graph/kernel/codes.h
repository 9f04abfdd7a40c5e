// Vectors as one byte a number, a scale a vector, and products of them with a query.
#pragma once
#include <math.h>

#include "memory.h"
#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
#include <immintrin.h>
#define VNNI 1
#else
#define VNNI 0
#endif

constexpr int LANE = 64;  // bytes that are multiplied at a time

// What belongs to a vector beside its codes: x is scale * (code - 128) to within `error`, the length of the difference.
struct Measure {
    float scale, error;
};

// Sum of code * number over `width` bytes, a multiple of LANE.
static inline int32_t product(const uint8_t* codes, const int8_t* numbers, int width) {
#if VNNI
    __m512i sum = _mm512_setzero_si512();
    for (int i = 0; i < width; i += LANE)
        sum = _mm512_dpbusd_epi32(sum, _mm512_load_si512(codes + i), _mm512_load_si512(numbers + i));
    return _mm512_reduce_add_epi32(sum);
#else
    int32_t sum = 0;
    for (int i = 0; i < width; i++) sum += (int32_t)codes[i] * numbers[i];
    return sum;
#endif
}

static inline float exact_product(const float* a, const float* b, int width) {
#if VNNI
    __m512 sum = _mm512_setzero_ps();
    int i = 0;
    for (; i + 16 <= width; i += 16) sum = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), sum);
    float total = _mm512_reduce_add_ps(sum);
#else
    float parts[8] = {0};
    int i = 0;
    for (; i + 8 <= width; i += 8)
        for (int j = 0; j < 8; j++) parts[j] += a[i + j] * b[i + j];
    float total = 0;
    for (int j = 0; j < 8; j++) total += parts[j];
#endif
    for (; i < width; i++) total += a[i] * b[i];
    return total;
}

// A query as numbers of one byte, and what they leave over as a second layer of the same.
struct Query {
    int8_t *coarse, *fine;
    float coarse_scale, fine_scale;
    int32_t coarse_offset, fine_offset;  // what the 128 in every code adds to a product
    float length, error;                 // of the difference that both layers leave

    float estimate(const uint8_t* codes, float scale, int width) const {
        return scale * coarse_scale * (float)(product(codes, coarse, width) - coarse_offset);
    }
    float fine_estimate(const uint8_t* codes, float scale, int width) const {
        return scale * (coarse_scale * (float)(product(codes, coarse, width) - coarse_offset) +
                        fine_scale * (float)(product(codes, fine, width) - fine_offset));
    }
};

static inline float largest(const float* v, int n) {
    float most = 0;
    for (int i = 0; i < n; i++) most = fabsf(v[i]) > most ? fabsf(v[i]) : most;
    return most;
}

// `v` to bytes; what is left over stays in `rest`, if that is given. Returns the scale.
static inline float to_bytes(const float* v, int n, int padded, int8_t* bytes, float* rest) {
    const float most = largest(v, n);
    const float scale = most > 0 ? most / 127.0f : 0.0f, inverse = most > 0 ? 127.0f / most : 0.0f;
    memset(bytes, 0, padded);
    for (int i = 0; i < n; i++) {
        const float code = rintf(v[i] * inverse);
        bytes[i] = (int8_t)(code > 127 ? 127 : code < -127 ? -127 : code);
        if (rest) rest[i] = v[i] - scale * bytes[i];
    }
    return scale;
}

static inline int32_t offset_of(const int8_t* bytes, int padded) {
    int32_t sum = 0;
    for (int i = 0; i < padded; i++) sum += bytes[i];
    return 128 * sum;
}

// The vectors of an index by place.
struct Codes {
    int width, padded;
    bool keeps_vectors;
    Blocks<uint8_t> codes;
    Blocks<Measure> measures;
    Blocks<float> vectors;

    void shape(int w, bool keep) {
        width = w, padded = (w + LANE - 1) / LANE * LANE, keeps_vectors = keep;
        codes.each = padded, measures.each = 1, vectors.each = w;
    }
    bool reserve(int64_t places) {
        return codes.reserve(places) && measures.reserve(places) && (!keeps_vectors || vectors.reserve(places));
    }
    // `bytes` has room for `padded`, `rest` for `width`.
    void write(int64_t place, const float* v, int8_t* bytes, float* rest) {
        const float scale = to_bytes(v, width, padded, bytes, rest);
        uint8_t* to = codes.at(place);
        for (int i = 0; i < padded; i++) to[i] = (uint8_t)(bytes[i] + 128);
        double square = 0;
        for (int i = 0; i < width; i++) square += (double)rest[i] * rest[i];
        *measures.at(place) = {scale, (float)sqrt(square)};
        if (keeps_vectors) memcpy(vectors.at(place), v, width * sizeof(float));
    }
    bool are_same(int64_t a, int64_t b) const {
        return measures.at(a)->scale == measures.at(b)->scale && !memcmp(codes.at(a), codes.at(b), padded);
    }
    void copy(int64_t place, const Codes& from, int64_t other) {
        memcpy(codes.at(place), from.codes.at(other), padded);
        *measures.at(place) = *from.measures.at(other);
        if (keeps_vectors) memcpy(vectors.at(place), from.vectors.at(other), width * sizeof(float));
    }
    void prefetch(int64_t place) const {
        const uint8_t* from = codes.at(place);
        __builtin_prefetch(measures.at(place));
        for (int i = 0; i < padded; i += LANE) __builtin_prefetch(from + i);
    }
    void release() { codes.release(), measures.release(), vectors.release(); }
};
