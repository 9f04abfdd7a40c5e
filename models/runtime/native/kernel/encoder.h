// A post-norm encoder (BERT and its kin): packed tokens in, pooled vectors out.
#pragma once
#include "attention.h"
#include "linear.h"

enum Activation { GELU = 0, GELU_TANH = 1, RELU = 2 };

extern "C" struct Shape {
    int hidden, intermediate, heads, layers, activation;
    int first_token;  // 1: the vector is the first token's state; 0: the weighted means of states
    float eps;
};

struct Norm {
    const float* weight;
    const float* bias;
};

template <class F>
struct Layer {
    Linear<F> qkv, out, up, down;
    Norm attention_norm, mlp_norm;
    float mean_share;  // how much of the mean of this layer's states goes into the vector
};

// What one thread works in; grown when a longer chunk comes.
template <class F>
struct Scratch {
    float *states = nullptr, *context = nullptr, *qkv = nullptr, *keys = nullptr, *scores = nullptr;
    typename F::Left *left = nullptr, *wide = nullptr;
    uint16_t* rough = nullptr;  // Int8: the intermediate rows before they are quantised
    Quantised* quantised = nullptr;
    int tokens = 0;

    bool reserve(int count, int hidden, int intermediate, int spread, int head) {
        if (count <= tokens) return true;
        release();
        const long padded = padded16(count);
        states = (float*)allocate((long)count * hidden * 4);
        context = (float*)allocate((long)count * hidden * 4);
        qkv = (float*)allocate(count * 3L * spread * 4);
        keys = (float*)allocate(padded * head * 4);
        scores = (float*)allocate(padded * ROWS * 4);
        left = (typename F::Left*)allocate((long)count * hidden * sizeof(typename F::Left));
        wide = (typename F::Left*)allocate((long)count * intermediate * sizeof(typename F::Left));
        rough = F::STEP == 4 ? (uint16_t*)allocate((long)count * intermediate * 2) : nullptr;
        quantised = (Quantised*)allocate((long)count * sizeof(Quantised));
        const bool complete = states && context && qkv && keys && scores && left && wide && quantised;
        if (!complete || (F::STEP == 4 && !rough)) return false;
        tokens = count;
        return true;
    }

    void release() {
        free(states), free(context), free(qkv), free(keys), free(scores);
        free(left), free(wide), free(rough), free(quantised);
        *this = Scratch();
    }
};

// A batch: sentence i has the ids [starts[i], starts[i + 1]); chunk c is the sentences order[chunks[c]..chunks[c + 1]).
struct Batch {
    const int* ids;
    const int* starts;
    const int* order;
    const int* chunks;
    int chunk_count;
    const float* bias;  // (heads, 2 x reach + 1) added to scores by distance, from -reach to reach; null for none
    int reach;
    float* vectors;  // (sentences, hidden)
    float* states;   // (tokens, hidden) the last layer's, in the order of the ids; where it is given, there are no vectors
};

template <class F>
struct Encoder {
    Shape shape;
    const float *words, *positions;
    Norm embedding_norm;
    float embedding_share;
    Layer<F>* layers;
    int head;         // numbers of a head
    int groups;       // heads are taken in groups whose queries fill a panel
    int group_heads;  // heads of a group
    int spread;       // columns of a group's queries, whole panels

    // The fused weight has [queries | keys | values] of a group side by side, so that a group's attention follows at once.
    void set_shape(const Shape& given) {
        shape = given;
        head = shape.hidden / shape.heads;
        group_heads = head < PANEL ? PANEL / head : 1;
        if (group_heads > shape.heads) group_heads = shape.heads;
        spread = (group_heads * head + PANEL - 1) / PANEL * PANEL;
        groups = (shape.heads + group_heads - 1) / group_heads;
    }

