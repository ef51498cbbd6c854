"""The random numbers of lyco-train, to draw again what it drew: Philox4x32-10 by seed, epoch, sample and
purpose, normal ones by Box and Muller."""

import numpy as np

PURPOSES = {"noise": 1}
MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
KEYS = 0x9E3779B9, 0xBB67AE85
LOW = np.uint64(0xFFFFFFFF)
WORD = np.uint64(32)


def philox(counter, key):
    """Blocks of four words of 32 bits, for counters `[4, n]` (Salmon et al. 2011)."""
    x, y, z, w = (np.asarray(part, np.uint64) for part in counter)
    for number in range(10):
        first, second = (np.uint64((start + number * step) & 0xFFFFFFFF)
                         for start, step in zip(key, KEYS))
        a, b = x * MULTIPLIERS[0], z * MULTIPLIERS[1]
        x, y, z, w = b >> WORD ^ y ^ first, b & LOW, a >> WORD ^ w ^ second, a & LOW
    return x, y, z, w


def words(count, seed, epoch, sample, purpose):
    """So many words of 64 bits."""
    blocks = (count + 1) // 2
    identity = epoch << 40 | sample
    rest = PURPOSES[purpose] << 24, identity & 0xFFFFFFFF, identity >> 32
    x, y, z, w = philox([np.arange(blocks), *(np.full(blocks, part) for part in rest)],
                        (seed & 0xFFFFFFFF, seed >> 32))
    return np.stack([y << WORD | x, w << WORD | z], 1).reshape(-1)[:count]


def normal(count, *identity):
    """So many numbers of mean 0 and deviation 1."""
    bits = words((count + 1) // 2, *identity)
    radius = np.sqrt(-2 * np.log(((bits & LOW).astype(np.float64) + 1) * 2.0**-32))
    angle = (bits >> WORD).astype(np.float64) * (2 * np.pi * 2.0**-32)
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    return pairs.reshape(-1)[:count].astype(np.float32)
