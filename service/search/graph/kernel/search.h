// The nearest places to a query: by the graph, or by a look at every place that is allowed.
#pragma once
#include "build.h"

// What a search is about. Bit i of `bits` allows place i; null allows all places below `count`.
struct Ask {
    int64_t count;
    const uint8_t* bits;
    int wanted;   // places to return for a query
    int breadth;  // of the beam
    int hops;     // 2 to look through places that are not allowed for those behind them
};

static inline bool allows(const Ask& ask, int64_t place) {
    return place < ask.count && (!ask.bits || (ask.bits[place >> 3] >> (place & 7) & 1));
}

constexpr int64_t SEEDS = 256;  // allowed places that a search through a filter starts from, beside the way there

struct Searcher {
    const Codes& codes;
    const Graph& graph;
    Scratch& scratch;

    float estimate(const Query& query, uint32_t place) const {
        return query.estimate(codes.codes.at(place), codes.measures.at(place)->scale, codes.padded);
    }

    // Every place that the beam looks at is offered; those that are allowed and were linked get into `best`.
    void walk(const Query& query, const Ask& ask, int64_t linked, int breadth, Best& best) {
        Found start;
        if (!graph.enter(codes, query, 0, start)) return;
        Best beam = scratch.best(0, breadth);
        auto offer = [&](float score, uint32_t place) {
            if (place < linked && allows(ask, place)) best.add(score, place);
            return best.takes(score);
        };
        scratch.first_look(start.place);
        beam.add(start.score, start.place);
        offer(start.score, start.place);
        graph.beam_search(codes, query, scratch, beam, 0, offer);
    }

    // Steps over places that are not allowed to those behind them, so that all work is on allowed ones: the idea of
    // Patel et al., "ACORN" (2024). `best` holds some to start from.
    void walk_allowed(const Query& query, const Ask& ask, int64_t linked, Best& best) {
        const int room = graph.width_of(0), most = 4 * room;
        uint32_t fresh[512];
        for (int at = 0; at < best.count;) {
            if (best.expanded[at]) {
                at++;
                continue;
            }
            best.expanded[at] = 1;
            int count = 0;
            auto consider = [&](uint32_t place) {
                if (count < most && place < linked && allows(ask, place) && scratch.first_look(place))
                    fresh[count++] = place, codes.prefetch(place);
            };
            // Behind a twin that was seen are only those that were, too, or that it will lead to itself.
            auto consider_twins = [&](uint32_t of) {
                for (uint32_t twin = graph.twin_of(of); twin != NOWHERE && count < most; twin = graph.twin_of(twin)) {
                    if (twin >= linked || !allows(ask, twin)) continue;
                    if (!scratch.first_look(twin)) break;
                    fresh[count++] = twin;
                }
            };
            consider_twins(best.items[at].place);
            const uint32_t* list = graph.links(best.items[at].place, 0);
            for (int i = 0; i < room; i++) {
                const uint32_t next = Graph::link(list + i);
                if (next == NOWHERE) break;
                __builtin_prefetch(graph.ground.at(next)), __builtin_prefetch(graph.ground.at(next) + 16);
                consider(next);
            }
            for (int i = 0; i < room && count < most; i++) {
                const uint32_t next = Graph::link(list + i);
                if (next == NOWHERE) break;
                if (allows(ask, next)) continue;
                consider_twins(next);
                const uint32_t* behind = graph.links(next, 0);
                for (int j = 0; j < room; j++) {
                    const uint32_t place = Graph::link(behind + j);
                    if (place == NOWHERE) break;
                    consider(place);
                }
            }
            int first = at + 1;
            for (int i = 0; i < count; i++) {
                const float score = estimate(query, fresh[i]);
                if (!best.takes(score)) continue;
                const int where = best.add(score, fresh[i]);
                if (where < first) first = where;
            }
            at = first;
        }
    }

    // Some allowed places from everywhere to start from: where a filter keeps a far corner, no way may lead there.
    void sow(const Query& query, const Ask& ask, int64_t linked, Best& best) {
        const int64_t words = (linked < ask.count ? linked : ask.count) / 64;
        const int64_t step = words / SEEDS < 1 ? 1 : words / SEEDS;
        uint32_t seeds[16];
        int count = 0;
        for (int64_t word = 0; word < words; word += step) {
            uint64_t bits;
            memcpy(&bits, ask.bits + word * 8, 8);
            if (bits) {
                const uint32_t place = (uint32_t)(word * 64 + __builtin_ctzll(bits));
                if (scratch.first_look(place)) codes.prefetch(place), seeds[count++] = place;
            }
            if (count < 16 && word + step < words) continue;
            for (int i = 0; i < count; i++) {
                const float score = estimate(query, seeds[i]);
                if (best.takes(score)) best.add(score, seeds[i]);
            }
            count = 0;
        }
    }

    // Places that are not in the graph yet.
    void look_at_rest(const Query& query, const Ask& ask, int64_t linked, Best& best) {
        for (int64_t place = linked; place < ask.count; place++) {
            if (place + 2 < ask.count) codes.prefetch(place + 2);
            if (!allows(ask, place)) continue;
            const float score = estimate(query, (uint32_t)place);
            if (best.takes(score)) best.add(score, (uint32_t)place);
        }
    }