    bool encode_chunk(Scratch<F>& s, const Batch& batch, int chunk) const {
        const int *first = batch.order + batch.chunks[chunk], *last = batch.order + batch.chunks[chunk + 1];
        int tokens = 0;
        for (const int* i = first; i < last; i++) tokens += length(batch, *i);
        if (!s.reserve(tokens, shape.hidden, shape.intermediate, spread, head)) return false;
        embed(s, batch, first, last);
        const bool pooled = !batch.states;
        if (pooled) clear(batch, first, last);
        if (pooled) add_means(s, batch, first, last, embedding_share);
        for (int i = 0; i < shape.layers; i++) {
            const bool narrow = pooled && shape.first_token && i == shape.layers - 1;
            attention(s, batch, first, last, layers[i], narrow);
            const int rows = narrow ? keep_first_tokens(s, batch, first, last) : tokens;
            attention_out(s, rows, layers[i]);
            feed_forward(s, rows, layers[i]);
            if (pooled && !narrow) add_means(s, batch, first, last, layers[i].mean_share);
        }
        if (!pooled) copy_states(s, batch, first, last);
        else if (shape.first_token)
            for (const int* i = first; i < last; i++)
                memcpy(vector(batch, *i), s.states + (i - first) * (long)shape.hidden, shape.hidden * 4L);
        return true;
    }

    static int length(const Batch& batch, int sentence) { return batch.starts[sentence + 1] - batch.starts[sentence]; }
    float* vector(const Batch& batch, int sentence) const { return batch.vectors + (long)sentence * shape.hidden; }

    void embed(Scratch<F>& s, const Batch& batch, const int* first, const int* last) const {
        float* row = s.states;
        for (const int* i = first; i < last; i++)
            for (int t = 0; t < length(batch, *i); t++, row += shape.hidden) {
                const float* word = words + (long)batch.ids[batch.starts[*i] + t] * shape.hidden;
                const float* position = positions + (long)t * shape.hidden;
                for (int k = 0; k < shape.hidden; k += 16) store(row + k, _mm512_add_ps(load(word + k), load(position + k)));
                layer_norm(row, shape.hidden, embedding_norm.weight, embedding_norm.bias, shape.eps);
            }
    }

    void attention(Scratch<F>& s, const Batch& batch, const int* first, const int* last, const Layer<F>& layer,
                   bool narrow) const {
        int tokens = 0;
        for (const int* i = first; i < last; i++) tokens += length(batch, *i);
        const Left<F> left = prepare<F>(s.states, tokens, shape.hidden, s.left, s.quantised);
        const int panels = 3 * spread / PANEL;
        for (int g = 0; g < groups; g++) {
            layer.qkv.apply(left, tokens, g * panels, (g + 1) * panels, [&](int row, int column, f32x16 v) {
                store(s.qkv + (long)row * 3 * spread + (column - g * 3 * spread), v);
            });
            const int heads = shape.heads - g * group_heads < group_heads ? shape.heads - g * group_heads : group_heads;
            for (int h = 0; h < heads; h++) attend_sentences(s, batch, first, last, g * group_heads + h, h, narrow);
        }
    }

    void attend_sentences(Scratch<F>& s, const Batch& batch, const int* first, const int* last, int h, int in_group,
                          bool narrow) const {
        const long stride = 3L * spread;
        const float* at = s.qkv + in_group * head;
        float* context = s.context + h * head;
        for (const int* i = first; i < last; i++) {
            const int tokens = length(batch, *i);
            const float* bias = batch.bias ? batch.bias + (long)h * (2 * batch.reach + 1) + batch.reach : nullptr;
            attend({at, at + spread, at + 2 * spread, stride, context, shape.hidden, bias, tokens, narrow ? 1 : tokens,
                    head, 1.0f / __builtin_sqrtf((float)head)},
                   s.keys, s.scores);
            at += tokens * stride;
            context += (long)tokens * shape.hidden;
        }
    }

