// The C interface of the encoder in one number format; FORMAT is Float32, BFloat16 or Int8.
#include "encoder.h"

using Model = Encoder<FORMAT>;

extern "C" {

// Weights of a layer as float32; Python keeps the norms alive, the rest is packed here.
struct Given {
    const float *qkv, *qkv_bias, *out, *out_bias, *up, *up_bias, *down, *down_bias;
    const float *attention_norm, *attention_norm_bias, *mlp_norm, *mlp_norm_bias;
    float mean_share;
};

Model* model_new(const Shape* shape, const float* words, const float* positions, const float* norm, const float* norm_bias,
                 float embedding_share) {
    Model* model = (Model*)calloc(1, sizeof(Model));
    if (!model) return nullptr;
    model->set_shape(*shape);
    model->words = words, model->positions = positions;
    model->embedding_norm = {norm, norm_bias};
    model->embedding_share = embedding_share;
    model->layers = (Layer<FORMAT>*)calloc(shape->layers, sizeof(Layer<FORMAT>));
    return model->layers ? model : (free(model), nullptr);
}

int model_set_layer(Model* model, int index, const Given* given) {
    const Shape& shape = model->shape;
    Layer<FORMAT>& layer = model->layers[index];
    const int columns = model->groups * 3 * model->spread;
    const int most = columns > shape.intermediate ? columns : shape.intermediate;
    int* from = (int*)malloc((most + shape.hidden) * sizeof(int));
    if (!from) return 0;
    for (int c = 0; c < columns; c++) {
        const int group = c / (3 * model->spread), role = c / model->spread % 3, inside = c % model->spread;
        const int row = group * model->group_heads * model->head + inside;
        const bool real = inside < model->group_heads * model->head && row < shape.hidden;
        from[c] = real ? role * shape.hidden + row : -1;
    }
    bool complete = layer.qkv.pack(given->qkv, given->qkv_bias, from, columns, shape.hidden);
    for (int c = 0; c < most + shape.hidden; c++) from[c] = c;
    complete = complete && layer.out.pack(given->out, given->out_bias, from, shape.hidden, shape.hidden) &&
               layer.up.pack(given->up, given->up_bias, from, shape.intermediate, shape.hidden) &&
               layer.down.pack(given->down, given->down_bias, from, shape.hidden, shape.intermediate);
    free(from);
    layer.attention_norm = {given->attention_norm, given->attention_norm_bias};
    layer.mlp_norm = {given->mlp_norm, given->mlp_norm_bias};
    layer.mean_share = given->mean_share;
    return complete;
}

void model_free(Model* model) {
    for (int i = 0; i < model->shape.layers; i++) {
        model->layers[i].qkv.release(), model->layers[i].out.release();
        model->layers[i].up.release(), model->layers[i].down.release();
    }
    free(model->layers);
    free(model);
}

Scratch<FORMAT>* scratch_new() { return (Scratch<FORMAT>*)calloc(1, sizeof(Scratch<FORMAT>)); }
void scratch_free(Scratch<FORMAT>* scratch) {
    scratch->release();
    free(scratch);
}

// Encode chunks until none is left; threads that share `next` share the work. 0 when memory ran out.
int model_encode(const Model* model, Scratch<FORMAT>* scratch, const Batch* batch, int* next) {
    for (;;) {
        const int chunk = __atomic_fetch_add(next, 1, __ATOMIC_RELAXED);
        if (chunk >= batch->chunk_count) return 1;
        if (!model->encode_chunk(*scratch, *batch, chunk)) return 0;
    }
}
}
