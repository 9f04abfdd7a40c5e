// The graph of neighbours: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
// Hierarchical Navigable Small World graphs" (2018). Readers take no lock: a link is one aligned word, it is stored
// after what it leads to, and a list that is being rewritten still holds links to real places only.
#pragma once
#include "scratch.h"

constexpr uint32_t NOWHERE = 0xffffffffu;
constexpr int MOST_LEVELS = 12;

struct Graph {
    int degree, breadth;      // links of a place on the upper levels (twice as many on the ground); breadth of a build
    Blocks<uint32_t> ground;  // the next twin, and 2 * degree - 1 links
    Blocks<uint32_t> first;   // where the links of the upper levels start in `upper`, for places that have some
    Blocks<uint32_t> upper;   // degree links a level
    Blocks<uint8_t> levels, locks;
    int64_t upper_used;
    uint8_t grow_lock, entry_lock;
    uint64_t entry;  // (level + 1) << 32 | place; 0 for none

    void shape(int d, int b) {
        degree = d, breadth = b;
        ground.each = 2 * d, first.each = 1, upper.each = d, levels.each = 1, locks.each = 1;
    }
    // Most places are on the ground alone, so that `first` and `levels` cost five bytes a place.
    bool reserve(int64_t places) {
        if (!ground.reserve(places, 0xff) || !first.reserve(places) || !levels.reserve(places)) return false;
        const int64_t before = locks.count;
        if (!locks.reserve(places)) return false;
        for (int64_t i = before; i < locks.count; i++) memset(locks.blocks[i], 0, BLOCK);
        return true;
    }
    void release() { ground.release(), first.release(), upper.release(), levels.release(), locks.release(); }

    int width_of(int level) const { return level ? degree : 2 * degree - 1; }
    uint32_t* links(uint32_t place, int level) const {
        return level ? upper.at(*first.at(place) + level - 1) : ground.at(place) + 1;
    }
    static uint32_t link(const uint32_t* at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }
    static void set_link(uint32_t* at, uint32_t to) { __atomic_store_n(at, to, __ATOMIC_RELEASE); }

    // Places with the same codes are one place to the graph, or they would link to each other only, and no way would lead
    // to them. The first one is in the graph; the others hang on it in a chain.
    uint32_t twin_of(uint32_t place) const { return link(ground.at(place)); }
    void add_twin(uint32_t first, uint32_t place) {
        if (first == place) return;  // linked a second time, after memory ran out in the first
        Lock hold(locks.at(first));
        set_link(ground.at(place), twin_of(first));
        set_link(ground.at(first), place);
    }

    // The level of a place: drawn with a chance of 1 / degree for each further one, by a hash, so that the same
    // vectors in the same order give the same graph.
    int draw_level(int64_t place) const {
        uint64_t x = (uint64_t)place * 0x9e3779b97f4a7c15ull + 0x632be59bd9b4e019ull;
        x ^= x >> 32, x *= 0xd6e8feb86659fd93ull, x ^= x >> 32, x *= 0xd6e8feb86659fd93ull, x ^= x >> 32;
        const double u = ((double)(x >> 11) + 1.0) / 9007199254740993.0;
        const int level = (int)(-log(u) / log((double)degree));
        return level < MOST_LEVELS ? level : MOST_LEVELS - 1;
    }
    bool make_room(uint32_t place, int level) {
        *levels.at(place) = (uint8_t)level;
        if (!level) return true;
        Lock hold(&grow_lock);
        if (!upper.reserve(upper_used + level, 0xff)) return false;
        *first.at(place) = (uint32_t)upper_used;
        upper_used += level;
        return true;
    }

    // Makes `place` the first one of the graph, which has nobody to be linked to; false where there is one.
    bool begin(uint32_t place, int level) {
        Lock hold(&entry_lock);
        if (entry) return false;
        __atomic_store_n(&entry, (uint64_t)(level + 1) << 32 | place, __ATOMIC_RELEASE);
        return true;
    }

    // Greedy steps on a level towards the query.
    uint32_t descend(const Codes& codes, const Query& query, uint32_t place, float& score, int level) const {
        for (bool moved = true; moved;) {
            moved = false;
            const uint32_t* list = links(place, level);
            for (int i = 0; i < width_of(level); i++) {
                const uint32_t next = link(list + i);
                if (next == NOWHERE) break;
                const float s = query.estimate(codes.codes.at(next), codes.measures.at(next)->scale, codes.padded);
                if (s > score) score = s, place = next, moved = true;
            }
        }
        return place;
    }

    // The nearest places on a level that beam search reaches from those in `beam`. `offer(score, place)` hears of every
    // place that is looked at, and of its twins until it says that it takes no more of that score.
    template <class Offer>
    void beam_search(const Codes& codes, const Query& query, Scratch& scratch, Best& beam, int level, Offer offer) const {
        uint32_t fresh[4 * 64];
        for (int at = 0; at < beam.count;) {
            if (beam.expanded[at]) {
                at++;
                continue;
            }
            beam.expanded[at] = 1;
            const Found from = beam.items[at];
            const uint32_t* list = links(from.place, level);
            if (!level)
                for (uint32_t twin = twin_of(from.place); twin != NOWHERE; twin = twin_of(twin)) {
                    scratch.first_look(twin);
                    if (!offer(from.score, twin)) break;
                }
            int count = 0;
            for (int i = 0; i < width_of(level); i++) {
                const uint32_t next = link(list + i);
                if (next == NOWHERE) break;
                if (scratch.first_look(next)) fresh[count++] = next, codes.prefetch(next);
            }
            int best = at + 1;
            for (int i = 0; i < count; i++) {
                const uint32_t next = fresh[i];
                const float s = query.estimate(codes.codes.at(next), codes.measures.at(next)->scale, codes.padded);
                offer(s, next);
                if (!beam.takes(s)) continue;
                const int where = beam.add(s, next);
                if (where < best) best = where;
            }
            at = best;
        }
    }

    // Where to start on level `to`: down from the top by greedy steps.
    bool enter(const Codes& codes, const Query& query, int to, Found& start) const {
        const uint64_t top = __atomic_load_n(&entry, __ATOMIC_ACQUIRE);
        if (!top) return false;
        uint32_t place = (uint32_t)top;
        float score = query.estimate(codes.codes.at(place), codes.measures.at(place)->scale, codes.padded);
        for (int level = (int)(top >> 32) - 1; level > to; level--)
            place = descend(codes, query, place, score, level);
        start = {score, place};
        return true;
    }
};
