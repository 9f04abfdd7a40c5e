// Putting places into the graph. Several threads may, each with places of its own.
#pragma once
#include "graph.h"

// The codes of a place in the form of a query.
static inline Query query_of(const Codes& codes, uint32_t place, int8_t* numbers) {
    const uint8_t* from = codes.codes.at(place);
    for (int i = 0; i < codes.padded; i++) numbers[i] = (int8_t)(from[i] ^ 0x80);
    Query query = {};
    query.coarse = numbers, query.coarse_scale = codes.measures.at(place)->scale;
    query.coarse_offset = offset_of(numbers, codes.padded);
    return query;
}

struct Builder {
    const Codes& codes;
    Graph& graph;
    Scratch& scratch;
    alignas(64) int8_t numbers[8192];

    float estimate(const Query& query, uint32_t place) const {
        return query.estimate(codes.codes.at(place), codes.measures.at(place)->scale, codes.padded);
    }

    // Of `candidates`, best first, those to link: each nearer to the place than to every one taken before it, so that
    // links lead in different directions (algorithm 4 of the paper). Returns how many, in `taken`.
    int choose(const Found* candidates, int count, int most, uint32_t* taken) {
        int chosen = 0;
        for (int i = 0; i < count && chosen < most; i++) {
            const Query query = query_of(codes, candidates[i].place, numbers);
            bool good = true;
            for (int j = 0; j < chosen && good; j++) good = estimate(query, taken[j]) < candidates[i].score;
            if (good) taken[chosen++] = candidates[i].place;
        }
        return chosen;
    }

    void write_links(uint32_t* list, int room, const uint32_t* taken, int count) {
        for (int i = 0; i < room; i++) Graph::set_link(list + i, i < count ? taken[i] : NOWHERE);
    }

    // A link from `from` to `to`; where the list is full, the best of it and the new one stay.
    void connect(uint32_t from, uint32_t to, int level) {
        Lock hold(graph.locks.at(from));
        uint32_t* list = graph.links(from, level);
        const int room = graph.width_of(level);
        int count = 0;
        while (count < room && list[count] != NOWHERE)
            if (list[count++] == to) return;
        if (count < room) return Graph::set_link(list + count, to);
        alignas(64) int8_t own[8192];
        const Query query = query_of(codes, from, own);
        Found candidates[129];
        for (int i = 0; i <= count; i++) {
            const uint32_t place = i < count ? list[i] : to;
            const Found found = {estimate(query, place), place};
            int at = i;
            for (; at && candidates[at - 1].score < found.score; at--) candidates[at] = candidates[at - 1];
            candidates[at] = found;
        }
        uint32_t taken[128];
        write_links(list, room, taken, choose(candidates, count + 1, room, taken));
    }

    // Of the places in `beam`, one with the same codes.
    uint32_t twin_in(const Best& beam, uint32_t place, const Query& query) const {
        const float own = estimate(query, place);
        for (int i = 0; i < beam.count; i++)
            if (beam.items[i].score == own && codes.are_same(beam.items[i].place, place)) return beam.items[i].place;
        return NOWHERE;
    }

    // Who to link a place to on a level, in `taken`; `start` becomes the nearest, and `twin` one with the same codes.
    // -1 when memory ran out.
    int neighbours(uint32_t place, int64_t places, const Query& query, Found& start, int level, uint32_t* taken,
                   uint32_t& twin) {
        if (!scratch.prepare(places, codes.padded, graph.breadth)) return -1;
        Best beam = scratch.best(0, graph.breadth);
        scratch.first_look(start.place), scratch.first_look(place);
        beam.add(start.score, start.place);
        graph.beam_search(codes, query, scratch, beam, level, [](float, uint32_t) { return false; });
        start = beam.items[0], twin = twin_in(beam, place, query);
        return choose(beam.items, beam.count, graph.degree, taken);
    }

    // False when memory ran out.
    bool link(uint32_t place, int64_t places) {
        const int level = graph.draw_level(place);
        alignas(64) int8_t own[8192];
        if (!graph.make_room(place, level) || !scratch.prepare(places, codes.padded, graph.breadth)) return false;
        const Query query = query_of(codes, place, own);
        // Of two that find no graph yet, only one may begin it: the other would be linked to nobody.
        if (!__atomic_load_n(&graph.entry, __ATOMIC_ACQUIRE) && graph.begin(place, level)) return true;
        const uint64_t top = __atomic_load_n(&graph.entry, __ATOMIC_ACQUIRE);
        const int highest = (int)(top >> 32) - 1;
        const int shared = level < highest ? level : highest;
        uint32_t taken[MOST_LEVELS][64];
        int counts[MOST_LEVELS];
        Found start;
        graph.enter(codes, query, level, start);
        for (int at = shared; at >= 0; at--) {
            uint32_t twin;
            counts[at] = neighbours(place, places, query, start, at, taken[at], twin);
            if (counts[at] < 0) return false;
            if (!at && twin != NOWHERE) return graph.add_twin(twin, place), true;
            write_links(graph.links(place, at), graph.width_of(at), taken[at], counts[at]);
        }
        // Others find the place only now, and from the ground up: whoever comes to it on a level can go on below.
        for (int at = 0; at <= shared; at++)
            for (int i = 0; i < counts[at]; i++) connect(taken[at][i], place, at);
        if (level > highest) {
            Lock hold(&graph.entry_lock);
            if (level > (int)(graph.entry >> 32) - 1)
                __atomic_store_n(&graph.entry, (uint64_t)(level + 1) << 32 | place, __ATOMIC_RELEASE);
        }
        return true;
    }
};
