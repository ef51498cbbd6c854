// How loops are compiled here.
#ifndef LYCO_CLONES_H
#define LYCO_CLONES_H

// One machine-code clone per x86-64 level, chosen by the loader: the baseline that Swift compiles
// for has neither F16C nor AVX. On arm64 half precision is native and needs no clones.
#if defined(__x86_64__) && defined(__linux__)
#define CLONED __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define CLONED
#endif

// A helper must be inlined to be compiled for the level of the clone that it is called from.
#define INLINE static inline __attribute__((always_inline))

#define MIN(a, b) ((a) < (b) ? (a) : (b))

#endif