    // After the last attention, only the first token of each sentence is of use to a pooling that reads it alone.
    int keep_first_tokens(Scratch<F>& s, const Batch& batch, const int* first, const int* last) const {
        long from = 0;
        int row = 0;
        for (const int* i = first; i < last; i++, row++) {
            memmove(s.states + (long)row * shape.hidden, s.states + from * shape.hidden, shape.hidden * 4L);
            memmove(s.context + (long)row * shape.hidden, s.context + from * shape.hidden, shape.hidden * 4L);
            from += length(batch, *i);
        }
        return row;
    }

    void attention_out(Scratch<F>& s, int rows, const Layer<F>& layer) const {
        const Left<F> left = prepare<F>(s.context, rows, shape.hidden, s.left, s.quantised);
        add_and_norm(s, rows, left, layer.out, layer.attention_norm);
    }

    void feed_forward(Scratch<F>& s, int rows, const Layer<F>& layer) const {
        const Left<F> left = prepare<F>(s.states, rows, shape.hidden, s.left, s.quantised);
        const int width = shape.intermediate;
        layer.up.apply(left, rows, 0, layer.up.panels, [&](int row, int column, f32x16 v) {
            if (column >= width) return;
            v = activate(v);
            const long place = (long)row * width + column;
            if constexpr (F::STEP == 1) store(s.wide + place, v);
            else if constexpr (F::STEP == 2) store_bfloat16(s.wide + place, v);
            else store_bfloat16(s.rough + place, v);
        });
        if constexpr (F::STEP == 4)
            for (int r = 0; r < rows; r++) {
                const uint16_t* row = s.rough + (long)r * width;
                s.quantised[r] = quantise(s.wide + (long)r * width, width, [&](int i) { return load_bfloat16(row + i); });
            }
        add_and_norm(s, rows, {s.wide, width, s.quantised}, layer.down, layer.mlp_norm);
    }

    f32x16 activate(f32x16 v) const {
        if (shape.activation == GELU) return gelu<F::STEP == 1>(v);
        if (shape.activation == GELU_TANH) return gelu_tanh(v);
        return _mm512_max_ps(v, _mm512_setzero_ps());
    }

    // states = norm(states + linear(left))
    void add_and_norm(Scratch<F>& s, int rows, const Left<F>& left, const Linear<F>& linear, const Norm& norm) const {
        linear.apply(left, rows, 0, linear.panels, [&](int row, int column, f32x16 v) {
            if (column >= shape.hidden) return;
            float* state = s.states + (long)row * shape.hidden + column;
            store(state, _mm512_add_ps(load(state), v));
        });
        for (int r = 0; r < rows; r++)
            layer_norm(s.states + (long)r * shape.hidden, shape.hidden, norm.weight, norm.bias, shape.eps);
    }

    void clear(const Batch& batch, const int* first, const int* last) const {
        for (const int* i = first; i < last; i++) memset(vector(batch, *i), 0, shape.hidden * 4L);
    }

    void copy_states(Scratch<F>& s, const Batch& batch, const int* first, const int* last) const {
        const float* state = s.states;
        for (const int* i = first; i < last; i++) {
            const long numbers = (long)length(batch, *i) * shape.hidden;
            memcpy(batch.states + (long)batch.starts[*i] * shape.hidden, state, numbers * 4);
            state += numbers;
        }
    }

    // vector += share x mean of the sentence's states
    void add_means(Scratch<F>& s, const Batch& batch, const int* first, const int* last, float share) const {
        if (share == 0.0f) return;
        const float* state = s.states;
        for (const int* i = first; i < last; i++) {
            const int tokens = length(batch, *i);
            float* to = vector(batch, *i);
            for (int k = 0; k < shape.hidden; k += 16) {
                f32x16 sum = _mm512_setzero_ps();
                for (int t = 0; t < tokens; t++) sum = _mm512_add_ps(sum, load(state + (long)t * shape.hidden + k));
                store(to + k, fma(sum, all(share / (float)tokens), load(to + k)));
            }
            state += (long)tokens * shape.hidden;
        }
    }
};
