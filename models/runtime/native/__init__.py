"""The encoder in our own kernels, for processors with AVX-512: C++ in `kernel/`, compiled by `build`."""