    // False when memory ran out. Scores are exact where vectors are kept, else estimates.
    bool search(const float* vector, const Ask& ask, int64_t linked, int64_t room, int64_t* places, float* scores) {
        if (ask.wanted < 1) return true;
        const int kept = ask.breadth > ask.wanted ? ask.breadth : ask.wanted;
        if (!scratch.prepare(room, codes.padded, kept)) return false;
        const Query query = scratch.query(vector, codes.width, codes.padded);
        Best best = scratch.best(1, kept);
        walk(query, ask, linked, ask.hops == 2 && ask.breadth > 16 ? 16 : ask.breadth, best);
        if (ask.hops == 2) {
            sow(query, ask, linked, best);
            walk_allowed(query, ask, linked, best);
        }
        look_at_rest(query, ask, linked < ask.count ? linked : ask.count, best);
        int count = best.count;
        if (codes.keeps_vectors) {
            const int look = count < 2 * ask.wanted + 16 ? count : 2 * ask.wanted + 16;
            for (int i = 0; i < look && i < 4; i++) __builtin_prefetch(codes.vectors.at(best.items[i].place));
            Best exact = scratch.best(0, ask.wanted);
            for (int i = 0; i < look; i++) {
                if (i + 1 < look) {
                    const float* next = codes.vectors.at(best.items[i + 1].place);
                    for (int j = 0; j < codes.width; j += 16) __builtin_prefetch(next + j);
                }
                const uint32_t place = best.items[i].place;
                exact.add(exact_product(vector, codes.vectors.at(place), codes.width), place);
            }
            best = exact, count = exact.count;
        }
        for (int i = 0; i < ask.wanted; i++) {
            places[i] = i < count ? (int64_t)best.items[i].place : -1;
            scores[i] = i < count ? best.items[i].score : -INFINITY;
        }
        return true;
    }

    // Exactly the best `ask.wanted` of the places from `first` on that are allowed, or, where vectors are not kept, all
    // that may be among them. A place is left out only if its estimate says so by more than the estimate can be wrong.
    // Returns how many; more than `room` were not written. -1 when memory ran out.
    int64_t scan(const float* vector, const Ask& ask, int64_t first, int64_t* places, float* scores, int64_t room) {
        if (ask.wanted < 1) return 0;
        if (!scratch.prepare(0, codes.padded, ask.wanted)) return -1;
        if (scratch.scan_room < ask.count) {
            free(scratch.estimates), free(scratch.scanned);
            scratch.scan_room = ask.count * 5 / 4;
            scratch.estimates = (float*)malloc(scratch.scan_room * sizeof(float));
            scratch.scanned = (uint32_t*)malloc(scratch.scan_room * sizeof(uint32_t));
            if (!scratch.estimates || !scratch.scanned) return scratch.scan_room = 0, -1;
        }
        const Query query = scratch.query(vector, codes.width, codes.padded);
        Best sure = scratch.best(0, ask.wanted);  // by what their score is at least
        const int64_t count = collect(ask, first);
        for (int64_t i = 0; i < count; i++) {
            if (i + 3 < count) codes.prefetch(scratch.scanned[i + 3]);
            const uint32_t place = scratch.scanned[i];
            const Measure measure = *codes.measures.at(place);
            const float score = query.fine_estimate(codes.codes.at(place), measure.scale, codes.padded);
            scratch.estimates[i] = score;
            const float least = score - doubt(query, measure);
            if (sure.takes(least)) sure.add(least, place);
        }
        const float bar = sure.count < ask.wanted ? -INFINITY : sure.items[sure.count - 1].score;
        Best exact = scratch.best(1, ask.wanted);
        int64_t written = 0;
        for (int64_t i = 0; i < count; i++) {
            const uint32_t place = scratch.scanned[i];
            if (scratch.estimates[i] + doubt(query, *codes.measures.at(place)) < bar) continue;
            if (codes.keeps_vectors) {
                exact.add(exact_product(vector, codes.vectors.at(place), codes.width), place);
            } else {
                if (written < room) places[written] = place, scores[written] = scratch.estimates[i];
                written++;
            }
        }
        for (int i = 0; i < exact.count; i++) places[i] = exact.items[i].place, scores[i] = exact.items[i].score;
        return codes.keeps_vectors ? exact.count : written;
    }

    // The allowed places, ascending, in scratch.scanned.
    int64_t collect(const Ask& ask, int64_t first) {
        int64_t count = 0;
        if (!ask.bits) {
            for (int64_t place = first; place < ask.count; place++) scratch.scanned[count++] = (uint32_t)place;
            return count;
        }
        for (int64_t word = first / 64; word * 64 < ask.count; word++) {
            uint64_t bits;
            memcpy(&bits, ask.bits + word * 8, 8);
            for (; bits; bits &= bits - 1) {
                const int64_t place = word * 64 + __builtin_ctzll(bits);
                if (place >= first && place < ask.count) scratch.scanned[count++] = (uint32_t)place;
            }
        }
        return count;
    }

    // How far an estimate may be from the exact score: what the codes of both sides leave over, and rounding.
    float doubt(const Query& query, const Measure& measure) const {
        const float most = measure.scale * 127.0f * sqrtf((float)codes.width) + measure.error;  // its length at most
        return query.length * measure.error + query.error * most + 2e-6f * query.length * most;
    }
};
