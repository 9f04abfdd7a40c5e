// What one search needs beside the index; kept for the next one.
#pragma once
#include "codes.h"

struct Found {
    float score;
    uint32_t place;
};

// The best `most` that were offered, best first; the lower place first among equals.
struct Best {
    Found* items;
    uint8_t* expanded;
    int count, most;

    bool takes(float score) const { return count < most || score > items[count - 1].score; }
    int add(float score, uint32_t place) {
        if (!takes(score)) return most;
        int low = 0, high = count;
        while (low < high) {
            const int middle = (low + high) / 2;
            const Found& there = items[middle];
            if (there.score > score || (there.score == score && there.place < place)) low = middle + 1;
            else high = middle;
        }
        if (count < most) count++;
        memmove(items + low + 1, items + low, (count - 1 - low) * sizeof(Found));
        memmove(expanded + low + 1, expanded + low, count - 1 - low);
        items[low] = {score, place};
        expanded[low] = 0;
        return low;
    }
};

struct Scratch {
    Scratch* next;
    uint32_t* seen;  // the search that last saw a place
    int64_t seen_room;
    uint32_t search;
    int8_t *coarse, *fine, *bytes;
    float* rest;
    Found* items[2];
    uint8_t* expanded[2];
    int items_room;
    float* estimates;  // of a scan
    uint32_t* scanned;
    int64_t scan_room;

    bool prepare(int64_t places, int padded, int most) {
        if (!coarse) {
            coarse = (int8_t*)aligned_alloc(64, padded), fine = (int8_t*)aligned_alloc(64, padded);
            bytes = (int8_t*)aligned_alloc(64, padded), rest = (float*)aligned_alloc(64, padded * sizeof(float));
            if (!coarse || !fine || !bytes || !rest) return false;
        }
        if (seen_room < places) {
            free(seen);
            seen_room = (places + BLOCK) / BLOCK * BLOCK * 5 / 4, search = 0;
            seen = (uint32_t*)calloc(seen_room, sizeof(uint32_t));
            if (!seen) return seen_room = 0, false;
        }
        if (items_room < most + 1) {
            for (int i = 0; i < 2; i++) {
                free(items[i]), free(expanded[i]);
                items[i] = (Found*)malloc((most + 2) * sizeof(Found)), expanded[i] = (uint8_t*)malloc(most + 2);
                if (!items[i] || !expanded[i]) return items_room = 0, false;
            }
            items_room = most + 1;
        }
        if (++search == 0) memset(seen, 0, seen_room * sizeof(uint32_t)), search = 1;
        return true;
    }
    bool first_look(uint32_t place) {
        if (place >= seen_room || seen[place] == search) return false;  // the first: put in while this search runs
        seen[place] = search;
        return true;
    }
    Best best(int which, int most) { return {items[which], expanded[which], 0, most}; }
    Query query(const float* v, int width, int padded) {
        Query q;
        q.coarse = coarse, q.fine = fine;
        q.coarse_scale = to_bytes(v, width, padded, coarse, rest);
        float* left = rest;
        q.fine_scale = to_bytes(left, width, padded, fine, left);
        q.coarse_offset = offset_of(coarse, padded), q.fine_offset = offset_of(fine, padded);
        double square = 0, over = 0;
        for (int i = 0; i < width; i++) square += (double)v[i] * v[i], over += (double)left[i] * left[i];
        q.length = (float)sqrt(square), q.error = (float)sqrt(over);
        return q;
    }
    void release() {
        free(seen), free(coarse), free(fine), free(bytes), free(rest), free(estimates), free(scanned);
        for (int i = 0; i < 2; i++) free(items[i]), free(expanded[i]);
    }
};
