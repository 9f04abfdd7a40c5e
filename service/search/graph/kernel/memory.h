// Arrays that grow without moving, so that readers never wait for the one who appends.
#pragma once
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

constexpr int BLOCK_BITS = 14;
constexpr int64_t BLOCK = 1 << BLOCK_BITS;  // places in a block
constexpr int64_t MOST_BLOCKS = 1 << 13;    // 134 million places

// `each` numbers of type T for every place. Memory that nobody wrote to is not resident.
template <class T>
struct Blocks {
    T* blocks[MOST_BLOCKS];
    int64_t each, count;  // count of blocks

    int64_t block_bytes() const { return BLOCK * each * (int64_t)sizeof(T); }

    // Room for `places`; false when memory ran out. A filler other than 0 is for links.
    bool reserve(int64_t places, int filler = 0) {
        while (count * BLOCK < places) {
            if (count == MOST_BLOCKS) return false;
            const int64_t bytes = (block_bytes() + 63) / 64 * 64;
            T* block = (T*)aligned_alloc(64, bytes);
            if (!block) return false;
            if (filler) memset(block, filler, bytes);
            __atomic_store_n(&blocks[count], block, __ATOMIC_RELEASE);
            __atomic_store_n(&count, count + 1, __ATOMIC_RELEASE);
        }
        return true;
    }

    // Places that there is room for; beside the one who appends, too.
    int64_t room() const { return __atomic_load_n(&count, __ATOMIC_ACQUIRE) * BLOCK; }

    T* at(int64_t place) const {
        return __atomic_load_n(&blocks[place >> BLOCK_BITS], __ATOMIC_RELAXED) + (place & (BLOCK - 1)) * each;
    }

    void release() {
        for (int64_t i = 0; i < count; i++) free(blocks[i]);
    }
};

// A lock of one byte, held for the time of some stores.
struct Lock {
    uint8_t* byte;
    explicit Lock(uint8_t* b) : byte(b) {
        while (__atomic_exchange_n(byte, (uint8_t)1, __ATOMIC_ACQUIRE))
            while (__atomic_load_n(byte, __ATOMIC_RELAXED)) {
            }
    }
    ~Lock() { __atomic_store_n(byte, (uint8_t)0, __ATOMIC_RELEASE); }
};
