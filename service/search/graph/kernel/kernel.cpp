// The C interface of an index: vectors by place, and a graph over the first `linked` of them.
#include "search.h"

struct Index {
    Codes codes;
    Graph graph;
    int64_t count, linked;
    Scratch* idle;
    uint8_t idle_lock;

    Scratch* take() {
        Lock hold(&idle_lock);
        Scratch* scratch = idle;
        if (scratch) idle = scratch->next;
        return scratch ? scratch : (Scratch*)calloc(1, sizeof(Scratch));
    }
    void give(Scratch* scratch) {
        Lock hold(&idle_lock);
        scratch->next = idle, idle = scratch;
    }
    int64_t room() const { return codes.codes.room(); }
    bool reserve(int64_t places) { return codes.reserve(places) && graph.reserve(places); }
};

extern "C" {

Index* index_new(int width, int degree, int breadth, int keeps_vectors) {
    Index* index = (Index*)calloc(1, sizeof(Index));
    if (!index) return nullptr;
    index->codes.shape(width, keeps_vectors), index->graph.shape(degree, breadth);
    return index;
}

void index_free(Index* index) {
    for (Scratch* next; index->idle; index->idle = next) {
        next = index->idle->next;
        index->idle->release();
        free(index->idle);
    }
    index->codes.release(), index->graph.release();
    free(index);
}

// Vectors (n, width) at the next places; one caller at a time. 0 when memory ran out.
int index_append(Index* index, const float* vectors, int64_t n) {
    Scratch* scratch = index->take();
    bool good = scratch && index->reserve(index->count + n) && scratch->prepare(0, index->codes.padded, 1);
    for (int64_t i = 0; i < n && good; i++)
        index->codes.write(index->count + i, vectors + i * index->codes.width, scratch->bytes, scratch->rest);
    if (good) index->count += n;
    if (scratch) index->give(scratch);
    return good;
}

// The vectors of another index, of these places of it.
int index_append_from(Index* index, const Index* other, const int64_t* places, int64_t n) {
    if (!index->reserve(index->count + n)) return 0;
    for (int64_t i = 0; i < n; i++) index->codes.copy(index->count + i, other->codes, places[i]);
    index->count += n;
    return 1;
}

// Put the places of `next` .. `last` into the graph, one after the other; callers that share `next` share the work.
int index_link(Index* index, int64_t* next, int64_t last) {
    Scratch* scratch = index->take();
    if (!scratch) return 0;
    Builder builder{index->codes, index->graph, *scratch, {}};
    bool good = true;
    while (good) {
        const int64_t place = __atomic_fetch_add(next, 1, __ATOMIC_RELAXED);
        if (place >= last) break;
        good = builder.link((uint32_t)place, index->room());
    }
    index->give(scratch);
    return good;
}

void index_set_linked(Index* index, int64_t linked) { __atomic_store_n(&index->linked, linked, __ATOMIC_RELEASE); }
int64_t index_count(const Index* index) { return index->count; }
int64_t index_linked(const Index* index) { return __atomic_load_n(&index->linked, __ATOMIC_ACQUIRE); }

// For queries (n, width): places and scores (n, ask->wanted), -1 where there is none. 0 when memory ran out.
int index_search(Index* index, const float* queries, int64_t n, const Ask* ask, int64_t* places, float* scores) {
    Scratch* scratch = index->take();
    if (!scratch) return 0;
    Searcher searcher{index->codes, index->graph, *scratch};
    const int64_t linked = __atomic_load_n(&index->linked, __ATOMIC_ACQUIRE);
    bool good = true;
    for (int64_t i = 0; i < n && good; i++)
        good = searcher.search(queries + i * index->codes.width, *ask, linked, index->room(), places + i * ask->wanted,
                               scores + i * ask->wanted);
    index->give(scratch);
    return good;
}

int64_t index_scan(Index* index, const float* query, const Ask* ask, int64_t first, int64_t* places, float* scores,
                   int64_t room) {
    Scratch* scratch = index->take();
    if (!scratch) return -1;
    const int64_t count = Searcher{index->codes, index->graph, *scratch}.scan(query, *ask, first, places, scores, room);
    index->give(scratch);
    return count;
}

// The arrays of an index, block by block, to be saved and to be filled again.
static int64_t part(Index* index, int which, int64_t block, void** at) {
    Codes& codes = index->codes;
    Graph& graph = index->graph;
#define PART(number, array)                                                    \
    case number:                                                               \
        *at = block < array.count ? (void*)array.blocks[block] : nullptr;      \
        return array.block_bytes();
    switch (which) {
        PART(0, codes.codes)
        PART(1, codes.measures)
        PART(2, codes.vectors)
        PART(3, graph.ground)
        PART(4, graph.first)
        PART(5, graph.levels)
        PART(6, graph.upper)
    }
#undef PART
    return 0;
}

void* index_block(Index* index, int which, int64_t block, int64_t* bytes) {
    void* at = nullptr;
    *bytes = part(index, which, block, &at);
    return at;
}

struct State {
    int64_t count, linked, upper_used;
    uint64_t entry;
};

void index_state(const Index* index, State* state) {
    *state = {index->count, index->linked, index->graph.upper_used, index->graph.entry};
}

// Room for an index of this state, whose blocks the caller then fills. 0 when memory ran out.
int index_restore(Index* index, const State* state) {
    if (!index->reserve(state->count) || !index->graph.upper.reserve(state->upper_used, 0xff)) return 0;
    index->count = state->count, index->linked = state->linked;
    index->graph.upper_used = state->upper_used, index->graph.entry = state->entry;
    return 1;
}
}
