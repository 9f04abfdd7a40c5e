"""How many threads FAISS computes on."""

import faiss


def search_threads() -> int:
    """See to it that a search on this thread computes on no other; returns how many threads hold from now on."""
    # OpenMP keeps this for each thread apart; more threads than one would fight with the encoder's.
    faiss.omp_set_num_threads(1)
    return int(faiss.omp_get_max_threads())
